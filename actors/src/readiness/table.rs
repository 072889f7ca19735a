//! What became of the server's side of a connection of ours.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use tokio::net::TcpStream;

use super::{
    proc_net,
    sock_diag::{Entry, SockDiag},
};

/// The server's side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// It waits in the accept queue: nobody has accepted it.
    Queued,
    /// Somebody accepted it: whoever has the socket with this inode.
    Accepted(u64),
    /// Somebody accepted it and has closed it since.
    Closed,
    /// The connection broke; nobody needs to have accepted it.
    Lost,
    /// It is not in our network namespace: another host, a container.
    Elsewhere,
}

/// The kernel's table of TCP sockets.
#[derive(Debug)]
pub(super) struct Table(Option<SockDiag>);

impl Table {
    /// Opens it, one way or the other.
    pub(super) fn open() -> Self {
        Self(SockDiag::open().ok())
    }

    #[cfg(test)]
    pub(super) fn without_netlink() -> Self {
        Self(None)
    }

    /// Looks at a connection now.
    ///
    /// # Errors
    /// When the connection has no addresses any more.
    pub(super) fn side(&self, stream: &TcpStream) -> io::Result<Side> {
        let (ours, theirs) = (
            canonical(stream.local_addr()?),
            canonical(stream.peer_addr()?),
        );
        let found = self.find(theirs, ours);
        Ok(match found.filter(|entry| entry.state != Entry::LISTEN) {
            Some(Entry { state, inode: 0 }) => match state {
                Entry::ESTABLISHED
                | Entry::CLOSE_WAIT
                | Entry::SYN_RECEIVED
                | Entry::NEW_SYN_RECEIVED => Side::Queued,
                _ => Side::Closed,
            },
            Some(Entry { inode, .. }) => Side::Accepted(inode),
            None => match peek(stream) {
                Peeked::Silence | Peeked::Words => Side::Elsewhere,
                // The kernel ends a connection in this way only for someone who had it.
                Peeked::End => Side::Closed,
                Peeked::Broken => Side::Lost,
            },
        })
    }

    /// The inode of the socket that listens at this address.
    pub(super) fn listener(&self, address: SocketAddr) -> Option<u64> {
        let address = canonical(address);
        let nobody: SocketAddr = if address.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let found = self.find(address, nobody)?;
        (found.state == Entry::LISTEN).then_some(found.inode)
    }

    fn find(&self, local: SocketAddr, remote: SocketAddr) -> Option<Entry> {
        let Some(diag) = &self.0 else {
            return proc_net::find(local, remote);
        };
        match diag.find(local, remote) {
            Ok(entry) => Some(entry),
            // A kernel without the module for TCP says the same, and would of our side as well.
            Err(Errno::NOENT) if diag.find(remote, local).is_ok() => None,
            Err(_) => proc_net::find(local, remote),
        }
    }
}

/// A dual-stack socket has IPv4 addresses in the clothes of IPv6; the lookup wants them bare.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => {
            SocketAddr::new(v6.ip().to_canonical(), v6.port())
        }
        other => other,
    }
}

/// What has arrived on a connection, without taking it.
enum Peeked {
    Silence,
    Words,
    End,
    Broken,
}

fn peek(stream: &TcpStream) -> Peeked {
    match recv(stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((0, _)) => Peeked::End,
        Ok(_) => Peeked::Words,
        Err(Errno::AGAIN | Errno::INTR) => Peeked::Silence,
        Err(_) => Peeked::Broken,
    }
}
