//! What connects a process to its port: `listen`, `port` and what belongs to them.

use std::{net::SocketAddr, time::Duration};

use bpm_actors::spec::{ListenAddress, Overlap, Sockets};
use toml::de::DeValue;

use super::{
    address,
    claims::{Claims, loopback},
    entry::{Entry, entries, find},
    keys,
    listen::{self, Place},
    problem::Report,
    value,
};

/// The longest time that a replaced child may go on, in seconds: a day.
const MOST_DRAIN: u32 = 86_400;
/// Reads `listen`, `port` and `overlap` among the keys of a process. What is built where the report
/// says that something is wrong is of no use.
pub(super) fn read(
    fields: &[Entry<'_>],
    place: Place<'_>,
    claims: &mut Claims,
    report: &mut Report<'_>,
) -> Sockets {
    let listen = find(fields, "listen");
    let port = find(fields, "port");
    let overlap = overlap(fields, report);
    if let (Some(listen), Some(port)) = (listen, port) {
        let there = report.place(listen);
        report.reject(
            port,
            format!(
                "cannot stand beside {there}: listen hands sockets to a program that takes them, \
                 port relays to one that opens its own"
            ),
        );
    }
    if let Some(field) = listen {
        refuse_variables(
            fields,
            &["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"],
            report,
        );
        let listen = listen::read(field, place, claims, report);
        return Sockets::Held { listen, overlap };
    }
    if let Some(field) = port {
        require_placeholder(fields, report);
        let public = public(field, report);
        let addresses: Vec<_> = public.iter().copied().map(ListenAddress::Tcp).collect();
        claims.take(field, &addresses, report);
        return Sockets::Relayed { public, overlap };
    }
    Sockets::Own
}

/// Reads `drain_seconds`.
pub(super) fn drain(fields: &[Entry<'_>], report: &mut Report<'_>) -> Option<Duration> {
    let field = find(fields, "drain_seconds")?;
    require_sockets(field, fields, report);
    value::seconds(field, MOST_DRAIN, report)
}

/// Variables that the daemon sets, and the process must therefore not.
pub(super) fn refuse_variables(fields: &[Entry<'_>], ours: &[&str], report: &mut Report<'_>) {
    for variable in variables(fields) {
        if ours.contains(&variable.name) {
            report.reject(&variable, "is set by the daemon: leave it out");
        }
    }
}

fn overlap(fields: &[Entry<'_>], report: &mut Report<'_>) -> Overlap {
    let Some(field) = find(fields, "overlap") else {
        return Overlap::Beside;
    };
    require_sockets(field, fields, report);
    match value::flag(field, report) {
        Some(false) => Overlap::Alone,
        _ => Overlap::Beside,
    }
}

/// `field` means something only where the daemon has the process's sockets.
fn require_sockets(field: &Entry<'_>, fields: &[Entry<'_>], report: &mut Report<'_>) {
    let valid = keys::of_process(None);
    let there = ["listen", "port"]
        .iter()
        .any(|key| find(fields, key).is_some() || keys::is_misspelt(key, &valid, fields));
    if !there {
        report.reject(
            field,
            "belongs to listen or port: without them the old program always ends before the new one \
             starts",
        );
    }
}

/// The public addresses of a relay.
fn public(field: &Entry<'_>, report: &mut Report<'_>) -> Vec<SocketAddr> {
    let advice = match field.value {
        DeValue::Integer(number) => match u16::from_str_radix(number.as_str(), number.radix()) {
            Ok(port) if port != 0 => return loopback(port).to_vec(),
            _ => must_be_port().to_owned(),
        },
        DeValue::String(text) => match address::tcp(text) {
            Some(Ok(address)) => return vec![address],
            Some(Err(advice)) => advice,
            None => no_public(text),
        },
        _ => must_be_port().to_owned(),
    };
    report.reject(field, advice);
    Vec::new()
}

fn must_be_port() -> &'static str {
    "must be a port from 1 to 65535, or an address such as \"0.0.0.0:8080\""
}

fn no_public(text: &str) -> String {
    let must = must_be_port();
    if address::is_port(text) {
        return format!("{must}; a port alone goes without quotes");
    }
    if let Some(port) = text
        .strip_prefix("localhost:")
        .or_else(|| text.strip_prefix(':'))
        && address::is_port(port)
    {
        return format!("{must}: write port = {port}, which is 127.0.0.1 and [::1]");
    }
    if text.contains('/') && !text.contains("://") {
        return format!("{must}: the relay takes TCP only, listen takes paths");
    }
    address::no_address(text).unwrap_or_else(|| must.to_owned())
}

/// The child finds its private port in `PORT`, unless the file says what else stands there.
fn require_placeholder(fields: &[Entry<'_>], report: &mut Report<'_>) {
    for variable in variables(fields) {
        let text = variable.value.as_str();
        if variable.name == "PORT" && text.is_some_and(|text| !text.contains("{port}")) {
            report.reject(
                &variable,
                "is set by the daemon to the private port that it gives the program: leave it out, or \
                 write {port} where that port belongs",
            );
        }
    }
}

fn variables<'d>(fields: &[Entry<'d>]) -> Vec<Entry<'d>> {
    let env = find(fields, "env");
    let table = env.and_then(|env| Some((env, env.value.as_table()?)));
    table.map_or_else(Vec::new, |(env, table)| entries(&env.path, table))
}
