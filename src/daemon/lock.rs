//! One daemon per project: a lock on the project's directory itself, so that no second path to it
//! and no other user's state folder gets around it.
//!
//! The start takes it before anything else. The kernel drops it when the process ends, however it
//! ends, so nothing stale is ever left.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use nix::sys::stat::{major, minor};

use super::occupant::{LOOKS, Occupant, kernel_table};

/// The right to serve a project; given back on drop.
#[derive(Debug)]
pub struct ProjectLock {
    _dir: File,
}

/// The project cannot be served by this process.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody serves it already.
    #[error(
        "{}: locked by {}; a project has one daemon: stop that one first",
        dir.display(),
        holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string)
    )]
    Held {
        /// The project's directory.
        dir: PathBuf,
        /// Who, if `/proc` tells.
        holder: Option<Occupant>,
    },
    /// The directory cannot be locked.
    #[error("{}: cannot lock the project's directory: {cause}", dir.display())]
    Unlockable {
        /// The project's directory.
        dir: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl ProjectLock {
    /// Locks a project for this process, without waiting.
    ///
    /// # Errors
    /// When somebody else has it, or the directory cannot be opened or locked.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let unlockable = |cause| LockError::Unlockable {
            dir: dir.to_owned(),
            cause,
        };
        // Closed on exec, as std opens everything: no child keeps the lock alive.
        let opened = File::open(dir).map_err(unlockable)?;
        for _ in 0..LOOKS {
            match opened.try_lock() {
                Ok(()) => return Ok(Self { _dir: opened }),
                Err(TryLockError::Error(cause)) => return Err(unlockable(cause)),
                // Who is not found may have let go by now.
                Err(TryLockError::WouldBlock) => {
                    if let Some(holder) = holder(&opened) {
                        return Err(LockError::Held {
                            dir: dir.to_owned(),
                            holder: Some(holder),
                        });
                    }
                }
            }
        }
        Err(LockError::Held {
            dir: dir.to_owned(),
            holder: None,
        })
    }
}

fn holder(file: &File) -> Option<Occupant> {
    let inode = kernel_inode(file).or_else(|| plain_inode(file))?;
    let locks = kernel_table("/proc/locks").ok()?;
    flock_holder(&String::from_utf8_lossy(&locks), &inode).map(Occupant::of)
}

/// The file as `/proc/locks` names it, `MAJOR:MINOR:INODE`. Not always what stat says: btrfs and
/// overlayfs give stat another device, so the mount is asked.
fn kernel_inode(file: &File) -> Option<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    inode_of(&info, &mounts)
}

fn inode_of(fdinfo: &str, mountinfo: &str) -> Option<String> {
    let field = |name| {
        fdinfo
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let (inode, mount) = (field("ino:")?, field("mnt_id:")?);
    let device = mountinfo.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next()? == mount).then(|| words.nth(1))?
    })?;
    let (major, minor) = device.split_once(':')?;
    Some(lock_name(major.parse().ok()?, minor.parse().ok()?, inode))
}

fn plain_inode(file: &File) -> Option<String> {
    let metadata = file.metadata().ok()?;
    let device = metadata.dev();
    Some(lock_name(
        major(device),
        minor(device),
        &metadata.ino().to_string(),
    ))
}

fn lock_name(major: u64, minor: u64, inode: &str) -> String {
    format!("{major:02x}:{minor:02x}:{inode}")
}

/// The pid that has the flock on `inode`. Lines of waiters (`1: -> FLOCK …`) do not count.
fn flock_holder(locks: &str, inode: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, "FLOCK", _, _, pid, file, ..] if *file == inode => pid.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_second_lock_names_the_pid_of_the_first() {
        let project = tempfile::tempdir().unwrap();
        let first = ProjectLock::acquire(project.path()).unwrap();

        let refused = ProjectLock::acquire(project.path()).unwrap_err();

        let name = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(
            refused.to_string(),
            format!(
                "{}: locked by pid {} ({}); a project has one daemon: stop that one first",
                project.path().display(),
                std::process::id(),
                name.trim()
            )
        );
        drop(first);
        ProjectLock::acquire(project.path()).unwrap();
    }

    #[test]
    fn the_holder_is_named_while_others_lock_and_unlock() {
        let project = tempfile::tempdir().unwrap();
        let _first = ProjectLock::acquire(project.path()).unwrap();
        let others = tempfile::tempdir().unwrap();
        let done = AtomicBool::new(false);

        std::thread::scope(|scope| {
            for n in 0..2 {
                let (others, done) = (others.path(), &done);
                scope.spawn(move || {
                    let files = (0..50).map(|file| others.join(format!("{n}-{file}")));
                    let files: Vec<_> = files.map(|path| File::create(path).unwrap()).collect();
                    while !done.load(Ordering::Relaxed) {
                        for file in &files {
                            file.try_lock().unwrap();
                        }
                        for file in &files {
                            file.unlock().unwrap();
                        }
                    }
                });
            }
            let refusals: Vec<_> = (0..300)
                .map(|_| ProjectLock::acquire(project.path()).unwrap_err())
                .collect();
            done.store(true, Ordering::Relaxed);
            for refusal in refusals {
                let LockError::Held { holder, .. } = refusal else {
                    panic!("{refusal}");
                };
                assert_eq!(holder.map(|holder| holder.pid), Some(std::process::id()));
            }
        });
    }

    #[test]
    fn another_path_to_the_same_directory_is_locked_too() {
        let project = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let link = other.path().join("link");
        std::os::unix::fs::symlink(project.path(), &link).unwrap();
        let _first = ProjectLock::acquire(project.path()).unwrap();

        assert!(matches!(
            ProjectLock::acquire(&link),
            Err(LockError::Held { .. })
        ));
    }

    #[test]
    fn a_directory_that_is_gone_says_so() {
        let missing = Path::new("/nowhere/at/all");
        assert_eq!(
            ProjectLock::acquire(missing).unwrap_err().to_string(),
            "/nowhere/at/all: cannot lock the project's directory: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_holder_that_proc_does_not_show_is_another_process() {
        let refused = LockError::Held {
            dir: "/p".into(),
            holder: None,
        };
        assert_eq!(
            refused.to_string(),
            "/p: locked by another process; a project has one daemon: stop that one first"
        );
    }

    #[test]
    fn the_holder_is_the_one_with_the_lock_and_not_one_who_waits() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fe:00:7 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 12 fe:00:8 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 fe:00:7 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 14 fe:00:7 0 EOF\n";
        assert_eq!(flock_holder(locks, "fe:00:7"), Some(14));
        assert_eq!(flock_holder(locks, "fe:01:7"), None);
        assert_eq!(flock_holder("", "fe:00:7"), None);
    }

    #[test]
    fn the_device_is_that_of_the_mount() {
        let fdinfo = "pos:\t0\nflags:\t0100000\nmnt_id:\t27\nino:\t5382668\n";
        let mounts =
            "26 24 0:24 / /dev/pts rw - devpts devpts rw\n27 1 254:0 / / rw - ext4 /dev/vda rw\n";
        assert_eq!(inode_of(fdinfo, mounts).as_deref(), Some("fe:00:5382668"));
    }
}
