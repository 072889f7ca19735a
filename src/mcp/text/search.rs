//! Lines of a log, under a first line that says what they are and what was left out.

use std::fmt::Write;

use bpm_actors::{
    logs::{Source, Stream},
    report::{EventReport, ProcessReport},
    search::{Extent, Found, LogKind, Query},
};

use super::measures::{count, span, thousands, word};
use crate::{
    mcp::tools::{MOST_BYTES, USUAL_BYTES},
    service::{Finding, LogAnswer},
};

/// What the lines above the log need, beside the project's directory.
const ABOVE: usize = 1_200;
/// How much of a reason is repeated there, in bytes.
const MOST_REASON: usize = 600;

/// How many bytes of log an answer has room for.
pub(in crate::mcp) fn budget(project: &str, extent: Extent) -> usize {
    let most = match extent {
        Extent::Fitting => USUAL_BYTES,
        Extent::Head(_) | Extent::Tail(_) => MOST_BYTES,
    };
    most.saturating_sub(ABOVE + project.len())
}

/// The text of this answer to `query`.
pub(in crate::mcp) fn search(project: &str, query: &Query, answer: &LogAnswer) -> String {
    let process = &answer.process;
    let mut text = match &answer.finding {
        Finding::Log {
            found,
            hidden,
            unbuilt,
        } => {
            let mut notes = notes(query, answer, found, *hidden);
            notes.splice(0..0, unbuilt.as_ref().map(newer_attempt));
            log(project, query, answer, found, &notes)
        }
        Finding::NothingIsBuilt(kind) => {
            let kind = word(kind);
            format!(
                "{process} in {project}: nothing is built for a process of type {kind}, so there \
                 is no build log; search_logs has what it prints"
            )
        }
        Finding::NothingRecorded { now } => nothing(project, answer, now),
    };
    clip(&mut text);
    text
}

fn log(
    project: &str,
    query: &Query,
    answer: &LogAnswer,
    found: &Found,
    notes: &[String],
) -> String {
    let process = &answer.process;
    let (source, under_way) = match found.source {
        Source::Run(run) => (format!("run {run}"), "running"),
        Source::Build(build) => (format!("build {build}"), "building"),
    };
    let state = found.ending.as_deref().unwrap_or(under_way);
    let mode = found.mode;
    let counted = counted(query, found);
    let evicted = thousands(found.evicted);
    let mut text = format!(
        "{process} {source} ({state}, {mode}) in {project}: {counted}; {evicted} evicted\n"
    );
    for note in notes {
        _ = writeln!(text, "{note}");
    }
    text.push_str(&found.text);
    text
}

/// Why the newest build is not the newest attempt.
pub(super) fn newer_attempt(event: &EventReport) -> String {
    let age = span(event.age_seconds);
    let end = event.text.floor_char_boundary(MOST_REASON);
    let (reason, rest) = event.text.split_at(end);
    let cut = if rest.is_empty() { "" } else { "…" };
    format!("the newest attempt failed before cargo, {age} ago: {reason}{cut}")
}

/// How many lines there are, and which of them are shown.
fn counted(query: &Query, found: &Found) -> String {
    let stream = query.stream.map(|stream| format!(" of {}", name(stream)));
    let stream = stream.unwrap_or_default();
    let kept = thousands(found.kept);
    let all = if query.pattern.is_some() {
        format!(
            "{} of {kept} lines{stream} matched",
            thousands(found.matched)
        )
    } else {
        format!("{kept} lines{stream}")
    };
    let end = match query.extent {
        Extent::Head(_) => "first",
        Extent::Tail(_) | Extent::Fitting => "last",
    };
    let shown = format!("showing the {end} {}", thousands(found.shown));
    format!("{all}, {shown}")
}

/// How many lines could be shown.
fn there(query: &Query, found: &Found) -> u64 {
    if query.pattern.is_some() {
        found.matched
    } else {
        found.kept
    }
}

/// What was left out and how to get it, and why an empty answer is empty.
fn notes(query: &Query, answer: &LogAnswer, found: &Found, hidden: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if found.kept == 0 {
        notes.push(emptiness(query, answer, found, hidden));
        return notes;
    }
    let there = there(query, found);
    if there == 0 {
        let lines = count(found.kept, "line that is kept", "lines that are kept");
        notes.push(format!(
            "the pattern matches none of the {lines}; it is case-sensitive unless it begins with \
             (?i); index -2 is the one before"
        ));
        return notes;
    }
    let wanted = match query.extent {
        Extent::Head(wanted) | Extent::Tail(wanted) => (wanted as u64).min(there),
        Extent::Fitting => there,
    };
    if found.shown < wanted {
        let left_out = thousands(wanted - found.shown);
        let what = if query.pattern.is_some() {
            "matches"
        } else {
            "lines"
        };
        let others = match query.extent {
            Extent::Head(_) => "tail shows the last ones",
            Extent::Tail(_) | Extent::Fitting => "head shows the first ones",
        };
        let fewer = if query.context > 0 {
            ", fewer context_lines leave more room"
        } else {
            ""
        };
        notes.push(format!(
            "{left_out} more {what} do not fit into one answer: a narrower pattern or stream finds \
             them, {others}{fewer}"
        ));
    }
    if found.shortened > 0 {
        let bytes = count(found.shortened, "byte was", "bytes were");
        notes.push(format!("{bytes} cut out of the middle of long lines"));
    }
    notes
}

fn emptiness(query: &Query, answer: &LogAnswer, found: &Found, hidden: u64) -> String {
    if hidden > 0 {
        let lines = count(hidden, "line is", "lines are");
        let other = match query.stream {
            Some(Stream::Stdout) => name(Stream::Stderr),
            _ => name(Stream::Stdout),
        };
        return format!("nothing was printed on this stream; {lines} on {other}");
    }
    if found.evicted > 0 {
        let lines = count(found.evicted, "line was", "lines were");
        return format!("nothing is kept any more: {lines} given up for newer output");
    }
    let who = match answer.kind {
        LogKind::Runs => "it",
        LogKind::Builds => "cargo",
    };
    if found.ending.is_some() {
        format!("{who} printed nothing")
    } else {
        format!("{who} has printed nothing yet")
    }
}

/// The answer where there has been no run or build.
fn nothing(project: &str, answer: &LogAnswer, now: &ProcessReport) -> String {
    let process = &answer.process;
    let what = match answer.kind {
        LogKind::Runs => "has not run yet, so it printed nothing",
        LogKind::Builds => "has not come to a build yet, so there is no build log",
    };
    let state = word(now.state);
    let mut text = format!("{process} in {project}: {what}; it is {state}");
    if let Some(seconds) = now.next_attempt_in_seconds {
        _ = write!(text, ", next attempt in {}", span(seconds));
    }
    if let Some(event) = Finding::trouble(now) {
        let (age, what) = (span(event.age_seconds), &event.text);
        _ = write!(text, "\n{age} ago: {}: {what}", word(event.kind));
    }
    if answer.kind == LogKind::Runs && now.last_build.is_some() {
        text.push_str("\nsearch_build_log has what cargo said");
    }
    text
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

/// The log store keeps to its budget; this holds whatever it and the project's name do.
fn clip(text: &mut String) {
    const CUT: &str = "\n(cut here)";
    if text.len() > MOST_BYTES {
        let end = text.floor_char_boundary(MOST_BYTES - CUT.len());
        text.truncate(end);
        text.push_str(CUT);
    }
}

#[cfg(test)]
mod tests;
