//! Ends what a dead daemon of this project left running, before anything is started.
//!
//! Those left are not our children: their end is seen through pid descriptors.

use std::{
    collections::{BTreeMap, HashSet},
    iter,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal,
};
use tokio::time::Instant;

use crate::{
    proc_table::{self, Identity, Stat},
    reaper::{PROJECT_MARKER, ledger::Ledger},
};

/// How often those that appeared meanwhile are looked for and killed.
const ROUNDS: usize = 20;
/// How long killed ones may take to vanish, per round.
const VANISH: Duration = Duration::from_secs(2);

/// The pids of everybody who is left.
#[must_use]
pub fn pids(ledger: &Path, project: &Path) -> HashSet<u32> {
    let left = left(ledger, project).into_iter();
    left.map(|identity| identity.pid).collect()
}

/// Asks everybody who is left to end, waits for `grace`, kills the rest. Returns how many there were.
///
/// # Errors
/// The pids of those that could not be ended.
pub async fn end(ledger: &Path, project: &Path, grace: Duration) -> Result<usize, Vec<u32>> {
    let mut found = left(ledger, project);
    let count = found.len();
    if count == 0 {
        return Ok(0);
    }
    signal(&found, Signal::TERM);
    signal(&found, Signal::CONT);
    wait(&found, grace).await;
    for _ in 0..ROUNDS {
        found = left(ledger, project);
        if found.is_empty() {
            return Ok(count);
        }
        signal(&found, Signal::KILL);
        wait(&found, VANISH).await;
    }
    Err(found.iter().map(|identity| identity.pid).collect())
}

/// Everybody in a session that an earlier daemon began, and who descends from one of them. A session
/// is known by its leader's record, or by the marker in the environment of its leader or, when that
/// one is gone, of a member. Our own ancestors are spared: a daemon may be started from a shell that
/// an earlier one ran.
fn left(ledger: &Path, project: &Path) -> Vec<Identity> {
    let recorded = Ledger::left_in(ledger);
    let processes: BTreeMap<u32, Stat> = proc_table::all()
        .into_iter()
        .filter_map(Stat::of)
        .filter(|stat| stat.is_alive() && stat.session != 0)
        .map(|stat| (stat.identity.pid, stat))
        .collect();
    let mut sessions: BTreeMap<u32, Origin> = BTreeMap::new();
    for stat in processes.values() {
        sessions.entry(stat.session).or_insert_with(|| {
            let leader = processes.get(&stat.session);
            let known = recorded.iter().any(|entry| {
                entry.leader.pid == stat.session
                    && stat.identity.start_time >= entry.leader.start_time
                    // Else the number belongs to a new leader.
                    && leader.is_none_or(|leader| leader.identity == entry.leader)
            });
            if known || is_marked(leader.unwrap_or(stat).identity.pid, project) {
                Origin::EarlierDaemon
            } else {
                Origin::Other
            }
        });
    }
    let spared = ancestors();
    let is_left = |stat: &Stat| {
        lineage(stat, &processes)
            .any(|stat| sessions.get(&stat.session) == Some(&Origin::EarlierDaemon))
    };
    let left = processes
        .values()
        .filter(|stat| !spared.contains(&stat.identity.pid) && is_left(stat));
    left.map(|stat| stat.identity).collect()
}

/// Who began a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    EarlierDaemon,
    Other,
}

/// A process, its parent, and so on up to the first.
fn lineage<'a>(
    stat: &'a Stat,
    processes: &'a BTreeMap<u32, Stat>,
) -> impl Iterator<Item = &'a Stat> {
    // Read one after another, the entries may form a circle: no line is longer than they are many.
    iter::successors(Some(stat), |stat| processes.get(&stat.parent)).take(processes.len())
}

/// The same path may mean another project in a container that we can see into.
fn is_marked(pid: u32, project: &Path) -> bool {
    let environment = proc_table::environment_of(pid);
    proc_table::has_entry(&environment, PROJECT_MARKER, project.as_os_str().as_bytes())
        && proc_table::shares_our_pids(pid)
}

/// Our own pid and those that we descend from.
fn ancestors() -> HashSet<u32> {
    let mut found = HashSet::new();
    let mut pid = std::process::id();
    while pid > 0 && found.insert(pid) {
        pid = Stat::of(pid).map_or(0, |stat| stat.parent);
    }
    found
}

fn signal(whom: &[Identity], signal: Signal) {
    for identity in whom {
        identity.signal(signal);
    }
}

/// Waits until all have ended, or for `patience`, on a thread that may block.
async fn wait(whom: &[Identity], patience: Duration) {
    let descriptors: Vec<OwnedFd> = whom.iter().filter_map(|identity| identity.open()).collect();
    let until = Instant::now() + patience;
    let all_ended = tokio::task::spawn_blocking(move || {
        for descriptor in &descriptors {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(left) = Timespec::try_from(left) else {
                return;
            };
            // Readable means ended; anything else means that the caller looks again.
            let _ = poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&left));
        }
    });
    // It neither panics nor is cancelled; if it were, the caller looks again.
    let _ = all_ended.await;
}
