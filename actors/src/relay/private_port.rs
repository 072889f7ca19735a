//! Ports for children behind a relay.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

use tokio::net::TcpStream;

/// The newest ports that were given. Their children may not have bound them yet, so for the system
/// they are still free.
static GIVEN: Mutex<VecDeque<u16>> = Mutex::new(VecDeque::new());

/// How many of them are remembered.
const REMEMBERED: usize = 128;

/// How often the system is asked before this is given up.
const ATTEMPTS: usize = 256;

/// A port that nobody uses on either loopback address, for a child to listen on. Never the same one
/// twice within many calls.
///
/// Nothing reserves it. That it is still free when the child binds it is likely because the system
/// gives outgoing connections the other half of its ports first (even ones, where it gives odd ones
/// here).
///
/// # Errors
/// When the system has none.
pub fn private_port() -> io::Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        if is_free_on_v6(port) && is_new(port) {
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "no port is free on both loopback addresses",
    ))
}

/// Whether somebody listens there, on either loopback address.
pub async fn listens(port: u16) -> bool {
    let v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port));
    // A connection to itself shows that nobody is there.
    let other = |it: &TcpStream| it.local_addr().ok() != it.peer_addr().ok();
    let (v4, v6) = tokio::join!(v4, v6);
    [v4, v6].iter().flatten().any(other)
}

/// Also where there is no IPv6 at all.
fn is_free_on_v6(port: u16) -> bool {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::AddrInUse,
    }
}

fn is_new(port: u16) -> bool {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if given.contains(&port) {
        return false;
    }
    if given.len() == REMEMBERED {
        given.pop_front();
    }
    given.push_back(port);
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_port_is_free_on_both_loopback_addresses_and_given_once() {
        let ports: BTreeSet<u16> = (0..REMEMBERED).map(|_| private_port().unwrap()).collect();

        assert_eq!(ports.len(), REMEMBERED);
        let port = *ports.first().unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        TcpListener::bind((Ipv6Addr::LOCALHOST, port)).unwrap();
    }
}
