//! What the keys do.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{panel, theme::STRONG};
use crate::tui::{input, text};

/// Draws the box. Gives by how many rows it could be scrolled.
pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, scrolled: usize) -> usize {
    let table = input::help();
    let keys = table.iter().map(|(keys, _)| text::width(keys)).max();
    let keys = keys.unwrap_or(0);
    let what = table.iter().map(|(_, what)| text::width(what)).max();
    let width = u16::try_from(keys + what.unwrap_or(0) + 6).unwrap_or(u16::MAX);
    let lines = table.into_iter().map(|(key, what)| {
        let gap = " ".repeat(keys - text::width(&key));
        Line::from(vec![
            Span::raw(" "),
            Span::styled(key, STRONG),
            Span::raw(format!("{gap}  {what}")),
        ])
    });
    let columns = width.min(screen.width).saturating_sub(2);
    let rows = panel::rows(lines.collect(), usize::from(columns));
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX);
    let area = centered(screen, width, height);
    let inside = panel::over(frame, area, "Keys");
    panel::scrolled(frame, inside, rows, scrolled)
}

/// In the middle, as far as there is room.
pub(super) fn centered(screen: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    }
}
