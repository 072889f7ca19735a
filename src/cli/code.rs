//! How `bpm` ends.

use std::process::ExitCode;

/// What the exit code says. Of several the gravest counts, which is the last in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Code {
    /// Done.
    Done,
    /// Time ran out.
    TimeUp,
    /// It was not done.
    Failed,
    /// There is no such process.
    UnknownProcess,
    /// The daemon does not run.
    NotRunning,
    /// Wrong arguments, or a wrong configuration.
    Usage,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Done => 0,
            Code::Failed => 1,
            Code::Usage => 2,
            Code::NotRunning => 3,
            Code::TimeUp => 4,
            Code::UnknownProcess => 5,
        })
    }
}
