//! The panel of the chosen process.

use bpm_actors::{
    report::{Behind, BuildOutcome, Connections, EventKind, Health, ProcessReport, StateName},
    spec::ProcessType,
};
use jiff::Timestamp;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};
use tokio::time::Instant;

use super::{
    panel::{self, Focus},
    sparkline,
    theme::{self, BAD, BUSY, CHOSEN, FAINT, STRONG, WARNING},
    words,
};
use crate::service::StatusReport;
use crate::tui::{
    state::{
        Seen, State,
        feed::Topic,
        layout::{Panel, inner},
        order::{self, Ordered},
        ring::Entry,
        usage::Samples,
    },
    text,
};

/// Of all errors of a build, so many are shown here; the build's log has them all.
const MOST_ERRORS: usize = 10;
/// Of what cargo says last, so many characters.
const MOST_OF_CARGO: usize = 500;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, now: Instant) -> usize {
    let focus = Focus::of(state.focus == Panel::Details);
    let name = state.selected.as_deref().unwrap_or("Process");
    let title = Line::from(format!(" {name} "));
    let known = state.known_at(now);
    let (Some(process), Some(seen)) = (state.process(), &state.status) else {
        panel::border(frame, area, title, Line::default(), focus);
        let none = Line::styled("nothing is known yet", FAINT);
        return panel::text(frame, inner(area), vec![none], 0);
    };
    let kind = match process.r#type {
        ProcessType::Rust => " rust ",
        ProcessType::Npm => " npm ",
        ProcessType::Command => " command ",
    };
    let kind = if state.link.is_up() {
        Line::styled(kind, FAINT)
    } else {
        let age = words::span(now.saturating_duration_since(known));
        Line::styled(format!(" as it was {age} ago "), WARNING)
    };
    panel::border(frame, area, title, kind, focus);
    let inside = inner(area);
    let mut lines = vec![headline(process, seen, known)];
    lines.extend(behind(process));
    lines.extend(phase(process, state, now));
    lines.extend(errors(process, state));
    lines.push(run(process, state, seen, known));
    lines.extend(usage(process, state, usize::from(inside.width)));
    lines.extend(history(process, seen, known));
    lines.extend(said(process));
    lines.extend(events(process, seen, known));
    let scrolled = state.scrolled.get(&Panel::Details).copied().unwrap_or(0);
    panel::text(frame, inside, lines, scrolled)
}

/// How long it has been building or proving, in seconds, when the report was made.
pub(super) fn state_age(process: &ProcessReport) -> Option<f64> {
    let began = match process.state {
        StateName::Building => EventKind::BuildStarted,
        StateName::Proving => EventKind::Started,
        _ => return None,
    };
    let event = process.events.iter().find(|event| event.kind == began)?;
    Some(event.age_seconds)
}

fn headline(process: &ProcessReport, seen: &Seen<StatusReport>, now: Instant) -> Line<'static> {
    let (sign, style) = theme::sign(process);
    let word = match process.state {
        StateName::Stopped => "stopped",
        StateName::Building => "building",
        StateName::Proving => "proving",
        StateName::Running => "running",
        StateName::Stopping => "stopping",
        StateName::BackingOff => "waiting",
    };
    let age = state_age(process).map_or(String::new(), |age| {
        format!(" {}", words::span(seen.age(age, now)))
    });
    let mut text = format!("  {}", process.mode);
    match process.health {
        Some(Health::Ready) => text.push_str(", ready"),
        Some(Health::Unready) => text.push_str(", not ready yet"),
        None => {}
    }
    // One that has not proved itself is not the old one.
    let is_old = process.serving && process.health != Some(Health::Unready);
    if is_old && process.state != StateName::Running {
        text.push_str(", the old run serves");
    }
    let mut spans = vec![
        Span::styled(format!("{sign} {word}{age}"), style.patch(STRONG)),
        Span::raw(text),
    ];
    if let Some(wait) = process.next_attempt_in_seconds {
        let wait = words::countdown(seen.wait(wait, now));
        spans.push(Span::styled(format!(", next attempt in {wait}"), WARNING));
    }
    Line::from(spans)
}

/// Loudly: hours are lost where an old program serves and nobody notices.
fn behind(process: &ProcessReport) -> Option<Line<'static>> {
    let why = match process.behind? {
        Behind::BuildFailed => "the newest build failed",
        Behind::RolledBack => "the newest build was rolled back",
        Behind::SourcesChanged => "sources were changed since",
    };
    let text = format!(" what runs is not the newest: {why} ");
    Some(Line::styled(text, BAD.patch(CHOSEN).patch(STRONG)))
}

/// The order that was given here: where it is, or what came of it.
fn phase(process: &ProcessReport, state: &State, now: Instant) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let ago = |at: Instant| words::short(now.saturating_duration_since(at));
    match state.orders.get(&process.name) {
        Some(Ordered::Waiting(order)) => {
            let text = format!("{}: under way", order.word());
            lines.push(Line::styled(text, BUSY));
        }
        Some(Ordered::Done { order, at, report }) => {
            let (tone, words) = order::in_words(report);
            let words = text::decode(&words).text;
            lines.push(Line::from(vec![
                Span::styled(format!("{}: {words}", order.word()), theme::tone(tone)),
                Span::styled(format!(", {} ago", ago(*at)), FAINT),
            ]));
        }
        Some(Ordered::Failed { order, at, why }) => {
            let text = format!("{}: {why}, {} ago", order.word(), ago(*at));
            lines.push(Line::styled(text, BAD));
        }
        None => {}
    }
    if process.state == StateName::Building
        && let Some(said) = cargo_says(process, state)
    {
        lines.push(Line::styled(format!("  {said}"), BUSY));
    }
    lines
}

/// The last line of the build that is under way.
fn cargo_says(process: &ProcessReport, state: &State) -> Option<String> {
    let pane = state
        .feeds
        .pane(&Topic::builds_of(process.name.as_str().into()))?;
    let last = pane.ring.entry(pane.ring.end() - 1)?;
    match last {
        // Of the build before, if it is older than the run.
        Entry::Line(line)
            if process
                .last_build
                .as_ref()
                .is_none_or(|it| it.id.0 < line.place.run) =>
        {
            let said = text::decode(&line.text).text.trim().to_owned();
            Some(text::head(said, MOST_OF_CARGO))
        }
        _ => None,
    }
}

fn errors(process: &ProcessReport, state: &State) -> Vec<Line<'static>> {
    let errors = state.build_errors(process);
    let mut lines: Vec<Line<'static>> = errors
        .iter()
        .take(MOST_ERRORS)
        .map(|error| Line::styled(text::decode(error).text, BAD))
        .collect();
    if errors.len() > MOST_ERRORS {
        let more = errors.len() - MOST_ERRORS;
        let text = format!(
            "… {} more; b shows the build",
            words::counted(more, "error")
        );
        lines.push(Line::styled(text, FAINT));
    }
    lines
}

fn run(
    process: &ProcessReport,
    state: &State,
    seen: &Seen<StatusReport>,
    now: Instant,
) -> Line<'static> {
    let mut parts = Vec::new();
    parts.extend(process.run.map(|run| format!("run {run}")));
    parts.extend(process.pid.map(|pid| format!("pid {pid}")));
    let tasks = state.usage.of(&process.name).and_then(Samples::tasks);
    let several = tasks.filter(|tasks| process.serving && *tasks > 1);
    parts.extend(several.map(|tasks| format!("{tasks} processes")));
    parts.extend(
        process
            .uptime_seconds
            .map(|age| format!("up {}", words::span(seen.age(age, now)))),
    );
    let connections = match (process.connections, process.connections_wait) {
        (_, true) => Some("connections wait"),
        (Connections::Own, _) => None,
        (Connections::Held, _) => Some("sockets held"),
        (Connections::Relayed, _) => Some("port relayed"),
    };
    parts.extend(connections.map(str::to_owned));
    if parts.is_empty() {
        return Line::styled("nothing runs", FAINT);
    }
    Line::from(parts.join(", "))
}

fn usage(process: &ProcessReport, state: &State, columns: usize) -> Vec<Line<'static>> {
    let Some(samples) = state.usage.of(&process.name) else {
        return Vec::new();
    };
    let now = samples.now();
    let Some(memory) = now.memory else {
        return Vec::new();
    };
    let cpu = now.cpu.map_or("–".to_owned(), |cpu| format!("{cpu:.1} %"));
    let room = columns.saturating_sub(18).min(80);
    let cpus = samples.samples.iter().map(|it| it.cpu);
    #[expect(clippy::cast_precision_loss, reason = "it becomes one of eight bars")]
    let memories = samples
        .samples
        .iter()
        .map(|it| it.memory.map(|bytes| bytes as f64));
    let line = |name: &'static str, value: String, bars: String| {
        Line::from(vec![
            Span::styled(name, FAINT),
            Span::raw(format!("{value:<10} ")),
            Span::styled(bars, BUSY),
        ])
    };
    vec![
        line("cpu ", cpu, sparkline::bars(cpus, room, 10.0)),
        line(
            "mem ",
            words::bytes(memory),
            sparkline::bars(memories, room, 1.0),
        ),
    ]
}

fn history(process: &ProcessReport, seen: &Seen<StatusReport>, now: Instant) -> Vec<Line<'static>> {
    // The daemon's clock: ages of what it dates are counted from its own newest event.
    let ago = |at: Timestamp| {
        let newest = process.events.first()?;
        let before = newest.at.duration_since(at).as_secs_f64();
        let age = seen.age(newest.age_seconds + before, now);
        Some(format!(", {} ago", words::short(age)))
    };
    let mut lines = Vec::new();
    let mut crashes = vec![Span::raw(words::counted(
        count(process.restarts),
        "restart",
    ))];
    let style = if process.crashes > 0 {
        BAD
    } else {
        ratatui::style::Style::new()
    };
    let in_a_row = match process.crashes_in_a_row {
        0 => String::new(),
        row => format!(" ({row} in a row)"),
    };
    let crashed = if process.crashes == 1 {
        "crash"
    } else {
        "crashes"
    };
    crashes.push(Span::raw(", "));
    crashes.push(Span::styled(
        format!("{} {crashed}{in_a_row}", process.crashes),
        style,
    ));
    if let Some(exit) = &process.last_exit {
        let ago = ago(exit.at).unwrap_or_default();
        crashes.push(Span::raw(format!(", last exit: {}{ago}", exit.text)));
    }
    lines.push(Line::from(crashes));
    if let Some(build) = &process.last_build {
        let (word, style) = match build.outcome {
            BuildOutcome::Ok => ("ok", theme::GOOD),
            BuildOutcome::Failed => ("failed", BAD),
        };
        let ago = ago(build.at).unwrap_or_default();
        let mut found = vec![format!(" in {:.1} s", build.seconds)];
        if build.errors > 0 {
            found.push(words::counted(build.errors, "error"));
        }
        if build.warnings > 0 {
            found.push(words::counted(build.warnings, "warning"));
        }
        lines.push(Line::from(vec![
            Span::raw(format!("build {} ({}) ", build.id, build.mode)),
            Span::styled(word, style),
            Span::raw(format!("{}{ago}", found.join(", "))),
        ]));
    }
    lines
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn said(process: &ProcessReport) -> Option<Line<'static>> {
    let text = process.status_text.as_ref()?;
    Some(Line::from(format!("says: {}", text::decode(text).text)))
}

fn events(process: &ProcessReport, seen: &Seen<StatusReport>, now: Instant) -> Vec<Line<'static>> {
    let line = |event: &bpm_actors::report::EventReport| {
        let age = words::short(seen.age(event.age_seconds, now));
        let style = match event.kind {
            EventKind::Crashed | EventKind::BuildFailed | EventKind::RolledBack => BAD,
            EventKind::BackingOff => WARNING,
            _ => ratatui::style::Style::new(),
        };
        let kind = match event.kind {
            EventKind::Crashed => "crashed: ",
            EventKind::BuildFailed => "build failed: ",
            EventKind::RolledBack => "rolled back: ",
            EventKind::Restarted => "restarted: ",
            EventKind::Swapped => "swapped: ",
            _ => "",
        };
        let text = text::decode(&event.text).text;
        Line::from(vec![
            Span::styled(format!("{age:>3} "), FAINT),
            Span::styled(format!("{kind}{text}"), style),
        ])
    };
    process.events.iter().map(line).collect()
}
