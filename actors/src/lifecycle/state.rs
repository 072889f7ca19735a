//! Where a process stands: per state exactly the data that it has.

use tokio::time::Instant;

use crate::{
    artifact::{Artifact, Work},
    exit::Exit,
    ids::{JobId, RunId},
    spec::{Mode, Overlap, Readiness},
};

/// A child and what it was started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What it was started from.
    pub artifact: Artifact,
    /// When it was started.
    pub since: Instant,
    /// When it became ready.
    pub ready_at: Option<Instant>,
    /// When it counts as hung unless it gives a sign of life before.
    pub hung_at: Option<Instant>,
}

impl Run {
    /// Whether another child of its process may run at the same time.
    pub(super) fn overlap(&self) -> Overlap {
        self.artifact.spec.sockets.overlap()
    }

    /// When it counts as ready or, where a probe has to say that, as failed.
    pub(super) fn proof_ends(&self) -> Instant {
        self.since
            + match self.artifact.spec.readiness {
                Readiness::Settle(time) => time,
                Readiness::Probe { timeout, .. } => timeout,
            }
    }

    /// It became ready; from now on it must give signs of life, where it has to.
    pub(super) fn found_ready(&mut self, at: Instant) {
        self.ready_at = Some(at);
        self.hung_at = self.artifact.spec.watchdog.map(|time| at + time);
    }
}

/// Where a process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The daemon has not said yet that anything may start.
    Idle {
        /// What was asked for meanwhile.
        wanted: Wanted,
    },
    /// Somebody stopped it.
    Stopped {
        /// The mode that it had.
        mode: Mode,
    },
    /// The builder works for it.
    Building {
        /// The request that is awaited.
        job: JobId,
        /// What was asked.
        work: Work,
        /// Who serves meanwhile.
        serving: Serving,
    },
    /// Nothing serves; those who left must be gone first.
    Stopping {
        /// What then.
        next: Next,
    },
    /// A new child has not shown yet that it is ready.
    Proving {
        /// It.
        run: Run,
        /// When it counts as ready or, where a probe has to say that, as failed.
        until: Instant,
        /// Who serves until then.
        old: Option<Run>,
        /// What it was started for.
        trial: Trial,
    },
    /// A child serves.
    Running {
        /// It.
        run: Run,
    },
    /// Something failed and is given time before the next attempt.
    BackingOff {
        /// When the wait ends.
        until: Instant,
        /// What is done then.
        then: Work,
    },
    /// It has ended for good, and nobody is left.
    Gone(End),
}

/// Why a process ends for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The daemon ends.
    Shutdown,
    /// The configuration does not name it any more.
    Removed,
}

/// What somebody wanted before anything might start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing but the usual start.
    Boot,
    /// A restart in this mode.
    Restart(Mode),
    /// That it is not started.
    Stop,
}

/// Who serves while the builder works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serving {
    /// Nobody, and nobody will before the build ends.
    Nobody,
    /// The one that served when the build began.
    Current(Run),
    /// Nobody yet: what an earlier build made is started as soon as its predecessor is gone, and is
    /// the current one then.
    InHand(Artifact),
    /// Nobody yet: the last good artifact is started as soon as the one that crashed is gone.
    Awaited(Artifact),
    /// The last good artifact took the place of one that crashed; that happens once per build.
    StandIn(Run),
}

impl Serving {
    /// Its child.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Current(run) | Self::StandIn(run) => Some(run),
            Self::Nobody | Self::InHand(_) | Self::Awaited(_) => None,
        }
    }

    pub(super) fn into_run(self) -> Option<Run> {
        match self {
            Self::Current(run) | Self::StandIn(run) => Some(run),
            Self::Nobody | Self::InHand(_) | Self::Awaited(_) => None,
        }
    }
}

/// What happens when everybody who leaves is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This is started.
    Prove(Artifact, Trial),
    /// Nothing, until somebody asks; it had this mode.
    Stopped(Mode),
    /// Nothing, for good.
    Gone(End),
}

/// What a child that has to prove itself was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It is what was wanted.
    Newest,
    /// It is the last good one, because what was wanted failed.
    Fallback(Failure),
}

/// How a run failed to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which run.
    pub run: RunId,
    /// How.
    pub cause: FailureCause,
}

/// How a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// It ended.
    Exited(Exit),
    /// It could not be started.
    NotStarted,
    /// It was not ready in time.
    NotReady,
}

/// An artifact to go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Good {
    pub(super) artifact: Artifact,
    pub(super) proof: Proof,
}

/// How well an artifact proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was ready.
    Ready,
    /// It served for `stable_seconds`.
    Stable,
}

/// A run that was told to leave, or whose leader died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaving {
    pub(super) run: RunId,
    pub(super) patience: Patience,
    /// Whether another one may start before it is gone.
    pub(super) overlap: Overlap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It serves the connections that it has; then it is asked to end.
    Draining(Instant),
    /// It was asked; what is left then is killed.
    Until(Instant),
    /// It was killed.
    Ended,
}
