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

use ratatui::{Frame, style::Color};
use tokio::time::Instant;

pub use self::theme::Colors;
use super::state::{
    Open, State,
    layout::{Overflow, Panel},
};

/// Draws everything. Gives by how many rows texts could be scrolled.
pub fn draw(frame: &mut Frame<'_>, state: &State, now: Instant, colors: Colors) -> Overflow {
    let mut overflow = Overflow::default();
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
                let more = server::draw(frame, area, state, now);
                overflow.panels.insert(panel, more);
            }
            Panel::Details => {
                let more = details::draw(frame, area, state, now);
                overflow.panels.insert(panel, more);
            }
            Panel::Processes => processes::draw(frame, area, state, now),
            Panel::Output => output::draw(frame, area, state),
        }
    }
    footer::draw(frame, areas.footer.intersection(screen), state);
    match &state.open {
        Open::Nothing => {}
        Open::Help(scrolled) => overflow.help = help::draw(frame, screen, *scrolled),
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
