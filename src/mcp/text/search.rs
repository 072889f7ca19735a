//! Lines of logs, under a first line that says what they are and what was left out.

pub(super) mod notes;

use std::fmt::Write;

use bpm_actors::{
    ids::ProcessName,
    logs::{Source, Stream},
    report::ProcessReport,
    search::{Extent, Found, LogKind, Query, Searched},
};

use super::measures::{span, thousands, word};
use crate::service::{Finding, LogAnswer};

/// What the lines above the log need, beside the project's directory.
const ABOVE: usize = 1_200;

/// How many bytes of log an answer of at most so many bytes has room for.
pub(in crate::mcp) fn budget(project: &str, most: usize) -> usize {
    // Where little is wanted, what stands above is mostly short as well.
    most - (ABOVE + project.len()).min(most / 2)
}

/// The text of this answer to `query`, of at most so many bytes.
pub(in crate::mcp) fn search(
    project: &str,
    query: &Query,
    most: usize,
    answer: &LogAnswer,
) -> String {
    let (mut text, log) = match &answer.finding {
        Finding::Log { found, unbuilt } => {
            let mut text = first_line(project, query, found);
            if let Some(event) = unbuilt {
                _ = writeln!(text, "{}", notes::newer_attempt(event));
            }
            for note in notes::notes(query, answer, found) {
                _ = writeln!(text, "{note}");
            }
            _ = writeln!(text, "cursor {}", found.cursor);
            (text, found.text.as_str())
        }
        Finding::NothingIsBuilt(kind) => {
            let (processes, kind) = (listed(&answer.processes), word(kind));
            let text = format!(
                "{processes} in {project}: nothing is built for a process of type {kind}, so there \
                 is no build log; search_logs has what it prints"
            );
            (text, "")
        }
        Finding::NothingRecorded { now } => {
            let each = now.iter().map(|now| nothing(project, answer.kind, now));
            (each.collect::<Vec<_>>().join("\n"), "")
        }
    };
    put(&mut text, log, most);
    text
}

fn first_line(project: &str, query: &Query, found: &Found) -> String {
    let of_one = found
        .logs
        .chunk_by(|one, other| one.process == other.process);
    let logs: Vec<String> = of_one.map(titles).collect();
    let (logs, counted) = (logs.join(", "), counted(query, found));
    let evicted = thousands(found.evicted);
    format!("{logs} in {project}: {counted}; {evicted} evicted\n")
}

/// What the logs of one process are called: `main run 7 (running, dev)`.
fn titles(logs: &[Searched]) -> String {
    let (Some(first), Some(last)) = (logs.first(), logs.last()) else {
        return String::new();
    };
    let title = if logs.len() == 1 {
        first.title()
    } else {
        let many = match last.source {
            Source::Run(_) => "runs",
            Source::Build(_) => "builds",
        };
        format!("{many} {} to {}", first.number(), last.number())
    };
    format!("{} {title} ({}, {})", last.process, last.state(), last.mode)
}

/// How many lines there are, and which of them are shown.
fn counted(query: &Query, found: &Found) -> String {
    let stream = query.stream.map(|stream| format!(" of {}", name(stream)));
    let stream = stream.unwrap_or_default();
    let kept = thousands(found.kept);
    let all = if query.is_choosy() {
        format!(
            "{} of {kept} lines{stream} matched",
            thousands(found.matched)
        )
    } else {
        format!("{kept} lines{stream}")
    };
    let (first, last) = (thousands(found.shown_first), thousands(found.shown_last));
    let chosen = thousands(found.chosen);
    let is_cut = found.shown() < found.chosen;
    let shown = match query.extent {
        Extent::Head(_) if !is_cut => format!("the first {last}"),
        _ if found.shown_first == 0 => format!("the last {last}"),
        _ => format!("the last {last} and the first {first}"),
    };
    let of = match query.extent {
        _ if !is_cut => String::new(),
        Extent::Head(_) => format!(" of the first {chosen}"),
        Extent::Tail(_) => format!(" of the last {chosen}"),
        Extent::All => String::new(),
    };
    format!("{all}, showing {shown}{of}")
}

/// The answer where there has been no run or build.
fn nothing(project: &str, kind: LogKind, now: &ProcessReport) -> String {
    let process = &now.name;
    let what = match kind {
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
    if kind == LogKind::Runs && now.last_build.is_some() {
        text.push_str("\nsearch_build_log has what cargo said");
    }
    text
}

fn listed(processes: &[ProcessName]) -> String {
    let names: Vec<&str> = processes.iter().map(ProcessName::as_str).collect();
    names.join(", ")
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

/// Puts the log under what stands above it. The log store keeps to its budget; this holds the limit
/// however much stands above: then the last lines are worth most.
fn put(text: &mut String, log: &str, most: usize) {
    const CUT: &str = "(cut here)\n";
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most.saturating_sub(CUT.len())));
        text.push_str(CUT);
    }
    let room = most.saturating_sub(text.len());
    if log.len() <= room {
        text.push_str(log);
        return;
    }
    let Some(room) = room.checked_sub(CUT.len()) else {
        return;
    };
    let from = log.ceil_char_boundary(log.len() - room);
    let (before, rest) = log.split_at(from);
    // Whole lines, unless the last one alone is too long.
    let line = if before.ends_with('\n') {
        rest
    } else {
        rest.split_once('\n')
            .map(|(_, lines)| lines)
            .filter(|lines| !lines.is_empty())
            .unwrap_or(rest)
    };
    text.push_str(CUT);
    text.push_str(line);
}

#[cfg(test)]
mod tests;
