//! All that the compiler found fault with in one build.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    artifact::Diagnostic,
    build::known::Known,
    ids::{BuildId, ProcessName},
    report::BuildOutcome,
    search::NoSuchLog,
    spec::Mode,
};

/// The errors and warnings of one build, each once, whatever the number of targets that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The mode of the build.
    pub mode: Mode,
    /// How it ended.
    pub outcome: BuildOutcome,
    /// How many errors there were.
    pub error_count: usize,
    /// How many warnings there were.
    pub warning_count: usize,
    /// How many of both are new; `None` where no build before is remembered, so that there is
    /// nothing to compare with.
    pub new_count: Option<usize>,
    /// The errors and, behind them, the warnings. They are fewer than were counted where there are
    /// very many.
    pub findings: Vec<Diagnostic>,
}

/// Fact: a build has ended, and this is what the compiler found. Told before
/// [`BuildEnded`](crate::logs::BuildEnded); never of a build that was cancelled.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Diagnosed {
    /// Whose build.
    pub process: ProcessName,
    /// Which.
    pub build: BuildId,
    /// What was found.
    pub diagnosis: Arc<Diagnosis>,
    /// What the process is known to have now.
    pub known: Arc<Known>,
}

/// Question: what a process was known to have before this build, as far as it was written down; the
/// builder of an earlier daemon knew it.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Option<Arc<Known>>")]
pub struct DescribeKnown {
    /// Which process.
    pub process: ProcessName,
    /// Before which build.
    pub before: BuildId,
}

/// Question: what the compiler found in one build. Of each process the newest builds of this daemon
/// are remembered, and those of which the history has the log.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Result<KnownDiagnosis, NoSuchLog>")]
pub struct DescribeDiagnosis {
    /// Whose build.
    pub process: ProcessName,
    /// Which.
    pub which: WhichBuild,
}

/// A build among those of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichBuild {
    /// As in a search: -1 the newest, 0 the oldest whose log is kept.
    Index(i64),
    /// The one with this id.
    Id(BuildId),
}

/// What is known of a build's findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownDiagnosis {
    /// These.
    Found {
        /// Which build it is.
        build: BuildId,
        /// What was found.
        diagnosis: Arc<Diagnosis>,
    },
    /// Nothing yet: it goes on.
    UnderWay(BuildId),
    /// Nothing: it was cancelled, or was too long ago, or was not written down, or there was no such
    /// build.
    Unknown(BuildId),
}
