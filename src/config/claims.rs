//! Which key of the file has which address, so that no two want the same.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use bpm_actors::spec::ListenAddress;

use super::{entry::Entry, problem::Report};

/// The addresses that the daemon is to bind, and who asked for them.
#[derive(Default)]
pub(super) struct Claims(Vec<Claim>);

struct Claim {
    address: ListenAddress,
    /// The key and its line.
    place: String,
}

impl Claims {
    /// `entry` is the port of MCP, on both loopback addresses; 0 is none in particular.
    pub(super) fn take_mcp(&mut self, entry: &Entry<'_>, port: u16, report: &mut Report<'_>) {
        if port != 0 {
            self.take(entry, &loopback(port).map(ListenAddress::Tcp), report);
        }
    }

    /// `entry` wants these addresses. Where one of them is taken, the report says by whom.
    pub(super) fn take(
        &mut self,
        entry: &Entry<'_>,
        addresses: &[ListenAddress],
        report: &mut Report<'_>,
    ) {
        let wanted: Vec<_> = addresses.iter().map(resolved).collect();
        let other = self
            .0
            .iter()
            .find(|claim| wanted.iter().any(|wanted| clash(&claim.address, wanted)));
        if let Some(Claim { address, place }) = other {
            let advice = format!("must be an address of its own: {place} takes {address}");
            report.reject(entry, advice);
            return;
        }
        let place = report.place(entry);
        self.0.extend(wanted.into_iter().map(|address| Claim {
            address,
            place: place.clone(),
        }));
    }
}

/// A port on the two loopback addresses.
pub(super) fn loopback(port: u16) -> [SocketAddr; 2] {
    [
        (IpAddr::V4(Ipv4Addr::LOCALHOST), port).into(),
        (IpAddr::V6(Ipv6Addr::LOCALHOST), port).into(),
    ]
}

/// Whether the system would refuse the second of them.
fn clash(one: &ListenAddress, other: &ListenAddress) -> bool {
    match (one, other) {
        (ListenAddress::Tcp(one), ListenAddress::Tcp(other)) => {
            let wildcard = one.ip().is_unspecified() || other.ip().is_unspecified();
            let same_family = one.is_ipv4() == other.is_ipv4();
            one == other || (one.port() == other.port() && same_family && wildcard)
        }
        (ListenAddress::Unix(one), ListenAddress::Unix(other)) => one == other,
        _ => false,
    }
}

/// Two ways to the same folder are one.
fn resolved(address: &ListenAddress) -> ListenAddress {
    let folder_of = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    match address {
        ListenAddress::Tcp(_) => address.clone(),
        ListenAddress::Unix(path) => {
            let real: Option<PathBuf> = folder_of(path)
                .zip(path.file_name())
                .map(|(folder, name)| folder.join(name));
            ListenAddress::Unix(real.unwrap_or_else(|| path.clone()))
        }
    }
}
