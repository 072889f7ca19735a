//! Where state is kept, as daemons and their clients both know it. Nothing is made or read here.

use std::{
    env,
    ffi::OsString,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

/// By this file in the folder of a project clients find its daemon.
pub const DAEMON_FILE: &str = "daemon.json";
/// What must be shown where the daemon asks for a token.
pub const TOKEN_FILE: &str = "token";

/// Where the user's programs keep state; `None` where the environment does not say.
#[must_use]
pub fn home() -> Option<PathBuf> {
    state_home(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))
}

/// The folder with those of all projects.
#[must_use]
pub fn all(home: &Path) -> PathBuf {
    home.join("background-process-manager")
}

/// The folder of one project, whose directory is canonical.
#[must_use]
pub fn folder(home: &Path, project_dir: &Path) -> PathBuf {
    all(home).join(key(project_dir))
}

/// The folder's name: the directory's own, for people, and a hash of its whole path, which tells it
/// from others of that name.
#[must_use]
pub fn key(project_dir: &Path) -> String {
    const MOST_CHARACTERS: usize = 50;
    let plain = |c: char| c.is_alphanumeric() || "-_.+@".contains(c);
    let name = project_dir
        .file_name()
        .unwrap_or("root".as_ref())
        .to_string_lossy();
    let name: String = name
        .chars()
        .take(MOST_CHARACTERS)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let hash = xxh3_64(project_dir.as_os_str().as_bytes()) >> 32;
    format!("{name}-{hash:08x}")
}

/// The XDG specification says to ignore a relative path.
fn state_home(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute =
        |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(xdg).or_else(|| absolute(home).map(|home| home.join(".local/state")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_where_and_relative_paths_do_not_count() {
        let home = |xdg: Option<&str>, home: Option<&str>| {
            state_home(xdg.map(Into::into), home.map(Into::into))
        };
        let default = Some(PathBuf::from("/home/u/.local/state"));
        assert_eq!(home(Some("/xdg"), Some("/home/u")), Some("/xdg".into()));
        assert_eq!(home(Some("/xdg"), None), Some("/xdg".into()));
        assert_eq!(home(None, Some("/home/u")), default);
        assert_eq!(home(Some(""), Some("/home/u")), default);
        assert_eq!(home(Some("state"), Some("/home/u")), default);
        assert_eq!(home(None, None), None);
        assert_eq!(home(Some("state"), Some("")), None);
    }

    #[test]
    fn the_key_is_readable_stable_and_different_for_each_path() {
        assert_eq!(key(Path::new("/home/u/ganbot")), "ganbot-906204e5");
        assert_eq!(key(Path::new("/home/v/ganbot")), "ganbot-c37d6967");
        assert!(key(Path::new("/home/u/my app\n")).starts_with("my_app_-"));
        assert!(key(Path::new("/")).starts_with("root-"));
        let long = format!("/{}", "ä".repeat(200));
        assert!(key(Path::new(&long)).len() < 200);
    }
}
