//! What stands between the first line of a log answer and the lines: what happened since a cursor,
//! what is missing, and why an empty answer is empty.

use bpm_actors::{
    logs::Stream,
    pattern::Case,
    report::EventReport,
    search::{
        Beyond, Found, GoneLogs, LogKind, Matching, Query, Searched,
        bound::Bound,
        cursor::{Cursor, Position},
    },
};

use super::{listed, name};
use crate::{
    mcp::text::measures::{count, span},
    service::LogAnswer,
};

/// How much of a reason is repeated, in bytes.
const MOST_REASON: usize = 600;
/// How many later runs are named.
const MOST_RUNS: usize = 3;
/// Of how many processes it is told what followed the run of the cursor.
const MOST_CHANGES: usize = 3;

/// Why the newest build is not the newest attempt.
pub(in crate::mcp::text) fn newer_attempt(event: &EventReport) -> String {
    let age = span(event.age_seconds);
    let end = event.text.floor_char_boundary(MOST_REASON);
    let (reason, rest) = event.text.split_at(end);
    let cut = if rest.is_empty() { "" } else { "…" };
    format!("the newest attempt failed before cargo, {age} ago: {reason}{cut}")
}

/// What was left out and how to get it, and why an empty answer is empty.
pub(super) fn notes(query: &Query, answer: &LogAnswer, found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    if query.after.is_some() {
        let of_one = found
            .logs
            .chunk_by(|one, other| one.process == other.process);
        notes.extend(found.beyond.iter().map(|it| beyond(query, answer.kind, it)));
        let changes = of_one.filter_map(|logs| changed(query, answer.kind, logs));
        notes.extend(few(changes.collect(), answer.kind));
        notes.extend(gap(answer.kind, found));
    }
    if !found.without.is_empty() {
        let one = one(answer.kind);
        notes.push(format!("no such {one}: {}", listed(&found.without)));
    }
    if found.kept == 0 {
        notes.push(emptiness(query, answer, found));
    } else if found.matched == 0 {
        notes.push(unmatched(query, found));
    }
    for (number, one, many) in [
        (
            found.lost,
            "line in between was lost while history could not be written",
            "lines in between were lost while history could not be written",
        ),
        (
            found.unreadable,
            "line cannot be read: its file was removed meanwhile or is damaged",
            "lines cannot be read: their files were removed meanwhile or are damaged",
        ),
        (
            found.shortened,
            "byte was cut out of the middle of long lines",
            "bytes were cut out of the middle of long lines",
        ),
    ] {
        if number > 0 {
            notes.push(count(number, one, many));
        }
    }
    notes
}

/// Says that lines after the cursor are gone.
fn gap(kind: LogKind, found: &Found) -> Option<String> {
    let one = one(kind);
    let whole = match found.gone_logs {
        GoneLogs::NONE => None,
        GoneLogs::Counted(logs) => {
            let logs = count(logs, one, &format!("{one}s"));
            Some(format!("an unknown number in {logs} that had to leave"))
        }
        GoneLogs::Uncounted => Some(format!(
            "an unknown number in an unknown number of {one}s that had to leave"
        )),
    };
    let lines = (found.gone > 0).then(|| count(found.gone, "line", "lines"));
    match (lines, whole) {
        (None, None) => None,
        (Some(lines), None) => {
            let are = if found.gone == 1 { "is" } else { "are" };
            Some(format!("gap: {lines} after the cursor {are} gone"))
        }
        (None, Some(whole)) => Some(format!("gap: lines after the cursor are gone, {whole}")),
        (Some(lines), Some(whole)) => Some(format!(
            "gap: {lines} after the cursor are gone, and {whole}"
        )),
    }
}

/// The first changes, and how many more there are: of many processes they would leave no room.
fn few(mut changes: Vec<String>, kind: LogKind) -> Vec<String> {
    let more = changes.len().saturating_sub(MOST_CHANGES);
    if more > 0 {
        changes.truncate(MOST_CHANGES);
        let one = one(kind);
        let of = count(more as u64, "more process", "more processes");
        changes.push(format!("{one}_changed: also of {of}"));
    }
    changes
}

/// Says that the cursor names a line that there is not.
fn beyond(query: &Query, kind: LogKind, beyond: &Beyond) -> String {
    let Beyond {
        process,
        cursor,
        last,
    } = beyond;
    let name = match query.after {
        Some(Cursor::Several(_)) => format!("{process}="),
        Some(Cursor::One(_)) | None => String::new(),
    };
    let (one, number) = (one(kind), cursor.number);
    let lines = count(*last, "line", "lines");
    format!(
        "cursor {name}{cursor} is beyond the end of {one} {number}, which has {lines}: it is of \
         another {one} {number}, or what it had was lost; all of it counts as new"
    )
}

/// Says that the run of the cursor is over.
fn changed(query: &Query, kind: LogKind, logs: &[Searched]) -> Option<String> {
    let (first, last) = (logs.first()?, logs.last()?);
    let after = query.after.as_ref()?;
    let Position { number, .. } = after.of(&first.process)?;
    if last.number() == number {
        return None;
    }
    let one = one(kind);
    let process = match after {
        Cursor::One(_) => String::new(),
        Cursor::Several(_) => format!("{} ", first.process),
    };
    let (old, later) = if first.number() == number {
        (format!("{one} {number} ({})", first.state()), &logs[1..])
    } else {
        (format!("{one} {number}, which is not kept,"), logs)
    };
    let new = match later {
        few if few.len() <= MOST_RUNS => {
            let few = few.iter();
            let few: Vec<_> = few
                .map(|log| format!("{} ({})", log.title(), log.state()))
                .collect();
            few.join(", ")
        }
        many => format!(
            "{} {one}s, the newest {} ({})",
            many.len(),
            last.title(),
            last.state()
        ),
    };
    Some(format!(
        "{one}_changed: {process}{old} was followed by {new}"
    ))
}

fn one(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Runs => "run",
        LogKind::Builds => "build",
    }
}

fn unmatched(query: &Query, found: &Found) -> String {
    let lines = count(found.kept, "line that is kept", "lines that are kept");
    let bounded = query.since.is_some() || query.until.is_some() || query.after.is_some();
    let where_else = if found.has_older && !bounded {
        "; index -2 is the one before"
    } else {
        ""
    };
    match (&query.pattern, query.matching, query.level) {
        (Some(pattern), Matching::Lines, None) => {
            let case = match pattern.case() {
                Case::Counts => "; it is case-sensitive unless ignore_case is true",
                Case::Ignored => "",
            };
            format!("the pattern matches none of the {lines}{case}{where_else}")
        }
        (Some(_), Matching::OtherLines, None) => {
            format!("the pattern matches every one of the {lines}{where_else}")
        }
        (Some(_), _, Some(_)) => format!(
            "none of the {lines} names this level or a worse one and is what the pattern \
             asks for{where_else}"
        ),
        (None, ..) => format!("none of the {lines} names this level or a worse one{where_else}"),
    }
}

/// Whether no line of any process can be behind the one cursor and not behind the other.
fn is_behind(answer: &LogAnswer, after: &Cursor, until: &Cursor) -> bool {
    let mut processes = answer.processes.iter();
    processes.all(|process| match (after.of(process), until.of(process)) {
        (Some(after), Some(until)) => until <= after,
        _ => false,
    })
}

fn emptiness(query: &Query, answer: &LogAnswer, found: &Found) -> String {
    if let Some(cursor) = &query.after
        && found.hidden == 0
        && found.beyond.is_empty()
    {
        return match &query.until {
            Some(Bound::Cursor(until)) if is_behind(answer, cursor, until) => format!(
                "until {until} is not behind after_cursor {cursor}: the bounds leave nothing \
                 between them"
            ),
            Some(_) => format!("nothing is between after_cursor {cursor} and until"),
            None if query.since.is_some() => {
                format!("nothing is behind both after_cursor {cursor} and since")
            }
            None => format!("nothing new since {cursor}"),
        };
    }
    if found.hidden > 0 {
        let lines = count(found.hidden, "line is", "lines are");
        let other = match query.stream {
            Some(Stream::Stdout) => name(Stream::Stderr),
            _ => name(Stream::Stdout),
        };
        return format!("nothing was printed on this stream; {lines} on {other}");
    }
    if found.outside > 0 {
        let lines = count(found.outside, "line is", "lines are");
        return format!("nothing is between since and until; {lines} outside");
    }
    if found.evicted > 0 {
        let lines = count(found.evicted, "line was", "lines were");
        return format!("nothing is kept any more: {lines} given up for newer output");
    }
    let who = match (answer.kind, answer.processes.as_slice()) {
        (LogKind::Builds, _) => "cargo",
        (LogKind::Runs, [_]) => "it",
        (LogKind::Runs, _) => "none of them",
    };
    let is_over = found.logs.iter().all(|log| log.ending.is_some());
    match (who, is_over) {
        ("none of them", true) => "none of them printed anything".to_owned(),
        ("none of them", false) => "none of them has printed anything yet".to_owned(),
        (_, true) => format!("{who} printed nothing"),
        (_, false) => format!("{who} has printed nothing yet"),
    }
}
