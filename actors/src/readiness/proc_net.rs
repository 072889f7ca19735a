//! The same as `sock_diag`, read from `/proc/net/tcp` and `tcp6`: slower, but it is everywhere.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::sock_diag::Entry;

/// The socket with these addresses, or else one that listens at `local`.
pub(super) fn find(local: SocketAddr, remote: SocketAddr) -> Option<Entry> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).ok());
    let [v4, v6] = tables.map(Option::unwrap_or_default);
    find_in(&[v4, v6], local, remote)
}

fn find_in(tables: &[String], local: SocketAddr, remote: SocketAddr) -> Option<Entry> {
    let mut listens = None;
    let (locals, remotes) = (spellings(local), spellings(remote));
    let anywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let anywhere = anywhere.map(|ip: IpAddr| spelling(SocketAddr::new(ip, local.port())));
    for line in tables.iter().flat_map(|table| table.lines()) {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (Some(its_local), Some(its_remote), Some(state)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let here = locals.iter().any(|local| local == its_local);
        let listening = u8::from_str_radix(state, 16) == Ok(Entry::LISTEN);
        let exact = here && remotes.iter().any(|remote| remote == its_remote);
        if !exact && !(listening && (here || anywhere.iter().any(|any| any == its_local))) {
            continue;
        }
        // After the state: queues, timer, retransmissions, user, timeout, inode.
        let inode = fields.nth(5).and_then(|inode| inode.parse().ok());
        let (Ok(state), Some(inode)) = (u8::from_str_radix(state, 16), inode) else {
            continue;
        };
        let entry = Entry { state, inode };
        if exact {
            return Some(entry);
        }
        listens = Some(entry);
    }
    listens
}

/// An address as the tables write it; an IPv4 one also as a dual-stack socket has it.
fn spellings(address: SocketAddr) -> Vec<String> {
    let mut spellings = vec![spelling(address)];
    if let IpAddr::V4(ip) = address.ip() {
        let mapped = SocketAddr::new(ip.to_ipv6_mapped().into(), address.port());
        spellings.push(spelling(mapped));
    }
    spellings
}

fn spelling(address: SocketAddr) -> String {
    // The kernel prints words of four bytes as its processor reads them.
    let word = |octets: &[u8]| {
        let octets = octets.first_chunk().copied().unwrap_or_default();
        format!("{:08X}", u32::from_ne_bytes(octets))
    };
    let ip: String = match address.ip() {
        IpAddr::V4(ip) => word(&ip.octets()),
        IpAddr::V6(ip) => ip.octets().chunks(4).map(word).collect(),
    };
    format!("{ip}:{:04X}", address.port())
}
