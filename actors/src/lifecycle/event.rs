//! What happens to a process, and what its machine answers.

use tokio::time::Instant;

use crate::{
    artifact::{Artifact, Work},
    exit::Exit,
    ids::{JobId, RunId, Ticket},
    spec::Mode,
};

/// What happens to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The daemon starts: build and run.
    Boot {
        /// The mode to build in.
        mode: Mode,
    },
    /// Somebody wants the newest sources to run.
    Restart {
        /// The mode to build in.
        mode: Mode,
        /// Who waits for the outcome; answered exactly once.
        ticket: Ticket,
    },
    /// Nobody has worked on it for long.
    Idle {
        /// The mode that it should go to.
        mode: Mode,
    },
    /// The builder has an artifact.
    Built {
        /// Which request it answers.
        job: JobId,
        /// What it made.
        artifact: Artifact,
    },
    /// The builder has none.
    BuildFailed {
        /// Which request it answers.
        job: JobId,
    },
    /// The child could not be started.
    SpawnFailed {
        /// Which run.
        run: RunId,
    },
    /// The child itself ended.
    Exited {
        /// Which run.
        run: RunId,
        /// How.
        exit: Exit,
    },
    /// The child was reaped and nobody of its tree is left.
    TreeGone {
        /// Which run.
        run: RunId,
    },
    /// The alarm rang, or time passed.
    Deadline,
    /// The daemon ends.
    Shutdown,
}

/// What the actor has to do. In order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the builder. It drops what this process asked before.
    Build {
        /// The id of the request.
        job: JobId,
        /// What to do.
        work: Work,
    },
    /// Tell the builder that nobody wants this any more.
    CancelBuild {
        /// The request.
        job: JobId,
    },
    /// Start a child.
    Start {
        /// Its id.
        run: RunId,
        /// What to start.
        artifact: Artifact,
    },
    /// Ask a tree to end.
    Terminate {
        /// Whose.
        run: RunId,
    },
    /// Kill what is left of a tree.
    Kill {
        /// Whose.
        run: RunId,
    },
    /// Say that a run ended which should not have.
    Crashed {
        /// Which.
        run: RunId,
        /// How.
        exit: Exit,
    },
    /// Say that a run ended which was told to.
    Stopped {
        /// Which.
        run: RunId,
        /// How.
        exit: Exit,
    },
    /// Say that a run proved itself.
    Ready {
        /// Which.
        run: RunId,
    },
    /// Say that the next attempt waits.
    BackingOff {
        /// Until when.
        until: Instant,
        /// In which mode.
        mode: Mode,
    },
    /// Answer a caller.
    Answer {
        /// Who.
        ticket: Ticket,
        /// What came of it.
        verdict: Verdict,
    },
    /// Say that nobody is left and nothing will start again.
    Gone,
}

/// What came of a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new child runs.
    Restarted,
    /// The builder has no artifact.
    BuildFailed,
    /// The new child died, or (without an exit) could not be started.
    Crashed {
        /// Which run.
        run: RunId,
        /// How it ended.
        exit: Option<Exit>,
    },
    /// The daemon ends.
    ShuttingDown,
}
