//! Times and sizes as people read them.

use std::time::Duration;

/// `12 s`, `3 min 12 s`, `2 h 05 min`, `3 d 4 h`.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {:02} s", seconds % 60),
        3600..86400 => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// In one unit, where there is little room: `12s`, `3m`, `2h`, `3d`.
pub(super) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// A wait counts down to 1 and ends; a started second counts whole.
pub(super) fn countdown(duration: Duration) -> String {
    let started = u64::from(duration.subsec_nanos() > 0);
    span(Duration::from_secs(duration.as_secs() + started))
}

/// `12.3 MB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" || value >= 100.0 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `1 error`, `2 errors`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_exact_as_anybody_wants_them() {
        let cases = [
            (0, "0 s", "0s"),
            (59, "59 s", "59s"),
            (61, "1 min 01 s", "1m"),
            (7500, "2 h 05 min", "2h"),
            (273_600, "3 d 4 h", "3d"),
        ];
        for (seconds, long, brief) in cases {
            let duration = Duration::from_secs(seconds);
            assert_eq!(
                (span(duration).as_str(), short(duration).as_str()),
                (long, brief)
            );
        }
        assert_eq!(countdown(Duration::from_millis(2001)), "3 s");
    }

    #[test]
    fn sizes_have_three_digits() {
        let cases = [
            (999, "999 B"),
            (12_345_678, "12.3 MB"),
            (123_456_789, "123 MB"),
            (5_000_000_000_000, "5.0 TB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }
}
