//! What happens to a process, and what its machine answers.

use std::sync::Arc;

use tokio::time::Instant;

use super::state::{End, Failure};
use crate::{
    artifact::{Artifact, Work},
    exit::Exit,
    ids::{JobId, RunId, Ticket},
    spec::{Change, Mode, ProcessSpec},
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
    /// Somebody wants it to run, in the mode it had.
    Start {
        /// Who waits for the outcome; answered exactly once.
        ticket: Ticket,
    },
    /// Somebody wants it not to run.
    Stop {
        /// Who waits until nobody is left; answered exactly once.
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
    /// Its probe found the child ready.
    Ready {
        /// Which run.
        run: RunId,
    },
    /// The child gave a sign of life.
    Alive {
        /// Which run.
        run: RunId,
    },
    /// The child says that it is stuck.
    Stuck {
        /// Which run.
        run: RunId,
    },
    /// A replaced child has no connection left.
    Drained {
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
    /// Its entry in the configuration was changed.
    Replace {
        /// The new one.
        spec: Arc<ProcessSpec>,
        /// What it takes until that is true of what runs.
        change: Change,
    },
    /// The configuration does not name it any more.
    Remove,
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
    /// Start a child, and watch for its readiness.
    Start {
        /// Its id.
        run: RunId,
        /// What to start.
        artifact: Artifact,
    },
    /// Say when a child that was replaced has no connection left.
    Drain {
        /// Whose.
        run: RunId,
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
        /// Why.
        why: KillReason,
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
    /// Say that a run was not ready in time and has to leave.
    NotReady {
        /// Which.
        run: RunId,
    },
    /// Say that a run proved itself.
    Ready {
        /// Which.
        run: RunId,
        /// What it was started for, and what it took over from.
        debut: Debut,
    },
    /// Say that the newest version did not prove itself.
    RolledBack {
        /// How.
        failure: Failure,
        /// Who serves instead.
        to: Instead,
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

/// Why a tree is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillReason {
    /// Its leader died.
    LeaderDied,
    /// It did not end within the time that it had.
    Overdue,
    /// It gave no sign of life for too long.
    Hung,
}

/// How a run became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debut {
    /// It took over from this one, which served until then.
    Swapped(RunId),
    /// Nobody served before.
    Fresh,
    /// It is the last good version, started again.
    Fallback,
}

/// Who serves instead of a version that did not prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// The one that served before goes on.
    Old(RunId),
    /// The last good artifact is started again.
    LastGood,
}

/// What came of a restart, a start or a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new child runs; the old one, if any, had stopped before.
    Restarted,
    /// The new child took over from the old one.
    Swapped,
    /// It runs already.
    Running,
    /// The builder has no artifact.
    BuildFailed,
    /// The new child did not prove itself; what was good before serves.
    RolledBack(Failure),
    /// The new child did not prove itself, and nothing serves.
    Failed(Failure),
    /// It is stopped.
    Stopped,
    /// A later order took its place.
    Superseded,
    /// The configuration does not name it any more.
    Removed,
    /// The daemon ends.
    ShuttingDown,
}

impl From<End> for Verdict {
    fn from(end: End) -> Self {
        match end {
            End::Shutdown => Self::ShuttingDown,
            End::Removed => Self::Removed,
        }
    }
}
