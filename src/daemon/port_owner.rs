//! Who has an address that this daemon needs, as far as `/proc` tells.

use std::{
    collections::HashSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use bpm_actors::proc_table::Stat;

use super::occupant::{LOOKS, Occupant, kernel_table};

/// Who listens there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortOwner {
    /// This process.
    Process(Occupant),
    /// A process whose descriptors are not visible, of the user with this id.
    User(u32),
    /// `/proc` does not tell.
    Unknown,
}

impl PortOwner {
    /// Who is in the way of one who wants to listen at `address`.
    #[must_use]
    pub fn of_tcp(address: SocketAddr) -> Self {
        let look = |_| {
            let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| {
                let table = kernel_table(path).unwrap_or_default();
                String::from_utf8_lossy(&table).into_owned()
            });
            let rivals = || tables.iter().flat_map(|table| listening(table, address));
            let exact = rivals().find(|rival| rival.ip == address.ip().to_canonical());
            exact.or_else(|| rivals().next())
        };
        let Some(rival) = (0..LOOKS).find_map(look) else {
            return Self::Unknown;
        };
        Occupant::of_socket(rival.inode).map_or(Self::User(rival.uid), Self::Process)
    }

    /// Who listens at a unix socket. A socket keeps its path when its file is removed: where another one
    /// has taken ours, it is the owner of that one.
    #[must_use]
    pub fn of_unix(path: &Path) -> Self {
        let look = |_| {
            let table = kernel_table("/proc/net/unix").ok()?;
            let owner = |inode| Occupant::of_socket(inode).map_or(Self::Unknown, Self::Process);
            let owners = || listening_unix(&table, path).map(owner);
            let other = owners().find(|owner| !owner.is_us());
            other.or_else(|| owners().next())
        };
        (0..LOOKS).find_map(look).unwrap_or(Self::Unknown)
    }

    /// Whether it is certain that none of these, who were just found alive, is in the way. One whom
    /// `/proc` does not show may be about to end, and one who is gone may have been one of them.
    #[must_use]
    pub fn is_none_of(&self, pids: &HashSet<u32>) -> bool {
        match self {
            Self::Process(Occupant { pid, .. }) => {
                !pids.contains(pid) && Stat::of(*pid).is_some_and(|stat| stat.is_alive())
            }
            Self::User(uid) => pids.is_empty() && *uid != nix::unistd::geteuid().as_raw(),
            Self::Unknown => false,
        }
    }

    /// Whether it is this very daemon.
    #[must_use]
    pub fn is_us(&self) -> bool {
        matches!(self, Self::Process(occupant) if occupant.pid == std::process::id())
    }
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(occupant) => occupant.fmt(f),
            Self::User(uid) => write!(f, "a process of the user with id {uid}"),
            Self::Unknown => f.write_str("another process"),
        }
    }
}

/// A row of the kernel's table of TCP sockets.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    ip: IpAddr,
    uid: u32,
    inode: u64,
}

/// The sockets in `table` that listen where they are in the way of `wanted`.
fn listening(table: &str, wanted: SocketAddr) -> impl Iterator<Item = Socket> {
    const LISTEN: &str = "0A";
    table.lines().filter_map(move |line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let [_, local, _, LISTEN, _, _, _, uid, _, inode, ..] = columns.as_slice() else {
            return None;
        };
        let (ip, hex) = local.split_once(':')?;
        let ip = address(ip)?.to_canonical();
        let same_port = u16::from_str_radix(hex, 16) == Ok(wanted.port());
        (same_port && is_in_the_way(ip, wanted.ip().to_canonical())).then_some(Socket {
            ip,
            uid: uid.parse().ok()?,
            inode: inode.parse().ok()?,
        })
    })
}

/// One at all addresses is in everybody's way, of either family where it takes both.
fn is_in_the_way(ip: IpAddr, wanted: IpAddr) -> bool {
    ip == wanted
        || ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        || (ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED) && wanted.is_ipv4())
        || (wanted.is_unspecified() && (wanted.is_ipv6() == ip.is_ipv6()))
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

/// The inodes of the sockets in the kernel's table of unix sockets that listen at `path`.
fn listening_unix<'a>(table: &'a [u8], path: &'a Path) -> impl Iterator<Item = u64> + 'a {
    /// `__SO_ACCEPTCON`; what it accepted has the same path.
    const LISTENS: &str = "00010000";
    table.split(|byte| *byte == b'\n').filter_map(move |line| {
        // The path may contain spaces; what stands before it does not.
        let before = line.strip_suffix(path.as_os_str().as_bytes())?;
        let columns: Vec<_> = str::from_utf8(before.strip_suffix(b" ")?)
            .ok()?
            .split_ascii_whitespace()
            .collect();
        let [_, _, _, LISTENS, _, _, inode] = columns.as_slice() else {
            return None;
        };
        inode.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn row(address: &str, state: &str) -> String {
        format!(
            "   0: {address}:0BB9 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 18327 1 0 100 0 0 10 0\n"
        )
    }

    fn found(table: &str, wanted: &str) -> Option<(u32, u64)> {
        let wanted = wanted.parse().unwrap();
        let socket = listening(table, wanted).next();
        socket.map(|socket| (socket.uid, socket.inode))
    }

    #[test]
    fn a_socket_on_all_addresses_is_an_owner_and_one_elsewhere_is_not() {
        const IT: Option<(u32, u64)> = Some((1000, 18327));
        const ALL_OF_V6: &str = "00000000000000000000000000000000";
        let local = "127.0.0.1:3001";
        assert_eq!(found(&row("00000000", "0A"), local), IT);
        assert_eq!(found(&row(ALL_OF_V6, "0A"), local), IT);
        assert_eq!(found(&row(ALL_OF_V6, "0A"), "[::1]:3001"), IT);
        assert_eq!(found(&row("00000000", "0A"), "[::1]:3001"), None);
        assert_eq!(found(&row("00000000", "0A"), "127.0.0.1:3002"), None);
        assert_eq!(found(&row("00000000", "01"), local), None);
        assert_eq!(found(&row("äää00", "0A"), local), None);
        assert_eq!(found("sl local_address\n", local), None);
    }

    #[test]
    fn whoever_wants_all_addresses_is_hindered_by_one() {
        let elsewhere = format!("{:08X}", u32::from_ne_bytes([192, 168, 1, 11]));
        let row = row(&elsewhere, "0A");
        assert!(found(&row, "0.0.0.0:3001").is_some());
        assert!(found(&row, "192.168.1.11:3001").is_some());
        assert_eq!(found(&row, "127.0.0.1:3001"), None);
        assert_eq!(found(&row, "[::]:3001"), None);
    }

    #[test]
    fn an_ipv4_address_in_the_dress_of_ipv6_is_the_same() {
        let mapped = format!(
            "0000000000000000{:08X}{:08X}",
            u32::from_ne_bytes([0, 0, 255, 255]),
            u32::from_ne_bytes([127, 0, 0, 1])
        );
        assert!(found(&row(&mapped, "0A"), "127.0.0.1:3001").is_some());
    }

    #[test]
    fn an_owner_who_may_be_one_of_those_that_are_left_is_not_ruled_out() {
        let process = |pid| PortOwner::Process(Occupant { pid, command: None });
        let us = nix::unistd::geteuid().as_raw();
        let me = std::process::id();
        let (nobody, somebody) = (HashSet::new(), HashSet::from([me]));
        assert!(process(me).is_none_of(&nobody));
        assert!(!process(me).is_none_of(&somebody));
        assert!(!process(u32::MAX).is_none_of(&nobody), "it is gone");
        assert!(PortOwner::User(us + 1).is_none_of(&nobody));
        assert!(!PortOwner::User(us + 1).is_none_of(&somebody));
        assert!(!PortOwner::User(us).is_none_of(&nobody));
        assert!(!PortOwner::Unknown.is_none_of(&nobody));
    }

    #[test]
    fn the_owner_of_a_unix_socket_is_the_one_that_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a  b.sock");
        assert_eq!(PortOwner::of_unix(&path), PortOwner::Unknown);
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(PortOwner::of_unix(&path).is_us());
        assert_eq!(
            PortOwner::of_unix(&folder.path().join("b.sock")),
            PortOwner::Unknown
        );

        let table = b"Num RefCount Protocol Flags Type St Inode Path\n\
            0: 00000003 00000000 00000000 0001 03 7 /a b\n\
            0: 00000002 00000000 00010000 0001 01     8 /a b\n\
            0: 00000002 00000000 00010000 0001 01 9\n";
        let found = |path| listening_unix(table, Path::new(path)).collect::<Vec<_>>();
        assert_eq!((found("/a b"), found("b")), (vec![8], vec![]));
    }
}
