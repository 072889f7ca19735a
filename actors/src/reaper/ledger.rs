//! Which children are alive, written down so that the next daemon finds what a killed one left.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::proc_table::{self, Identity};

/// One child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The leader of its session.
    #[serde(flatten)]
    pub leader: Identity,
    /// Whose it is.
    pub process: String,
    /// Which run or build.
    pub run: String,
}

/// The list on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    /// The boot that the pids belong to.
    boot_id: String,
    children: Vec<Entry>,
}

/// Keeps the list on disk in step with what is alive. A list that cannot be written costs the clean-up
/// after a killed daemon, and nothing else.
#[derive(Debug)]
pub struct Ledger {
    file: PathBuf,
    contents: Contents,
    complained: Complained,
    on_disk: OnDisk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDisk {
    Current,
    Behind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Complained {
    No,
    Once,
}

impl Ledger {
    /// An empty list that will be written to `file`.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        let contents = Contents {
            boot_id: proc_table::boot_id(),
            children: Vec::new(),
        };
        Self {
            file,
            contents,
            complained: Complained::No,
            on_disk: OnDisk::Current,
        }
    }

    /// What an earlier daemon wrote to `file` during this boot.
    #[must_use]
    pub fn left_in(file: &Path) -> Vec<Entry> {
        let contents: Contents = fs::read(file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        if contents.boot_id == proc_table::boot_id() {
            contents.children
        } else {
            Vec::new()
        }
    }

    /// A child was started.
    pub fn add(&mut self, entry: Entry) {
        self.contents.children.push(entry);
        self.write();
    }

    /// Nobody of a child's tree is left. Written with the next child, or by [`Ledger::catch_up`].
    pub fn remove(&mut self, leader: Identity) {
        self.contents
            .children
            .retain(|entry| entry.leader != leader);
        self.on_disk = OnDisk::Behind;
    }

    /// Whether the file names somebody who is gone.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.on_disk == OnDisk::Behind
    }

    /// Brings the file up to date.
    pub fn catch_up(&mut self) {
        if self.is_behind() {
            self.write();
        }
    }

    fn write(&mut self) {
        self.on_disk = OnDisk::Current;
        if let Err(error) = self.try_write()
            && self.complained == Complained::No
        {
            self.complained = Complained::Once;
            log::warn!(
                "cannot write {}: {error}; children would outlive a killed daemon",
                self.file.display()
            );
        }
    }

    fn try_write(&self) -> io::Result<()> {
        let temporary = self.file.with_extension("json.new");
        fs::write(&temporary, serde_json::to_vec(&self.contents)?)?;
        fs::rename(&temporary, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: u32) -> Entry {
        Entry {
            leader: Identity { pid, start_time: 5 },
            process: "main".into(),
            run: "7".into(),
        }
    }

    #[test]
    fn what_was_not_removed_is_found_by_the_next_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("children.json");
        let mut ledger = Ledger::new(file.clone());
        ledger.add(entry(1));
        ledger.add(entry(2));
        ledger.remove(entry(1).leader);
        ledger.catch_up();
        assert_eq!(Ledger::left_in(&file), [entry(2)]);
    }

    #[test]
    fn a_list_of_another_boot_or_a_torn_one_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("children.json");
        fs::write(
            &file,
            r#"{"boot_id":"other","children":[{"pid":1,"start_time":5,"process":"a","run":"1"}]}"#,
        )
        .unwrap();
        assert_eq!(Ledger::left_in(&file), []);
        fs::write(&file, "{\"boot_id\"").unwrap();
        assert_eq!(Ledger::left_in(&file), []);
        assert_eq!(Ledger::left_in(&folder.path().join("none")), []);
    }
}
