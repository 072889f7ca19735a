//! What became of the server's side of a connection of ours.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

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

    /// Looks at a connection now.
    pub(super) fn side(&self, stream: &TcpStream) -> Side {
        let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else {
            return Side::Lost;
        };
        let (ours, theirs) = (canonical(ours), canonical(theirs));
        let found = self.find(theirs, ours);
        match found.filter(|entry| entry.state != Entry::LISTEN) {
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
        }
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Both ways to look.
    fn tables() -> [Table; 2] {
        [Table::open(), Table(None)]
    }

    async fn connect(listener: &TcpListener, ip: &str) -> TcpStream {
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((ip, port)).await.unwrap()
    }

    fn inode(socket: &impl std::os::fd::AsFd) -> u64 {
        rustix::fs::fstat(socket).unwrap().st_ino
    }

    #[test]
    fn netlink_is_there_where_these_tests_run() {
        assert!(Table::open().0.is_some());
    }

    #[actix::test]
    async fn a_connection_is_followed_from_the_queue_to_its_end() {
        // The last one is a dual-stack listener that is asked over IPv4.
        for (at, ip) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
        ] {
            let listener = TcpListener::bind(at).unwrap();
            let stream = connect(&listener, ip).await;
            let sides = || tables().map(|table| table.side(&stream));
            assert_eq!(sides(), [Side::Queued; 2], "{at}");
            let (accepted, _) = listener.accept().unwrap();
            assert_eq!(sides(), [Side::Accepted(inode(&accepted)); 2], "{at}");
            drop(accepted);
            assert_eq!(sides(), [Side::Closed; 2], "{at}");
            let address = stream.peer_addr().unwrap();
            for table in tables() {
                assert_eq!(table.listener(address), Some(inode(&listener)), "{at}");
            }
        }
    }

    #[actix::test]
    async fn a_connection_whose_listener_went_was_accepted_by_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = connect(&listener, "127.0.0.1").await;
        let address = stream.peer_addr().unwrap();
        drop(listener);
        for table in tables() {
            assert_eq!(table.side(&stream), Side::Lost);
            assert_eq!(table.listener(address), None);
        }
    }
}
