//! Finds a running daemon by what it wrote into its state folder.

use std::{
    env, fs, io,
    net::IpAddr,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use bpm_actors::proc_table::Identity;
use serde::Deserialize;

use super::target::{Address, BadUrl, Target};
use crate::{
    config,
    daemon::state_place::{self, DAEMON_FILE, TOKEN_FILE},
};

/// The variable with the token of a daemon that is named by its URL and not known here.
pub const TOKEN_VARIABLE: &str = "BPM_TOKEN";

/// How the user said which daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its URL.
    Url(String),
    /// That of the project which this directory is in: it or one above it.
    Project(PathBuf),
}

/// Why no daemon was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The URL is none.
    #[error(transparent)]
    BadUrl(#[from] BadUrl),
    /// The directory cannot be used.
    #[error("{}: cannot look for a project there: {cause}", dir.display())]
    Directory {
        /// What was given.
        dir: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Neither there nor above is a project.
    #[error(
        "no project: neither {} nor a directory above it has a {}",
        .0.display(),
        config::FILE_NAME
    )]
    NoProject(PathBuf),
    /// The project has no running daemon.
    #[error("{}: its daemon does not run", project_dir.display())]
    NotRunning {
        /// The project's directory.
        project_dir: PathBuf,
    },
}

/// Finds the daemon; one that runs, as far as can be told without asking it.
///
/// # Errors
/// When there is none, or it cannot be told which one is meant.
pub fn find(which: &Which) -> Result<Target, FindError> {
    let token = env::var(TOKEN_VARIABLE).ok();
    find_in(state_place::home().as_deref(), which, token.as_deref())
}

/// The project that a directory is in: the nearest one from there upwards with a configuration.
///
/// # Errors
/// When there is none.
pub fn project(dir: &Path) -> Result<PathBuf, FindError> {
    let from = canonical(dir)?;
    let found = from.ancestors().find(|dir| has_config(dir));
    found
        .map(Path::to_owned)
        .ok_or_else(|| FindError::NoProject(from.clone()))
}

/// `daemon.json`, as clients read it.
#[derive(Deserialize)]
struct DaemonFile {
    #[serde(flatten)]
    daemon: Identity,
    url: String,
    project_dir: PathBuf,
    #[serde(default)]
    socket: Option<PathBuf>,
}

/// `given` is the token that the user gives; where one is known for an address, that is shown.
pub(super) fn find_in(
    home: Option<&Path>,
    which: &Which,
    given: Option<&str>,
) -> Result<Target, FindError> {
    match which {
        Which::Url(url) => {
            let address = Address::parse(url)?;
            let known = home.and_then(|home| known_at(home, &address));
            let given = given.map(str::trim).filter(|it| !it.is_empty());
            let (token, project_dir) = known.unwrap_or_else(|| (given.map(str::to_owned), None));
            let url = format!("http://{}/mcp", address.authority());
            Ok(Target {
                address,
                token,
                url,
                project_dir,
            })
        }
        Which::Project(dir) => {
            let from = canonical(dir)?;
            for project_dir in from.ancestors() {
                let daemon = home.and_then(|home| {
                    let folder = state_place::folder(home, project_dir);
                    let file = running(&folder)?;
                    target(file, &folder)
                });
                if let Some(target) = daemon {
                    return Ok(target);
                }
                if has_config(project_dir) {
                    let project_dir = project_dir.to_owned();
                    return Err(FindError::NotRunning { project_dir });
                }
            }
            Err(FindError::NoProject(from))
        }
    }
}

fn canonical(dir: &Path) -> Result<PathBuf, FindError> {
    let directory = |cause| FindError::Directory {
        dir: dir.to_owned(),
        cause,
    };
    let path = dir.canonicalize().map_err(directory)?;
    if path.is_dir() {
        Ok(path)
    } else {
        Err(directory(io::ErrorKind::NotADirectory.into()))
    }
}

fn has_config(dir: &Path) -> bool {
    dir.join(config::FILE_NAME).is_file()
}

/// What the daemon of this folder says, if it lives.
fn running(folder: &Path) -> Option<DaemonFile> {
    let text = fs::read(folder.join(DAEMON_FILE)).ok()?;
    let file: DaemonFile = serde_json::from_slice(&text).ok()?;
    file.daemon.exists().then_some(file)
}

fn target(file: DaemonFile, folder: &Path) -> Option<Target> {
    let is_socket =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    // What clears a runtime folder takes the socket along.
    let address = match file.socket.filter(is_socket) {
        Some(path) => Address::Unix(path),
        None => Address::parse(&file.url).ok()?,
    };
    Some(Target {
        address,
        token: token(folder),
        url: file.url,
        project_dir: Some(file.project_dir),
    })
}

fn token(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(TOKEN_FILE)).ok()?;
    let token = text.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// The token and the project of the daemon that serves there. Nobody else is ever shown a token of ours:
/// another user may listen on the same port of another address of this machine.
fn known_at(home: &Path, address: &Address) -> Option<(Option<String>, Option<PathBuf>)> {
    let folders = fs::read_dir(state_place::all(home)).ok()?.flatten();
    folders.map(|entry| entry.path()).find_map(|folder| {
        let file = running(&folder)?;
        let named = Address::parse(&file.url).ok()?;
        is_named(&named, address).then(|| (token(&folder), Some(file.project_dir)))
    })
}

/// Whether a daemon that names its own address so is asked by this one.
fn is_named(named: &Address, asked: &Address) -> bool {
    /// What `localhost` is; a daemon that names it has the port on both.
    const LOCALHOST: [&str; 2] = ["127.0.0.1", "::1"];
    let (
        Address::Tcp { host, port },
        Address::Tcp {
            host: wanted,
            port: at,
        },
    ) = (named, asked)
    else {
        return false;
    };
    let is = |host: &str, wanted: &str| match (host.parse(), wanted.parse()) {
        (Ok::<IpAddr, _>(ip), Ok::<IpAddr, _>(wanted)) => ip == wanted,
        _ => host.eq_ignore_ascii_case(wanted),
    };
    let is_local = is("localhost", host) && LOCALHOST.iter().any(|it| is(it, wanted));
    port == at && (is(host, wanted) || is_local)
}

/// What must be shown to the daemon of this project, whether it runs or not, if anything.
#[must_use]
pub fn token_of(project_dir: &Path) -> Option<String> {
    token(&state_place::folder(&state_place::home()?, project_dir))
}
