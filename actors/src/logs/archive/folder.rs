//! The files of one process: which there are, how large and how old. `trim` knows which of them must
//! go.

mod trim;

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use self::trim::REMOVED;
pub use self::trim::Removed;
pub(super) use self::trim::too_old_at;
use super::{
    findings::Findings,
    names::{Content, FileName, NEWEST, Number, findings_name, log_name},
    segment::Segment,
};
use crate::search::LogKind;

/// Whose eyes the folders are for: their owner's.
const MODE: u32 = 0o700;
/// What is being written in place of another file.
const DRAFT: &str = "draft";
/// What a file occupies on a disk is a multiple of this.
const PAGE: u64 = 4096;

/// All logs of one process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    runs: Books,
    builds: Books,
    /// How many bytes there are of what the compiler found, by build.
    findings: BTreeMap<u64, u64>,
}

/// All logs of one kind.
#[derive(Debug, Default)]
struct Books {
    kept: BTreeMap<u64, Vec<Volume>>,
    removed: Option<Removed>,
}

/// One file of a log, and its index.
#[derive(Debug)]
struct Volume {
    number: Number,
    /// `None` where there is no such file.
    log: Option<u64>,
    index: Option<u64>,
    modified: SystemTime,
    /// Made when it is first read.
    segment: Option<Arc<Segment>>,
}

impl Volume {
    fn size(&self) -> u64 {
        occupied(self.log.unwrap_or(0)) + occupied(self.index.unwrap_or(0))
    }
}

/// What so many bytes occupy on a disk.
fn occupied(bytes: u64) -> u64 {
    bytes.next_multiple_of(PAGE)
}

impl Books {
    fn size(&self) -> u64 {
        self.kept.values().flatten().map(Volume::size).sum()
    }
}

/// Makes a folder for its owner alone.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(MODE).create(path)
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            runs: Books::default(),
            builds: Books::default(),
            findings: BTreeMap::new(),
        }
    }

    /// Lists a folder. No log is opened.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let mut folder = Self::new(path);
        let mut unlikely = None;
        for entry in fs::read_dir(&folder.path)? {
            let entry = entry?;
            let text = entry.file_name();
            let Some(name) = text.to_str().and_then(FileName::parse) else {
                continue;
            };
            if !name.is_likely() {
                unlikely = Some(text);
                continue;
            }
            // It may have been removed meanwhile.
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                folder.found(name, metadata.len(), modified);
            }
        }
        if let Some(name) = unlikely {
            log::warn!(
                "{}: {} and others with such numbers, if there are any, are left out: they are not \
                 of this program",
                folder.path.display(),
                name.display()
            );
        }
        if let Ok(text) = fs::read_to_string(folder.path.join(REMOVED)) {
            folder.runs.removed = Removed::parse(&text, LogKind::Runs);
            folder.builds.removed = Removed::parse(&text, LogKind::Builds);
        }
        for kind in [LogKind::Runs, LogKind::Builds] {
            folder.sort(kind);
        }
        folder.clear();
        Ok(folder)
    }

    /// Removes findings of builds whose logs somebody has removed.
    fn clear(&mut self) {
        let path = self.path.clone();
        let builds = &self.builds.kept;
        self.findings.retain(|build, _| {
            // What cannot be removed still takes its room.
            builds.contains_key(build) || remove(&path.join(findings_name(*build))).is_err()
        });
    }

    fn found(&mut self, name: FileName, size: u64, modified: SystemTime) {
        if name.content == Content::Findings {
            self.findings.insert(name.id, size);
            return;
        }
        let volumes = self.books_mut(name.kind).kept.entry(name.id).or_default();
        let at = volumes
            .iter()
            .position(|volume| volume.number == name.number);
        let at = at.unwrap_or_else(|| {
            volumes.push(Volume::new(name.number, modified));
            volumes.len() - 1
        });
        let volume = &mut volumes[at];
        volume.modified = volume.modified.max(modified);
        match name.content {
            Content::Log => volume.log = Some(size),
            Content::Index => volume.index = Some(size),
            Content::Findings => {}
        }
    }

    /// Puts the files of each log in order.
    fn sort(&mut self, kind: LogKind) {
        let path = self.path.clone();
        for (id, volumes) in &mut self.books_mut(kind).kept {
            volumes.sort_by_key(|volume| volume.number);
            // A daemon that died between the two steps of `retire` gave the log its number but not
            // the index.
            if let [.., last, newest] = &mut volumes[..]
                && newest.number == NEWEST
                && (last.log.is_some(), last.index, newest.log) == (true, None, None)
            {
                let name = |number| path.join(log_name(kind, *id, number)).with_extension("idx");
                if fs::rename(name(NEWEST), name(last.number)).is_ok() {
                    last.index = newest.index;
                    volumes.pop();
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn books(&self, kind: LogKind) -> &Books {
        match kind {
            LogKind::Runs => &self.runs,
            LogKind::Builds => &self.builds,
        }
    }

    fn books_mut(&mut self, kind: LogKind) -> &mut Books {
        match kind {
            LogKind::Runs => &mut self.runs,
            LogKind::Builds => &mut self.builds,
        }
    }

    /// The ids of what is kept, ascending.
    pub(super) fn ids(&self, kind: LogKind) -> impl DoubleEndedIterator<Item = u64> {
        self.books(kind).kept.keys().copied()
    }

    /// The highest id that was ever used.
    pub(super) fn last(&self, kind: LogKind) -> u64 {
        let removed = self.removed(kind).map(|removed| removed.last);
        self.ids(kind).next_back().max(removed).unwrap_or(0)
    }

    pub(super) fn removed(&self, kind: LogKind) -> Option<Removed> {
        self.books(kind).removed
    }

    /// The files of a log, oldest first; of the newest only if nobody writes it.
    pub(super) fn segments(
        &mut self,
        kind: LogKind,
        id: u64,
        newest: Newest,
    ) -> Option<Vec<Arc<Segment>>> {
        let path = self.path.clone();
        let volumes = self.books_mut(kind).kept.get_mut(&id)?;
        let of_these = volumes
            .iter_mut()
            .filter(|volume| volume.number != NEWEST || newest == Newest::Closed);
        let segments = of_these.map(|volume| {
            let number = volume.number;
            let made = volume.segment.get_or_insert_with(|| {
                Arc::new(Segment::closed(path.join(log_name(kind, id, number))))
            });
            Arc::clone(made)
        });
        Some(segments.collect())
    }

    /// Keeps what the compiler found in a build, if its log is kept and they take `most` bytes at
    /// most.
    pub(super) fn keep(&mut self, build: u64, findings: &Findings, most: u64) -> io::Result<()> {
        if self.builds.kept.get(&build).is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let path = self.path.join(findings_name(build));
        let size = findings.write(&self.path.join(DRAFT), &path, most)?;
        self.findings.extend(size.map(|size| (build, size)));
        Ok(())
    }

    /// Where there is what the compiler found in a build.
    pub(super) fn findings(&self, build: u64) -> Option<PathBuf> {
        let there = self.findings.contains_key(&build);
        there.then(|| self.path.join(findings_name(build)))
    }

    /// The newest build before this one of which it is known what the compiler found.
    pub(super) fn found_before(&self, build: u64) -> Option<u64> {
        let (before, _) = self.findings.range(..build).next_back()?;
        Some(*before)
    }

    /// Makes room for a new file of a log: the newest gets a number. Gives the name that is free now.
    pub(super) fn retire(
        &mut self,
        kind: LogKind,
        id: u64,
        now: SystemTime,
    ) -> io::Result<PathBuf> {
        let path = self.path.clone();
        let name = |number| path.join(log_name(kind, id, number));
        let free = name(NEWEST);
        let volumes = self.books_mut(kind).kept.entry(id).or_default();
        let mut numbers = volumes.iter().map(|volume| volume.number);
        let last = numbers.rfind(|&number| number != NEWEST);
        let number = last.unwrap_or(0) + 1;
        let numbered = name(number);
        // Again after a failure: then perhaps only the index has its old name.
        let log = rename(&free, &numbered)?;
        let index = rename(&free.with_extension("idx"), &numbered.with_extension("idx"))?;
        let old = volumes.pop_if(|volume| volume.number == NEWEST);
        if log || index {
            let old = old.unwrap_or_else(|| Volume::new(number, now));
            volumes.push(Volume {
                number,
                segment: None,
                ..old
            });
        }
        Ok(free)
    }

    /// There is a new file of a log, the newest one.
    pub(super) fn begun(&mut self, kind: LogKind, id: u64, now: SystemTime) {
        let volumes = self.books_mut(kind).kept.entry(id).or_default();
        volumes.push(Volume::new(NEWEST, now));
    }

    /// The newest file of a log has become larger.
    pub(super) fn grew(
        &mut self,
        kind: LogKind,
        id: u64,
        (log, index): (u64, u64),
        now: SystemTime,
    ) {
        let newest = self.books_mut(kind).kept.get_mut(&id);
        if let Some(newest) = newest.and_then(|volumes| volumes.last_mut()) {
            newest.log = Some(log);
            newest.index = Some(index);
            newest.modified = now;
        }
    }
}

/// Whether the newest file of a log is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newest {
    Written,
    Closed,
}

impl Volume {
    fn new(number: Number, modified: SystemTime) -> Self {
        Self {
            number,
            log: None,
            index: None,
            modified,
            segment: None,
        }
    }
}

/// False if there is no such file.
fn rename(from: &Path, to: &Path) -> io::Result<bool> {
    there(fs::rename(from, to))
}

fn remove(path: &Path) -> io::Result<bool> {
    there(fs::remove_file(path))
}

fn there(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
