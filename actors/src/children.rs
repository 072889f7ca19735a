//! How children are started and ended: the one port to the operating system's processes.
//!
//! The daemon's [`Reaper`](crate::reaper::Reaper) stands behind it; tests put a double in its place.

use std::{ffi::OsString, io, os::fd::OwnedFd, path::PathBuf, rc::Rc};

use crate::{exit::Exit, ids::ProcessName, sockets::HeldSockets};

/// A child to start. It leads its own session and process group, its stdin is null, and it inherits
/// no descriptor but the two pipes and the sockets.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What to execute: a path, or a name to look up in the PATH of `environment`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Its whole environment; the marker is added.
    pub environment: Vec<(OsString, OsString)>,
    /// Whose it is; every descendant inherits this.
    pub marker: Marker,
    /// What it finds from descriptor 3 on, with `LISTEN_FDS`, `LISTEN_PID` (its own pid) and
    /// `LISTEN_FDNAMES` added to its environment when there are any.
    pub sockets: HeldSockets,
}

/// Marks a child and, by inheritance, its descendants (`BPM_PROCESS`, `BPM_RUN`), so that one that
/// left the session and was re-parented is still known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The process it belongs to.
    pub process: ProcessName,
    /// Which child of that process: a run (`7`) or a build (`build-9`).
    pub run: String,
}

/// A child that was started.
#[derive(Debug)]
pub struct Spawned {
    /// Names the child and all its descendants.
    pub tree: TreeId,
    /// The child's pid, which is also its session and process group.
    pub pid: u32,
    /// Read end of the child's stdout, non-blocking.
    pub stdout: OwnedFd,
    /// Read end of the child's stderr, non-blocking.
    pub stderr: OwnedFd,
}

/// One child and all its descendants. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(pub u64);

/// What becomes of a child and its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeEvent {
    /// The child itself ended; descendants may live on.
    Exited(Exit),
    /// The child was reaped and nobody of its tree is left. Always the last event.
    Gone,
}

/// Receives the events of one tree. Called from the reaper's task, never from within
/// [`Children::spawn`] or another call.
pub type Owner = Box<dyn Fn(TreeEvent)>;

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot run {}: {cause}", program.display())]
pub struct SpawnError {
    /// What was to be executed.
    pub program: PathBuf,
    /// Why it did not work.
    pub cause: io::Error,
}

/// Starts and ends children. All calls return at once; what comes of them arrives as [`TreeEvent`]s.
pub trait Children {
    /// Starts a child. A failed `exec` is an error here, not an exit.
    ///
    /// # Errors
    /// When the program is missing, may not be executed, or the system is out of processes.
    fn spawn(&self, launch: &Launch, owner: Owner) -> Result<Spawned, SpawnError>;

    /// Asks a tree to end (SIGTERM): the leader's group at once, those who had left it by then when
    /// the leader has ended. What a child starts while it shuts down is not asked.
    fn terminate(&self, tree: TreeId);

    /// Kills the whole tree (SIGKILL) and everything that still appears in it, until it is gone.
    fn kill(&self, tree: TreeId);

    /// Pids of everybody in the tree who is alive now: the leader first, its descendants, and those
    /// who left it but are known to belong to it. Empty for a tree that is gone.
    fn members(&self, tree: TreeId) -> Vec<u32>;
}

/// The port as the actors of one thread share it.
pub type SharedChildren = Rc<dyn Children>;
