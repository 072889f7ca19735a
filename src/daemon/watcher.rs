//! Tells when the configuration was changed on disk, however an editor does that.
//!
//! The project's directory is watched, and not the file: editors put a new file in the place of the old
//! one. Where `.mcp-run` is a symbolic link, so is every directory on the way to what it leads to
//! in which there is another link, or in which something is missing. The kernel wakes us; nothing is
//! polled.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How long nothing must have happened to the file before it is read: who saves it writes in pieces.
const CALM: Duration = Duration::from_millis(200);

/// How long who has written a part may take for the next one before he closes the file. Only Linux
/// tells when that is.
const PATIENCE: Duration = if cfg!(target_os = "linux") {
    Duration::from_secs(10)
} else {
    CALM
};

/// How many links lead to a file at most (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Watches the configuration of a project.
pub(super) struct ConfigWatcher {
    file: PathBuf,
    /// What the file is, and what it leads to.
    targets: Arc<Mutex<Targets>>,
    /// `None` where the system refuses to watch.
    watcher: Option<RecommendedWatcher>,
    changes: watch::Receiver<Phase>,
    /// When it is read, if it was changed.
    calm_at: Option<Instant>,
    /// The directories that are watched.
    watched: Vec<PathBuf>,
}

/// The paths whose changes matter.
type Targets = BTreeSet<PathBuf>;

/// What was seen last of who changes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// He has written a part of it, and not closed it.
    Writes,
    /// He is done, as far as it is known.
    Done,
}

impl ConfigWatcher {
    /// Watches `file`, an absolute path. Where that cannot be done, the log says so and nothing is
    /// ever told.
    pub(super) fn of(file: &Path) -> Self {
        // The last one is enough: whoever wakes looks at the file as it is then.
        let (sender, changes) = watch::channel(Phase::Done);
        let targets = Arc::new(Mutex::new(Targets::from([file.to_owned()])));
        let wanted = Arc::clone(&targets);
        let told = move |event: notify::Result<Event>| {
            let targets = wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(event) = event else { return };
            let before = *sender.borrow();
            if let Some(phase) = seen(&event, &targets, before) {
                sender.send_replace(phase);
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
            watched: Vec::new(),
        };
        this.follow();
        this
    }

    /// Waits until the file was changed and nothing more happens to it. Dropping the future loses
    /// nothing.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::select! {
                biased;
                more = self.changes.changed() => match more {
                    Ok(()) => {
                        let calm = match *self.changes.borrow_and_update() {
                            Phase::Writes => PATIENCE,
                            Phase::Done => CALM,
                        };
                        self.calm_at = Some(Instant::now() + calm);
                    }
                    // Nobody watches.
                    Err(_) => std::future::pending().await,
                },
                () = until(self.calm_at) => break,
            }
        }
        self.calm_at = None;
    }

    /// Watches the directories of the file and of what leads to it now. To be called before the file
    /// is read.
    pub(super) fn follow(&mut self) {
        let mut targets = trace(&self.file);
        let folders: Vec<PathBuf> = targets
            .iter()
            .filter_map(|target| target.parent())
            .filter(|folder| folder.is_dir())
            .map(Path::to_owned)
            .collect();
        // When one of them is moved or goes, that is told of itself.
        targets.extend(folders.iter().cloned());
        *self.targets.lock().unwrap_or_else(PoisonError::into_inner) = targets;
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        // All anew: the kernel lets go of a directory that is removed, and another one may stand in
        // its place, even with the same inode. What happens meanwhile is read by our caller.
        for old in self.watched.drain(..) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(&old);
        }
        for folder in folders {
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => self.watched.push(folder),
                Err(error) => unwatched(&self.file, &error),
            }
        }
    }
}

/// The paths on which it depends what `file`, an absolute path, leads to: itself, the links on the
/// way, and the first that is missing. Links in the way to the project itself are none of them.
fn trace(file: &Path) -> Targets {
    let mut targets = Targets::from([file.to_owned()]);
    let mut next = file.to_owned();
    for _ in 0..MOST_LINKS {
        let Some((link, to)) = first_link(&next, &mut targets) else {
            break;
        };
        targets.insert(link);
        next = to;
    }
    targets
}

/// The first link in a path, and the path that takes its place; or none, and where the way ends.
fn first_link(path: &Path, targets: &mut Targets) -> Option<(PathBuf, PathBuf)> {
    let mut walked = PathBuf::new();
    let mut rest = path.components();
    while let Some(component) = rest.next() {
        match component {
            // The parent of what was walked, in which there is no link.
            Component::ParentDir => _ = walked.pop(),
            _ => walked.push(component),
        }
        match fs::read_link(&walked) {
            Ok(to) => {
                let folder = walked.parent().unwrap_or(Path::new("/"));
                let to = folder.join(to).join(rest.as_path());
                return Some((walked, to));
            }
            Err(_) if walked.symlink_metadata().is_err() => break,
            Err(_) => {}
        }
    }
    targets.insert(walked);
    None
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// How far somebody is who may have changed one of these, who was so far `before`. We read the file
/// ourselves, which is told as well.
fn seen(event: &Event, targets: &Targets, before: Phase) -> Option<Phase> {
    let mut own = event.paths.iter().filter(|path| targets.contains(*path));
    if event.need_rescan() {
        return Some(Phase::Done);
    }
    let path = own.next()?;
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Phase::Done),
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Data(_)) => Some(Phase::Writes),
        EventKind::Create(_) if is_empty_file(path) => Some(Phase::Writes),
        // Who changes its mode may not have written all of it.
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(before),
        _ => Some(Phase::Done),
    }
}

/// Whether somebody has made a file and will write to it. A link to one is complete.
fn is_empty_file(path: &Path) -> bool {
    let metadata = path.symlink_metadata();
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

fn unwatched(file: &Path, error: &notify::Error) {
    log::warn!(
        "changes of {} are not noticed by themselves, SIGHUP makes the daemon read it: {error}",
        file.display()
    );
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write as _,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

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

    /// A project in a directory that another one may take the place of.
    fn replaceable() -> (TempDir, PathBuf, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let project = parent.path().canonicalize().unwrap().join("project");
        let file = project.join(".mcp-run");
        fs::create_dir(&project).unwrap();
        fs::write(&file, "one").unwrap();
        (parent, project, file)
    }

    async fn tells(watcher: &mut ConfigWatcher) {
        timeout(LIMIT, watcher.changed()).await.unwrap();
        watcher.follow();
    }

    async fn is_quiet(watcher: &mut ConfigWatcher) -> bool {
        timeout(CALM * 2, watcher.changed()).await.is_err()
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
        symlink(&other, &link).unwrap();
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
        symlink(&target, &file).unwrap();
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
        assert!(is_quiet(&mut watcher).await);
    }

    #[tokio::test]
    async fn what_is_saved_in_pieces_is_told_once() {
        let (_project, file) = project();
        let mut watcher = ConfigWatcher::of(&file);

        for text in ["t", "tw", "two"] {
            fs::write(&file, text).unwrap();
        }
        tells(&mut watcher).await;
        assert!(is_quiet(&mut watcher).await);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn who_pauses_in_the_middle_of_the_file_is_waited_for() {
        let (_project, file) = project();
        let mut watcher = ConfigWatcher::of(&file);

        let mut slow = fs::File::create(&file).unwrap();
        slow.write_all(b"half").unwrap();
        assert!(is_quiet(&mut watcher).await);
        slow.write_all(b", the rest").unwrap();
        assert!(is_quiet(&mut watcher).await);
        drop(slow);
        tells(&mut watcher).await;
    }

    #[tokio::test]
    async fn what_a_link_leads_to_may_be_away_for_a_while_with_its_folder() {
        let (_project, file) = project();
        let elsewhere = tempfile::tempdir().unwrap();
        let folder = elsewhere.path().canonicalize().unwrap().join("conf");
        let target = folder.join("shared");
        fs::create_dir(&folder).unwrap();
        fs::write(&target, "one").unwrap();
        fs::remove_file(&file).unwrap();
        symlink(&target, &file).unwrap();
        let mut watcher = ConfigWatcher::of(&file);

        fs::remove_file(&target).unwrap();
        tells(&mut watcher).await;
        fs::write(&target, "two").unwrap();
        tells(&mut watcher).await;
        fs::remove_dir_all(&folder).unwrap();
        tells(&mut watcher).await;
        fs::create_dir(&folder).unwrap();
        tells(&mut watcher).await;
        fs::write(&target, "three").unwrap();
        tells(&mut watcher).await;
    }

    #[tokio::test]
    async fn every_link_on_the_way_is_watched() {
        let (project, file) = project();
        let folder = project.path();
        for version in ["v1", "v2"] {
            fs::create_dir(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("x"), version).unwrap();
        }
        symlink("v1", folder.join("..data")).unwrap();
        fs::remove_file(&file).unwrap();
        symlink("..data/x", &file).unwrap();
        let mut watcher = ConfigWatcher::of(&file);

        symlink("v2", folder.join("new")).unwrap();
        fs::rename(folder.join("new"), folder.join("..data")).unwrap();
        tells(&mut watcher).await;
        fs::write(folder.join("v1/x"), "nobody reads it now").unwrap();
        assert!(is_quiet(&mut watcher).await);
        fs::write(folder.join("v2/x"), "edited").unwrap();
        tells(&mut watcher).await;
    }

    #[tokio::test]
    async fn another_directory_in_the_place_of_the_project_is_watched() {
        let (parent, project, file) = replaceable();
        let mut watcher = ConfigWatcher::of(&file);

        fs::rename(&project, parent.path().join("old")).unwrap();
        tells(&mut watcher).await;
        fs::create_dir(&project).unwrap();
        tells(&mut watcher).await;
        fs::write(&file, "two").unwrap();
        tells(&mut watcher).await;
    }

    #[tokio::test]
    async fn a_directory_that_is_made_again_is_watched_even_with_the_same_inode() {
        let (_parent, project, file) = replaceable();
        let mut watcher = ConfigWatcher::of(&file);

        // File systems like to give a number again that has become free just now.
        for text in ["two", "three", "four"] {
            fs::remove_dir_all(&project).unwrap();
            fs::create_dir(&project).unwrap();
            fs::write(&file, text).unwrap();
            tells(&mut watcher).await;
            fs::write(&file, "edited").unwrap();
            tells(&mut watcher).await;
        }
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_new_file_is_waited_for_from_its_making_to_its_end() {
        let (_project, file) = project();
        fs::remove_file(&file).unwrap();
        let mut watcher = ConfigWatcher::of(&file);

        let mut slow = fs::File::create(&file).unwrap();
        assert!(is_quiet(&mut watcher).await);
        slow.write_all(b"half").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(is_quiet(&mut watcher).await);
        drop(slow);
        tells(&mut watcher).await;
    }

    #[test]
    fn links_that_lead_to_themselves_have_an_end() {
        let (_project, file) = project();
        fs::remove_file(&file).unwrap();
        symlink(".mcp-run", &file).unwrap();
        assert_eq!(trace(&file), Targets::from([file]));
    }
}
