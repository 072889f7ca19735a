//! One TCP socket of this network namespace, looked up by its addresses: netlink's `SOCK_DIAG`, see
//! `sock_diag(7)`. An exact lookup takes microseconds, whatever the number of connections.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send,
        socket_with,
    },
};

/// A TCP socket of ours or of anybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its state, as the kernel counts them.
    pub(super) state: u8,
    /// Its inode; 0 when no process has it: not accepted yet, or closed already.
    pub(super) inode: u64,
}

impl Entry {
    pub(super) const ESTABLISHED: u8 = 1;
    pub(super) const SYN_RECEIVED: u8 = 3;
    pub(super) const CLOSE_WAIT: u8 = 8;
    pub(super) const LISTEN: u8 = 10;
    pub(super) const NEW_SYN_RECEIVED: u8 = 12;
}

/// A line to the kernel.
#[derive(Debug)]
pub(super) struct SockDiag {
    socket: OwnedFd,
    last: Cell<u32>,
}

const HEADER: usize = 16;
/// Header and `inet_diag_req_v2`.
const REQUEST: usize = HEADER + 56;
/// Header and `inet_diag_msg`.
const ANSWER: usize = HEADER + 72;
/// Where `idiag_inode` lies.
const INODE: usize = HEADER + 68;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;

impl SockDiag {
    /// Opens one.
    ///
    /// # Errors
    /// When the kernel has no such thing or forbids it.
    pub(super) fn open() -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        Ok(Self {
            socket,
            last: Cell::new(0),
        })
    }

    /// The socket with these addresses, or else one that listens at `local`.
    ///
    /// # Errors
    /// `NOENT` where there is none, but also where the kernel cannot tell about TCP at all.
    pub(super) fn find(&self, local: SocketAddr, remote: SocketAddr) -> Result<Entry, Errno> {
        let sequence = self.last.get().wrapping_add(1);
        self.last.set(sequence);
        send(
            &self.socket,
            &request(sequence, local, remote),
            SendFlags::empty(),
        )?;
        let mut answer = [0; 1024];
        loop {
            // The kernel has answered before `send` returns.
            let (length, _) = recv(&self.socket, &mut answer, RecvFlags::empty())?;
            let bytes = &answer[..length.min(answer.len())];
            if field(bytes, 8).map(u32::from_ne_bytes) == Some(sequence) {
                return parse(bytes);
            }
        }
    }
}

fn request(sequence: u32, local: SocketAddr, remote: SocketAddr) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    // It is far below the limit of the type.
    put(&u32::try_from(REQUEST).unwrap_or_default().to_ne_bytes());
    put(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(&NLM_F_REQUEST.to_ne_bytes());
    put(&sequence.to_ne_bytes());
    put(&[0; 4]);
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    put(&[family, IPPROTO_TCP, 0, 0]);
    // In every state.
    put(&u32::MAX.to_ne_bytes());
    put(&local.port().to_be_bytes());
    put(&remote.port().to_be_bytes());
    put(&octets(local.ip()));
    put(&octets(remote.ip()));
    let interface = match local {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    };
    put(&interface.to_ne_bytes());
    // No cookie: whichever has these addresses.
    put(&[0xff; 8]);
    bytes
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            octets
        }
        IpAddr::V6(address) => address.octets(),
    }
}

fn parse(answer: &[u8]) -> Result<Entry, Errno> {
    const NONSENSE: Errno = Errno::PROTO;
    let kind = field(answer, 4).map(u16::from_ne_bytes);
    if kind == Some(NLMSG_ERROR) {
        let code = field(answer, HEADER).map(i32::from_ne_bytes);
        let code = code.and_then(i32::checked_neg).filter(|code| *code > 0);
        return Err(code.map_or(NONSENSE, Errno::from_raw_os_error));
    }
    if kind != Some(SOCK_DIAG_BY_FAMILY) || answer.len() < ANSWER {
        return Err(NONSENSE);
    }
    let inode = field(answer, INODE).map(u32::from_ne_bytes);
    Ok(Entry {
        state: answer[HEADER + 1],
        inode: inode.ok_or(NONSENSE)?.into(),
    })
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
