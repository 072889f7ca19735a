//! Times as people write them: `30s`, `5m`, `1h30m`; and as they read them.

use std::time::Duration;

/// Reads a duration. A number without a unit is seconds.
///
/// # Errors
/// When it is none.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write it like 30s, 5m or 1h30m");
    let mut seconds = 0.0;
    let mut rest = text.trim();
    let mut last_unit = f64::INFINITY;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, behind) = rest.split_at(digits.unwrap_or(rest.len()));
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, behind) = behind.split_at(letters.unwrap_or(behind.len()));
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "" if behind.is_empty() && rest == text.trim() => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        // `30m1h` is more likely a slip than ninety minutes.
        if unit >= last_unit {
            return Err(wrong());
        }
        let number: f64 = number.parse().map_err(|_| wrong())?;
        (seconds, last_unit, rest) = (seconds + number * unit, unit, behind);
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// A number of seconds in little room: `0.3 s`, `12 s`, `5 m 3 s`, `2 h 32 m`, `3 d 4 h`.
pub(super) fn short(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 {
        let text = format!("{seconds:.1}");
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of floats saturates, and what is negative counts as nothing"
    )]
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3_600, whole / 86_400);
    if whole < 60 {
        format!("{whole} s")
    } else if hours == 0 {
        format!("{minutes} m {} s", whole % 60)
    } else if days == 0 {
        format!("{hours} h {} m", minutes % 60)
    } else {
        format!("{days} d {} h", hours % 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_the_largest_first() {
        for (text, seconds) in [
            ("30s", 30.0),
            ("5m", 300.0),
            ("5min", 300.0),
            ("1h30m", 5_400.0),
            ("1d2h3m4s", 93_784.0),
            ("250ms", 0.25),
            ("1.5h", 5_400.0),
            ("45", 45.0),
            (" 0 ", 0.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for wrong in [
            "",
            "s",
            "-5s",
            "5x",
            "1m1h",
            "5m5m",
            "5m 3s",
            "1h30",
            "1..5s",
            "ä",
            "inf",
            "1e9s",
            "99999999999999999999d",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_name_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.34, "0.3 s"),
            (4.0, "4 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (59.7, "1 m 0 s"),
            (81.2, "1 m 21 s"),
            (9_120.0, "2 h 32 m"),
            (273_600.0, "3 d 4 h"),
            (-1.0, "0 s"),
        ] {
            assert_eq!(short(seconds), text);
        }
    }
}
