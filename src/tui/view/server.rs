//! The panel of the server: connection, mode, counts, messages.

use bpm_actors::{report::StateName, spec::Mode};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use tokio::time::Instant;

use super::{
    panel::{self, Focus},
    theme::{self, BAD, BUSY, FAINT, GOOD, STRONG, WARNING},
    words,
};
use crate::tui::{
    state::{
        State,
        layout::{Panel, inner},
        link::Link,
    },
    text,
};

/// With fewer rows than this the mode and the counts stand above the rest, in brief.
const ROWS: u16 = 4;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, now: Instant) -> usize {
    let focus = Focus::of(state.focus == Panel::Server);
    panel::border(frame, area, " Server ".into(), Line::default(), focus);
    let inside = inner(area);
    let mut lines = connection(state, now);
    if state.link.is_up() && state.status.is_some() && inside.height < ROWS {
        lines.insert(0, in_brief(state));
    }
    if let Some(seen) = &state.status {
        let dir = tail(&seen.report.project_dir, usize::from(inside.width));
        lines.push(Line::from(dir));
        lines.push(mode(state, now));
        lines.push(counts(state));
        if let Some(error) = &seen.report.config_error {
            lines.push(Line::styled(".mcp-run is wrong, an older one holds:", BAD));
            let told = error.lines().map(|line| text::decode(line).text);
            lines.extend(told.map(|line| Line::styled(line, BAD)));
        }
    }
    for message in state.messages.newest_first() {
        let age = words::short(now.saturating_duration_since(message.at));
        let said = text::decode(&message.text).text;
        let times = match message.times {
            1 => String::new(),
            times => format!("{times}× "),
        };
        lines.push(Line::from(vec![
            Span::styled(format!("{age:>3} "), FAINT),
            Span::styled(format!("{times}{said}"), theme::tone(message.tone)),
        ]));
    }
    let scrolled = state.scrolled.get(&Panel::Server).copied().unwrap_or(0);
    panel::text(frame, inside, lines, scrolled)
}

fn connection(state: &State, now: Instant) -> Vec<Line<'static>> {
    match &state.link {
        Link::Seeking => vec![Line::styled("◌ connecting …", BUSY)],
        Link::Up { url } => vec![Line::from(vec![
            Span::styled("● ", GOOD),
            Span::raw(brief(url).to_owned()),
        ])],
        Link::Down { why, advice, again } => {
            let wait = words::countdown(again.saturating_duration_since(now));
            let mut lines = vec![
                Line::styled(format!("✗ reconnecting in {wait}"), BAD.patch(STRONG)),
                Line::raw(why.clone()),
            ];
            lines.extend(advice.clone().map(|it| Line::styled(it, FAINT)));
            lines
        }
    }
}

/// Of a URL, what differs between daemons.
fn brief(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.strip_suffix("/mcp").unwrap_or(rest)
}

fn mode(state: &State, now: Instant) -> Line<'static> {
    let Some(seen) = &state.status else {
        return Line::default();
    };
    let release = seen.report.release_in_seconds;
    match (seen.report.mode, release) {
        (Mode::Release, _) => Line::from("release"),
        (Mode::Dev, None) => Line::from(Span::styled("dev", BUSY)),
        (Mode::Dev, Some(seconds)) => {
            let wait = words::countdown(seen.wait(seconds, state.known_at(now)));
            Line::from(vec![
                Span::styled("dev", BUSY),
                Span::raw(format!(", release in {wait}")),
            ])
        }
    }
}

/// The states, as they are counted.
const KINDS: [(StateName, &str, Style); 6] = [
    (StateName::Running, "running", GOOD),
    (StateName::BackingOff, "crashed", BAD),
    (StateName::Building, "building", BUSY),
    (StateName::Proving, "proving", BUSY),
    (StateName::Stopping, "stopping", WARNING),
    (StateName::Stopped, "stopped", WARNING),
];

fn counts(state: &State) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (kind, word, style) in KINDS {
        let count = state.processes().iter().filter(|it| it.state == kind);
        let count = count.count();
        if count > 0 {
            if !spans.is_empty() {
                spans.push(Span::raw(", "));
            }
            spans.push(Span::styled(format!("{count} {word}"), style));
        }
    }
    if spans.is_empty() {
        spans.push(Span::styled("no processes", FAINT));
    }
    Line::from(spans)
}

/// Mode and counts in one row, with the signs of the processes: `dev ▶3 ✗1`, and whether the
/// configuration is wrong.
fn in_brief(state: &State) -> Line<'static> {
    let mode = match state.status.as_ref().map(|seen| seen.report.mode) {
        Some(Mode::Dev) => Span::styled("dev", BUSY),
        Some(Mode::Release) => Span::raw("release"),
        None => Span::raw(""),
    };
    let mut spans = vec![mode];
    for (kind, _, style) in KINDS {
        let mut processes = state.processes().iter().filter(|it| it.state == kind);
        if let Some(first) = processes.next() {
            let (sign, _) = theme::sign(first);
            let count = processes.count() + 1;
            spans.push(Span::styled(format!(" {sign}{count}"), style));
        }
    }
    if state
        .status
        .as_ref()
        .is_some_and(|it| it.report.config_error.is_some())
    {
        // Before the counts: whatever is cut off, this is seen.
        spans.insert(1, Span::styled(" !config", BAD));
    }
    Line::from(spans)
}

/// The end of a path says more than its beginning.
fn tail(path: &str, columns: usize) -> String {
    let path = text::decode(path).text;
    let rows = text::rows(&path, usize::MAX);
    let cells: Vec<_> = rows.iter().flat_map(|row| &row.cells).collect();
    let whole = text::width(&path);
    if whole <= columns {
        return path;
    }
    let hidden = whole + 1 - columns.min(whole);
    let kept = cells.iter().filter(|cell| cell.column >= hidden);
    std::iter::once("…")
        .chain(kept.map(|cell| cell.symbol))
        .collect()
}
