//! Starts, ends and reaps every child of the daemon.
//!
//! The daemon is a child subreaper: whoever double-forks away becomes its child when the parent dies,
//! so everything that a dead leader left is found among the daemon's own children. All waiting is done
//! here, on SIGCHLD; nobody else may wait for a child. Everything runs on one thread, so a child that
//! dies at once cannot be reaped before it is registered.
//!
//! Whose a re-parented process is, is told by its session, by the marker in its environment, or by
//! what was remembered of the tree before it was told to stop. In the middle of an exec the kernel
//! shows no environment: then the answer waits, for a bounded time.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, HashSet},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    process::{Command, Stdio},
    rc::Rc,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal as GroupSignal, killpg},
    unistd::Pid as GroupId,
};
use process_wrap::std::{CommandWrap, ProcessSession};
use rustix::process::{Signal, WaitOptions, WaitStatus};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    children::{Children, Launch, Marker, Owner, SpawnError, Spawned, TreeEvent, TreeId},
    exit::Exit,
    proc_table::{self, Identity, Stat},
};

pub mod ledger;

use ledger::{Entry, Ledger};

/// The variable that names the project a child belongs to: what a dead daemon left is found by it.
pub const PROJECT_MARKER: &str = "BPM_PROJECT";
const PROCESS_MARKER: &str = "BPM_PROCESS";
const RUN_MARKER: &str = "BPM_RUN";

/// When one without an environment is looked at again: no event tells the end of an exec.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// One who has no environment for so long threw it away, and is nobody's.
const LONGEST_EXEC: Duration = Duration::from_millis(200);

/// The reaper. Clones share one; it lives as long as its thread's actor system.
#[derive(Clone)]
pub struct Reaper {
    forest: Rc<RefCell<Forest>>,
    /// Told after every round of reaping.
    reaped: Rc<Notify>,
    /// Whether a round is due that no death causes.
    looks_again: Rc<Cell<bool>>,
}

/// All trees that are not gone.
struct Forest {
    project: PathBuf,
    trees: BTreeMap<TreeId, Tree>,
    leaders: HashMap<u32, TreeId>,
    last: u64,
    ledger: Ledger,
    /// Children of ours without an environment, and since when they are seen so.
    bare: HashMap<Identity, Instant>,
}

/// Our children that lead no tree.
struct Strays {
    /// With the tree that each belongs to.
    known: Vec<(TreeId, Stat)>,
    others: Others,
}

/// Whether those who belong to no known tree may turn out to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Nobodys,
    Unclear,
}

/// One child and its descendants.
struct Tree {
    leader: Identity,
    leader_state: LeaderState,
    marker: Marker,
    pressure: Pressure,
    /// Descendants as they were when the tree was told to stop.
    remembered: HashSet<Identity>,
    owner: Rc<Owner>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LeaderState {
    Alive,
    Reaped,
}

/// What those who are left of a tree have to expect.
enum Pressure {
    None,
    /// SIGTERM was sent to these; others get theirs when they appear.
    Asked(HashSet<Identity>),
    Killed,
}

impl Reaper {
    /// Makes the daemon a child subreaper and begins to listen for SIGCHLD on the current thread.
    ///
    /// # Errors
    /// When the kernel refuses either.
    pub fn start(project: PathBuf, ledger: Ledger) -> io::Result<Self> {
        nix::sys::prctl::set_child_subreaper(true)?;
        let mut deaths = signal(SignalKind::child())?;
        let forest = Forest {
            project,
            trees: BTreeMap::new(),
            leaders: HashMap::new(),
            last: 0,
            ledger,
            bare: HashMap::new(),
        };
        let reaper = Self {
            forest: Rc::new(RefCell::new(forest)),
            reaped: Rc::default(),
            looks_again: Rc::default(),
        };
        let round = reaper.clone();
        actix::spawn(async move {
            while deaths.recv().await.is_some() {
                round.round();
            }
        });
        Ok(reaper)
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
    }

    /// Applies what changed outside of a round.
    fn press(&self, tree: TreeId) {
        let mut forest = self.forest.borrow_mut();
        if let Some(tree) = forest.trees.get(&tree)
            && tree.leader_state == LeaderState::Reaped
        {
            // Whoever is killed here sends SIGCHLD, and the next round sees the end.
            let strays = forest.strays();
            forest.press_strays(&strays.known);
            self.look_again(strays.others);
        }
    }

    /// Makes a round soon, when it is not clear yet whose somebody is and none is due.
    fn look_again(&self, others: Others) {
        if others == Others::Unclear && !self.looks_again.replace(true) {
            let again = self.clone();
            actix::spawn(async move {
                sleep(LOOK_AGAIN).await;
                again.looks_again.set(false);
                again.round();
            });
        }
    }
}

type News = Vec<(Rc<Owner>, TreeEvent)>;

impl Forest {
    fn reap(&mut self, news: &mut News) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_nonzero().get().unsigned_abs();
                    let Some(exit) = exit_of(status) else {
                        continue;
                    };
                    // An unknown one was re-parented to us; its tree is looked at in `settle`.
                    let Some(id) = self.leaders.remove(&pid) else {
                        continue;
                    };
                    if let Some(tree) = self.trees.get_mut(&id) {
                        tree.leader_state = LeaderState::Reaped;
                        news.push((tree.owner.clone(), TreeEvent::Exited(exit)));
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Finds the trees of which nobody is left, and presses those who linger. Says whether it must
    /// be called again although nobody ends.
    fn settle(&mut self, news: &mut News) -> Others {
        let ended = |tree: &Tree| tree.leader_state == LeaderState::Reaped;
        if !self.trees.values().any(ended) {
            return Others::Nobodys;
        }
        let Strays { known, others } = self.strays();
        let left: HashSet<TreeId> = known.iter().map(|(tree, _)| *tree).collect();
        let gone: Vec<TreeId> = self
            .trees
            .iter()
            .filter(|(id, tree)| ended(tree) && !left.contains(id) && others == Others::Nobodys)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(tree) = self.trees.remove(&id) {
                news.push((tree.owner, TreeEvent::Gone));
                self.ledger.remove(tree.leader);
            }
        }
        self.press_strays(&known);
        others
    }

    fn strays(&mut self) -> Strays {
        let (mut known, mut bare) = (Vec::new(), HashMap::new());
        let mut others = Others::Nobodys;
        let now = Instant::now();
        let pids = proc_table::children_of(std::process::id()).into_iter();
        for stat in pids
            .filter(|pid| !self.leaders.contains_key(pid))
            .filter_map(Stat::of)
        {
            let environment = proc_table::environment_of(stat.identity.pid);
            if let Some(tree) = self.tree_of(&stat, &environment) {
                known.push((tree, stat));
            } else if environment.is_empty() && stat.is_alive() {
                let since = *self.bare.get(&stat.identity).unwrap_or(&now);
                bare.insert(stat.identity, since);
                if now.duration_since(since) < LONGEST_EXEC {
                    others = Others::Unclear;
                }
            }
        }
        self.bare = bare;
        Strays { known, others }
    }

    fn tree_of(&self, stat: &Stat, environment: &[u8]) -> Option<TreeId> {
        // A session's number is not given to anybody else while somebody is in it.
        let by_session = |tree: &Tree| {
            tree.leader.pid == stat.session || tree.remembered.contains(&stat.identity)
        };
        if let Some((id, _)) = self.trees.iter().find(|(_, tree)| by_session(tree)) {
            return Some(*id);
        }
        let entry = |name, value: &[u8]| proc_table::has_entry(environment, name, value);
        let marked = |tree: &Tree| {
            entry(PROCESS_MARKER, tree.marker.process.as_str().as_bytes())
                && entry(RUN_MARKER, tree.marker.run.as_bytes())
        };
        if !entry(PROJECT_MARKER, self.project.as_os_str().as_bytes()) {
            return None;
        }
        self.trees
            .iter()
            .find(|(_, tree)| marked(tree))
            .map(|(id, _)| *id)
    }

    /// Does to those who outlived their leader what their tree was told.
    fn press_strays(&mut self, strays: &[(TreeId, Stat)]) {
        for (id, stray) in strays {
            let Some(tree) = self.trees.get_mut(id) else {
                continue;
            };
            if tree.leader_state == LeaderState::Alive {
                continue;
            }
            let members = || {
                proc_table::descendants_of(stray.identity.pid)
                    .into_iter()
                    .chain([*stray])
            };
            match &mut tree.pressure {
                Pressure::None => {}
                Pressure::Asked(asked) => {
                    for member in members().filter(|member| asked.insert(member.identity)) {
                        member.identity.signal(Signal::TERM);
                        member.identity.signal(Signal::CONT);
                    }
                }
                Pressure::Killed => {
                    members().for_each(|member| member.identity.signal(Signal::KILL));
                }
            }
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
        let mut child = command(launch, &forest.project).spawn().map_err(failed)?;
        let pid = child.id();
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
        if let Some(tree) = self.forest.borrow_mut().trees.get_mut(&id) {
            let members = tree.remember();
            if tree.leader_state == LeaderState::Alive {
                signal_group(tree.leader.pid, GroupSignal::SIGTERM);
                // A stopped process would only see the first signal when it goes on.
                signal_group(tree.leader.pid, GroupSignal::SIGCONT);
            }
            let in_group = |stat: &&Stat| stat.group == tree.leader.pid;
            let asked = members
                .iter()
                .filter(in_group)
                .map(|stat| stat.identity)
                .collect();
            tree.pressure = Pressure::Asked(asked);
        }
        self.press(id);
    }

    fn kill(&self, id: TreeId) {
        if let Some(tree) = self.forest.borrow_mut().trees.get_mut(&id) {
            tree.remember();
            tree.pressure = Pressure::Killed;
            if tree.leader_state == LeaderState::Alive {
                signal_group(tree.leader.pid, GroupSignal::SIGKILL);
            }
            tree.remembered
                .iter()
                .for_each(|member| member.signal(Signal::KILL));
        }
        self.press(id);
    }
}

impl Forest {
    fn register(&mut self, leader: Identity, marker: Marker, owner: Owner) -> TreeId {
        self.last += 1;
        let id = TreeId(self.last);
        self.ledger.add(Entry {
            leader,
            process: marker.process.to_string(),
            run: marker.run.clone(),
        });
        self.leaders.insert(leader.pid, id);
        self.trees.insert(
            id,
            Tree {
                leader,
                leader_state: LeaderState::Alive,
                marker,
                pressure: Pressure::None,
                remembered: HashSet::new(),
                owner: Rc::new(owner),
            },
        );
        id
    }
}

impl Tree {
    /// Takes down who is in the tree while its leader still ties it together.
    fn remember(&mut self) -> Vec<Stat> {
        if self.leader_state == LeaderState::Reaped {
            return Vec::new();
        }
        let members = proc_table::descendants_of(self.leader.pid);
        self.remembered
            .extend(members.iter().map(|stat| stat.identity));
        members
    }
}

fn command(launch: &Launch, project: &std::path::Path) -> CommandWrap {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .current_dir(&launch.cwd)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .env(PROJECT_MARKER, project)
        .env(PROCESS_MARKER, launch.marker.process.as_str())
        .env(RUN_MARKER, &launch.marker.run)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut wrapped = CommandWrap::from(command);
    wrapped.wrap(ProcessSession);
    wrapped
}

fn signal_group(leader: u32, signal: GroupSignal) {
    let Ok(group) = i32::try_from(leader) else {
        return;
    };
    match killpg(GroupId::from_raw(group), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => log::warn!("cannot send {signal} to process group {group}: {error}"),
    }
}

fn non_blocking(pipe: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(pipe.as_fd(), true)?;
    Ok(pipe)
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    status
        .exit_status()
        .map(Exit::Code)
        .or_else(|| status.terminating_signal().map(Exit::Signal))
}
