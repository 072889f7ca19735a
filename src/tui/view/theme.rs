//! Colours: only the sixteen that every terminal maps to something readable on its own background,
//! light or dark, and never both a foreground and a background.

use bpm_actors::report::{ProcessReport, StateName};
use ratatui::style::{Color, Modifier, Style};

use crate::tui::state::messages::Tone;

/// Whether colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// Yes.
    Some,
    /// `NO_COLOR` is set: bold, dim and reversed must do.
    None,
}

pub(super) const GOOD: Style = Style::new().fg(Color::Green);
pub(super) const WARNING: Style = Style::new().fg(Color::Yellow);
pub(super) const BAD: Style = Style::new().fg(Color::Red);
pub(super) const BUSY: Style = Style::new().fg(Color::Cyan);
pub(super) const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
pub(super) const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);
/// A match of the search.
pub(super) const MATCH: Style = Style::new()
    .fg(Color::Yellow)
    .add_modifier(Modifier::REVERSED);
/// The match that n and N are at.
pub(super) const THIS_MATCH: Style = Style::new()
    .fg(Color::Magenta)
    .add_modifier(Modifier::REVERSED.union(Modifier::BOLD));

/// The sign of a state, and its colour.
pub(super) fn sign(process: &ProcessReport) -> (&'static str, Style) {
    let working = if process.serving { GOOD } else { BUSY };
    match process.state {
        StateName::Stopped => ("■", WARNING),
        StateName::Building => ("◆", working),
        StateName::Proving => ("◇", working),
        StateName::Running => ("▶", GOOD),
        StateName::Stopping => ("◌", WARNING),
        StateName::BackingOff => ("✗", BAD),
    }
}

pub(super) fn tone(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => GOOD,
        Tone::Warning => WARNING,
        Tone::Bad => BAD,
    }
}

/// The colour of a process's name, by its place among the others.
pub(super) fn name(place: usize) -> Style {
    const NAMES: [Color; 6] = [
        Color::Cyan,
        Color::Magenta,
        Color::Green,
        Color::Blue,
        Color::Yellow,
        Color::Red,
    ];
    Style::new().fg(NAMES[place % NAMES.len()])
}
