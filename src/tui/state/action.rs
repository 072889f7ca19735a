//! What a person wants, in the screen's own words.

use super::prompt::Stroke;

/// What a key or the mouse asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process above, or one row up.
    Up,
    /// The process below, or one row down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first line.
    Top,
    /// To the last line; follows it.
    Bottom,
    /// Sideways to the left.
    Left,
    /// Sideways to the right.
    Right,
    /// Ask the daemon again.
    Refresh,
    /// Restart the process.
    Restart,
    /// Stop the process, or start it.
    StopOrStart,
    /// Empty the panel of the output.
    Clear,
    /// Show what the build printed, or what the process prints.
    BuildOrOutput,
    /// Type what to search for.
    Search,
    /// The next match.
    NextMatch,
    /// The match before.
    PreviousMatch,
    /// Type which lines to show.
    Filter,
    /// Show only worse lines, or all again.
    Level,
    /// Wrap long lines, or cut them.
    Wrap,
    /// Show times, or hide them.
    Times,
    /// One panel over the whole screen, or all.
    Zoom,
    /// The focus to the next panel.
    FocusNext,
    /// The focus to the panel before.
    FocusPrevious,
    /// Copy what is selected, or a line.
    Copy,
    /// All processes merged, or one.
    All,
    /// What the keys do.
    Help,
    /// Close the box that is open, else quit.
    Close,
    /// Quit.
    Quit,
    /// Take what was typed.
    Accept,
    /// Change what is typed.
    Type(Stroke),
    /// Something with the mouse.
    Mouse(Mouse),
}

/// Something with the mouse, at a column and a row of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What.
    pub gesture: Gesture,
    /// The column, from 0.
    pub column: u16,
    /// The row, from 0.
    pub row: u16,
}

/// What can be done with a mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// The left button went down.
    Press,
    /// It moves while it is down.
    Drag,
    /// It went up.
    Release,
    /// The wheel, away from the person.
    WheelUp,
    /// The wheel, towards the person.
    WheelDown,
}
