//! The history: every log in files, so that it outlives the daemon.
//!
//! `STATE/logs/NAME/run-000007.log` has what run 7 printed, byte for byte, for `less`, `rg` and
//! `tail -F`; `run-000007.idx` beside it tells streams, times and numbers. The store hands over
//! lines before anybody sees them; readers get segments and read those without
//! the store. The room knows files and no actor.
//!
//! Nothing here fails for who prints or reads. Where the system refuses, the history is off until it
//! works again; what was printed meanwhile is missing in it, and the numbers of the lines show that.
//!
//! | file | what |
//! |---|---|
//! | `names` | how files are named |
//! | `record` | what an index consists of |
//! | `writer` | one file that takes lines |
//! | `segment`, `mend` | one file as readers see it |
//! | `folder` | the files of one process, and (`trim`) which of them must go |
//! | `findings` | what the compiler found in one build |
//! | `closed` | a history that could not be opened |
//! | `limits` | how much is kept |
//! | `clock` | what tells how old a file is |
//! | `weave` | one log from disk and memory |

pub(crate) mod clock;
mod closed;
pub(crate) mod findings;
mod folder;
mod limits;
mod mend;
mod names;
pub mod record;
pub(crate) mod segment;
pub(crate) mod weave;
pub(crate) mod writer;

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::time::{Duration, Instant};

use self::{
    clock::Clock,
    findings::Findings,
    folder::{Folder, Newest},
    record::Header,
    segment::millis,
    weave::Stored,
    writer::LogWriter,
};
pub use self::{closed::Closed, folder::Removed, limits::ArchiveLimits};
use crate::{
    ids::{BuildId, ProcessName, RunId},
    logs::{LogKey, Source, chunk::Stretch, shelf::FIRST},
    search::LogKind,
    spec::Mode,
};

/// How long the history stays off before a write is tried again.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a file that is too old and cannot be removed is left alone.
const AGAIN: Duration = Duration::from_hours(1);

/// There can be no history.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Another daemon writes there.
    #[error("{}: in use by another daemon", .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error("{}: {cause}", path.display())]
    Io {
        /// What was to be made, locked or listed.
        path: PathBuf,
        /// Why it did not work.
        cause: io::Error,
    },
}

/// The history of a project.
#[derive(Debug)]
pub struct Archive {
    root: PathBuf,
    /// Nobody else writes there as long as this is open.
    lock: File,
    limits: ArchiveLimits,
    clock: Clock,
    folders: HashMap<ProcessName, Folder>,
    /// When the next file becomes too old.
    due: Option<SystemTime>,
    /// The logs that take lines.
    live: HashMap<LogKey, Live>,
    /// When a write is tried again, where the last one failed.
    off_until: Option<Instant>,
    /// The highest ids of earlier daemons, where this one has given out some of those as well
    /// because it did not know them. What is on disk up to these is for the next daemon: a number
    /// means one log, and the highest one the newest.
    hidden: Option<(RunId, BuildId)>,
}

/// A log that takes lines.
#[derive(Debug)]
struct Live {
    mode: Mode,
    began: u64,
    /// `None` as long as the history is off.
    writer: Option<LogWriter>,
}

/// The system refused something.
#[derive(Debug)]
struct Refusal {
    path: PathBuf,
    cause: io::Error,
}

/// Makes the folder of all logs where it is missing, and locks it.
fn lock(root: &Path) -> Result<File, TryLockError> {
    let open = || {
        folder::make(root)?;
        File::open(root)
    };
    let folder = open().map_err(TryLockError::Error)?;
    folder.try_lock()?;
    Ok(folder)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Refusal {
    move |cause| Refusal {
        path: path.to_owned(),
        cause,
    }
}

impl Archive {
    /// Opens the history below `root`, which is made where it is missing. Files are listed, not
    /// read; what is too old or too much is removed.
    ///
    /// # Errors
    /// When another daemon has it open, or the folder cannot be made or listed.
    pub fn open(root: &Path, limits: ArchiveLimits) -> Result<Self, ArchiveError> {
        Self::open_by(root, limits, Clock::default())
    }

    /// The same, with a clock that tells how old files are.
    pub(crate) fn open_by(
        root: &Path,
        limits: ArchiveLimits,
        clock: Clock,
    ) -> Result<Self, ArchiveError> {
        let failed = |cause| ArchiveError::Io {
            path: root.to_owned(),
            cause,
        };
        let lock = match lock(root) {
            Ok(lock) => lock,
            Err(TryLockError::WouldBlock) => return Err(ArchiveError::InUse(root.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        };
        let mut folders = HashMap::new();
        for entry in fs::read_dir(root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                // Somebody else's, perhaps; the others are of use without it.
                match Folder::open(entry.path()) {
                    Ok(folder) => _ = folders.insert(name, folder),
                    Err(cause) => log::warn!("{}: {cause}; left out", entry.path().display()),
                }
            }
        }
        let mut archive = Self {
            root: root.to_owned(),
            lock,
            limits,
            clock,
            folders,
            due: None,
            live: HashMap::new(),
            off_until: None,
            hidden: None,
        };
        archive.let_go();
        Ok(archive)
    }

    /// From now on so much is kept; what is too old or too much is removed.
    pub(crate) fn set_limits(&mut self, limits: ArchiveLimits) {
        self.limits = limits;
        self.let_go();
    }

    /// Removes what has become too old.
    pub(crate) fn let_go(&mut self) {
        let names: Vec<_> = self.folders.keys().cloned().collect();
        for name in names {
            self.trim(&name);
        }
    }

    /// How long it takes until the next file becomes too old; `None` if there is none. It becomes
    /// shorter only by going by.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        let until = self.due?.duration_since(self.clock.now());
        Some(until.unwrap_or(AGAIN))
    }

    /// Whether what is recorded under this number is hidden; see the field.
    fn hides(&self, kind: LogKind, id: u64) -> bool {
        self.hidden.is_some_and(|(run, build)| match kind {
            LogKind::Runs => id <= run.0,
            LogKind::Builds => id <= build.0,
        })
    }

    /// The highest id of a run that was ever recorded; 0 if there is none.
    #[must_use]
    pub fn last_run(&self) -> u64 {
        self.last(LogKind::Runs)
    }

    /// The highest id of a build that was ever recorded; 0 if there is none.
    #[must_use]
    pub fn last_build(&self) -> u64 {
        self.last(LogKind::Builds)
    }

    fn last(&self, kind: LogKind) -> u64 {
        let last = self.folders.values().map(|folder| folder.last(kind));
        last.max().unwrap_or(0)
    }

    /// The ids of what is kept of a process, ascending.
    #[must_use]
    pub fn logs(&self, process: &ProcessName, kind: LogKind) -> Vec<u64> {
        let folder = self.folders.get(process);
        folder.map_or_else(Vec::new, |folder| {
            let ids = folder.ids(kind);
            ids.filter(|id| !self.hides(kind, *id)).collect()
        })
    }

    /// Which logs of a process were removed as a whole, ever.
    #[must_use]
    pub fn removed(&self, process: &ProcessName, kind: LogKind) -> Option<Removed> {
        let removed = self.folders.get(process)?.removed(kind);
        removed.filter(|removed| !self.hides(kind, removed.first))
    }

    /// The files of a log, if there are any.
    pub(crate) fn stored(&mut self, key: &LogKey) -> Option<Stored> {
        let (kind, id) = kind_and_id(key.source);
        if self.hides(kind, id) {
            return None;
        }
        let live = self.live.get(key);
        let writer = live.and_then(|live| live.writer.as_ref());
        let newest = match writer {
            Some(_) => Newest::Written,
            None => Newest::Closed,
        };
        let folder = self.folders.get_mut(&key.process)?;
        let mut segments = folder.segments(kind, id, newest)?;
        segments.extend(writer.map(|writer| Arc::new(writer.segment())));
        let live = live.is_some();
        Some(Stored { segments, live })
    }

    /// A log begins. Tried even where the history is off. One whose number is taken stays in memory
    /// alone.
    pub(crate) fn begin(&mut self, key: &LogKey, mode: Mode, began: SystemTime) {
        let (kind, id) = kind_and_id(key.source);
        if self.hides(kind, id) {
            return;
        }
        let live = Live {
            mode,
            began: millis(began),
            writer: None,
        };
        self.live.insert(key.clone(), live);
        let begun = self.start(key, FIRST);
        self.settle(begun);
    }

    /// Lines of a log that has begun, before anybody sees them.
    pub(crate) fn append(&mut self, key: &LogKey, stretch: &Stretch<'_>) {
        if stretch.positions().is_empty() || self.is_off() {
            return;
        }
        let written = self.write(key, stretch);
        self.settle(written);
    }

    /// Nothing more comes to a log, which ended so, if anybody knows how.
    pub(crate) fn end(&mut self, key: &LogKey, ending: Option<&str>) {
        let Some(Live {
            writer: Some(mut writer),
            ..
        }) = self.live.remove(key)
        else {
            return;
        };
        let ended = ending.map_or(Ok(()), |ending| writer.end(ending));
        let (kind, id) = kind_and_id(key.source);
        if let Some(folder) = self.folders.get_mut(&key.process) {
            folder.grew(kind, id, writer.sizes(), self.clock.now());
        }
        self.look_ahead();
        self.settle(ended.map_err(at(writer.path())));
    }

    /// What the compiler found in a build that has ended. Where that cannot be kept, it is not.
    pub(crate) fn keep(&mut self, process: &ProcessName, build: BuildId, findings: &Findings) {
        if self.is_off() || self.hides(LogKind::Builds, build.0) {
            return;
        }
        let Some(folder) = self.folders.get_mut(process) else {
            return;
        };
        match folder.keep(build.0, findings, self.limits.segment_bytes) {
            Ok(()) => self.trim(process),
            Err(error) => log::warn!(
                "{process}: what build {build} found is not remembered by later daemons: {error}"
            ),
        }
    }

    /// Where there is what the compiler found in a build.
    pub(crate) fn findings(&self, process: &ProcessName, build: BuildId) -> Option<PathBuf> {
        let folder = self.folders.get(process)?;
        folder
            .findings(build.0)
            .filter(|_| !self.hides(LogKind::Builds, build.0))
    }

    /// The newest build before this one of which it is known what the compiler found.
    pub(crate) fn found_before(&self, process: &ProcessName, build: BuildId) -> Option<BuildId> {
        let before = self.folders.get(process)?.found_before(build.0)?;
        (!self.hides(LogKind::Builds, before)).then_some(BuildId(before))
    }

    /// Whether there is nothing to be tried yet.
    fn is_off(&self) -> bool {
        self.off_until.is_some_and(|until| Instant::now() < until)
    }

    fn write(&mut self, key: &LogKey, stretch: &Stretch<'_>) -> Result<(), Refusal> {
        let Some(live) = self.live.get(key) else {
            return Ok(());
        };
        let first = stretch.chunk().first() + stretch.positions().start as u64;
        let takes = |writer: &LogWriter| {
            let (log, index) = writer.sizes();
            let full = log >= self.limits.segment_bytes || index >= self.limits.index_bytes;
            writer.next() == first && !full
        };
        if !live.writer.as_ref().is_some_and(takes) {
            self.start(key, first)?;
        }
        match self.append_to(key, stretch) {
            // Somebody removed this file; the log goes on in another one.
            Err(Refusal { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                self.start(key, first)?;
                self.append_to(key, stretch)
            }
            written => written,
        }
    }

    fn append_to(&mut self, key: &LogKey, stretch: &Stretch<'_>) -> Result<(), Refusal> {
        match self.live.get_mut(key).and_then(|live| live.writer.as_mut()) {
            Some(writer) => writer.append(stretch).map_err(at(writer.path())),
            None => Ok(()),
        }
    }

    /// Begins a new file of a log, whose first line will have the number `first`.
    fn start(&mut self, key: &LogKey, first: u64) -> Result<(), Refusal> {
        let (kind, id) = kind_and_id(key.source);
        let Some(live) = self.live.get_mut(key) else {
            return Ok(());
        };
        let header = Header {
            source: key.source,
            mode: live.mode,
            began: live.began,
            first,
        };
        if self.lock.metadata().is_ok_and(|it| it.nlink() == 0) {
            // Somebody has removed the folder, and with it the lock.
            let lock = lock(&self.root).map_err(io::Error::from);
            self.lock = lock.map_err(at(&self.root))?;
        }
        let full = live.writer.take();
        let path = || self.root.join(key.process.as_str());
        let folder = self
            .folders
            .entry(key.process.clone())
            .or_insert_with(|| Folder::new(path()));
        folder::make(folder.path()).map_err(at(folder.path()))?;
        let now = self.clock.now();
        if let Some(full) = full {
            folder.grew(kind, id, full.sizes(), now);
        }
        let path = folder.path().to_owned();
        let path = folder.retire(kind, id, now).map_err(at(&path))?;
        let writer = LogWriter::create(path.clone(), header).map_err(at(&path))?;
        folder.begun(kind, id, now);
        live.writer = Some(writer);
        self.trim(&key.process);
        Ok(())
    }

    /// Removes what is too old or too much of a process.
    fn trim(&mut self, process: &ProcessName) {
        let Some(folder) = self.folders.get_mut(process) else {
            return;
        };
        let now = self.clock.now();
        let live = || self.live.iter().filter(|(key, _)| key.process == *process);
        for (key, live) in live() {
            if let Some(writer) = &live.writer {
                let (kind, id) = kind_and_id(key.source);
                folder.grew(kind, id, writer.sizes(), now);
            }
        }
        if let Err(error) = folder.trim(&self.limits, now, is_live(&self.live, process)) {
            // The next new file tries again.
            log::debug!("{}: {error}", folder.path().display());
        }
        self.look_ahead();
    }

    /// Looks when the next file becomes too old.
    fn look_ahead(&mut self) {
        let oldest = self
            .folders
            .iter()
            .filter_map(|(process, folder)| folder.oldest(is_live(&self.live, process)));
        let oldest = oldest.min();
        self.due = oldest.and_then(|oldest| folder::too_old_at(oldest, &self.limits));
    }

    /// Turns the history off or on, and says so.
    fn settle(&mut self, done: Result<(), Refusal>) {
        match done {
            Ok(()) => {
                if self.off_until.take().is_some() {
                    log::info!("{}: history is kept again", self.root.display());
                }
            }
            Err(Refusal { path, cause }) => {
                if self.off_until.is_none() {
                    log::warn!(
                        "{}: {cause}; history is off and tried again later",
                        path.display()
                    );
                }
                self.off_until = Some(Instant::now() + PAUSE);
                self.give_up();
            }
        }
    }

    /// Writes nothing more. Each log goes on in a new file.
    fn give_up(&mut self) {
        for (key, live) in &mut self.live {
            let (kind, id) = kind_and_id(key.source);
            if let (Some(writer), Some(folder)) =
                (live.writer.take(), self.folders.get_mut(&key.process))
            {
                folder.grew(kind, id, writer.sizes(), self.clock.now());
            }
        }
    }
}

/// Which logs of a process take lines.
fn is_live(live: &HashMap<LogKey, Live>, process: &ProcessName) -> impl Fn(LogKind, u64) -> bool {
    let live = live.keys().filter(|key| key.process == *process);
    let live: Vec<_> = live.map(|key| kind_and_id(key.source)).collect();
    move |kind, id| live.contains(&(kind, id))
}

fn kind_and_id(source: Source) -> (LogKind, u64) {
    match source {
        Source::Run(run) => (LogKind::Runs, run.0),
        Source::Build(build) => (LogKind::Builds, build.0),
    }
}

#[cfg(test)]
mod tests;
