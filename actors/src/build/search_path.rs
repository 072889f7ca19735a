//! Where a program is, given the PATH that it is to be looked up in.

use std::{
    env,
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::build::environment::Variables;

/// What `execvp` searches where there is no PATH.
const WITHOUT_PATH: &str = "/bin:/usr/bin";

/// A program is not where it was sought.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFound {
    /// A bare name.
    #[error("`{name}` was not found in PATH ({})", listed(.sought))]
    InPath { name: String, sought: Vec<PathBuf> },
    /// A path that does not exist.
    #[error("`{name}` was not found: {} does not exist", .path.display())]
    Missing { name: String, path: PathBuf },
    /// A path to something that cannot be executed.
    #[error("`{name}` cannot be run: {} is not an executable file", .path.display())]
    NotExecutable { name: String, path: PathBuf },
}

/// Folders as an error shows them.
pub(crate) fn listed(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "which is empty".to_owned();
    }
    let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
    folders.join(", ")
}

/// The folders of PATH; relative ones count from `cwd`, as they do for a child that runs there.
pub(crate) fn folders(variables: &Variables, cwd: &Path) -> Vec<PathBuf> {
    let path = variables.get(OsStr::new("PATH"));
    let path = path.map_or(OsStr::new(WITHOUT_PATH), |path| path);
    env::split_paths(path).map(|f| cwd.join(f)).collect()
}

/// The absolute path of `program`: a bare name is looked up in PATH, anything else counts from `cwd`.
///
/// # Errors
/// When nothing executable is there, with all places that were looked at.
pub(crate) fn resolve(
    program: &str,
    variables: &Variables,
    cwd: &Path,
) -> Result<PathBuf, NotFound> {
    let name = program.to_owned();
    if program.contains('/') {
        // Without `.` in the middle, because people read this path in `ps`.
        let path: PathBuf = cwd.join(program).components().collect();
        return if is_executable(&path) {
            Ok(path)
        } else if path.exists() {
            Err(NotFound::NotExecutable { name, path })
        } else {
            Err(NotFound::Missing { name, path })
        };
    }
    let sought = folders(variables, cwd);
    match within(program, &sought) {
        Some(path) => Ok(path),
        None => Err(NotFound::InPath { name, sought }),
    }
}

/// The first executable file of that name in `folders`.
pub(crate) fn within(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let mut candidates = folders.iter().map(|folder| folder.join(name));
    candidates.find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn put(folder: &Path, name: &str, mode: u32) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn with_path(path: &str) -> Variables {
        Variables::from([("PATH".into(), path.into())])
    }

    #[test]
    fn the_first_executable_of_the_path_is_taken() {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        put(&at("a"), "tool", 0o644);
        fs::create_dir_all(at("b/tool")).unwrap();
        let expected = put(&at("c"), "tool", 0o755);
        put(&at("d"), "tool", 0o755);
        let path = ["a", "b", "c", "d"].map(|f| at(f).display().to_string());
        let found = resolve("tool", &with_path(&path.join(":")), Path::new("/"));
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn relative_folders_and_paths_count_from_the_working_directory() {
        let dir = TempDir::new().unwrap();
        let expected = put(&dir.path().join("bin"), "tool", 0o755);
        assert_eq!(
            resolve("tool", &with_path("bin"), dir.path()),
            Ok(expected.clone())
        );
        assert_eq!(
            resolve("./bin/./tool", &with_path(""), dir.path()),
            Ok(expected)
        );
    }

    #[test]
    fn the_error_names_where_it_was_sought() {
        let error = resolve("tool", &with_path("/no/a:/no/b"), Path::new("/")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`tool` was not found in PATH (/no/a, /no/b)"
        );
        let error = resolve("./tool", &Variables::new(), Path::new("/no")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`./tool` was not found: /no/tool does not exist"
        );
        let dir = TempDir::new().unwrap();
        put(dir.path(), "tool", 0o644);
        let error = resolve("./tool", &Variables::new(), dir.path()).unwrap_err();
        assert!(
            error.to_string().ends_with("is not an executable file"),
            "{error}"
        );
        assert!(resolve("", &with_path("/bin"), Path::new("/")).is_err());
    }
}
