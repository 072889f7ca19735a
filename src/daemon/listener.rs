//! The MCP port: loopback only, on both address families where the machine has both.
//!
//! The start binds it before anything is started, so that a conflict is found first.

use std::{
    fs,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::occupant::Occupant;

/// How often a port that is free on one family is tried on the other.
const MOST_TRIES: u32 = 16;

/// The sockets that MCP is served on.
#[derive(Debug)]
pub struct Listeners {
    /// One or two of them, non-blocking.
    pub sockets: Vec<TcpListener>,
    /// Their port.
    pub port: u16,
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

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortOwner {
    /// This process.
    Process(Occupant),
    /// A process whose descriptors are not visible, of the user with this id.
    User(u32),
    /// `/proc` does not tell.
    Unknown,
}

impl std::fmt::Display for PortOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process(occupant) => occupant.fmt(f),
            Self::User(uid) => write!(f, "a process of the user with id {uid}"),
            Self::Unknown => f.write_str("another process"),
        }
    }
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
            owner: port_owner(address.port()),
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
    Ok(Listeners { sockets, port })
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

fn lacks_ipv6(cause: &io::Error) -> bool {
    let missing = [
        Errno::EADDRNOTAVAIL,
        Errno::EAFNOSUPPORT,
        Errno::EPROTONOSUPPORT,
    ];
    cause
        .raw_os_error()
        .is_some_and(|code| missing.contains(&Errno::from_raw(code)))
}

fn port_owner(port: u16) -> PortOwner {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|table| fs::read_to_string(table).unwrap_or_default());
    let Some(socket) = tables.iter().find_map(|table| listening(table, port)) else {
        return PortOwner::Unknown;
    };
    Occupant::of_socket(socket.inode).map_or(PortOwner::User(socket.uid), PortOwner::Process)
}

/// A row of the kernel's table of TCP sockets.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    uid: u32,
    inode: u64,
}

/// The socket in `table` that listens on `port` where it is in our way.
fn listening(table: &str, port: u16) -> Option<Socket> {
    const LISTEN: &str = "0A";
    table.lines().find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let [_, local, _, LISTEN, _, _, _, uid, _, inode, ..] = columns.as_slice() else {
            return None;
        };
        let (ip, hex) = local.split_once(':')?;
        let same_port = u16::from_str_radix(hex, 16) == Ok(port);
        (same_port && is_in_the_way(address(ip)?)).then_some(Socket {
            uid: uid.parse().ok()?,
            inode: inode.parse().ok()?,
        })
    })
}

fn is_in_the_way(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST
}

/// An address as the kernel prints it: hexadecimal words in the byte order of the machine.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at| {
        u32::from_str_radix(hex.get(at..at + 8)?, 16)
            .ok()
            .map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
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

        let name = fs::read_to_string("/proc/self/comm").unwrap();
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
    fn a_socket_on_all_addresses_is_an_owner_and_one_elsewhere_is_not() {
        let row = |address: &str, state: &str| {
            format!(
                "   0: {address}:0BB9 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 18327 1 0 100 0 0 10 0\n"
            )
        };
        let found = Some(Socket {
            uid: 1000,
            inode: 18327,
        });
        assert_eq!(listening(&row("00000000", "0A"), 3001), found);
        assert_eq!(
            listening(&row("00000000000000000000000000000000", "0A"), 3001),
            found
        );
        assert_eq!(listening(&row("00000000", "0A"), 3002), None);
        assert_eq!(listening(&row("00000000", "01"), 3001), None);
        assert_eq!(listening(&row("0B01A8C0", "0A"), 3001), None);
        assert_eq!(listening(&row("äää00", "0A"), 3001), None);
        let mapped = format!(
            "0000000000000000{:08X}{:08X}",
            u32::from_ne_bytes([0, 0, 255, 255]),
            u32::from_ne_bytes([127, 0, 0, 1])
        );
        assert_eq!(listening(&row(&mapped, "0A"), 3001), found);
        assert_eq!(listening("sl local_address\n", 3001), None);
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
