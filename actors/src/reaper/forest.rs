//! Which children there are, who descends from them, and who of those is left.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal as GroupSignal, killpg},
    unistd::Pid as GroupId,
};
use rustix::process::{Signal, WaitOptions, WaitStatus};
use tokio::time::Instant;

use super::{
    PROCESS_MARKER, PROJECT_MARKER, RUN_MARKER,
    ledger::{Entry, Ledger},
};
use crate::{
    children::{Marker, Owner, TreeEvent, TreeId},
    exit::Exit,
    proc_table::{self, Identity, Stat},
};

/// One who does not carry a mark for so long threw it away, and is nobody's.
const LONGEST_EXEC: Duration = Duration::from_millis(200);

/// All trees that are not gone.
pub(super) struct Forest {
    pub(super) project: PathBuf,
    pub(super) trees: BTreeMap<TreeId, Tree>,
    leaders: HashMap<u32, TreeId>,
    last: u64,
    pub(super) ledger: Ledger,
    /// Children of ours that show no mark, and since when.
    unmarked: HashMap<Identity, Instant>,
}

/// Our children that lead no tree.
struct Strays {
    /// With the tree that each belongs to.
    known: Vec<(TreeId, Stat)>,
    others: Others,
}

/// Whether those who belong to no tree may still turn out to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Nobodys,
    Unclear,
}

/// One child and its descendants.
pub(super) struct Tree {
    pub(super) leader: Identity,
    pub(super) leader_state: LeaderState,
    pub(super) marker: Marker,
    pub(super) pressure: Pressure,
    /// Descendants as they were when the tree was told to stop.
    pub(super) remembered: HashSet<Identity>,
    pub(super) owner: Rc<Owner>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaderState {
    Alive,
    Reaped,
}

/// What those who are left of a tree have to expect.
pub(super) enum Pressure {
    None,
    /// SIGTERM was sent to the group. These, who had left it, get theirs when the leader has ended;
    /// what a child starts while it shuts down is left to finish.
    Asked(HashSet<Identity>),
    Killed,
}

pub(super) type News = Vec<(Rc<Owner>, TreeEvent)>;

impl Forest {
    /// No trees yet.
    pub(super) fn new(project: PathBuf, ledger: Ledger) -> Self {
        Self {
            project,
            trees: BTreeMap::new(),
            leaders: HashMap::new(),
            last: 0,
            ledger,
            unmarked: HashMap::new(),
        }
    }

    pub(super) fn reap(&mut self, news: &mut News) {
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

    /// Finds the trees of which nobody is left, and presses those who linger. Says whether that must
    /// be done again although nobody ends.
    pub(super) fn settle(&mut self, news: &mut News) -> Others {
        let ended = |tree: &Tree| tree.leader_state == LeaderState::Reaped;
        if !self.trees.values().any(ended) {
            return Others::Nobodys;
        }
        let Strays { known, others } = self.strays();
        if others == Others::Nobodys {
            let left: HashSet<TreeId> = known.iter().map(|(tree, _)| *tree).collect();
            let gone: Vec<TreeId> = self
                .trees
                .iter()
                .filter(|(id, tree)| ended(tree) && !left.contains(id))
                .map(|(id, _)| *id)
                .collect();
            for id in gone {
                if let Some(tree) = self.trees.remove(&id) {
                    news.push((tree.owner, TreeEvent::Gone));
                    self.ledger.remove(tree.leader);
                }
            }
        }
        self.press_strays(&known);
        others
    }

    /// Our children that lead no tree. Those of nobody are left out.
    fn strays(&mut self) -> Strays {
        let (mut known, mut unmarked) = (Vec::new(), HashMap::new());
        let mut others = Others::Nobodys;
        let now = Instant::now();
        let pids = proc_table::own_children().into_iter();
        for stat in pids
            .filter(|pid| !self.leaders.contains_key(pid))
            .filter_map(Stat::of)
        {
            if let Some(tree) = self.tree_of(&stat) {
                known.push((tree, stat));
            } else if stat.is_alive() {
                // The kernel shows no environment, or a part of it, in the middle of an exec.
                let since = *self.unmarked.get(&stat.identity).unwrap_or(&now);
                unmarked.insert(stat.identity, since);
                if now.duration_since(since) < LONGEST_EXEC {
                    others = Others::Unclear;
                }
            }
        }
        self.unmarked = unmarked;
        Strays { known, others }
    }

    fn tree_of(&self, stat: &Stat) -> Option<TreeId> {
        // A session's number is not given to anybody else while somebody is in it.
        let by_session = |tree: &Tree| {
            tree.leader.pid == stat.session || tree.remembered.contains(&stat.identity)
        };
        if let Some((id, _)) = self.trees.iter().find(|(_, tree)| by_session(tree)) {
            return Some(*id);
        }
        let environment = proc_table::environment_of(stat.identity.pid);
        let entry = |name, value: &[u8]| proc_table::has_entry(&environment, name, value);
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
        let reaped = self
            .trees
            .iter_mut()
            .filter(|(_, tree)| tree.leader_state == LeaderState::Reaped);
        for (id, tree) in reaped {
            match &mut tree.pressure {
                Pressure::None => {}
                Pressure::Asked(later) => {
                    for member in later.drain() {
                        member.signal(Signal::TERM);
                        member.signal(Signal::CONT);
                    }
                }
                Pressure::Killed => {
                    for member in members_of(*id, strays) {
                        // One whose parent is killed first is still known afterwards.
                        tree.remembered.insert(member.identity);
                        member.identity.signal(Signal::KILL);
                    }
                }
            }
        }
    }

    /// Tells a tree what it has to expect.
    pub(super) fn terminate(&mut self, id: TreeId) -> Others {
        if !self.trees.contains_key(&id) {
            return Others::Nobodys;
        }
        let Strays { known, others } = self.strays();
        let Some(tree) = self.trees.get_mut(&id) else {
            return others;
        };
        let escaped = members_of(id, &known);
        let members: Vec<Stat> = tree.descendants().into_iter().chain(escaped).collect();
        tree.remembered
            .extend(members.iter().map(|stat| stat.identity));
        if tree.leader_state == LeaderState::Alive {
            signal_group(tree.leader.pid, GroupSignal::SIGTERM);
            // A stopped process would only see the first signal when it goes on.
            signal_group(tree.leader.pid, GroupSignal::SIGCONT);
        }
        let outside = |stat: &&Stat| {
            stat.group != tree.leader.pid || tree.leader_state == LeaderState::Reaped
        };
        let later = members
            .iter()
            .filter(outside)
            .map(|stat| stat.identity)
            .collect();
        tree.pressure = Pressure::Asked(later);
        self.press_strays(&known);
        others
    }

    /// Everybody in a tree who is alive, the leader first.
    pub(super) fn members(&mut self, id: TreeId) -> Vec<u32> {
        if !self.trees.contains_key(&id) {
            return Vec::new();
        }
        let Strays { known, .. } = self.strays();
        let Some(tree) = self.trees.get(&id) else {
            return Vec::new();
        };
        let leader = (tree.leader_state == LeaderState::Alive).then_some(tree.leader.pid);
        let others = tree.descendants().into_iter().chain(members_of(id, &known));
        let others = others.filter(Stat::is_alive).map(|stat| stat.identity.pid);
        leader.into_iter().chain(others).collect()
    }

    /// Kills a tree, and whoever still appears in it.
    pub(super) fn kill(&mut self, id: TreeId) -> Others {
        if !self.trees.contains_key(&id) {
            return Others::Nobodys;
        }
        let Strays { known, others } = self.strays();
        let Some(tree) = self.trees.get_mut(&id) else {
            return others;
        };
        let members = tree.descendants().into_iter().chain(members_of(id, &known));
        tree.remembered.extend(members.map(|stat| stat.identity));
        tree.pressure = Pressure::Killed;
        if tree.leader_state == LeaderState::Alive {
            signal_group(tree.leader.pid, GroupSignal::SIGKILL);
        }
        for member in &tree.remembered {
            member.signal(Signal::KILL);
        }
        others
    }
}

/// Those of one tree among `strays`, and all who descend from them.
fn members_of(tree: TreeId, strays: &[(TreeId, Stat)]) -> Vec<Stat> {
    let ours = strays
        .iter()
        .filter(|(id, _)| *id == tree)
        .map(|(_, stat)| *stat);
    ours.flat_map(|stat| {
        proc_table::descendants_of(stat.identity.pid)
            .into_iter()
            .chain([stat])
    })
    .collect()
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

impl Forest {
    pub(super) fn register(&mut self, leader: Identity, marker: Marker, owner: Owner) -> TreeId {
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
    /// Who descends from the leader while it ties the tree together.
    fn descendants(&self) -> Vec<Stat> {
        match self.leader_state {
            LeaderState::Alive => proc_table::descendants_of(self.leader.pid),
            LeaderState::Reaped => Vec::new(),
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    status
        .exit_status()
        .map(Exit::Code)
        .or_else(|| status.terminating_signal().map(Exit::Signal))
}
