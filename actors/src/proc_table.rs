//! What the kernel tells about processes under `/proc`. Reads only; a process that is gone is `None`
//! or an empty list, never an error.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};

/// One process, also after its pid was given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since the system's start (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
}

/// What `/proc/PID/stat` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Who it is.
    pub identity: Identity,
    /// The state letter; `Z` and `X` are dead.
    pub state: char,
    /// Pid of the parent.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
}

impl Stat {
    /// Reads it.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(pid, &stat_text(pid)?)
    }

    fn parse(pid: u32, text: &str) -> Option<Self> {
        // The name stands in parentheses and may itself contain them and spaces.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            identity: Identity {
                pid,
                start_time: fields.get(19)?.parse().ok()?,
            },
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
        })
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

impl Identity {
    /// Who has this pid now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Stat::of(pid).map(|stat| stat.identity)
    }

    /// Whether this very process is still there, if only as a zombie.
    #[must_use]
    pub fn exists(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// A descriptor of this very process, which becomes readable when it ends.
    #[must_use]
    pub fn open(self) -> Option<std::os::fd::OwnedFd> {
        let pid = Pid::from_raw(i32::try_from(self.pid).ok()?)?;
        let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // The descriptor pins the pid, so the comparison cannot be overtaken.
        self.exists().then_some(descriptor)
    }

    /// Sends a signal to this very process, and to nobody else when it is gone.
    pub fn signal(self, signal: Signal) {
        let Some(descriptor) = self.open() else {
            return;
        };
        match pidfd_send_signal(descriptor, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => log::warn!("cannot send {signal:?} to process {}: {error}", self.pid),
        }
    }
}

/// What `/proc/PID/stat` says, as it is.
pub(crate) fn stat_text(pid: u32) -> Option<String> {
    read(format!("/proc/{pid}/stat")).ok()
}

/// Reads a file that says nothing about its size, without asking for it: these reads stand between a
/// crash and the next start.
fn read(path: impl AsRef<Path>) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(1024);
    File::open(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Pids of our own children, zombies included: of those that this thread started, and of those that
/// were re-parented to us, who are counted to the first thread.
#[must_use]
pub fn own_children() -> Vec<u32> {
    let me = std::process::id();
    let first = read(format!("/proc/self/task/{me}/children"));
    let (Ok(first), Ok(own)) = (first, read("/proc/thread-self/children")) else {
        return children_of(me);
    };
    let mut found: Vec<u32> = numbers(&first).chain(numbers(&own)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn numbers(list: &str) -> impl Iterator<Item = u32> {
    list.split_ascii_whitespace()
        .filter_map(|number| number.parse().ok())
}

/// Pids of the children of `pid`, zombies included. Complete for our own process, because only we
/// can make one vanish; of others it is a snapshot that may miss some.
#[must_use]
pub fn children_of(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut lists = Vec::new();
    for task in tasks.flatten() {
        match read(task.path().join("children")) {
            Ok(list) => lists.push(list),
            // A thread that just ended handed its children to another one of the process. A kernel
            // without these lists is slower but not wrong.
            Err(_) if task.path().exists() => return children_by_parent(pid),
            Err(_) => {}
        }
    }
    lists.iter().flat_map(|list| numbers(list)).collect()
}

fn children_by_parent(parent: u32) -> Vec<u32> {
    all()
        .into_iter()
        .filter(|pid| Stat::of(*pid).is_some_and(|stat| stat.parent == parent))
        .collect()
}

/// All pids of the system that we may see.
#[must_use]
pub fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// All descendants of `pid`, without itself.
#[must_use]
pub fn descendants_of(pid: u32) -> Vec<Stat> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([pid]);
    let mut open = vec![pid];
    while let Some(parent) = open.pop() {
        for child in children_of(parent) {
            if seen.insert(child) {
                open.push(child);
                found.extend(Stat::of(child));
            }
        }
    }
    found
}

/// The environment that the process was started with; empty for zombies and for other users'.
#[must_use]
pub fn environment_of(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

/// Whether `environment` has exactly this entry.
#[must_use]
pub fn has_entry(environment: &[u8], name: &str, value: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|entry| {
        entry
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            == Some(value)
    })
}

/// Whether this process lives in our pid namespace; yes where nothing can be told.
#[must_use]
pub fn shares_our_pids(pid: u32) -> bool {
    match (
        fs::read_link(format!("/proc/{pid}/ns/pid")),
        fs::read_link("/proc/self/ns/pid"),
    ) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        _ => true,
    }
}

/// Identifies this boot of the system: pids and start times mean nothing in another one.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = "42 (a) S (b) c) S 7 8 9 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 12345 0 0";
        let stat = Stat::parse(42, text).unwrap();
        assert_eq!(
            stat.identity,
            Identity {
                pid: 42,
                start_time: 12345
            }
        );
        assert_eq!(
            (stat.state, stat.parent, stat.group, stat.session),
            ('S', 7, 8, 9)
        );
    }

    #[test]
    fn a_text_that_is_no_stat_is_nothing() {
        for text in ["", "1 (a", "1 (a) S", "1 (a) S x y z"] {
            assert_eq!(Stat::parse(1, text), None, "{text:?}");
        }
    }

    #[test]
    fn an_environment_entry_matches_as_a_whole() {
        let environment = b"A=1\0BPM_RUN=7\0";
        assert!(has_entry(environment, "BPM_RUN", b"7"));
        assert!(!has_entry(environment, "BPM_RUN", b"77"));
        assert!(!has_entry(environment, "PM_RUN", b"7"));
    }

    #[test]
    fn this_process_is_found_by_its_pid() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.exists());
        assert!(
            !Identity {
                start_time: me.start_time + 1,
                ..me
            }
            .exists()
        );
    }
}
