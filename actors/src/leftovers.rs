//! Ends what a dead daemon of this project left running, before anything is started.
//!
//! Those left are not our children: their end is seen through pid descriptors.

use std::{
    collections::HashSet,
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

/// Asks everybody who is left to end, waits for `grace`, kills the rest. Returns how many there were.
///
/// # Errors
/// The pids of those that could not be ended.
pub async fn end(ledger: &Path, project: &Path, grace: Duration) -> Result<usize, Vec<u32>> {
    let mut found = left(ledger, project);
    let count = found.len();
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

/// Everybody who carries the project's marker, or is in the session or a descendant of a recorded
/// child. Our own ancestors are spared: a daemon may be started from a shell that an earlier one ran.
fn left(ledger: &Path, project: &Path) -> Vec<Identity> {
    let recorded = Ledger::left_in(ledger);
    let ours = ancestors();
    let mut found = HashSet::new();
    for stat in proc_table::all()
        .into_iter()
        .filter_map(Stat::of)
        .filter(Stat::is_alive)
    {
        let by_session = recorded.iter().any(|entry| {
            stat.session == entry.leader.pid
                && stat.identity.start_time >= entry.leader.start_time
                // Else the number belongs to a new leader.
                && Identity::of(entry.leader.pid).is_none_or(|now| now == entry.leader)
        });
        if by_session || is_marked(stat.identity.pid, project) {
            found.insert(stat.identity);
            found.extend(
                proc_table::descendants_of(stat.identity.pid)
                    .iter()
                    .map(|stat| stat.identity),
            );
        }
    }
    found
        .into_iter()
        .filter(|identity| !ours.contains(&identity.pid))
        .collect()
}

fn is_marked(pid: u32, project: &Path) -> bool {
    let environment = proc_table::environment_of(pid);
    proc_table::has_entry(&environment, PROJECT_MARKER, project.as_os_str().as_bytes())
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
