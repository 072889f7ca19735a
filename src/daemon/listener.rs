//! The MCP port: loopback only, on both address families where the machine has both.
//!
//! The start binds it before anything is started, so that a conflict is found first.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::port_owner::PortOwner;

/// How often a port that is free on one family is tried on the other.
const MOST_TRIES: u32 = 16;

/// The sockets that MCP is served on.
#[derive(Debug)]
pub struct Listeners {
    /// One or two of them, non-blocking.
    pub sockets: Vec<TcpListener>,
    /// Their port.
    pub port: u16,
    /// Who has bound them.
    pub origin: Origin,
}

/// Who has bound a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The daemon, which may let go of it and bind another one.
    Bound,
    /// systemd, whose unit says where it is.
    Passed,
}

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has it.
    #[error(
        "port {port} is taken by {owner}: stop that one, or change mcp_port in {}",
        file.display()
    )]
    Taken {
        /// The port.
        port: u16,
        /// Who, as far as `/proc` tells.
        owner: PortOwner,
        /// Where the port is configured.
        file: PathBuf,
    },
    /// It is one of those that only root may use.
    #[error(
        "port {port} needs privileges: choose an mcp_port from 1024 upwards in {}",
        file.display()
    )]
    Privileged {
        /// The port.
        port: u16,
        /// Where the port is configured.
        file: PathBuf,
    },
    /// The system refuses for another reason.
    #[error("cannot listen on {address}: {cause}")]
    Refused {
        /// What was tried.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
}

/// Listens on `port` of the loopback addresses; 0 lets the system choose one. `file` is where the
/// user can change it.
///
/// # Errors
/// When the port is taken or not permitted.
pub fn bind(port: u16, file: &Path) -> Result<Listeners, ListenError> {
    let mut last_try = bind_both(port);
    for _ in 1..MOST_TRIES {
        // Free on the first family and taken on the second: only a port of our own choice can be
        // exchanged for another.
        match &last_try {
            Err((_, cause)) if port == 0 && cause.kind() == ErrorKind::AddrInUse => {
                last_try = bind_both(port);
            }
            _ => break,
        }
    }
    last_try.map_err(|(address, cause)| match cause.kind() {
        ErrorKind::AddrInUse => ListenError::Taken {
            port: address.port(),
            owner: PortOwner::of_tcp(address),
            file: file.to_owned(),
        },
        ErrorKind::PermissionDenied => ListenError::Privileged {
            port: address.port(),
            file: file.to_owned(),
        },
        _ => ListenError::Refused { address, cause },
    })
}

fn bind_both(port: u16) -> Result<Listeners, (SocketAddr, io::Error)> {
    let (first, port) = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), port)?;
    let mut sockets = vec![first];
    match listen(IpAddr::V6(Ipv6Addr::LOCALHOST), port) {
        Ok((second, _)) => sockets.push(second),
        Err((_, cause)) if lacks_ipv6(&cause) => {}
        Err(refused) => return Err(refused),
    }
    Ok(Listeners {
        sockets,
        port,
        origin: Origin::Bound,
    })
}

fn listen(ip: IpAddr, port: u16) -> Result<(TcpListener, u16), (SocketAddr, io::Error)> {
    let address = SocketAddr::new(ip, port);
    let bound = || {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        Ok((socket, port))
    };
    bound().map_err(|cause| (address, cause))
}

/// Whether the reason is that the machine has no IPv6.
pub(super) fn lacks_ipv6(cause: &io::Error) -> bool {
    let missing = [
        Errno::EADDRNOTAVAIL,
        Errno::EAFNOSUPPORT,
        Errno::EPROTONOSUPPORT,
    ];
    cause
        .raw_os_error()
        .is_some_and(|code| missing.contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    const FILE: &str = "/p/.mcp-run";

    fn has_ipv6() -> bool {
        TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
    }

    #[test]
    fn port_0_is_one_port_on_every_loopback_address() {
        let bound = bind(0, Path::new(FILE)).unwrap();

        assert_ne!(bound.port, 0);
        TcpStream::connect((Ipv4Addr::LOCALHOST, bound.port)).unwrap();
        if has_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, bound.port)).unwrap();
        }
    }

    #[test]
    fn a_taken_port_names_its_owner_and_what_to_do() {
        let first = bind(0, Path::new(FILE)).unwrap();

        let refused = bind(first.port, Path::new(FILE)).unwrap_err();

        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(
            refused.to_string(),
            format!(
                "port {} is taken by pid {} ({}): stop that one, or change mcp_port in /p/.mcp-run",
                first.port,
                std::process::id(),
                name.trim()
            )
        );
    }

    #[test]
    fn a_port_that_is_taken_on_ipv6_alone_is_taken() {
        if !has_ipv6() {
            return;
        }
        let first = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();

        let refused = bind(port, Path::new(FILE)).unwrap_err();

        assert!(
            refused
                .to_string()
                .contains(&format!("pid {}", std::process::id())),
            "{refused}"
        );
    }

    #[test]
    fn an_owner_of_another_user_is_named_by_that_user() {
        let refused = ListenError::Taken {
            port: 3001,
            owner: PortOwner::User(33),
            file: FILE.into(),
        };
        assert_eq!(
            refused.to_string(),
            "port 3001 is taken by a process of the user with id 33: stop that one, or change mcp_port in /p/.mcp-run"
        );
    }

    #[test]
    fn a_privileged_port_says_which_ones_are_not() {
        let refused = ListenError::Privileged {
            port: 80,
            file: FILE.into(),
        };
        assert_eq!(
            refused.to_string(),
            "port 80 needs privileges: choose an mcp_port from 1024 upwards in /p/.mcp-run"
        );
    }
}
