//! `NOTIFY_SOCKET`: what a child says about itself, by the protocol of `sd_notify(3)`.
//!
//! A socket of its own for every run, so that nobody speaks for another one. A process's actor binds
//! it before the run starts and listens as long as the run lives. What a notice means is not known
//! here.

use std::{
    env,
    fs::{self, DirBuilder},
    io, mem,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, FileTypeExt},
    },
    path::{Path, PathBuf},
};

use nix::unistd::mkdtemp;
use tokio::net::UnixDatagram;

use crate::ids::{ProcessName, RunId};

/// The longest path of a unix socket, in bytes, with room for the zero behind it.
const LONGEST_PATH: usize = 107;
/// The longest datagram that is read, in bytes; the rest of a longer one is cut off.
const LONGEST: usize = 64 * 1024;
/// The longest status, in characters.
const LONGEST_STATUS: usize = 200;

/// Where one run is heard. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
    /// The folder that was made for it alone.
    folder: Option<PathBuf>,
}

/// Something that a child said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `READY=1`
    Ready,
    /// `STATUS=`, without control characters, shortened.
    Status(String),
    /// `STOPPING=1`
    Stopping,
    /// `WATCHDOG=1`: a sign of life.
    Alive,
    /// `WATCHDOG=trigger`: the child itself says that it is stuck.
    Stuck,
}

impl NotifySocket {
    /// Binds one in `folder`, which only we may enter, or, where that path would be too long for a
    /// socket, in a new private folder of the system's temporary one. Needs tokio's runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn bind(folder: &Path, process: &ProcessName, run: RunId) -> io::Result<Self> {
        let path = folder.join(format!("{process}-{run}"));
        if path.as_os_str().len() <= LONGEST_PATH {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            remove_stale(&path);
            let socket = UnixDatagram::bind(&path)?;
            return Ok(Self {
                socket,
                path,
                folder: None,
            });
        }
        let folder = private_folder(&env::temp_dir())?;
        let path = folder.join("notify");
        match UnixDatagram::bind(&path) {
            Ok(socket) => Ok(Self {
                socket,
                path,
                folder: Some(folder),
            }),
            Err(error) => {
                let _ = fs::remove_dir(&folder);
                Err(error)
            }
        }
    }

    /// The value of `NOTIFY_SOCKET`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next things that were said. What is not known is left out. Cancel safe.
    ///
    /// # Errors
    /// When the socket is of no use any more.
    pub async fn next(&self) -> io::Result<Vec<Notice>> {
        loop {
            self.socket.readable().await?;
            match self.receive() {
                Ok(notices) if notices.is_empty() => {}
                Ok(notices) => return Ok(notices),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes one datagram. Descriptors that came with it (`BARRIER=1` waits for their end,
    /// `FDSTORE=1`) are closed by the kernel, because no room is given for them.
    fn receive(&self) -> io::Result<Vec<Notice>> {
        let mut datagram = vec![0; LONGEST];
        let length = self.socket.try_recv(&mut datagram)?;
        Ok(notices(&datagram[..length]))
    }
}

/// Removes the sockets that a dead daemon left in `folder`. Before anything is bound there.
///
/// # Errors
/// When the folder cannot be read.
pub fn clear(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        remove_stale(&entry?.path());
    }
    Ok(())
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        // What is gone already needs not be removed.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Removes the socket of a dead daemon; anything else stays and makes the bind fail.
fn remove_stale(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        let _ = fs::remove_file(path);
    }
}

/// A new folder that only we may enter, in `parent` or, where that is too long, in `/tmp`.
fn private_folder(parent: &Path) -> io::Result<PathBuf> {
    const NAME: &str = "bpm-notify-XXXXXX";
    let room = LONGEST_PATH - NAME.len() - "//notify".len();
    let parent = if parent.as_os_str().as_bytes().len() <= room {
        parent
    } else {
        Path::new("/tmp")
    };
    Ok(mkdtemp(&parent.join(NAME))?)
}

/// What a datagram says, in its order. What it says several times counts once: who repeats himself
/// costs no more than who does not.
fn notices(datagram: &[u8]) -> Vec<Notice> {
    let lines = datagram.split(|&byte| byte == b'\n');
    let mut said: Vec<Notice> = Vec::new();
    for notice in lines.filter_map(notice) {
        said.retain(|earlier| mem::discriminant(earlier) != mem::discriminant(&notice));
        said.push(notice);
    }
    said
}

fn notice(line: &[u8]) -> Option<Notice> {
    Some(match line {
        b"READY=1" => Notice::Ready,
        b"STOPPING=1" => Notice::Stopping,
        b"WATCHDOG=1" => Notice::Alive,
        b"WATCHDOG=trigger" => Notice::Stuck,
        _ => Notice::Status(status(line.strip_prefix(b"STATUS=")?)),
    })
}

fn status(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let visible = |char: char| if char.is_control() { ' ' } else { char };
    let mut chars = text.chars().map(visible);
    let mut status: String = chars.by_ref().take(LONGEST_STATUS).collect();
    if chars.next().is_some() {
        status.pop();
        status.push('…');
    }
    status
}

#[cfg(test)]
mod tests;
