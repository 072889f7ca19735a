//! The box where a pattern is typed.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{panel, theme::BAD};
use crate::tui::{
    state::prompt::{Prompt, Purpose},
    text,
};

/// The widest that it becomes.
const WIDEST: u16 = 90;

pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, prompt: &Prompt) {
    let (title, sign) = match prompt.purpose {
        Purpose::Search => ("Search (regex); empty: none; Esc: as before", "/"),
        Purpose::Filter => ("Only lines that match (regex); empty: all", "="),
    };
    let errors: Vec<&str> = prompt.error.iter().flat_map(|it| it.lines()).collect();
    let height = u16::try_from(errors.len() + 3).unwrap_or(u16::MAX);
    let height = height.min(screen.height);
    let width = screen.width.min(WIDEST);
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.bottom() - height - u16::from(screen.height > height),
        width,
        height,
    };
    let inside = panel::over(frame, area, title);
    if inside.is_empty() {
        return;
    }
    // The end of a long text is moved out of sight, not the cursor.
    let room = usize::from(inside.width).saturating_sub(3).max(1);
    let before = text::width(&prompt.text[..prompt.cursor]);
    let hidden = before.saturating_sub(room);
    let rows = text::rows(&prompt.text, usize::MAX);
    let cells = rows.iter().flat_map(|row| &row.cells);
    let shown: String = cells
        .filter(|cell| cell.column >= hidden && cell.column + cell.width <= hidden + room + 1)
        .map(|cell| cell.symbol)
        .collect();
    let style = if prompt.error.is_some() {
        BAD
    } else {
        Style::new()
    };
    let mut lines = vec![Line::from(vec![
        Span::raw(format!("{sign} ")),
        Span::styled(shown, style),
    ])];
    // What points at the place in the pattern must stay in its column.
    lines.extend(
        errors
            .iter()
            .map(|line| Line::styled((*line).to_owned(), BAD)),
    );
    panel::text(frame, inside, lines, 0);
    let column = u16::try_from(before - hidden + 2).unwrap_or(u16::MAX);
    let x = inside.x.saturating_add(column).min(inside.right() - 1);
    frame.set_cursor_position((x, inside.y));
}
