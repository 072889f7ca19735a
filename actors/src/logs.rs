//! The log store's messages: what producers send and what readers ask. The rooms below hold the
//! lines and pass them on; what they have in common is that they know no actor.

pub mod archive;
pub(crate) mod bell;
pub mod chunk;
pub(crate) mod intake;
pub mod journal;
pub mod level;
pub(crate) mod part;
pub mod passthrough;
pub mod shelf;
pub(crate) mod text;

use std::{os::fd::OwnedFd, time::SystemTime};

use bytes::Bytes;

pub use self::text::{escape_length, grouped};
use crate::{
    exit::Exit,
    ids::{BuildId, ProcessName, RunId},
    pattern::Pattern,
    spec::{LogSettings, Mode},
};

/// Which of the two outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The output of one run or of one build.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogKey {
    /// Whose output.
    pub process: ProcessName,
    /// Which.
    pub source: Source,
}

/// What printed the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A run of the program.
    Run(RunId),
    /// A run of cargo.
    Build(BuildId),
}

/// Command: begin a log. `outputs` are pipes, non-blocking, that the store reads to their
/// end or, where somebody holds them longer, until the log has ended.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub struct OpenLog {
    /// Which log.
    pub key: LogKey,
    /// The mode of the run or build.
    pub mode: Mode,
    /// When it began.
    pub at: SystemTime,
    /// Whole lines of stderr that come before those of the pipes.
    pub preface: Bytes,
    /// The pipes to read.
    pub outputs: Vec<(Stream, OwnedFd)>,
}

/// Command: add bytes to a log that no pipe brings (rendered diagnostics). Lines may be split over
/// several of these.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Append {
    /// Which log.
    pub key: LogKey,
    /// Which stream they count as.
    pub stream: Stream,
    /// The bytes.
    pub bytes: Bytes,
}

/// Fact: a run ended that should not have. Its log takes what is still in the pipes, bounded in
/// time when a grandchild holds them, and ends.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Crashed {
    /// Whose run.
    pub process: ProcessName,
    /// Which run.
    pub run: RunId,
    /// How it ended.
    pub exit: Exit,
}

/// Fact: a run ended because it was told to. The rest of its tree has its grace and may still print:
/// the log takes all of it until the pipes end or [`TreeEnded`] arrives.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Stopped {
    /// Whose run.
    pub process: ProcessName,
    /// Which run.
    pub run: RunId,
    /// How it ended.
    pub exit: Exit,
}

/// Fact: nobody of a run's tree is left. Its log ends as with [`Crashed`], unless it has ended before.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct TreeEnded {
    /// Whose run.
    pub process: ProcessName,
    /// Which run.
    pub run: RunId,
}

/// Fact: a build ended. Its log ends as with [`Crashed`].
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct BuildEnded {
    /// Whose build.
    pub process: ProcessName,
    /// Which build.
    pub build: BuildId,
    /// How.
    pub ending: BuildEnding,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEnding {
    /// There is an artifact.
    Succeeded,
    /// There is none.
    Failed,
    /// Nobody wanted it any more.
    Cancelled,
}

/// Command: the configuration was changed; these limits hold from now on, also for what is kept.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct SetLimits {
    /// What is kept. Whether there is a history on disk was decided at the start.
    pub settings: LogSettings,
    /// The processes that share the memory. Of others, those that still print stay in memory; their
    /// files stay in any case.
    pub processes: Vec<ProcessName>,
}

/// Question: the last lines of a run, as an agent reads them. Answered once the run's log has
/// ended, so that what it printed last is in it.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Vec<String>")]
pub struct DescribeLastLines {
    /// Which log.
    pub key: LogKey,
    /// How many lines at most.
    pub count: usize,
}

/// Question: the first line of a log that matches, as an agent reads it. Answered when that line is
/// stored, at once if it is there already; `None` when the log has ended without one, or there is no
/// such log. Whoever drops the answer's future is forgotten.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Option<String>")]
pub struct AwaitLine {
    /// Which log.
    pub key: LogKey,
    /// What the line must match.
    pub pattern: Pattern,
}

/// Question: the lines of a run that look like errors, as an agent reads them, shortened: the first
/// ones, and what a panic says. Those that differ only in numbers, times and ids are given once.
/// Answered with what is stored, as far as the first 4 MiB of the log go; empty where there is no such
/// log.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Vec<String>")]
pub struct DescribeErrorLines {
    /// Which log.
    pub key: LogKey,
    /// Lines that this log has as well are not new and left out.
    pub unlike: Option<LogKey>,
    /// How many lines at most.
    pub count: usize,
}
