//! The folder where the daemon keeps what must outlive it, one for each project.
//!
//! The start opens it; builder, reaper and logs get rooms in it. `daemon.json` is how clients find a
//! running daemon.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use bpm_actors::proc_table::Identity;
use serde::Serialize;

use super::state_place;
use crate::http::Token;

/// The layout that this program reads and writes.
const VERSION: u32 = 1;
/// Whose eyes the folder is for: its owner's.
const MODE: u32 = 0o700;
/// The same for a file.
const SECRET: u32 = 0o600;

/// A project's state folder: it exists, is ours, and nobody else may look into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

/// There is nowhere to keep state.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// No environment variable tells where.
    #[error("nowhere to keep state: HOME is not set; set XDG_STATE_HOME to an absolute path")]
    NoHome,
    /// The folder exists and is somebody else's.
    #[error(
        "{}: belongs to the user with id {owner}, not to this one ({user}); \
         set XDG_STATE_HOME to a folder of your own",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// A newer program wrote it.
    #[error(
        "{}: written by a newer version of this program (layout {found}, this one knows {VERSION})",
        path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// The system refuses.
    #[error("{}: cannot keep state there: {cause}", path.display())]
    Io {
        /// What was to be made, read or written.
        path: PathBuf,
        /// Why it did not work.
        cause: io::Error,
    },
}

/// `daemon.json`.
#[derive(Serialize)]
struct DaemonFile<'a> {
    #[serde(flatten)]
    daemon: Identity,
    url: &'a str,
    project_dir: &'a str,
    /// Of the unix socket; null where there is none.
    socket: Option<&'a str>,
}

impl StateDir {
    /// Makes the folder of a project ready where the environment says. `project_dir` is canonical.
    ///
    /// # Errors
    /// When the environment does not say, or the folder cannot be made or is not ours alone.
    pub fn open(project_dir: &Path) -> Result<Self, StateDirError> {
        let home = state_place::home().ok_or(StateDirError::NoHome)?;
        Self::open_in(&home, project_dir)
    }

    /// Makes the folder of a project ready below `home`, an absolute path such as
    /// `~/.local/state`.
    ///
    /// # Errors
    /// When the folder cannot be made or is not ours alone.
    pub fn open_in(home: &Path, project_dir: &Path) -> Result<Self, StateDirError> {
        let path = state_place::folder(home, project_dir);
        let failed = |cause| StateDirError::Io {
            path: path.clone(),
            cause,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(MODE)
            .create(&path)
            .map_err(failed)?;
        let metadata = path.metadata().map_err(failed)?;
        let user = nix::unistd::geteuid().as_raw();
        if metadata.uid() != user {
            return Err(StateDirError::Foreign {
                path,
                owner: metadata.uid(),
                user,
            });
        }
        if metadata.mode() & 0o7777 != MODE {
            fs::set_permissions(&path, Permissions::from_mode(MODE)).map_err(failed)?;
        }
        let folder = Self { path };
        folder.check_version()?;
        Ok(folder)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tells the project from all others.
    #[must_use]
    pub fn key(&self) -> &str {
        let name = self.path.file_name();
        name.and_then(|name| name.to_str()).unwrap_or("project")
    }

    /// Where the token is.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.path.join(state_place::TOKEN_FILE)
    }

    /// The token, made once and kept. Only its owner may read it.
    ///
    /// # Errors
    /// When there is none and it cannot be made.
    pub fn token(&self) -> Result<Token, StateDirError> {
        let path = self.token_file();
        let made = match fs::read_to_string(&path)
            .ok()
            .as_deref()
            .and_then(Token::parse)
        {
            Some(token) => only_ours(&path).map(|()| token),
            None => self.make_token(&path),
        };
        made.map_err(|cause| StateDirError::Io { path, cause })
    }

    fn make_token(&self, path: &Path) -> io::Result<Token> {
        let mut random = [0; Token::DIGITS / 2];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let token = Token::of(random);
        let new = self.path.join("token.new");
        // Private from the first moment, also where one is left of an earlier try.
        let _ = fs::remove_file(&new);
        let mut file = File::options();
        let mut file = file.write(true).create_new(true).mode(SECRET).open(&new)?;
        file.write_all(format!("{}\n", token.text()).as_bytes())?;
        fs::rename(&new, path)?;
        Ok(token)
    }

    /// Where the sockets lie that children notify.
    #[must_use]
    pub fn notify_folder(&self) -> PathBuf {
        self.path.join("notify")
    }

    /// Tells clients where this daemon is. `url` is that of MCP, `socket` the path of the unix socket.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_daemon_file(
        &self,
        url: &str,
        project_dir: &Path,
        socket: Option<&Path>,
    ) -> Result<(), StateDirError> {
        let path = self.path.join(state_place::DAEMON_FILE);
        let failed = |cause| StateDirError::Io {
            path: path.clone(),
            cause,
        };
        let identity = Identity::of(std::process::id())
            .ok_or_else(|| failed(io::Error::other("/proc does not know this process")))?;
        let content = DaemonFile {
            daemon: identity,
            url,
            project_dir: &project_dir.to_string_lossy(),
            socket: socket.and_then(Path::to_str),
        };
        let mut text = serde_json::to_vec(&content).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        self.write(state_place::DAEMON_FILE, &text)
    }

    /// Tells clients that this daemon is gone. One that was not there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_daemon_file(&self) -> Result<(), StateDirError> {
        let path = self.path.join(state_place::DAEMON_FILE);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(StateDirError::Io { path, cause })
            }
            _ => Ok(()),
        }
    }

    /// Refuses what a newer program wrote; whatever else is there becomes our version.
    fn check_version(&self) -> Result<(), StateDirError> {
        let written = fs::read_to_string(self.path.join("version")).ok();
        match written.and_then(|text| text.trim().parse().ok()) {
            Some(VERSION) => Ok(()),
            Some(found) if found > VERSION => Err(StateDirError::Newer {
                path: self.path.clone(),
                found,
            }),
            _ => match self.write("version", format!("{VERSION}\n").as_bytes()) {
                // The next start writes it; a full disk is no reason not to run.
                Err(StateDirError::Io { cause, .. }) if is_full(&cause) => Ok(()),
                written => written,
            },
        }
    }

    /// Readers see the old content or the new one, never a part. Only the project's one daemon
    /// writes, so the intermediate name needs no number.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), StateDirError> {
        let path = self.path.join(name);
        let new = self.path.join(format!("{name}.new"));
        let written = File::create(&new)
            .and_then(|mut file| file.write_all(content))
            .and_then(|()| fs::rename(&new, &path));
        written.map_err(|cause| StateDirError::Io { path, cause })
    }
}

fn only_ours(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(SECRET))
}

fn is_full(cause: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(
        cause.kind(),
        StorageFull | QuotaExceeded | ReadOnlyFilesystem
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn the_folder_is_made_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");

        let folder = StateDir::open_in(&state, Path::new("/home/u/ganbot")).unwrap();

        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&state), 0o700);
        assert!(
            folder
                .path()
                .starts_with(state.join("background-process-manager"))
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("version")).unwrap(),
            "1\n"
        );
    }

    #[test]
    fn a_folder_that_others_could_look_into_is_closed_to_them() {
        let home = tempfile::tempdir().unwrap();
        let project = Path::new("/p");
        let folder = StateDir::open_in(home.path(), project).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();

        let again = StateDir::open_in(home.path(), project).unwrap();

        assert_eq!(again, folder);
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let folder = StateDir::open_in(home.path(), Path::new("/p")).unwrap();
        std::os::unix::fs::chown(folder.path(), Some(4321), None).unwrap();

        let refused = StateDir::open_in(home.path(), Path::new("/p")).unwrap_err();

        assert!(
            refused
                .to_string()
                .contains("belongs to the user with id 4321, not to this one (0)"),
            "{refused}"
        );
    }

    #[test]
    fn a_layout_of_the_future_is_refused_and_a_broken_version_mended() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateDir::open_in(home.path(), Path::new("/p")).unwrap();
        let version = folder.path().join("version");

        fs::write(&version, "").unwrap();
        StateDir::open_in(home.path(), Path::new("/p")).unwrap();
        assert_eq!(fs::read_to_string(&version).unwrap(), "1\n");

        fs::write(&version, "2\n").unwrap();
        let refused = StateDir::open_in(home.path(), Path::new("/p")).unwrap_err();
        assert!(matches!(refused, StateDirError::Newer { found: 2, .. }));
    }

    #[test]
    fn a_token_is_made_once_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateDir::open_in(home.path(), Path::new("/p")).unwrap();
        let token = folder.token().unwrap();
        assert_eq!(mode(&folder.token_file()), 0o600);
        fs::set_permissions(folder.token_file(), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(folder.token().unwrap(), token);
        assert_eq!(mode(&folder.token_file()), 0o600);
        fs::write(folder.token_file(), "guess\n").unwrap();
        assert_ne!(folder.token().unwrap(), token);
        assert_eq!(mode(&folder.token_file()), 0o600);
    }

    #[test]
    fn clients_find_the_daemon_until_it_ends() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateDir::open_in(home.path(), Path::new("/p")).unwrap();
        folder
            .write_daemon_file(
                "http://localhost:3001/mcp",
                Path::new("/p"),
                Some(Path::new("/run/p.sock")),
            )
            .unwrap();

        let text = fs::read_to_string(folder.path().join("daemon.json")).unwrap();
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["pid"], std::process::id());
        let identity = Identity::of(std::process::id()).unwrap();
        assert_eq!(told["start_time"], identity.start_time);
        assert_eq!(told["url"], "http://localhost:3001/mcp");
        assert_eq!(told["project_dir"], "/p");
        assert_eq!(told["socket"], "/run/p.sock");
        assert_eq!(told.as_object().unwrap().len(), 5);

        folder.remove_daemon_file().unwrap();
        folder.remove_daemon_file().unwrap();
        assert!(!folder.path().join("daemon.json").exists());
    }
}
