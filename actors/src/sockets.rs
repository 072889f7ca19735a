//! Sockets that the daemon holds for a process, for its whole life, and hands down to each child.
//!
//! The daemon binds them; the process's actor keeps them and puts them into each
//! [`Launch`](crate::children::Launch). What a child does with its copy leaves ours alone.

use std::{fmt, os::fd::OwnedFd, sync::Arc};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionbio,
    net::sockopt::socket_acceptconn,
};

use crate::{relay::Relay, spec::ListenAddress};

/// As many connections as the kernel lets wait: they wait through builds and crashes.
pub const BACKLOG: i32 = 4096;

/// Listening sockets of one process, in the order in which they are handed down. Clones share them;
/// they are closed when the last clone is dropped.
#[derive(Clone, Default)]
pub struct HeldSockets(Arc<[HeldSocket]>);

/// One of them.
#[derive(Clone, Debug)]
pub struct HeldSocket {
    /// Its name in `LISTEN_FDNAMES`.
    pub name: String,
    /// Where it listens.
    pub address: ListenAddress,
    /// It. Closed on exec.
    pub descriptor: Arc<OwnedFd>,
    /// Where it can be lost though it is open, if it can.
    pub place: Option<Arc<dyn Place>>,
}

/// The place of a socket that has to be bound anew when it is lost: its file is removed, or a child shut
/// it down for good.
pub trait Place: fmt::Debug + Send + Sync {
    /// A new socket there, if the one that was bound last is lost. Logs what it finds; where somebody
    /// else is in the place, that is all.
    fn renew(&self) -> Option<Arc<OwnedFd>>;
}

impl HeldSockets {
    /// These.
    #[must_use]
    pub fn new(sockets: Vec<HeldSocket>) -> Self {
        Self(sockets.into())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Lets as many connections wait as the kernel permits. A child that calls `listen` on what it was
    /// handed changes that for all who share the socket; one that calls `shutdown` ends it for all.
    pub fn widen(&self) {
        for socket in self {
            let listened = socket_acceptconn(&socket.descriptor);
            match rustix::net::listen(&socket.descriptor, BACKLOG) {
                Ok(()) if listened == Ok(false) => {
                    let address = &socket.address;
                    log::warn!("{address} was shut down by a run: listening again");
                }
                Ok(()) => {}
                Err(error) => log::warn!("cannot listen on {}: {error}", socket.address),
            }
        }
    }

    /// Binds anew what was lost. A child keeps the sockets that it was handed.
    pub fn renew(&mut self) {
        let renewed = |socket: &HeldSocket| socket.place.as_ref()?.renew();
        let renewed: Vec<_> = self.iter().map(renewed).collect();
        if renewed.iter().all(Option::is_none) {
            return;
        }
        let sockets = self.iter().zip(renewed).map(|(socket, renewed)| {
            let mut socket = socket.clone();
            socket.descriptor = renewed.unwrap_or(socket.descriptor);
            socket
        });
        self.0 = sockets.collect();
    }

    /// Takes over what another set, which shares some of them, has bound anew.
    pub(crate) fn follow(&mut self, other: &Self) {
        let same = |socket: &HeldSocket| other.iter().find(|it| it.address == socket.address);
        let sockets = self.iter().map(|socket| {
            let mut socket = socket.clone();
            if let Some(newer) = same(&socket) {
                socket.descriptor = Arc::clone(&newer.descriptor);
            }
            socket
        });
        self.0 = sockets.collect();
    }

    /// Puts them into blocking mode, as the convention of systemd has it. The mode is that of all who
    /// share the sockets.
    pub fn block(&self) {
        for socket in self {
            if let Err(error) = ioctl_fionbio(&socket.descriptor, false) {
                log::warn!("{} stays in non-blocking mode: {error}", socket.address);
            }
        }
    }

    /// Each.
    pub fn iter(&self) -> std::slice::Iter<'_, HeldSocket> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a HeldSockets {
    type Item = &'a HeldSocket;
    type IntoIter = std::slice::Iter<'a, HeldSocket>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for HeldSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|it| (&it.name, it.address.to_string())))
            .finish()
    }
}

/// Whether a child called `shutdown` on a unix socket: it still listens, and refuses all connections.
#[must_use]
pub fn is_shut_down(socket: &OwnedFd) -> bool {
    let mut looked = [PollFd::new(socket, PollFlags::RDHUP)];
    let found = poll(&mut looked, Some(&Timespec::default()));
    found.is_ok() && looked[0].revents().contains(PollFlags::RDHUP)
}

/// What the daemon bound for a process.
#[derive(Clone, Debug, Default)]
pub enum Doors {
    /// Nothing: the process binds its own sockets.
    #[default]
    Own,
    /// Sockets to hand down.
    Held(HeldSockets),
    /// A public port with a relay behind it.
    Relayed(Relay),
}

/// Command: these are the process's doors. Sent once, before the boot; later ones come with
/// [`Replace`](crate::restart::Replace).
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Hold(pub Doors);
