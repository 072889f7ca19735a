//! TCP sockets.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};

use super::{BACKLOG, Reason};
use crate::daemon::{listener::lacks_ipv6, port_owner::PortOwner};

/// Listens at `address`; blocking.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, Reason> {
    try_listen(address).map_err(|cause| reason(address, cause))
}

/// Listens at all of them by `try_listen`. `[::1]` is left out on a machine without IPv6 where 127.0.0.1
/// stands beside it: both together are how a port of this machine is written.
pub(super) fn listen_at_all_by(
    addresses: &[SocketAddr],
    try_listen: impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<Vec<TcpListener>, (SocketAddr, Reason)> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        match try_listen(*address) {
            Ok(listener) => listeners.push(listener),
            Err(cause) if lacks_ipv6(&cause) && is_one_of_a_pair(*address, addresses) => {
                log::debug!("nothing listens at {address}: {cause}");
            }
            Err(cause) => return Err((*address, reason(*address, cause))),
        }
    }
    Ok(listeners)
}

fn is_one_of_a_pair(address: SocketAddr, addresses: &[SocketAddr]) -> bool {
    let other = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    address.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST) && addresses.contains(&other)
}

/// Listens there, and says why not in the system's words.
pub(super) fn try_listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Else a restarted daemon would wait for the connections of the one before to be forgotten.
    socket.set_reuse_address(true)?;
    if let SocketAddr::V6(address) = address {
        // Else `[::]` would take the port on IPv4 as well. An IPv4 address in IPv6's dress needs that.
        socket.set_only_v6(address.ip().to_ipv4_mapped().is_none())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn reason(address: SocketAddr, cause: io::Error) -> Reason {
    match cause.kind() {
        ErrorKind::AddrInUse => match PortOwner::of_tcp(address) {
            owner if owner.is_us() => Reason::Ours,
            owner => Reason::Taken(owner),
        },
        ErrorKind::PermissionDenied => Reason::Privileged,
        ErrorKind::AddrNotAvailable if address.ip() != IpAddr::V6(Ipv6Addr::LOCALHOST) => {
            Reason::Elsewhere
        }
        _ if lacks_ipv6(&cause) => Reason::NoIpv6,
        // A scope of IPv6 that is none of ours.
        _ if cause.raw_os_error() == Some(Errno::ENODEV as i32) => Reason::Elsewhere,
        _ => Reason::Refused(cause),
    }
}
