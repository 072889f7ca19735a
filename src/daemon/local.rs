//! The unix socket by which this user's own tools reach the daemon, whatever becomes of the port.

use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use super::{
    held::{
        Reason,
        unix::{self, SocketFile},
    },
    state_dir::StateDir,
};

/// The longest path that a socket may have, in bytes.
const LONGEST: usize = 107;
/// Whose eyes the folder is for: its owner's.
const MODE: u32 = 0o700;

/// The socket, and its file, which is removed when this is dropped.
#[derive(Debug)]
pub(super) struct LocalSocket {
    file: SocketFile,
}

impl LocalSocket {
    /// Listens in the runtime folder, else in the state folder. A file that a dead daemon left is
    /// replaced.
    ///
    /// # Errors
    /// In words, when neither can be had.
    pub(super) fn bind(state: &StateDir) -> Result<Self, String> {
        let places = places(env::var_os("XDG_RUNTIME_DIR"), state);
        let mut problem = "its path would be too long".to_owned();
        for path in places {
            match unix::listen(&path) {
                Ok(file) => return Ok(Self { file }),
                Err(reason) => problem = format!("{}: {}", path.display(), words(reason)),
            }
        }
        Err(problem)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The socket once more, to serve on.
    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        let listener = UnixListener::from(self.file.socket().try_clone()?);
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

fn words(reason: Reason) -> String {
    match reason {
        Reason::Taken(owner) => format!("taken by {owner}"),
        Reason::NoSocket => "there is a file that is not a socket".to_owned(),
        Reason::Refused(cause) => cause.to_string(),
        other => format!("{other:?}"),
    }
}

/// Where the socket may lie, the best place first.
fn places(runtime: Option<OsString>, state: &StateDir) -> Vec<PathBuf> {
    let runtime = runtime
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .map(|path| path.join("background-process-manager"))
        .filter(|path| is_private(path));
    let folders = runtime.into_iter().chain([state.path().to_owned()]);
    let key = state.key();
    // Clients find it by `daemon.json`, so the name is for people.
    let hash = key.rsplit('-').next().unwrap_or(key);
    let paths = folders.map(|folder| {
        let named = |name: &str| folder.join(format!("{name}.sock"));
        let fits = |path: &PathBuf| path.as_os_str().as_bytes().len() <= LONGEST;
        [named(key), named(hash)].into_iter().find(fits)
    });
    paths.flatten().collect()
}

/// Makes a folder that only this user may enter, if it is not there. Where the runtime folder itself
/// is missing, as after `su`, there is none.
fn is_private(path: &Path) -> bool {
    let made = DirBuilder::new().mode(MODE).create(path);
    if made.is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        return false;
    }
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return false;
    };
    let is_ours = metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw();
    let is_closed = metadata.mode() & 0o7777 == MODE;
    is_ours && (is_closed || fs::set_permissions(path, Permissions::from_mode(MODE)).is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn state(home: &Path) -> StateDir {
        StateDir::open_in(home, Path::new("/home/u/ganbot")).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn it_lies_in_the_runtime_folder_where_only_its_owner_may_look() {
        let home = tempfile::tempdir().unwrap();
        let state = state(home.path());
        let runtime = home.path().join("run");
        fs::create_dir(&runtime).unwrap();
        let places = places(Some(runtime.clone().into()), &state);
        let folder = runtime.join("background-process-manager");
        assert_eq!(
            places,
            [
                folder.join("ganbot-906204e5.sock"),
                state.path().join("ganbot-906204e5.sock")
            ]
        );
        assert_eq!(mode(&folder), 0o700);
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        assert!(is_private(&folder));
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn without_a_runtime_folder_it_lies_in_the_state_folder() {
        let home = tempfile::tempdir().unwrap();
        let state = state(home.path());
        let own = [state.path().join("ganbot-906204e5.sock")];
        let missing = home.path().join("missing");
        let file = home.path().join("background-process-manager-file");
        fs::write(&file, "").unwrap();
        for runtime in [None, Some("relative".into()), Some(missing.into())] {
            assert_eq!(places(runtime, &state), own);
        }
    }

    #[test]
    fn a_long_path_is_shortened_to_the_hash() {
        let home = tempfile::tempdir().unwrap();
        let used = home.path().as_os_str().len() + "/background-process-manager/".len();
        let state = StateDir::open_in(home.path(), Path::new("/home/u/ganbot")).unwrap();
        let runtime = home
            .path()
            .join("r".repeat(LONGEST - used - "/12345678.sock".len()));
        fs::create_dir(&runtime).unwrap();
        let places = places(Some(runtime.into()), &state);
        assert!(places[0].ends_with("906204e5.sock"), "{places:?}");
    }

    #[test]
    fn a_stale_one_is_replaced_and_ours_is_removed_at_the_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("stale.sock");
        drop(UnixListener::bind(&path).unwrap());
        let socket = LocalSocket {
            file: unix::listen(&path).unwrap(),
        };
        assert_eq!(mode(&path), 0o600);
        let listener = socket.listener().unwrap();
        UnixStream::connect(&path).unwrap();
        assert!(listener.accept().is_ok());
        drop(socket);
        assert!(!path.exists());
    }
}
