//! Dates and durations that have names and units.

use super::word;

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Units of durations. Where one begins with another it comes first.
const UNITS: [&str; 11] = [
    "ns", "us", "µs", "μs", "ms", "min", "sec", "s", "m", "h", "d",
];

/// So many parts a duration has at most without spaces: long lines must not take long.
const MOST_PARTS: usize = 8;

/// The length of the date that `rest` begins with, if names are part of it: `Mon Nov 23`,
/// `23/Nov/2026`, and of `Mon 2026-11-23` and `Mon 12:00` up to the first number.
pub(super) fn date(rest: &[u8]) -> Option<usize> {
    let Some(weekday) = name(rest, &WEEKDAYS) else {
        return day_and_month(rest);
    };
    let comma = usize::from(rest.get(weekday) == Some(&b','));
    let start = weekday + comma + gap(&rest[weekday + comma..], b" ")?;
    let rest = &rest[start..];
    let number = || {
        let length = digits(rest)?;
        matches!(rest.get(length), Some(b'-' | b':')).then_some(length)
    };
    Some(start + day_and_month(rest).or_else(number)?)
}

/// `Nov 23`, `23 Nov`, `23-Nov-2026`
fn day_and_month(rest: &[u8]) -> Option<usize> {
    if let Some(month) = name(rest, &MONTHS) {
        let start = month + gap(&rest[month..], b" ")?;
        return Some(start + day(&rest[start..])?);
    }
    let day = day(rest)?;
    let start = day + gap(&rest[day..], b" -/")?;
    let end = start + name(&rest[start..], &MONTHS)?;
    let year = || {
        let start = end + gap(&rest[end..], b" -/")?;
        let length = word(&rest[start..]).len();
        (length == 4 && digits(&rest[start..]) == Some(length)).then_some(start + length)
    };
    Some(year().unwrap_or(end))
}

/// The length of a word that is one of these names, or the first three letters of one.
fn name(rest: &[u8], names: &[&str]) -> Option<usize> {
    let word = word(rest);
    // In small letters `may` and `sun` are mostly something else.
    let is_known = word.first().is_some_and(u8::is_ascii_uppercase)
        && names.iter().any(|name| {
            let known = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            known(name) || name.get(..3).is_some_and(known)
        });
    is_known.then_some(word.len())
}

fn day(rest: &[u8]) -> Option<usize> {
    let length = word(rest).len();
    (length <= 2 && digits(rest) == Some(length)).then_some(length)
}

/// The length of what is between the parts of a date: one such byte, or spaces that align a day.
fn gap(rest: &[u8], separators: &[u8]) -> Option<usize> {
    let first = rest.first().filter(|byte| separators.contains(byte))?;
    let is_wide = *first == b' ' && rest.get(1) == Some(&b' ');
    Some(if is_wide { 2 } else { 1 })
}

fn digits(rest: &[u8]) -> Option<usize> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then_some(length)
}

/// The length of the duration that `rest` begins with, in one unit or several: `1.2s`, `2m 3s`.
pub(super) fn duration(rest: &[u8]) -> Option<usize> {
    let mut end = parts(rest)?;
    while let Some(more) = rest[end..].strip_prefix(b" ").and_then(parts) {
        end += 1 + more;
    }
    Some(end)
}

/// `1h2m3.5s`
fn parts(rest: &[u8]) -> Option<usize> {
    let mut end = part(rest)?;
    for _ in 1..MOST_PARTS {
        end += part(&rest[end..]).unwrap_or(0);
    }
    // Letters of other alphabets are parts of words, too.
    let is_end = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    rest.get(end).is_none_or(is_end).then_some(end)
}

fn part(rest: &[u8]) -> Option<usize> {
    let whole = digits(rest)?;
    let fraction = rest[whole..].strip_prefix(b".").and_then(digits);
    let number = whole + fraction.map_or(0, |length| 1 + length);
    let unit = UNITS
        .iter()
        .find(|unit| rest[number..].starts_with(unit.as_bytes()))?;
    Some(number + unit.len())
}
