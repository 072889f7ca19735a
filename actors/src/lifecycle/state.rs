//! Where a process stands: per state exactly the data that it has.

use tokio::time::Instant;

use crate::{
    artifact::{Artifact, Work},
    ids::{JobId, RunId},
    spec::Mode,
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
}

/// Where a process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The daemon has not said yet that anything may start.
    Idle {
        /// The mode of a restart that was asked for meanwhile.
        wanted: Option<Mode>,
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
        /// When it counts as ready.
        until: Instant,
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
    /// The daemon ends, and nobody is left.
    Gone,
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

/// What happens when everybody who leaves is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This is started.
    Prove(Artifact),
    /// Nothing, for good.
    Gone,
}

/// A run that was told to leave, or whose leader died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaving {
    pub(super) run: RunId,
    pub(super) patience: Patience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It was asked; what is left then is killed.
    Until(Instant),
    /// It was killed.
    Ended,
}
