//! Tells when the configuration was changed on disk, however an editor does that.
//!
//! The project's directory is watched, and not the file: editors put a new file in the place of the old
//! one. Where `.mcp-run` is a symbolic link, so is the directory of the file that it leads to. The
//! kernel wakes us; nothing is polled.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// How long nothing must have happened to the file before it is read: who saves it writes in pieces.
const CALM: Duration = Duration::from_millis(200);

/// Watches the configuration of a project.
pub(super) struct ConfigWatcher {
    file: PathBuf,
    /// What the file is, and what it leads to.
    targets: Arc<Mutex<Targets>>,
    /// `None` where the system refuses to watch.
    watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    /// When it is read, if it was changed.
    calm_at: Option<Instant>,
    /// The directories that are watched.
    watched: BTreeSet<PathBuf>,
}

/// The paths whose changes matter.
type Targets = BTreeSet<PathBuf>;

impl ConfigWatcher {
    /// Watches `file`, an absolute path. Where that cannot be done, the log says so and nothing is
    /// ever told.
    pub(super) fn of(file: &Path) -> Self {
        // One is enough: whoever wakes looks at the file as it is then.
        let (sender, changes) = mpsc::channel(1);
        let targets = Arc::new(Mutex::new(Targets::from([file.to_owned()])));
        let wanted = Arc::clone(&targets);
        let told = move |event: notify::Result<Event>| {
            let targets = wanted.lock().unwrap_or_else(PoisonError::into_inner);
            if event.is_ok_and(|event| concerns(&event, &targets)) {
                // A full channel says the same.
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(told);
        let watcher = watcher.map_err(|error| unwatched(file, &error)).ok();
        let mut this = Self {
            file: file.to_owned(),
            targets,
            watcher,
            changes,
            calm_at: None,
            watched: BTreeSet::new(),
        };
        this.follow_link();
        this
    }

    /// Waits until the file was changed and nothing more happens to it. Dropping the future loses
    /// nothing.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::select! {
                biased;
                more = self.changes.recv() => match more {
                    Some(()) => self.calm_at = Some(Instant::now() + CALM),
                    // Nobody watches.
                    None => std::future::pending().await,
                },
                () = until(self.calm_at) => break,
            }
        }
        self.calm_at = None;
        self.follow_link();
    }

    /// Watches the directories of the file and of what it leads to now.
    fn follow_link(&mut self) {
        let mut targets = Targets::from([self.file.clone()]);
        targets.extend(self.file.canonicalize());
        let folders = targets.iter().filter_map(|it| it.parent());
        let folders: BTreeSet<PathBuf> = folders.map(Path::to_owned).collect();
        *self.targets.lock().unwrap_or_else(PoisonError::into_inner) = targets;
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for old in self.watched.difference(&folders) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(old);
        }
        for new in folders.difference(&self.watched) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                unwatched(&self.file, &error);
            }
        }
        self.watched = folders;
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Whether somebody may have changed one of these. We read the file ourselves, which is told as well.
fn concerns(event: &Event, targets: &Targets) -> bool {
    let reads = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    !reads && (event.need_rescan() || event.paths.iter().any(|path| targets.contains(path)))
}

fn unwatched(file: &Path, error: &notify::Error) {
    log::warn!(
        "changes of {} are not noticed by themselves, SIGHUP makes the daemon read it: {error}",
        file.display()
    );
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn project() -> (TempDir, PathBuf) {
        let project = tempfile::tempdir().unwrap();
        let file = project.path().canonicalize().unwrap().join(".mcp-run");
        fs::write(&file, "one").unwrap();
        (project, file)
    }

    async fn tells(watcher: &mut ConfigWatcher) {
        timeout(LIMIT, watcher.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn every_way_to_save_a_file_is_told() {
        let (project, file) = project();
        let mut watcher = ConfigWatcher::of(&file);

        fs::write(&file, "written").unwrap();
        tells(&mut watcher).await;

        let new = project.path().join(".mcp-run.swp");
        fs::write(&new, "renamed").unwrap();
        fs::rename(&new, &file).unwrap();
        tells(&mut watcher).await;

        fs::remove_file(&file).unwrap();
        fs::write(&file, "deleted and written").unwrap();
        tells(&mut watcher).await;

        let other = project.path().join("other");
        fs::write(&other, "linked").unwrap();
        let link = project.path().join("link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        fs::rename(&link, &file).unwrap();
        tells(&mut watcher).await;
    }

    #[tokio::test]
    async fn what_a_link_leads_to_is_watched_too() {
        let (_project, file) = project();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().canonicalize().unwrap().join("shared");
        fs::write(&target, "one").unwrap();
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(&target, &file).unwrap();
        let mut watcher = ConfigWatcher::of(&file);

        fs::write(&target, "two").unwrap();
        tells(&mut watcher).await;
    }

    #[tokio::test]
    async fn who_reads_it_or_writes_beside_it_is_of_no_interest() {
        let (project, file) = project();
        let mut watcher = ConfigWatcher::of(&file);

        fs::read(&file).unwrap();
        fs::write(project.path().join("Cargo.lock"), "").unwrap();
        // The change that is told is the one behind them.
        let quiet = timeout(CALM * 2, watcher.changed()).await;
        assert!(quiet.is_err());
    }

    #[tokio::test]
    async fn what_is_saved_in_pieces_is_told_once() {
        let (_project, file) = project();
        let mut watcher = ConfigWatcher::of(&file);

        for text in ["t", "tw", "two"] {
            fs::write(&file, text).unwrap();
        }
        tells(&mut watcher).await;
        let again = timeout(CALM * 2, watcher.changed()).await;
        assert!(again.is_err());
    }
}
