//! The panel of the processes.

use bpm_actors::report::{ProcessReport, StateName};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};
use tokio::time::Instant;

use super::{
    details,
    panel::{self, Focus},
    theme::{self, BAD, CHOSEN, FAINT, STRONG},
    words,
};
use crate::tui::{
    state::{
        State,
        layout::{Panel, inner},
    },
    text,
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, now: Instant) {
    let processes = state.processes();
    let works = |it: &&ProcessReport| it.serving || it.state == StateName::Running;
    let running = processes.iter().filter(works).count();
    let count = match processes.len() {
        0 => Line::default(),
        all => Line::from(format!(" {running}/{all} ")),
    };
    let focus = Focus::of(state.focus == Panel::Processes);
    panel::border(frame, area, " Processes ".into(), count, focus);
    let inside = inner(area);
    if processes.is_empty() {
        let none = Line::styled("no processes yet", FAINT);
        panel::text(frame, inside, vec![none], 0);
        return;
    }
    let first = state.first_process(inside.height);
    let rows = processes
        .iter()
        .skip(first)
        .take(usize::from(inside.height));
    let rows = rows.map(|process| row(process, state, now, usize::from(inside.width)));
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()), inside);
}

fn row(process: &ProcessReport, state: &State, now: Instant, columns: usize) -> Line<'static> {
    let (sign, sign_style) = theme::sign(process);
    let note = note(process, state, state.known_at(now));
    let behind = if process.behind.is_some() { "!" } else { "" };
    let room = columns.saturating_sub(2 + behind.len());
    // The name comes first; what is left of the room is for the note.
    let name_width = text::width(&process.name).min(room);
    let note = if name_width + 1 + text::width(&note) <= room {
        note
    } else if room > 20 {
        panel::cut(&note, room - 1 - name_width.min(room - 10))
    } else {
        String::new()
    };
    let name_room = match text::width(&note) {
        0 => room,
        width => room - width - 1,
    };
    let name = panel::cut(&process.name, name_room);
    let gap = room - text::width(&name) - text::width(&note);
    let is_chosen = state.selected.as_deref() == Some(process.name.as_str());
    let style = if is_chosen { CHOSEN } else { Style::new() };
    Line::from(vec![
        Span::styled(format!("{sign} "), sign_style),
        Span::raw(name),
        Span::styled(behind, BAD.patch(STRONG)),
        Span::raw(" ".repeat(gap)),
        Span::styled(note, if is_chosen { Style::new() } else { FAINT }),
    ])
    .style(style)
}

/// What matters most about it now.
fn note(process: &ProcessReport, state: &State, now: Instant) -> String {
    let Some(seen) = &state.status else {
        return String::new();
    };
    let since = |word: &str| match details::state_age(process) {
        Some(age) => format!("{word} {}", words::span(seen.age(age, now))),
        None => word.to_owned(),
    };
    match process.state {
        StateName::Running => process
            .uptime_seconds
            .map_or(String::new(), |age| words::span(seen.age(age, now))),
        StateName::Building => since("building"),
        StateName::Proving => since("proving"),
        StateName::Stopping => "stopping".to_owned(),
        StateName::Stopped => "stopped".to_owned(),
        StateName::BackingOff => match process.next_attempt_in_seconds {
            Some(wait) => format!("in {}", words::countdown(seen.wait(wait, now))),
            None => "crashed".to_owned(),
        },
    }
}
