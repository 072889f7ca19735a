//! Who is at the other end of a connection.

use std::{
    any::Any,
    net::Shutdown,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use actix_web::{
    dev::Extensions,
    rt::net::{TcpStream, UnixStream},
};
use socket2::SockRef;

/// How the other end came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over TCP: any user and any page of this machine.
    Tcp,
    /// By the unix socket: this user only.
    Unix,
}

/// The other end of a connection. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Peer(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    way: Way,
    /// The connection once more; `None` where there was no descriptor left for it.
    socket: Option<OwnedFd>,
}

impl Peer {
    /// Notes who connected, for all requests of this connection.
    pub(crate) fn note(stream: &dyn Any, extensions: &mut Extensions) {
        let (way, socket) = if let Some(unix) = stream.downcast_ref::<UnixStream>() {
            (Way::Unix, unix.as_fd().try_clone_to_owned())
        } else if let Some(tcp) = stream.downcast_ref::<TcpStream>() {
            (Way::Tcp, tcp.as_fd().try_clone_to_owned())
        } else {
            return;
        };
        let socket = socket.ok();
        extensions.insert(Self(Arc::new(Connection { way, socket })));
    }

    /// How it came in.
    pub(crate) fn way(&self) -> Way {
        self.0.way
    }

    /// Ends the connection, also where the other end takes nothing: what was not sent is lost. The
    /// server itself looks after an answer again only when there is room for more of it.
    pub(crate) fn cut(&self) {
        if let Some(socket) = &self.0.socket {
            // One that is closed already is what was wanted.
            let _ = SockRef::from(socket).shutdown(Shutdown::Both);
        }
    }
}
