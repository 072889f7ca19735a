//! Where a probe connects: a target of the configuration becomes addresses.

use std::{
    future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{net::lookup_host, time::Instant};

use super::{Findings, pace::Pace};
use crate::spec::{Target, TargetPort};

/// At most so many addresses of a name are tried.
const MOST_ADDRESSES: usize = 8;
/// Both, in the order in which they are tried.
const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// How a target is called in words.
pub(super) struct Names {
    /// `127.0.0.1:8080`
    pub(super) address: String,
    /// `http://127.0.0.1:8080/health`, or the address again.
    pub(super) question: String,
}

/// The port that is meant; `None` where the run was given no private one.
pub(super) fn port(target: &Target, private: Option<u16>) -> Option<u16> {
    match target.port {
        TargetPort::Fixed(port) => Some(port),
        TargetPort::Private => private,
    }
}

/// Host and port as people write them.
pub(super) fn name(target: &Target, port: u16) -> String {
    format!("{}:{port}", bracketed(&target.host))
}

/// The `Host` of a request.
pub(super) fn host_header(target: &Target, port: u16) -> String {
    match port {
        80 => bracketed(&target.host),
        _ => name(target, port),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// The addresses to try. A name that cannot be resolved is asked for again and again.
pub(super) async fn addresses(target: &Target, port: u16, findings: &Findings) -> Vec<SocketAddr> {
    if let Some(known) = known(target, port) {
        return known;
    }
    let mut pace = Pace::new(Instant::now());
    loop {
        pace.turn().await;
        let host = target.host.as_str();
        let why = match lookup_host((host, port)).await {
            Ok(found) => {
                let found: Vec<_> = found.take(MOST_ADDRESSES).collect();
                if !found.is_empty() {
                    return found;
                }
                "it has no address".to_owned()
            }
            Err(error) => error.to_string(),
        };
        findings.say(format!("{host} cannot be resolved: {why}"));
        pace.rest(Instant::now());
    }
}

/// The addresses that nobody needs to be asked for.
fn known(target: &Target, port: u16) -> Option<Vec<SocketAddr>> {
    let host = target.host.as_str();
    let at = |ip| SocketAddr::new(ip, port);
    if target.port == TargetPort::Private || host.eq_ignore_ascii_case("localhost") {
        return Some(LOOPBACK.map(at).to_vec());
    }
    host.parse().ok().map(|ip| vec![at(ip)])
}

/// Waits for what can never come.
pub(super) async fn never(findings: &Findings, why: &str) {
    findings.say(why.to_owned());
    future::pending::<()>().await;
}
