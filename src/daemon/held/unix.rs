//! Unix sockets: private from the first moment, and removed at the end.

use std::{
    fmt,
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bpm_actors::sockets::is_shut_down;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::{BACKLOG, Reason};
use crate::daemon::port_owner::PortOwner;

/// Only the user may connect.
const MODE: u32 = 0o600;

/// The files of unix sockets; those that are still there and ours are removed when this is dropped.
#[derive(Debug, Default)]
pub struct SocketFiles(Vec<Weak<Mutex<SocketFile>>>);

impl SocketFiles {
    /// From now on the file is removed at the end, or when nobody has it any more.
    pub(super) fn keep(&mut self, file: SocketFile) -> Arc<Mutex<SocketFile>> {
        let file = Arc::new(Mutex::new(file));
        self.0.push(Arc::downgrade(&file));
        file
    }

    /// These as well. Those that are gone are forgotten.
    pub fn extend(&mut self, mut more: Self) {
        self.0.retain(|file| file.strong_count() > 0);
        self.0.append(&mut more.0);
    }
}

impl Drop for SocketFiles {
    fn drop(&mut self) {
        for file in self.0.iter().filter_map(Weak::upgrade) {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.remove();
        }
    }
}

/// A unix socket that listens, and its file, which is removed when this is dropped.
#[derive(Debug)]
pub(in crate::daemon) struct SocketFile {
    path: PathBuf,
    node: Node,
    /// While the socket is open, nobody else's file gets its number.
    socket: Arc<OwnedFd>,
}

/// Why nobody who connects at its path reaches a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The file is gone.
    Removed,
    /// There is another file in its place.
    Replaced,
    /// A child called `shutdown`, which holds for all who have it, and for good.
    ShutDown,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "was removed",
            Self::Replaced => "was replaced",
            Self::ShutDown => "was shut down by a run",
        })
    }
}

impl SocketFile {
    /// The socket, closed on exec.
    pub(in crate::daemon) fn socket(&self) -> Arc<OwnedFd> {
        self.socket.clone()
    }

    /// Where it is.
    pub(in crate::daemon) fn path(&self) -> &Path {
        &self.path
    }

    /// Why it is of no use any more, if it is not.
    pub(super) fn loss(&self) -> Option<Loss> {
        match Node::at(&self.path) {
            Ok(node) if node != self.node => Some(Loss::Replaced),
            Err(error) if error.kind() == ErrorKind::NotFound => Some(Loss::Removed),
            // Where we may not look, the path may be good for others.
            Ok(_) | Err(_) => is_shut_down(&self.socket).then_some(Loss::ShutDown),
        }
    }
}

/// Which file it is, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    device: u64,
    inode: u64,
}

impl Node {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

impl SocketFile {
    /// Removes the file, if it is still there and ours.
    fn remove(&self) {
        if Node::at(&self.path).is_ok_and(|node| node == self.node)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Listens at `path`, in blocking mode; a file that nobody listens at any more is replaced.
pub(in crate::daemon) fn listen(path: &Path) -> Result<SocketFile, Reason> {
    let socket = match bind(path) {
        Err(cause) if cause.kind() == ErrorKind::AddrInUse => {
            remove_stale(path)?;
            bind(path)
        }
        tried => tried,
    };
    let socket = socket.map_err(|cause| reason(path, cause))?;
    let file = SocketFile {
        node: Node::at(path).map_err(Reason::Refused)?,
        path: path.to_owned(),
        socket: Arc::new(socket.into()),
    };
    SockRef::from(&file.socket)
        .listen(BACKLOG)
        .map_err(Reason::Refused)?;
    Ok(file)
}

fn bind(path: &Path) -> io::Result<Socket> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // The file is created with the mode of the socket, so it never has another one. The umask belongs
    // to all threads and cannot be lent for this.
    let socket = File::from(OwnedFd::from(socket));
    socket.set_permissions(Permissions::from_mode(MODE))?;
    let socket = Socket::from(OwnedFd::from(socket));
    socket.bind(&address)?;
    Ok(socket)
}

/// Makes room where a daemon that was killed left its file. Whatever else is there stays.
fn remove_stale(path: &Path) -> Result<(), Reason> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(Reason::Refused(cause)),
    };
    if !found.file_type().is_socket() {
        return Err(Reason::NoSocket);
    }
    match connect(path) {
        Err(cause) if cause.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(Reason::Refused)
        }
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        // It listens, or it has too many waiting, or it is not ours to ask: somebody's in any case.
        Ok(_) | Err(_) => Err(taken(path)),
    }
}

/// Without waiting: a queue that is full would not end.
fn connect(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn taken(path: &Path) -> Reason {
    match PortOwner::of_unix(path) {
        owner if owner.is_us() => Reason::Ours,
        owner => Reason::Taken(owner),
    }
}

fn reason(path: &Path, cause: io::Error) -> Reason {
    match cause.kind() {
        ErrorKind::AddrInUse => taken(path),
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Reason::NoFolder(path.parent().unwrap_or(path).to_owned())
        }
        // The kernel was not even asked.
        ErrorKind::InvalidInput if cause.raw_os_error().is_none() => Reason::TooLong,
        _ => Reason::Refused(cause),
    }
}
