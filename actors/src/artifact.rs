//! What a start needs, and what a build tells about itself.

mod diagnosis;
mod sources;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::sources::is_later;
pub use self::{
    diagnosis::{
        DescribeDiagnosis, DescribeKnown, Diagnosed, Diagnosis, KnownDiagnosis, WhichBuild,
    },
    sources::Sources,
};
pub use crate::build::known::Known;
use crate::{
    ids::{BuildId, JobId, ProcessName},
    spec::{Mode, ProcessSpec},
};

/// A program that can be started, with the environment that was evaluated for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The build that made it; `None` where nothing is built.
    pub build: Option<BuildId>,
    /// Which mode a run of it is in.
    pub mode: Mode,
    /// What to execute: a path, or a name to look up in the PATH of the environment.
    pub program: PathBuf,
    /// What direnv and cargo add to the daemon's own environment.
    pub environment: Arc<Environment>,
    /// What it was built from, as far as cargo tells.
    pub sources: Sources,
    /// How a run of it is started: the entry of the configuration as it was then.
    pub spec: Arc<ProcessSpec>,
}

impl Artifact {
    /// Whether it is the same program, started in the same way, so that to go back from one to the
    /// other would change nothing. Copies of what cargo built are named by their content.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.program == other.program && self.spec.runs_like(&other.spec)
    }

    /// The same program, started as `spec` has it.
    #[must_use]
    pub fn with(self, spec: &Arc<ProcessSpec>) -> Self {
        Self {
            spec: Arc::clone(spec),
            ..self
        }
    }
}

/// Changes to the environment, and the files that they depend upon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Variables to set, or to remove where the value is `None`.
    pub changes: BTreeMap<OsString, Option<OsString>>,
    /// The files that direnv watches: when one differs, the evaluation is out of date.
    pub watches: Vec<Watch>,
    /// Which `.envrc` was evaluated.
    pub direnv: Direnv,
    /// What of `changes` comes from cargo, so that a new evaluation of direnv can be put under it.
    pub cargo: CargoVariables,
}

/// Which `.envrc` an environment comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Direnv {
    /// There was none.
    #[default]
    Absent,
    /// This one; it is out of date when a watch differs.
    Evaluated(PathBuf),
    /// This one, but direnv did not tell in a known form what it watches: every use evaluates again.
    Unwatched(PathBuf),
}

impl Direnv {
    /// The `.envrc`, if there was one.
    #[must_use]
    pub fn envrc(&self) -> Option<&PathBuf> {
        match self {
            Self::Absent => None,
            Self::Evaluated(envrc) | Self::Unwatched(envrc) => Some(envrc),
        }
    }
}

/// What `cargo run` would add to the environment of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CargoVariables {
    /// `CARGO_MANIFEST_DIR` and its like.
    pub variables: BTreeMap<OsString, OsString>,
    /// Folders to search for dynamic libraries before those of `LD_LIBRARY_PATH`.
    pub libraries: Vec<PathBuf>,
}

/// A file as it was when direnv was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The file.
    pub path: PathBuf,
    /// Its modification time in whole seconds; `None` if it did not exist.
    pub modified: Option<i64>,
}

/// Fact: the builder finished a job. `job` tells whether anybody still waits for it.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct BuildDone {
    /// The request that this answers.
    pub job: JobId,
    /// What came of it. A cancelled job is never reported.
    pub outcome: Result<Built, BuildFailure>,
}

/// Fact: cargo was started for a job.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct BuildStarted {
    /// The request that it serves.
    pub job: JobId,
    /// Its id.
    pub build: BuildId,
    /// Its mode.
    pub mode: Mode,
}

/// Fact: the cargo of a job waits for a lock that another one has.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct BuildWaits {
    /// The request that it serves.
    pub job: JobId,
    /// The build.
    pub build: BuildId,
    /// On what the lock is, in cargo's words: `build directory`, `package cache`.
    pub lock: String,
}

/// A job that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// What can be started now.
    pub artifact: Artifact,
    /// What cargo said; `None` where nothing was built.
    pub report: Option<BuildReport>,
    /// What direnv and the `.envrc` printed for this start, where there is no build whose log has it.
    pub said: Bytes,
}

/// A job that failed: cargo found an error, or could not be run, or direnv refused.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildFailure {
    /// In words, with the next step to take where it is not the source that is wrong.
    pub reason: String,
    /// What cargo said; `None` if it did not come to a build.
    pub report: Option<Box<BuildReport>>,
}

/// What one run of cargo told.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildReport {
    /// Its id; its log is found by it.
    pub id: BuildId,
    /// Its mode.
    pub mode: Mode,
    /// When it ended.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// How many errors there were in all.
    pub error_count: usize,
    /// How many warnings there were in all.
    pub warning_count: usize,
    /// How many of both the process's build before, of either mode, did not have; 0 where none
    /// is remembered, so that there is nothing to compare with. A finding is recognised by level, code,
    /// file, message and the text that it points at, so that moved lines change nothing.
    pub new_count: usize,
    /// How many of the build before are gone. What a failed build did not come to counts as still
    /// there, and so do the warnings of what had an error, because the compiler did not come to them.
    pub fixed_count: usize,
    /// The first errors and, behind them, warnings that are new; each once, at most
    /// [`BuildReport::MOST_SHOWN`]. Where no build before is remembered, nothing is known to be new.
    pub errors: Vec<Diagnostic>,
    /// How many errors and warnings are not in `errors`; the build log has them.
    pub omitted_count: usize,
}

impl BuildReport {
    /// How many errors and warnings are kept with their text; the build log has all.
    pub const MOST_SHOWN: usize = 10;
    /// How long the rendered text of one error may be, in bytes.
    pub const MOST_RENDERED: usize = 2_000;
    /// The same of one warning.
    pub const MOST_RENDERED_WARNING: usize = 500;
}

/// One finding of the compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub level: String,
    /// The compiler's code, such as `E0308`.
    pub code: Option<String>,
    /// The source file, relative to the project.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The finding in one sentence.
    pub message: String,
    /// The finding as the compiler shows it, without colours.
    pub rendered: String,
    /// Whether the build before did not have it.
    pub new: bool,
}

/// What a process asks of the builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Evaluate direnv, then build. Where nothing is built, only the first.
    Compile(Mode),
    /// Use this artifact again; evaluate direnv only if a watched file changed.
    Reuse(Artifact),
}

impl Work {
    /// The mode of the run that this is for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Self::Compile(mode) => *mode,
            Self::Reuse(artifact) => artifact.mode,
        }
    }
}

/// Command to the builder: a newer request of the same process replaces the queued one and cancels
/// the running one. Answered at once; the outcome comes as [`BuildDone`].
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Result<(), BuilderClosed>")]
pub struct Build {
    /// Who asks.
    pub process: ProcessName,
    /// The id that [`BuildDone`] will carry.
    pub job: JobId,
    /// What to do.
    pub work: Work,
    /// Artifacts that must not be tidied away: what runs, and the last good one.
    pub keep: Vec<PathBuf>,
}

/// Command to the builder: drop what this process asked for.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct CancelBuild {
    /// Who asked.
    pub process: ProcessName,
    /// The request to drop; an older or newer one is left alone.
    pub job: JobId,
}

/// The builder takes no more work because the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is shutting down")]
pub struct BuilderClosed;
