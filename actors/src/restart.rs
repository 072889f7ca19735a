//! How others ask a process to restart, and how they see what it does.

use std::sync::Arc;

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use crate::{
    artifact::Sources,
    report::{EventReport, ProcessReport, RestartReport},
    sockets::Doors,
    spec::{Mode, ProcessSpec},
};

/// Why a restart happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The daemon starts.
    Boot,
    /// Somebody asked for it.
    Requested,
    /// Nobody has worked on it for a long time.
    Idle,
}

/// Command: build in `mode`, then swap. Answered at once with the place where the outcome will
/// arrive; whoever drops it loses the answer, not the restart.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "Result<Pending, ShuttingDown>")]
pub struct Restart {
    /// What to build.
    pub mode: Mode,
    /// Why.
    pub cause: Cause,
    /// When whoever asked for it will wait no longer.
    pub until: Option<Instant>,
}

/// Command: run the process that was stopped, in the mode it had; build it first. A process that runs
/// already is left alone.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "Result<Pending, ShuttingDown>")]
pub struct Start {
    /// When whoever asked for it will wait no longer.
    pub until: Option<Instant>,
}

/// Command: end the process and keep it stopped, across crashes and idle changes, until somebody
/// starts or restarts it. The outcome arrives when nobody of it is left.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "Result<Pending, ShuttingDown>")]
pub struct Stop {
    /// On whose behalf.
    pub by: Asker,
}

/// Who asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A coding agent, over MCP.
    Agent,
    /// A person, with one of the project's own tools.
    Person,
}

impl std::fmt::Display for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Agent => "an agent (MCP)",
            Self::Person => "a person",
        })
    }
}

/// Where the outcome of a restart arrives. Closed without an answer only when the process's actor
/// is gone and, where nobody asked ([`Cause::Boot`], [`Cause::Idle`]), when the change is no more under way.
pub type Pending = oneshot::Receiver<RestartReport>;

/// The process takes no more orders because the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is shutting down")]
pub struct ShuttingDown;

/// Command: end, for good. Answered by a process when nobody of it is left, by the builder when no
/// build is, and by the log store when all that was printed is stored and passed on.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Shutdown;

/// Command: the configuration does not name this process any more; end it for good. Answered when
/// nobody of it is left. Orders that still arrive are answered `stopped`.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Remove;

/// Command: the entry of this process in the configuration was changed.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Replace {
    /// The new one, with the same name.
    pub spec: Arc<ProcessSpec>,
    /// What was bound for it.
    pub doors: Doors,
}

/// Fact: the configuration was changed into something that is wrong; the one before holds.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct ConfigRejected {
    /// In words.
    pub why: String,
}

/// A process as it was after its last event. Published on every change, so that readers neither
/// wait for an actor nor disturb it.
pub trait Snapshot: Send + Sync {
    /// What readers receive, with ages and waits as of `now`.
    fn report(&self, now: Instant) -> ProcessReport;

    /// What the serving child was built from.
    fn sources(&self) -> Sources {
        Sources::default()
    }

    /// How the newest attempt failed, where that was before cargo: no build log tells.
    fn unbuilt(&self, now: Instant) -> Option<EventReport>;

    /// The pids of the children that live, those included that prove themselves or leave.
    fn leaders(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Whether the daemon ends, so that nothing of it starts any more.
    fn is_ending(&self) -> bool {
        false
    }

    /// Whether the configuration does not name it any more, so that nothing of it starts any more.
    fn is_removed(&self) -> bool {
        false
    }
}

/// Where a process publishes.
pub type Board = watch::Receiver<Arc<dyn Snapshot>>;

/// Fact: somebody works with the project; the idle clock begins anew.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct ToolCalled;

/// Fact: what runs of a process is now in this mode.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct ModeChanged {
    /// Which process.
    pub process: crate::ids::ProcessName,
    /// Its mode.
    pub mode: Mode,
}
