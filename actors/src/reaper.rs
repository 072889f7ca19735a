//! Starts, ends and reaps every child of the daemon.
//!
//! The daemon is a child subreaper: whoever double-forks away becomes its child when the parent dies,
//! so everything that a dead leader left is found among the daemon's own children. All waiting is done
//! here, on SIGCHLD; nobody else may wait for a child. Everything runs on one thread, so a child that
//! dies at once cannot be reaped before it is registered.
//!
//! Whose a re-parented process is, is told by its session, by the marker in its environment, or by
//! what was remembered of the tree before it was told to stop. In the middle of an exec the kernel
//! does not show the marker: then the answer waits, for a bounded time.
//!
//! A child that is handed sockets becomes its program in two steps ([`chain_load`](crate::chain_load));
//! both are over when `spawn` returns.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use rustix::process::Signal;
use tokio::{net::UnixStream, sync::Notify};

use crate::{
    children::{Children, Launch, Owner, SpawnError, Spawned, TreeId},
    proc_table::{self, Identity, Stat},
};

pub mod floor;
mod forest;
mod launcher;
pub mod ledger;
pub mod limits;

use forest::{Forest, Others};
use ledger::Ledger;
use limits::Limits;

/// The variable that names the project a child belongs to: what a dead daemon left is found by it.
pub const PROJECT_MARKER: &str = "BPM_PROJECT";
/// When one without a mark is looked at again: no event tells the end of an exec.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How long the list of children on disk may name one that is gone. Harmless: it is known by its start
/// time as well.
const LEDGER_LAG: Duration = Duration::from_millis(50);
/// Also when the file was replaced or removed: what runs is what starts.
const OURSELVES: &str = "/proc/self/exe";
const PROCESS_MARKER: &str = "BPM_PROCESS";
const RUN_MARKER: &str = "BPM_RUN";

/// The reaper. Clones share one; it lives as long as its thread's actor system.
#[derive(Clone)]
pub struct Reaper {
    forest: Rc<RefCell<Forest>>,
    /// Told after every round of reaping.
    reaped: Rc<Notify>,
    /// Whether a round is due that no death causes.
    looks_again: Rc<Cell<bool>>,
    /// The executable that hands sockets down.
    loader: Rc<Path>,
    /// What children get, where the daemon has more.
    limits: Option<Limits>,
}

impl Reaper {
    /// Makes the daemon a child subreaper and begins to listen for SIGCHLD on the current thread.
    ///
    /// # Errors
    /// When the kernel refuses either.
    pub fn start(project: PathBuf, ledger: Ledger) -> io::Result<Self> {
        nix::sys::prctl::set_child_subreaper(true)?;
        let deaths = deaths()?;
        let forest = Forest::new(project, ledger);
        let reaper = Self {
            forest: Rc::new(RefCell::new(forest)),
            reaped: Rc::default(),
            looks_again: Rc::default(),
            loader: Path::new(OURSELVES).into(),
            limits: None,
        };
        let round = reaper.clone();
        actix::spawn(async move {
            // An error would mean that our own end of the pair is closed.
            while deaths.readable().await.is_ok() {
                while deaths.try_read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
                round.round();
            }
        });
        Ok(reaper)
    }

    /// Hands sockets down through this executable instead of our own: its `main` calls
    /// [`become_program_if_asked`](crate::chain_load::become_program_if_asked).
    #[must_use]
    pub fn loading_through(self, loader: &Path) -> Self {
        Self {
            loader: loader.into(),
            ..self
        }
    }

    /// Gives children this many descriptors.
    #[must_use]
    pub fn limiting(self, limits: Limits) -> Self {
        Self {
            limits: Some(limits),
            ..self
        }
    }

    /// Kills every tree.
    pub fn kill_all(&self) {
        let trees: Vec<TreeId> = self.forest.borrow().trees.keys().copied().collect();
        for tree in trees {
            self.kill(tree);
        }
    }

    /// Kills whatever is left among the daemon's children, known or not, and returns when nobody is.
    /// For the very end: it also finds what hid from its tree.
    pub async fn end_strays(&self) {
        let me = std::process::id();
        loop {
            let reaped = self.reaped.notified();
            let left = proc_table::children_of(me);
            if left.is_empty() {
                return;
            }
            for pid in left {
                let family = proc_table::descendants_of(pid)
                    .into_iter()
                    .chain(Stat::of(pid));
                for member in family {
                    member.identity.signal(Signal::KILL);
                }
            }
            reaped.await;
        }
    }

    /// Reaps everybody who died and tells the owners.
    fn round(&self) {
        let mut news = Vec::new();
        self.forest.borrow_mut().reap(&mut news);
        let others = self.forest.borrow_mut().settle(&mut news);
        self.look_again(others);
        // Outside of the borrow: an owner may call back.
        for (owner, event) in news {
            owner(event);
        }
        self.reaped.notify_waiters();
        if self.forest.borrow().ledger.is_behind() {
            let reaper = self.clone();
            actix::spawn(async move {
                // A crashed child is started again first, which writes the list anyway.
                tokio::time::sleep(LEDGER_LAG).await;
                reaper.forest.borrow_mut().ledger.catch_up();
            });
        }
    }

    /// Makes a round soon, when it is not clear yet whose somebody is and none is due.
    fn look_again(&self, others: Others) {
        if others == Others::Unclear && !self.looks_again.replace(true) {
            let again = self.clone();
            actix::spawn(async move {
                tokio::time::sleep(LOOK_AGAIN).await;
                again.looks_again.set(false);
                again.round();
            });
        }
    }
}

impl Children for Reaper {
    fn spawn(&self, launch: &Launch, owner: Owner) -> Result<Spawned, SpawnError> {
        let failed = |cause| SpawnError {
            program: launch.program.clone(),
            cause,
        };
        if !launch.cwd.is_dir() {
            // Else the error would read as if the program were missing.
            let message = format!(
                "its working directory {} is not there",
                launch.cwd.display()
            );
            return Err(failed(io::Error::new(io::ErrorKind::NotFound, message)));
        }
        let mut forest = self.forest.borrow_mut();
        let mut child = launcher::start(launch, &forest.project, &self.loader).map_err(failed)?;
        let pid = child.id();
        if let Some(limits) = &self.limits {
            limits.restore(pid);
        }
        let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
        // The child cannot be reaped before this thread comes back to its events.
        let leader = Identity::of(pid).unwrap_or(Identity { pid, start_time: 0 });
        let tree = forest.register(leader, launch.marker.clone(), owner);
        let missing = || failed(io::Error::other("it has no output pipes"));
        Ok(Spawned {
            tree,
            pid,
            stdout: non_blocking(stdout.ok_or_else(missing)?.into()).map_err(failed)?,
            stderr: non_blocking(stderr.ok_or_else(missing)?.into()).map_err(failed)?,
        })
    }

    fn terminate(&self, id: TreeId) {
        let others = self.forest.borrow_mut().terminate(id);
        self.look_again(others);
    }

    fn kill(&self, id: TreeId) {
        let others = self.forest.borrow_mut().kill(id);
        self.look_again(others);
    }

    fn members(&self, id: TreeId) -> Vec<u32> {
        self.forest.borrow_mut().members(id)
    }
}

/// A byte for every SIGCHLD, or for several. Tokio's own signals wake whichever thread's runtime comes
/// first, and that thread ours; here the first to know is the one that acts.
fn deaths() -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, theirs)?;
    UnixStream::from_std(ours)
}

fn non_blocking(pipe: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(pipe.as_fd(), true)?;
    Ok(pipe)
}
