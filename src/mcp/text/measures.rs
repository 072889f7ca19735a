//! Numbers, durations, words and what several answers have in common, as people read them.

use bpm_actors::report::{Behind, LastBuild, LastExit};
use serde::Serialize;

/// `3400` as `3,400`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 line`, `3,400 lines`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    let unit = if number == 1 { one } else { many };
    format!("{} {unit}", thousands(number))
}

/// A number of seconds: `4.1 s`, `1 min 21 s`, `2 h 32 min`, `3 d 4 h`.
pub(super) fn span(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of floats saturates, and what is negative counts as nothing"
    )]
    let whole = seconds.max(0.0).round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3_600, whole / 86_400);
    if whole < 60 {
        format!("{} s", tenth(seconds.max(0.0)))
    } else if hours == 0 {
        format!("{minutes} min {} s", whole % 60)
    } else if days == 0 {
        format!("{hours} h {} min", minutes % 60)
    } else {
        format!("{days} d {} h", hours % 24)
    }
}

/// One digit after the point, but none where it is zero.
pub(super) fn tenth(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// The word that stands for this value in the structured part.
pub(super) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// How a child ended.
pub(super) fn exit(last: &LastExit) -> String {
    format!("run {}, {}, at {}", last.run, last.text, last.at)
}

/// How a build ended.
pub(super) fn build(last: &LastBuild) -> String {
    let (id, mode, how, at) = (last.id, last.mode, word(last.outcome), last.at);
    let took = span(last.seconds);
    let errors = count(last.errors as u64, "error", "errors");
    let warnings = count(last.warnings as u64, "warning", "warnings");
    format!("{id} ({mode}), {how} in {took}, {errors}, {warnings}, at {at}")
}

/// Why what serves is not the newest: the word, and what it means.
pub(super) fn behind(why: Behind) -> String {
    let meaning = match why {
        Behind::BuildFailed => "the newest attempt to build or start it failed",
        Behind::RolledBack => "the newest build did not prove itself",
        Behind::SourcesChanged => "sources were changed after its build began",
    };
    format!("{} ({meaning})", word(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (3_400, "3,400"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn spans_name_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (4.14, "4.1 s"),
            (59.4, "59.4 s"),
            (81.2, "1 min 21 s"),
            (9_120.0, "2 h 32 min"),
            (273_600.0, "3 d 4 h"),
            (-1.0, "0 s"),
            (f64::NAN, "0 s"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
