//! Copies of what was built, so that what runs is never a file that cargo overwrites:
//! `artifacts/NAME/HASH/FILE` in the state folder. Everything here blocks on the disk, so it is
//! called on a thread for that.
//!
//! A program that was just written can fail to start with "text file busy" if a child between fork
//! and exec still holds its write descriptor. Not here: only the actors' thread forks, a spawn
//! returns after the exec, and the copy is closed before the message about it arrives there. So no
//! child that is forked while a copy is open is still before its exec when the copy is started.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, FileTimes},
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use xxhash_rust::xxh3::Xxh3;

use crate::ids::ProcessName;

/// How many copies of a process are kept beside those that somebody needs.
const NEWEST: usize = 3;

const TEMPORARY: &str = ".new-";

/// A copy could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep a copy of {} as {}: {cause}", .from.display(), .to.display())]
pub(crate) struct CopyError {
    from: PathBuf,
    to: PathBuf,
    cause: io::Error,
}

/// The copies of one process.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub(crate) fn of(process: &ProcessName, state_dir: &Path) -> Self {
        Self {
            folder: state_dir.join("artifacts").join(process.as_str()),
        }
    }

    /// Keeps a copy of `file` under the hash of its content, and answers where it is. What is there
    /// already is used again. Then tidies up, except `keep` and the newest ones.
    ///
    /// # Errors
    /// When the file cannot be read, or the copy not be written: a full disk, a missing permission.
    pub(crate) fn put(&self, file: &Path, keep: &[PathBuf]) -> Result<PathBuf, CopyError> {
        let place = self.copy(file)?;
        if let Err(error) = self.prune(&place, keep) {
            log::warn!("cannot tidy {}: {error}", self.folder.display());
        }
        Ok(place)
    }

    fn copy(&self, file: &Path) -> Result<PathBuf, CopyError> {
        let failed = |to: &Path| {
            let (from, to) = (file.to_owned(), to.to_owned());
            move |cause| CopyError { from, to, cause }
        };
        let known = self.place(file).map_err(failed(&self.folder))?;
        if is_same_size(file, &known) {
            touch(&known);
            return Ok(known);
        }
        private_folder(&self.folder).map_err(failed(&self.folder))?;
        let temporary = self.temporary();
        let done = fs::copy(file, &temporary)
            // Again, of the copy: somebody may run cargo meanwhile.
            .and_then(|_| hash(&temporary))
            .and_then(|hash| {
                let folder = self.folder.join(hash);
                private_folder(&folder)?;
                let place = folder.join(name_of(file)?);
                fs::rename(&temporary, &place)?;
                touch(&place);
                Ok(place)
            });
        done.map_err(|cause| {
            // What is half written only fills the disk; if it cannot be removed, a later start does.
            let _ = fs::remove_file(&temporary);
            failed(&known)(cause)
        })
    }

    fn place(&self, file: &Path) -> io::Result<PathBuf> {
        Ok(self.folder.join(hash(file)?).join(name_of(file)?))
    }

    fn temporary(&self) -> PathBuf {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let pid = process::id();
        self.folder.join(format!("{TEMPORARY}{pid}-{number}"))
    }

    fn prune(&self, newest: &Path, keep: &[PathBuf]) -> io::Result<()> {
        let needed: BTreeSet<&Path> = keep
            .iter()
            .map(PathBuf::as_path)
            .chain([newest])
            .filter_map(Path::parent)
            .collect();
        let ours = format!("{TEMPORARY}{}-", process::id());
        let mut copies = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                let modified = entry.metadata()?.modified()?;
                copies.push((modified, entry.path()));
            } else if name.starts_with(TEMPORARY) && !name.starts_with(&ours) {
                // A daemon that was killed left it.
                fs::remove_file(entry.path())?;
            }
        }
        for folder in superfluous(copies, &needed) {
            fs::remove_dir_all(folder)?;
        }
        Ok(())
    }
}

/// All but the newest ones and those that are needed.
fn superfluous(mut copies: Vec<(SystemTime, PathBuf)>, needed: &BTreeSet<&Path>) -> Vec<PathBuf> {
    copies.sort();
    copies.truncate(copies.len().saturating_sub(NEWEST));
    let folders = copies.into_iter().map(|(_, folder)| folder);
    folders.filter(|f| !needed.contains(f.as_path())).collect()
}

fn name_of(file: &Path) -> io::Result<&std::ffi::OsStr> {
    let nameless = || io::Error::new(io::ErrorKind::InvalidInput, "it has no name");
    file.file_name().ok_or_else(nameless)
}

fn is_same_size(one: &Path, other: &Path) -> bool {
    let size = |path: &Path| path.metadata().ok().filter(fs::Metadata::is_file);
    match (size(one), size(other)) {
        (Some(one), Some(other)) => one.len() == other.len(),
        _ => false,
    }
}

/// Marks the folder of a copy as the newest. It is no loss if that fails: it is tidied away earlier.
fn touch(copy: &Path) {
    let now = FileTimes::new().set_modified(SystemTime::now());
    let folder = copy.parent().unwrap_or(copy);
    if let Err(error) = File::open(folder).and_then(|folder| folder.set_times(now)) {
        log::debug!("cannot touch {}: {error}", folder.display());
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:032x}", hasher.digest128())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, time::Duration};

    use tempfile::TempDir;

    use super::*;

    fn shelf(dir: &TempDir) -> Shelf {
        Shelf::of(&"main".parse().unwrap(), &dir.path().join("state"))
    }

    fn program(dir: &TempDir, content: &str) -> PathBuf {
        let path = dir.path().join("program");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn set_age(copy: &Path, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        let folder = File::open(copy.parent().unwrap()).unwrap();
        folder
            .set_times(FileTimes::new().set_modified(then))
            .unwrap();
    }

    #[test]
    fn a_copy_lies_under_its_hash_with_its_own_name_and_mode() {
        let dir = TempDir::new().unwrap();
        let file = program(&dir, "one");
        let copy = shelf(&dir).put(&file, &[]).unwrap();
        let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(b"one"));
        let folder = dir.path().join("state/artifacts/main");
        assert_eq!(copy, folder.join(hash).join("program"));
        assert_eq!(fs::read(&copy).unwrap(), b"one");
        assert_eq!(mode(&copy), 0o755);
        for folder in [copy.parent().unwrap(), &folder] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else");
    }

    #[test]
    fn the_same_content_is_not_copied_twice_but_a_damaged_copy_is_mended() {
        let dir = TempDir::new().unwrap();
        let file = program(&dir, "one");
        let copy = shelf(&dir).put(&file, &[]).unwrap();
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
        let before = inode(&copy);
        set_age(&copy, 1000);
        assert_eq!(shelf(&dir).put(&file, &[]).unwrap(), copy);
        assert_eq!(inode(&copy), before);
        let modified = copy.parent().unwrap().metadata().unwrap().modified();
        assert!(modified.unwrap().elapsed().unwrap() < Duration::from_secs(500));

        fs::write(&copy, "on").unwrap();
        shelf(&dir).put(&file, &[]).unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"one");
    }

    #[test]
    fn the_newest_three_and_what_is_needed_stay() {
        let dir = TempDir::new().unwrap();
        let shelf = shelf(&dir);
        let mut copies = Vec::new();
        for age in (0..6).rev() {
            let file = program(&dir, &format!("age {age}"));
            let keep: Vec<_> = copies.first().cloned().into_iter().collect();
            let copy = shelf.put(&file, &keep).unwrap();
            set_age(&copy, age * 100);
            copies.push(copy);
        }
        let stays: Vec<_> = copies.iter().map(|copy| copy.exists()).collect();
        assert_eq!(stays, [true, false, false, true, true, true]);
    }

    #[test]
    fn what_a_killed_daemon_left_half_copied_is_removed() {
        let dir = TempDir::new().unwrap();
        let shelf = shelf(&dir);
        private_folder(&shelf.folder).unwrap();
        let [left, own] = [
            format!("{TEMPORARY}1-0"),
            format!("{TEMPORARY}{}-x", process::id()),
        ]
        .map(|name| shelf.folder.join(name));
        fs::write(&left, "").unwrap();
        fs::write(&own, "").unwrap();
        shelf.put(&program(&dir, "one"), &[]).unwrap();
        assert!(!left.exists() && own.exists());
    }

    #[test]
    fn a_failed_copy_names_both_places_and_the_cause() {
        let dir = TempDir::new().unwrap();
        let file = program(&dir, "one");
        fs::write(dir.path().join("state"), "in the way").unwrap();
        let error = shelf(&dir).put(&file, &[]).unwrap_err().to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
        assert!(error.contains("state/artifacts/main"), "{error}");
        let error = shelf(&dir).put(Path::new("/no/such"), &[]).unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
