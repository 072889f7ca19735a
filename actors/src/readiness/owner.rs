//! Who has a socket, as far as we may see.

use std::{fmt, fs};

use super::event_loop;
use crate::{
    children::{SharedChildren, TreeId},
    proc_table,
};

/// A process that people know by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Somebody {
    pub(super) pid: u32,
    command: String,
}

impl Somebody {
    fn named(pid: u32) -> Self {
        let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let visible = |char: &char| !char.is_control();
        Self {
            pid,
            command: command.chars().filter(visible).collect(),
        }
    }
}

impl fmt::Display for Somebody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        if !self.command.is_empty() {
            write!(f, ", {}", self.command)?;
        }
        Ok(())
    }
}

/// Who has a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The run that is watched.
    Run,
    /// Somebody else.
    Other(Somebody),
    /// Nobody whom we can see.
    Hidden,
}

/// The run, among all others.
pub(super) struct Run {
    tree: TreeId,
    children: SharedChildren,
    /// Who had the last socket that was not the run's: most likely he has the next one as well.
    last: Option<u32>,
}

impl Run {
    pub(super) fn new(tree: TreeId, children: SharedChildren) -> Self {
        Self {
            tree,
            children,
            last: None,
        }
    }

    /// Who has this socket.
    pub(super) async fn owner(&mut self, inode: u64) -> Owner {
        let members = self.members();
        if members.iter().any(|&pid| has(pid, inode)) {
            return Owner::Run;
        }
        if let Some(pid) = self.last.filter(|&pid| has(pid, inode)) {
            return Owner::Other(Somebody::named(pid));
        }
        match others_with(inode, members).await.first() {
            // It was born after we asked.
            Some(pid) if self.members().contains(pid) => Owner::Run,
            Some(&pid) => {
                self.last = Some(pid);
                Owner::Other(Somebody::named(pid))
            }
            None => Owner::Hidden,
        }
    }

    /// Whether the run has this listening socket and nobody else could accept from it. We could, as
    /// we hold it, but never do.
    pub(super) async fn is_alone_with(&self, listener: u64) -> bool {
        let mut members = self.members();
        if !members.iter().any(|&pid| has(pid, listener)) {
            return false;
        }
        members.push(std::process::id());
        let others = others_with(listener, members).await;
        let members = self.members();
        others.iter().all(|pid| members.contains(pid))
    }

    /// Whether the run's event loop waits at this socket.
    pub(super) fn waits_at(&self, listener: u64) -> bool {
        let members = self.members();
        members
            .iter()
            .any(|&pid| event_loop::waits_at(pid, listener))
    }

    fn members(&self) -> Vec<u32> {
        self.children.members(self.tree)
    }
}

/// Everybody but `known` who has this socket. There may be thousands of descriptors to look at, so
/// this is done on a thread that may block.
async fn others_with(inode: u64, known: Vec<u32>) -> Vec<u32> {
    let search = tokio::task::spawn_blocking(move || {
        let others = proc_table::all().into_iter();
        others
            .filter(|pid| !known.contains(pid) && has(*pid, inode))
            .collect()
    });
    // It neither panics nor is cancelled; if it were, nobody was seen.
    search.await.unwrap_or_default()
}

/// Whether this process has a descriptor of this socket. Of other users' processes nothing is seen.
fn has(pid: u32, inode: u64) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let wanted = format!("socket:[{inode}]");
    descriptors.flatten().any(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|to| to.as_os_str() == &*wanted)
    })
}
