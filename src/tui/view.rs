//! Drawing. Pure: from the state and the time to cells; nothing here changes anything.

mod details;
mod footer;
mod help;
mod output;
mod panel;
mod processes;
mod prompt;
mod server;
mod sparkline;
mod theme;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ratatui::{Frame, style::Color};
use tokio::time::Instant;

pub use self::theme::Colors;
use super::state::{Open, State, layout::Panel};

/// Draws everything. Gives by how many rows panels of text could be scrolled.
pub fn draw(
    frame: &mut Frame<'_>,
    state: &State,
    now: Instant,
    colors: Colors,
) -> BTreeMap<Panel, usize> {
    let mut overflow = BTreeMap::new();
    let screen = state.screen.intersection(frame.area());
    if screen.is_empty() {
        return overflow;
    }
    let areas = state.areas();
    for panel in Panel::ALL {
        let area = areas.of(panel).intersection(screen);
        if area.is_empty() {
            continue;
        }
        match panel {
            Panel::Server => {
                overflow.insert(panel, server::draw(frame, area, state, now));
            }
            Panel::Details => {
                overflow.insert(panel, details::draw(frame, area, state, now));
            }
            Panel::Processes => processes::draw(frame, area, state, now),
            Panel::Output => output::draw(frame, area, state),
        }
    }
    footer::draw(frame, areas.footer.intersection(screen), state);
    match &state.open {
        Open::Nothing => {}
        Open::Help(scrolled) => help::draw(frame, screen, *scrolled),
        Open::Prompt(prompt) => prompt::draw(frame, screen, prompt),
    }
    if colors == Colors::None {
        for cell in &mut frame.buffer_mut().content {
            cell.fg = Color::Reset;
            cell.bg = Color::Reset;
            cell.underline_color = Color::Reset;
        }
    }
    overflow
}
