//! How a process ended, in the words that people use.

use std::fmt;

use nix::sys::signal::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It returned this exit code.
    Code(i32),
    /// This signal ended it. A plain number, because real-time signals have no name.
    Signal(i32),
}

impl Exit {
    /// The exit code, if it returned one.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// The number of the signal, if one ended it.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) => None,
            Self::Signal(signal) => Some(signal),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => {
                write!(f, "exit code {code}")?;
                match told_by_shell(code) {
                    Some(signal) => write!(f, " (128 + {}, {signal})", signal as i32),
                    None => Ok(()),
                }
            }
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "signal {number} ({signal})"),
                Err(_) => write!(f, "signal {number}"),
            },
        }
    }
}

/// The signal that ended the program behind a shell, npm, pnpm or yarn, which all tell it in this way.
fn told_by_shell(code: i32) -> Option<Signal> {
    let number = code.checked_sub(128)?;
    Signal::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_with_its_number() {
        assert_eq!(Exit::Signal(9).to_string(), "signal 9 (SIGKILL)");
        assert_eq!(Exit::Signal(40).to_string(), "signal 40");
        assert_eq!(Exit::Code(3).to_string(), "exit code 3");
    }

    #[test]
    fn the_signal_that_a_shell_tells_by_its_exit_code_is_named() {
        for (code, text) in [
            (137, "exit code 137 (128 + 9, SIGKILL)"),
            (143, "exit code 143 (128 + 15, SIGTERM)"),
            (128, "exit code 128"),
            (255, "exit code 255"),
            (-1, "exit code -1"),
        ] {
            assert_eq!(Exit::Code(code).to_string(), text);
        }
    }
}
