//! What the arguments ask of the API.

use jiff::Timestamp;

use crate::{
    cli::{arguments::LogsArguments, code::Code, duration, failure::Failure},
    client::{LogFilter, LogKind},
};

/// The question about these processes.
///
/// # Errors
/// When a time is none.
pub(super) fn filter(arguments: &LogsArguments, names: &[String]) -> Result<LogFilter, Failure> {
    let now = Timestamp::now();
    let time = |option: &str, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| point(text, now).map_err(|why| wrong(option, &why)))
            .transpose()
    };
    Ok(LogFilter {
        processes: names.to_vec(),
        kind: if arguments.build {
            LogKind::Build
        } else {
            LogKind::Run
        },
        run: arguments.run,
        since: time("--since", &arguments.since)?,
        until: time("--until", &arguments.until)?,
        pattern: arguments.grep.clone(),
        ignore_case: arguments.ignore_case,
        invert: arguments.invert,
        level: arguments.level.clone(),
        stream: arguments.stream.map(Into::into),
        context_lines: arguments.context,
        tail: arguments.lines,
        follow: arguments.follow,
        ..LogFilter::default()
    })
}

fn wrong(option: &str, why: &str) -> Failure {
    Failure::new(Code::Usage, format!("{option}: {why}"))
}

/// A point in time: an age is counted from now, so that it stays the same however long is followed.
fn point(text: &str, now: Timestamp) -> Result<String, String> {
    if text.parse::<Timestamp>().is_ok() {
        return Ok(text.to_owned());
    }
    let age = duration::parse(text).map_err(|_| {
        format!("{text:?} is no time; write it like 90s, 5m, 1h30m or 2026-11-23T10:00:00Z")
    })?;
    let point = jiff::SignedDuration::try_from(age)
        .ok()
        .and_then(|age| now.checked_sub(age).ok());
    Ok(point.unwrap_or(Timestamp::UNIX_EPOCH).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_counted_from_now() {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("5m", "2026-11-23T09:55:00Z"),
            ("1h30m", "2026-11-23T08:30:00Z"),
            ("2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("99999999d", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(point(text, now).as_deref(), Ok(expected));
        }
        assert!(point("yesterday", now).unwrap_err().contains("5m"));
    }
}
