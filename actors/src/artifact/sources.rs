//! The files that a program was built from, and whether they are still the same.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The files that a program was built from. Clones share them; all are equal to each other, because
/// they say nothing about the program itself.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The files; empty where nothing is built or nothing is known.
    pub files: Arc<[PathBuf]>,
    /// When the build began.
    pub read_at: Option<SystemTime>,
    /// Files whose times say nothing beside `read_at`, because the build wrote them itself before it
    /// read them (`Cargo.lock`, what a build script puts beside the sources) or because they lie in
    /// the future: the time that each had.
    pub stamped: Arc<[(PathBuf, SystemTime)]>,
}

impl Sources {
    /// Whether one of the files was changed after the build began, or is gone. Asks the file system,
    /// a stat for each file up to the first that is changed: call it where that may block.
    ///
    /// Changed is what has a later time than the build's beginning. The kernel's times lie up to a
    /// tick (10 ms) behind the clock that `read_at` comes from, never before it, so a file that was
    /// written before the build never counts. One that was written within the tick in which the
    /// build began does not count either: cargo needs longer than that to come to the sources, so it
    /// was compiled as it is. Where times are whole seconds, the second itself is not known, and the
    /// files of the second in which the build began count: a needless restart does less harm than a
    /// change that is believed to be live.
    #[must_use]
    pub fn changed(&self) -> bool {
        let Some(read_at) = self.read_at else {
            return false;
        };
        let is_later = |modified| is_later(modified, read_at);
        let mut stamped = self.stamped.iter();
        self.files.iter().any(|file| differs(file, is_later))
            || stamped.any(|(file, then)| differs(file, |modified| modified != *then))
    }
}

impl PartialEq for Sources {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Sources {}

/// Whether a file is gone or has a time of this kind. What cannot be looked at is unchanged as far as
/// anybody knows.
fn differs(file: &Path, changed: impl Fn(SystemTime) -> bool) -> bool {
    match fs::metadata(file).and_then(|metadata| metadata.modified()) {
        Ok(modified) => changed(modified),
        Err(error) => matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ),
    }
}

/// Whether a file with this time was changed after the build began.
pub(crate) fn is_later(modified: SystemTime, read_at: SystemTime) -> bool {
    const TICK_OF_COARSE_TIMES: Duration = Duration::from_secs(1);
    let is_coarse = modified
        .duration_since(UNIX_EPOCH)
        .is_ok_and(|since| since.subsec_nanos() == 0);
    if is_coarse {
        // It may be from any moment of its second.
        read_at
            .duration_since(modified)
            .map_or(true, |before| before < TICK_OF_COARSE_TIMES)
    } else {
        modified > read_at
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tempfile::TempDir;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NANO: Duration = Duration::from_nanos(1);

    fn moment() -> SystemTime {
        UNIX_EPOCH + Duration::new(1_800_000_000, 300_000_000)
    }

    fn file(dir: &TempDir, name: &str, modified: SystemTime) -> PathBuf {
        let path = dir.path().join(name);
        File::create(&path).unwrap().set_modified(modified).unwrap();
        path
    }

    fn sources(files: &[&Path], stamped: &[(&Path, SystemTime)]) -> Sources {
        Sources {
            files: files.iter().map(|&file| file.to_owned()).collect(),
            read_at: Some(moment()),
            stamped: stamped.iter().map(|&(f, t)| (f.to_owned(), t)).collect(),
        }
    }

    #[test]
    fn a_file_is_changed_when_it_is_later_than_the_build_or_gone() {
        let dir = TempDir::new().unwrap();
        let old = file(&dir, "old", moment() - NANO);
        let same = file(&dir, "same", moment());
        assert!(!sources(&[&old, &same], &[]).changed());
        let new = file(&dir, "new", moment() + NANO);
        assert!(sources(&[&old, &new], &[]).changed());
        assert!(sources(&[&old, &dir.path().join("gone")], &[]).changed());
        assert!(sources(&[&old.join("gone")], &[]).changed(), "now a file");
    }

    #[test]
    fn a_stamped_file_is_changed_when_its_time_differs_or_it_is_gone() {
        let dir = TempDir::new().unwrap();
        let then = moment() + SECOND + NANO;
        let lock = file(&dir, "lock", then);
        assert!(!sources(&[], &[(&lock, then)]).changed());
        for other in [then - NANO, then + NANO] {
            assert!(sources(&[], &[(&lock, other)]).changed());
        }
        fs::remove_file(&lock).unwrap();
        assert!(sources(&[], &[(&lock, then)]).changed());
    }

    #[test]
    fn whole_seconds_count_from_the_second_in_which_the_build_began() {
        let second = moment() - Duration::from_millis(300);
        assert!(is_later(second, moment()));
        assert!(is_later(second + SECOND, moment()));
        assert!(!is_later(second - SECOND, moment()));
        assert!(is_later(second, second) && !is_later(second - SECOND, second));
    }

    #[test]
    fn a_file_that_was_written_before_now_is_not_later_than_now() {
        let dir = TempDir::new().unwrap();
        // Many times, so that a tick of the kernel's clock falls in between as well.
        for n in 0..200 {
            let path = dir.path().join(n.to_string());
            fs::write(&path, "").unwrap();
            let read_at = SystemTime::now();
            assert!(path.metadata().unwrap().modified().unwrap() <= read_at);
        }
    }

    #[test]
    fn where_nothing_is_known_nothing_is_changed() {
        let nowhere = Path::new("/no/such/file");
        assert!(!Sources::default().changed());
        let undated = Sources {
            read_at: None,
            ..sources(&[nowhere], &[])
        };
        assert!(!undated.changed());
    }
}
