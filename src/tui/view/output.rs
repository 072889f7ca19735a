//! The panel of the output.

use bpm_actors::logs::level::Level;
use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    panel::{self, Focus},
    theme::{self, BAD, CHOSEN, FAINT, MATCH, STRONG, THIS_MATCH, WARNING},
};
use crate::tui::{
    state::{
        Merged, State, Times,
        feed::{self, Kind},
        layout::{Panel, inner},
        pane::{Beginning, LongLines, Pane, RowId, Scroll},
        ring::Entry,
        selection::{Spot, text_of},
    },
    text,
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let focus = Focus::of(state.focus == Panel::Output);
    panel::border(frame, area, title(state), position(state), focus);
    let errors = state.errors_above();
    if !errors.is_empty() {
        let rows = inner(area);
        let errors = errors.iter().map(|error| {
            let text = text::decode(error).text;
            Line::styled(panel::cut(&text, usize::from(rows.width)), BAD)
        });
        let rule = Line::styled("─".repeat(usize::from(rows.width)), FAINT);
        let lines: Vec<Line<'_>> = errors.chain([rule]).collect();
        for (line, row) in lines.into_iter().zip(rows.rows()) {
            frame.render_widget(line, row);
        }
    }
    let inside = state.output_area();
    let Some(pane) = state.pane().filter(|pane| !pane.ring.is_empty()) else {
        let (text, style) = empty(state);
        panel::text(frame, inside, vec![Line::styled(text, style)], 0);
        return;
    };
    for (row, area) in pane.visible(state.lens()).into_iter().zip(inside.rows()) {
        let Some(entry) = pane.ring.entry(row.entry) else {
            continue;
        };
        match entry {
            notice @ Entry::Notice(_) => {
                let line = Line::styled(format!("── {} ──", text_of(notice)), FAINT);
                frame.render_widget(line, area);
                mark_whole(frame.buffer_mut(), area, pane, row);
            }
            Entry::Line(line) => {
                let area = margin(frame.buffer_mut(), area, state, line, row);
                cells(frame.buffer_mut(), area, state, pane, row);
            }
        }
    }
}

fn title(state: &State) -> Line<'static> {
    let whose = match state.merged {
        Merged::Yes => "all processes".to_owned(),
        Merged::No => state.selected.as_deref().unwrap_or("no process").to_owned(),
    };
    let what = match state.kind {
        Kind::Run => "output",
        Kind::Build => "build",
    };
    let mut spans = vec![Span::raw(format!(" {whose}: {what} "))];
    if let Some(level) = state.level {
        let word = match level {
            Level::Fatal => "fatal",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        };
        spans.push(Span::styled(format!("level {word} "), WARNING));
    }
    if let Some(filter) = &state.filter {
        spans.push(Span::styled(format!("filter {filter} "), WARNING));
    }
    if let Some(search) = &state.search {
        spans.push(Span::raw(format!("/{} ", search.text)));
    }
    Line::from(spans)
}

fn position(state: &State) -> Line<'static> {
    let Some(pane) = state.pane().filter(|pane| !pane.ring.is_empty()) else {
        return Line::default();
    };
    match (pane.beginning, pane.scroll) {
        (Beginning::Loading, _) => Line::from(" loading older lines "),
        (_, Scroll::Follow) => Line::styled(" following ", FAINT),
        (_, Scroll::At(_)) => {
            let shown = pane.visible(state.lens());
            let last = shown.last().map_or(0, |row| row.entry);
            let below = pane.ring.end() - 1 - last;
            let more = if pane.has_all() { "" } else { "+" };
            Line::styled(
                format!(" {below}{more} below, G follows "),
                WARNING.patch(STRONG),
            )
        }
    }
}

fn empty(state: &State) -> (String, Style) {
    let Some(process) = state.selected.as_deref() else {
        return ("nothing to show yet".to_owned(), FAINT);
    };
    let pane = state.pane();
    if let Some(trouble) = pane.and_then(|pane| pane.trouble.clone()) {
        return (text::decode(&trouble).text, WARNING);
    }
    let is_filtered = state.filter.is_some() || state.level.is_some();
    if pane.is_some_and(|pane| !pane.ring.last().is_empty()) {
        return (
            "cleared: what comes is shown, PgUp shows what was".to_owned(),
            FAINT,
        );
    }
    let text = match (pane.is_some_and(|pane| pane.heard), is_filtered, state.kind) {
        (false, _, _) if state.link.is_up() => "loading …".to_owned(),
        (false, _, _) => "the daemon is away".to_owned(),
        (true, true, _) => "no line passes the filter or the level; f and l change them".to_owned(),
        (true, false, Kind::Run) => format!("{process} has printed nothing yet"),
        (true, false, Kind::Build) => format!("nothing of a build of {process}"),
    };
    (text, FAINT)
}

/// Draws what stands before the line; gives what is left.
fn margin(buffer: &mut Buffer, area: Rect, state: &State, line: &feed::Line, row: RowId) -> Rect {
    let width = u16::try_from(state.margin())
        .unwrap_or(u16::MAX)
        .min(area.width);
    if row.row == 0 && width > 0 {
        let mut spans = Vec::new();
        if state.times == Times::Shown {
            let at = line.at.to_zoned(state.zone.clone());
            spans.push(Span::styled(
                at.strftime("%H:%M:%S%.3f ").to_string(),
                FAINT,
            ));
        }
        if let Some(columns) = state.name_width() {
            let processes = state.processes();
            let place = processes.iter().position(|it| it.name == *line.process);
            let name = panel::cut(&line.process, columns);
            spans.push(Span::styled(name, theme::name(place.unwrap_or(0))));
        }
        buffer.set_line(area.x, area.y, &Line::from(spans), width);
    }
    Rect {
        x: area.x + width,
        width: area.width - width,
        ..area
    }
}

/// Draws one row of a line. Only what is in it is looked at, however long the line is.
fn cells(buffer: &mut Buffer, area: Rect, state: &State, pane: &Pane, row: RowId) {
    let lens = state.lens();
    let sideways = match lens.long_lines {
        LongLines::Wrapped => 0,
        LongLines::Cut => pane.sideways,
    };
    let Some(laid) = pane.laid(row.entry, lens) else {
        return;
    };
    let search = state.search.as_ref();
    let matches = search.and_then(|search| pane.matches(row.entry, lens, search));
    let is_match = |at: usize| {
        let matches = matches.as_deref().unwrap_or_default();
        let next = matches.partition_point(|range| range.end <= at);
        matches.get(next).is_some_and(|range| range.contains(&at))
    };
    let topic = state.topic();
    let found = match search.and_then(|search| search.current(topic.as_ref()?)) {
        Some(current) if current == row.entry => THIS_MATCH,
        _ => MATCH,
    };
    let room = usize::from(area.width);
    for cell in laid.row_from(row.row, sideways) {
        let Some(column) = cell.column.checked_sub(sideways) else {
            continue;
        };
        if column + cell.width > room {
            break;
        }
        let mut style = laid.decoded.style_at(cell.at);
        if is_match(cell.at) {
            style = found;
        }
        let spot = Spot {
            entry: row.entry,
            at: cell.at,
        };
        if pane.selection.is_some_and(|it| it.contains(spot)) {
            style = CHOSEN;
        }
        let Ok(offset) = u16::try_from(column) else {
            break;
        };
        for place in 0..u16::try_from(cell.width).unwrap_or(0) {
            let Some(target) = buffer.cell_mut((area.x + offset + place, area.y)) else {
                break;
            };
            // The second half of a wide character belongs to the first; a tab is so many spaces.
            match (place, cell.symbol) {
                (0, symbol) => target.set_symbol(symbol),
                (_, " ") => target.set_symbol(" "),
                _ => target.set_symbol(""),
            };
            target.set_style(style);
        }
    }
    mark_whole(buffer, area, pane, row);
}

/// A line that was clicked is marked also where it has no text.
fn mark_whole(buffer: &mut Buffer, area: Rect, pane: &Pane, row: RowId) {
    let clicked = crate::tui::state::selection::Selection::Entry(row.entry);
    if pane.selection == Some(clicked) {
        buffer.set_style(area, CHOSEN);
    }
}
