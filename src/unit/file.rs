//! The unit as a file. Its first line says for which project we wrote it, and with a hash that nobody
//! has changed it since: what we did not write is neither overwritten nor removed.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

/// Why the file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is one that somebody else wrote.
    #[error("{} was not written by background-process-manager: remove it yourself first", .0.display())]
    Foreign(PathBuf),
    /// There is one that was changed.
    #[error(
        "{} was changed by hand: move the changes to a drop-in (systemctl edit) and remove it yourself first",
        .0.display()
    )]
    Edited(PathBuf),
    /// There is one for another project, whose name and hash are the same.
    #[error("{} belongs to another project: remove it yourself first", .0.display())]
    OtherProject(PathBuf),
    /// The system refuses.
    #[error("{}: {cause}", file.display())]
    System {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// What lies where the unit is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Nothing,
    /// A unit of ours for this project.
    Ours,
}

const MARK: &str = "# Written by background-process-manager";

/// The whole file: a mark, then `text`.
#[must_use]
pub fn marked(text: &str, project_dir: &Path) -> String {
    format!("{}\n{text}", mark(text, project_dir))
}

fn mark(text: &str, project_dir: &Path) -> String {
    let hash = xxh3_64(text.as_bytes()) >> 32;
    format!("{MARK} ({hash:08x}) for {}", project_dir.display())
}

/// Looks who wrote the file that is there, if one is.
///
/// # Errors
/// When it must be left alone, or cannot be read.
pub fn look(file: &Path, project_dir: &Path) -> Result<Present, FileError> {
    let content = match fs::read(file) {
        Ok(content) => content,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere is somebody's as well.
            return match file.symlink_metadata() {
                Ok(_) => Err(FileError::Foreign(file.to_owned())),
                Err(_) => Ok(Present::Nothing),
            };
        }
        Err(cause) => return Err(system(file)(cause)),
    };
    let content = String::from_utf8_lossy(&content);
    let (first, text) = content.split_once('\n').unwrap_or((&content, ""));
    let is_file = file.symlink_metadata().is_ok_and(|it| it.is_file());
    if !first.starts_with(MARK) || !is_file {
        return Err(FileError::Foreign(file.to_owned()));
    }
    if !first.ends_with(&format!(") for {}", project_dir.display())) {
        return Err(FileError::OtherProject(file.to_owned()));
    }
    if first != mark(text, project_dir) {
        return Err(FileError::Edited(file.to_owned()));
    }
    Ok(Present::Ours)
}

/// Writes the unit, whole or not at all.
///
/// # Errors
/// When another file is there, or it cannot be written.
pub fn write(file: &Path, text: &str, project_dir: &Path) -> Result<(), FileError> {
    look(file, project_dir)?;
    // systemd looks only at names that end in `.service` and the like.
    let new = file.with_extension("new");
    let written = || {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut output = fs::File::create(&new)?;
        output.write_all(marked(text, project_dir).as_bytes())?;
        output.sync_all()?;
        fs::rename(&new, file)
    };
    written().map_err(system(file))
}

/// Removes the unit, if there is one.
///
/// # Errors
/// When it is not ours, or cannot be removed.
pub fn remove(file: &Path, project_dir: &Path) -> Result<Present, FileError> {
    let present = look(file, project_dir)?;
    if present == Present::Ours {
        fs::remove_file(file).map_err(system(file))?;
    }
    Ok(present)
}

fn system(file: &Path) -> impl Fn(io::Error) -> FileError {
    let file = file.to_owned();
    move |cause| FileError::System {
        file: file.clone(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "/home/u/bot";

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("systemd/user/bpm-bot.service");
        (folder, file)
    }

    #[test]
    fn what_we_wrote_is_replaced_and_removed() {
        let (_folder, file) = place();
        let project = Path::new(PROJECT);
        assert_eq!(remove(&file, project).unwrap(), Present::Nothing);
        write(&file, "[Unit]\n", project).unwrap();
        write(&file, "[Service]\n", project).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.starts_with("# Written by background-process-manager ("));
        assert!(first.ends_with(") for /home/u/bot"));
        assert_eq!(rest, "[Service]\n");
        assert_eq!(remove(&file, project).unwrap(), Present::Ours);
        assert!(!file.exists());
    }

    #[test]
    fn what_somebody_else_wrote_or_changed_stays_as_it_is() {
        let (_folder, file) = place();
        let project = Path::new(PROJECT);
        write(&file, "[Unit]\n", project).unwrap();
        let edited = fs::read_to_string(&file).unwrap() + "# mine\n";
        let refusals = [
            ("[Unit]\n", "was not written by"),
            ("", "was not written by"),
            (edited.as_str(), "was changed by hand"),
            (
                &marked("[Unit]\n", Path::new("/other")),
                "belongs to another",
            ),
        ];
        for (content, reason) in refusals {
            fs::write(&file, content).unwrap();
            let refused = write(&file, "new", project).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
            remove(&file, project).unwrap_err();
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
    }

    #[test]
    fn a_unit_that_is_masked_stays_masked() {
        let (_folder, file) = place();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/null", &file).unwrap();
        write(&file, "new", Path::new(PROJECT)).unwrap_err();
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("nowhere", &file).unwrap();
        write(&file, "new", Path::new(PROJECT)).unwrap_err();
        assert!(file.is_symlink());
    }
}
