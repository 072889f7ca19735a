//! Colours of `bpm`'s own words.

use std::{env, ffi::OsStr};

/// Whether there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// On a terminal.
    On,
    /// In files and pipes, and where the user wants none.
    Off,
}

/// What something is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// It is well.
    Good,
    /// It wants attention.
    Warning,
    /// It is not well.
    Bad,
    /// It is under way.
    Busy,
    /// It is less important.
    Dim,
    /// It is more important.
    Bold,
    /// Like everything else.
    Plain,
}

impl Colours {
    /// What the environment says about a terminal.
    pub(super) fn of_terminal() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        // https://no-color.org
        let off = set("NO_COLOR").is_some() || set("TERM").as_deref() == Some(OsStr::new("dumb"));
        if off { Self::Off } else { Self::On }
    }

    /// The text, painted.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Good => "32",
            Paint::Warning => "33",
            Paint::Bad => "1;31",
            Paint::Busy => "36",
            Paint::Dim => "2",
            Paint::Bold => "1",
            Paint::Plain => return text.to_owned(),
        };
        match self {
            Self::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Off => text.to_owned(),
        }
    }
}
