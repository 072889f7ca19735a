//! Places in the output of processes: what a reader gives to go on where he stopped.

use std::{fmt, str::FromStr};

use crate::ids::ProcessName;

/// The place behind a line: `7:1042` is behind line 1042 of run (or build) 7, `7:0` before its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which run or build.
    pub number: u64,
    /// The sequence number of the line before.
    pub line: u64,
}

/// A place in the output of one process, or in that of several: `main=7:1042,web=8:3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cursor {
    /// Of the process that is asked about.
    One(Position),
    /// Of each of these.
    Several(Vec<(ProcessName, Position)>),
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor looks like \"7:1042\", or \"main=7:1042,web=8:3\" for several processes")]
pub struct BadCursor;

impl Cursor {
    /// The place in the output of this process; `None` where it is not known, so that all of its
    /// output is behind the cursor.
    #[must_use]
    pub fn of(&self, process: &ProcessName) -> Option<Position> {
        match self {
            Self::One(position) => Some(*position),
            Self::Several(positions) => {
                let own = positions.iter().find(|(name, _)| name == process);
                own.map(|(_, position)| *position)
            }
        }
    }
}

impl FromStr for Position {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| plain);
            number.ok_or(BadCursor)
        };
        let (run, line) = text.split_once(':').ok_or(BadCursor)?;
        Ok(Self {
            number: number(run)?,
            line: number(line)?,
        })
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        if !text.contains('=') {
            return text.parse().map(Self::One);
        }
        let named = text.split(',').map(|part| {
            let (name, position) = part.trim().split_once('=').ok_or(BadCursor)?;
            Ok((name.parse().map_err(|_| BadCursor)?, position.parse()?))
        });
        named.collect::<Result<_, _>>().map(Self::Several)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.line)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(position) => position.fmt(f),
            Self::Several(positions) => {
                for (place, (name, position)) in positions.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{name}={position}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_written_as_they_are_read() {
        for text in ["7:1042", "7:0", "main=7:1042", "main=7:1042,web=8:3"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in [
            "",
            "7",
            "7:",
            ":7",
            "7:x",
            "-7:1",
            "+7:1",
            "7:1:2",
            "a=7",
            "=7:1",
            "a b=7:1",
            "build=7:1",
            "99999999999999999999:1",
            "main=7:1,",
            "7:1,8:2",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(BadCursor), "{text:?}");
        }
    }

    #[test]
    fn a_process_that_a_cursor_does_not_name_is_wholly_behind_it() {
        let cursor: Cursor = "main=7:2".parse().unwrap();
        let position = Position { number: 7, line: 2 };
        assert_eq!(cursor.of(&"main".parse().unwrap()), Some(position));
        assert_eq!(cursor.of(&"web".parse().unwrap()), None);
    }
}
