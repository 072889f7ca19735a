//! Connects to a port of a loopback address, without waiting.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt},
};
use tokio::net::TcpStream;

/// Which loopback address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    /// Where node listens when it is told `localhost`.
    V6,
}

/// How far a connection got at once.
pub(super) enum Dialled {
    Through(TcpStream),
    /// Under way: the listener's queue is full.
    Pending(TcpStream),
}

impl Family {
    pub(super) fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    fn address(self, port: u16) -> SocketAddr {
        let ip: IpAddr = match self {
            Self::V4 => Ipv4Addr::LOCALHOST.into(),
            Self::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, port)
    }
}

/// Dials. On the loopback interface the peer's kernel has answered before the first call returns, so
/// asking a second time tells the outcome without a turn through the reactor.
///
/// # Errors
/// When it was refused, or when the system has no descriptor or port left.
pub(super) fn dial(family: Family, port: u16) -> io::Result<Dialled> {
    let domain = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(domain, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    let address = family.address(port);
    let is_through = match connect(&socket, &address) {
        Err(Errno::INPROGRESS) => match connect(&socket, &address) {
            Ok(()) | Err(Errno::ISCONN) => true,
            Err(Errno::ALREADY | Errno::INPROGRESS) => false,
            Err(error) => return Err(error.into()),
        },
        outcome => outcome.map(|()| true)?,
    };
    sockopt::set_tcp_nodelay(&socket, true)?;
    let stream = std::net::TcpStream::from(socket);
    // While nobody listens there, TCP lets a socket connect to itself if the system happens to give
    // it that very port, and would keep the child from binding it.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    let stream = TcpStream::from_std(stream)?;
    Ok(if is_through {
        Dialled::Through(stream)
    } else {
        Dialled::Pending(stream)
    })
}

/// Waits for a pending connection.
///
/// # Errors
/// When it came to nothing.
pub(super) async fn completed(stream: &TcpStream) -> io::Result<()> {
    stream.writable().await?;
    match stream.take_error()? {
        Some(error) => Err(error),
        None => stream.peer_addr().map(drop),
    }
}
