//! Lines of logs, under a first line that says what they are and what was left out.

pub(super) mod notes;

use std::fmt::Write;

use bpm_actors::{
    ids::ProcessName,
    logs::{Source, Stream},
    report::ProcessReport,
    search::{Extent, Found, LogKind, Query, Searched},
};

use super::measures::{count, span, thousands, word};
use crate::service::{Finding, LogAnswer};

/// What the lines above the log need, beside the project's directory.
const ABOVE: usize = 1_200;
/// What the first line needs beside the names of several processes and the project's directory.
const COUNTS: usize = 120;
/// How many bytes a few lines take, with a note about those left out.
const FEW: usize = 300;
/// What a cursor mostly needs for one process beside its name, as `=12:345678,`.
const PLACE: usize = 12;

/// How many bytes of log an answer about these processes, of at most so many bytes, has room for.
pub(in crate::mcp) fn budget<'a>(
    project: &str,
    processes: impl Iterator<Item = &'a str>,
    most: usize,
) -> usize {
    let places: Vec<usize> = processes.map(|it| it.len() + PLACE).collect();
    // Where little is wanted, what stands above is mostly short as well.
    let usual = (ABOVE + project.len()).min(most / 2);
    if places.len() < 2 {
        return most - usual;
    }
    let cursor = "cursor \n".len() + places.iter().sum::<usize>();
    let head = COUNTS + project.len() + most_titles(most);
    let room = most.saturating_sub(head + cursor);
    // Notes are rare: where there is room for few lines it is kept for the lines.
    room - (most / 16).min(room.saturating_sub(FEW) / 4)
}

/// How long the list of several processes in the first line may be.
fn most_titles(most: usize) -> usize {
    (most / 16).clamp(48, 600)
}

/// The text of this answer to `query`, of at most so many bytes.
pub(in crate::mcp) fn search(
    project: &str,
    query: &Query,
    most: usize,
    answer: &LogAnswer,
) -> String {
    let mut text = match &answer.finding {
        Finding::Log { found, unbuilt } => {
            let newer = unbuilt.as_ref().map(notes::newer_attempt);
            let notes = newer
                .into_iter()
                .chain(notes::notes(query, answer, found))
                .collect();
            return log(project, query, most, found, notes);
        }
        Finding::NothingIsBuilt(kind) => {
            let (processes, kind) = (listed(&answer.processes), word(kind));
            format!(
                "{processes} in {project}: nothing is built for a process of type {kind}, so there \
                 is no build log; search_logs has what it prints"
            )
        }
        Finding::NothingRecorded { now } => {
            let each = now.iter().map(|now| nothing(project, answer.kind, now));
            each.collect::<Vec<_>>().join("\n")
        }
    };
    cut(&mut text, most);
    text
}

/// Lines of a log. The cursor is never cut: without it nothing can be asked for that is newer.
fn log(project: &str, query: &Query, most: usize, found: &Found, mut notes: Vec<String>) -> String {
    let cursor = format!("cursor {}\n", found.cursor);
    if found.text.is_empty() && found.chosen > 0 {
        let what = if query.is_choosy() {
            ("match", "matches")
        } else {
            ("line", "lines")
        };
        let left_out = count(found.chosen, what.0, what.1);
        notes.insert(
            0,
            format!("… {left_out} left out: a larger max_bytes shows more …"),
        );
    }
    let mut text = first_line(project, query, most, found);
    if text.len() + cursor.len() > most {
        let processes = processes(&found.logs).count();
        let processes = count(processes as u64, "process", "processes");
        text = format!("{processes}: {}\n", counts(query, found));
    }
    let room = most.saturating_sub(text.len() + cursor.len());
    // The log has kept to its budget: notes that need more than was reserved take some of it.
    let own = room.saturating_sub(found.text.len()).max(room / 3);
    put_notes(&mut text, &notes, own);
    text.push_str(&cursor);
    put(&mut text, &found.text, most);
    text
}

/// The names of the processes whose logs these are.
fn processes(logs: &[Searched]) -> impl Iterator<Item = &str> {
    let of_one = logs.chunk_by(|one, other| one.process == other.process);
    of_one.filter_map(|logs| Some(logs.first()?.process.as_str()))
}

fn first_line(project: &str, query: &Query, most: usize, found: &Found) -> String {
    let of_one = found
        .logs
        .chunk_by(|one, other| one.process == other.process);
    let logs: Vec<String> = of_one.map(titles).collect();
    let mut titles = logs.join(", ");
    let room = most_titles(most);
    if logs.len() > 1 && titles.len() > room {
        titles = short(&logs, processes(&found.logs), room);
    }
    format!("{titles} in {project}: {}\n", counts(query, found))
}

/// The first names of many processes: `40 processes (a, b, …)`.
fn short<'a>(logs: &[String], names: impl Iterator<Item = &'a str>, room: usize) -> String {
    let mut text = format!("{} processes (", logs.len());
    for name in names {
        if text.len() + name.len() + ", …)".len() > room {
            text.push('…');
            break;
        }
        _ = write!(text, "{name}, ");
    }
    let end = text.trim_end_matches(", ").len();
    text.truncate(end);
    text.push(')');
    text
}

fn counts(query: &Query, found: &Found) -> String {
    let evicted = thousands(found.evicted);
    format!("{}; {evicted} evicted", counted(query, found))
}

/// Puts as many notes as fit, and how many do not. The first one is cut rather than left out.
fn put_notes(text: &mut String, notes: &[String], room: usize) {
    const REST: usize = "999 more notes do not fit\n".len();
    let end = text.len() + room;
    for (place, note) in notes.iter().enumerate() {
        let rest = notes.len() - place;
        let reserved = if rest > 1 { REST } else { 0 };
        if text.len() + note.len() + "\n".len() + reserved <= end {
            _ = writeln!(text, "{note}");
            continue;
        }
        let left = end.saturating_sub(text.len());
        let cut = note.floor_char_boundary(left.saturating_sub("…\n".len() + reserved));
        let is_first = place == 0 && cut > 0;
        if is_first {
            _ = writeln!(text, "{}…", &note[..cut]);
        }
        let rest = rest - usize::from(is_first);
        if rest > 0 && text.len() + REST <= end {
            let rest = count(rest as u64, "more note does", "more notes do");
            _ = writeln!(text, "{rest} not fit");
        }
        return;
    }
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

/// Cuts off the end of what is too long.
fn cut(text: &mut String, most: usize) {
    const CUT: &str = "(cut here)\n";
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most.saturating_sub(CUT.len())));
        text.push_str(CUT);
    }
}

/// Puts the log under what stands above it. The log store keeps to its budget; this holds the limit
/// however much stands above: then the last lines are worth most.
fn put(text: &mut String, log: &str, most: usize) {
    const CUT: usize = "(9,999,999 rows cut here; a larger max_bytes shows them)\n".len();
    let room = most.saturating_sub(text.len());
    if log.len() <= room {
        text.push_str(log);
        return;
    }
    let Some(room) = room.checked_sub(CUT) else {
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
    let gone = log[..log.len() - line.len()].lines().count();
    let rows = count(gone as u64, "row", "rows");
    _ = writeln!(text, "({rows} cut here; a larger max_bytes shows them)");
    text.push_str(line);
}

#[cfg(test)]
mod tests;
