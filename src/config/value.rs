//! Values of the file as what they stand for. A reader that finds something else says so in the
//! report and answers `None`; nobody uses what is built then.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use bpm_actors::spec::CommandLine;
use toml::de::DeValue;

use super::{
    entry::{Entry, entries},
    keys,
    problem::Report,
};

/// A text that may be empty.
pub(super) fn text(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<String> {
    let Some(text) = entry.value.as_str() else {
        let quoted = if is_scalar(entry.value) {
            " in quotes"
        } else {
            ""
        };
        report.reject(entry, format!("must be a string{quoted}"));
        return None;
    };
    // The system ends arguments, variables and paths at the first NUL.
    if text.contains('\0') {
        report.reject(entry, "must not contain NUL (\\u0000)");
        return None;
    }
    Some(text.to_owned())
}

/// A text that says something.
pub(super) fn word(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = text(entry, report)?;
    if text.is_empty() {
        report.reject(
            entry,
            "must not be empty; leave the key out for its default",
        );
        return None;
    }
    Some(text)
}

/// A list of texts, each read by `read`.
pub(super) fn list(
    entry: &Entry<'_>,
    report: &mut Report<'_>,
    read: fn(&Entry<'_>, &mut Report<'_>) -> Option<String>,
) -> Option<Vec<String>> {
    let Some(elements) = entry.elements() else {
        let hint = match entry.value.as_str() {
            Some(text) => format!(", such as {}", as_list(text)),
            None => String::new(),
        };
        report.reject(entry, format!("must be a list of strings{hint}"));
        return None;
    };
    let texts: Vec<_> = elements
        .iter()
        .map(|element| read(element, report))
        .collect();
    texts.into_iter().collect()
}

/// `true` or `false`.
pub(super) fn flag(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<bool> {
    let flag = entry.value.as_bool();
    if flag.is_none() {
        let quoted = matches!(entry.value.as_str(), Some("true" | "false"));
        report.reject(entry, unquoted("must be true or false", quoted));
    }
    flag
}

/// A port; 0 stands for any.
pub(super) fn port(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<u16> {
    let port = entry
        .value
        .as_integer()
        .and_then(|number| u16::from_str_radix(number.as_str(), number.radix()).ok());
    if port.is_none() {
        let quoted = entry
            .value
            .as_str()
            .is_some_and(|text| text.parse::<u16>().is_ok());
        let advice = "must be a port from 1 to 65535, or 0 to let the system choose";
        report.reject(entry, unquoted(advice, quoted));
    }
    port
}

/// A whole number of such `units`.
pub(super) fn whole(
    entry: &Entry<'_>,
    range: RangeInclusive<u32>,
    units: &str,
    report: &mut Report<'_>,
) -> Option<u32> {
    let number = integer(entry).and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| range.contains(number));
    if number.is_none() {
        let (least, most) = range.clone().into_inner();
        let quoted = entry.value.as_str().and_then(|text| text.parse().ok());
        let quoted = quoted.is_some_and(|number| range.contains(&number));
        let advice = format!("must be a whole number of {units} from {least} to {most}");
        report.reject(entry, unquoted(&advice, quoted));
    }
    number
}

/// A size: a number of bytes, or a text such as `256M`.
pub(super) fn bytes(
    entry: &Entry<'_>,
    range: RangeInclusive<u64>,
    report: &mut Report<'_>,
) -> Option<u64> {
    let text = entry.value.as_str();
    let bytes = text.map_or_else(|| integer(entry), size);
    let bytes = bytes.filter(|bytes| range.contains(bytes));
    if bytes.is_none() {
        // `256 MB`, as most people write it.
        let meant = text.map(|text| {
            let text = text.to_uppercase().replace(' ', "");
            let text = text.strip_suffix('B').unwrap_or(&text);
            text.strip_suffix('I').unwrap_or(text).to_owned()
        });
        let meant = meant.filter(|meant| {
            let differs = text.is_some_and(|text| text.replace(' ', "") != *meant);
            differs && size(meant).is_some_and(|bytes| range.contains(&bytes))
        });
        let hint = meant.map_or(String::new(), |meant| format!("; did you mean {meant:?}?"));
        let (least, most) = range.into_inner();
        let (least, most) = (short(least), short(most));
        let advice = format!(
            "must be a size from {least} to {most}: a number of bytes, or a string such as \"256M\" \
             with K, M, G or T for powers of 1024{hint}"
        );
        report.reject(entry, advice);
    }
    bytes
}

const UNITS: [(char, u32); 4] = [('T', 40), ('G', 30), ('M', 20), ('K', 10)];

fn size(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let (digits, power) = match unit {
        Some((unit, power)) => (text.strip_suffix(*unit)?, *power),
        None => (text, 0),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << power)
}

/// As [`size`] reads it.
fn short(bytes: u64) -> String {
    let unit = UNITS
        .iter()
        .find(|(_, power)| bytes.is_multiple_of(1 << power));
    match unit {
        Some((unit, power)) => format!("{}{unit}", bytes >> power),
        None => bytes.to_string(),
    }
}

fn integer(entry: &Entry<'_>) -> Option<u64> {
    let number = entry.value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A time in seconds, fractions allowed, from 0 to `most`.
pub(super) fn seconds(entry: &Entry<'_>, most: u32, report: &mut Report<'_>) -> Option<Duration> {
    let fits = |seconds: f64| (0.0..=f64::from(most)).contains(&seconds);
    let advice = || format!("must be a number of seconds from 0 to {most}");
    let seconds = number(entry, fits, advice, report)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A time in seconds, fractions allowed, above 0 and up to `most`; at least a millisecond.
pub(super) fn seconds_above_zero(
    entry: &Entry<'_>,
    most: u32,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let fits = |seconds: f64| seconds > 0.0 && seconds <= f64::from(most);
    let advice = || format!("must be a number of seconds above 0 and up to {most}");
    let seconds = number(entry, fits, advice, report)?;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    // What is absurdly small is rounded up, not to nothing.
    Some(duration.max(Duration::from_millis(1)))
}

/// A time in hours, fractions allowed, above 0 and up to a year.
pub(super) fn hours(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<Duration> {
    const MOST: f64 = 8760.0;
    let fits = |hours: f64| hours > 0.0 && hours <= MOST;
    let advice = || format!("must be a number of hours above 0 and up to {MOST}");
    let hours = number(entry, fits, advice, report)?;
    Duration::try_from_secs_f64(hours * 3600.0).ok()
}

/// A path, relative to the project's directory or absolute.
pub(super) fn path(entry: &Entry<'_>, project: &Path, report: &mut Report<'_>) -> Option<PathBuf> {
    let path = word(entry, report)?;
    // Without `.` and doubled slashes, as people write paths.
    Some(project.join(path).components().collect())
}

/// A path to a directory that exists.
pub(super) fn directory(
    entry: &Entry<'_>,
    project: &Path,
    report: &mut Report<'_>,
) -> Option<PathBuf> {
    let path = path(entry, project, report)?;
    let problem = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => return Some(path),
        Ok(_) => "is not a directory".to_owned(),
        Err(error) => format!("cannot be used: {error}"),
    };
    let tilde = entry
        .value
        .as_str()
        .is_some_and(|text| text.starts_with('~'));
    let hint = if tilde {
        " (`~` is not expanded here)"
    } else {
        ""
    };
    report.reject(
        entry,
        format!(
            "must be a directory, relative to the project's; {} {problem}{hint}",
            path.display()
        ),
    );
    None
}

/// A program and its arguments.
pub(super) fn command(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<CommandLine> {
    let mut words = list(entry, report, text)?;
    if words.first().is_none_or(String::is_empty) {
        let example = match entry.name {
            "exec" => "[\"./check\"]",
            _ => "[\"npm\", \"run\", \"dev\"]",
        };
        let advice = format!("must begin with a program, such as {example}");
        report.reject(entry, advice);
        return None;
    }
    let args = words.split_off(1);
    let program = words.pop()?;
    Some(CommandLine { program, args })
}

/// A table of variables.
pub(super) fn environment(
    entry: &Entry<'_>,
    report: &mut Report<'_>,
) -> Option<BTreeMap<String, String>> {
    /// What the daemon recognises its children by.
    const OURS: [&str; 2] = ["BPM_PROCESS", "BPM_RUN"];
    let Some(table) = entry.value.as_table() else {
        report.reject(
            entry,
            "must be a table of strings, such as { PORT = \"8080\" }",
        );
        return None;
    };
    let mut variables = BTreeMap::new();
    for variable in entries(&entry.path, table) {
        if variable.name.is_empty() || variable.name.contains(['=', '\0']) {
            report.reject(
                &variable,
                "the name of a variable must not be empty nor contain `=` or NUL",
            );
        } else if OURS.contains(&variable.name) {
            report.reject(
                &variable,
                "is set by the daemon, which recognises its children by it",
            );
        } else if !variable.value.is_str() && keys::of_process(None).contains(&variable.name) {
            // TOML gives the last header everything that follows.
            let name = variable.name;
            report.reject(
                &variable,
                format!("must be a string; the process's own {name} goes above its env table"),
            );
        } else if let Some(value) = text(&variable, report) {
            variables.insert(variable.name.to_owned(), value);
        }
    }
    Some(variables)
}

/// A finite number that `fits`.
fn number(
    entry: &Entry<'_>,
    fits: impl Fn(f64) -> bool,
    advice: impl Fn() -> String,
    report: &mut Report<'_>,
) -> Option<f64> {
    let number = match entry.value {
        // What is too large for an i32 is too large for every limit there is.
        DeValue::Integer(number) => i32::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(f64::from),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    };
    let number = number.filter(|number| fits(*number));
    if number.is_none() {
        let quoted = entry
            .value
            .as_str()
            .and_then(|text| text.parse().ok())
            .is_some_and(fits);
        report.reject(entry, unquoted(&advice(), quoted));
    }
    number
}

fn unquoted(advice: &str, quoted: bool) -> String {
    if quoted {
        format!("{advice}, without quotes")
    } else {
        advice.to_owned()
    }
}

fn is_scalar(value: &DeValue<'_>) -> bool {
    !value.is_table() && !value.is_array()
}

/// A command line as somebody might have meant it who wrote it as one string.
fn as_list(line: &str) -> String {
    let words: Vec<_> = line
        .split_whitespace()
        .map(|word| format!("{word:?}"))
        .collect();
    format!("[{}]", words.join(", "))
}
