//! Where a probe connects, as people write it: `HOST:PORT` and `http://HOST:PORT/path`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bpm_actors::spec::{Probe, Target, TargetPort};

use super::address::is_port;

/// Stands for the private port of a relayed child.
const PLACEHOLDER: &str = "{port}";
/// The longest name of a host, in bytes.
const LONGEST_HOST: usize = 253;

/// What is known of the public port of the process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Public<'a> {
    /// It has none.
    Absent,
    /// These addresses; none where what the file says is wrong.
    At(&'a [SocketAddr]),
}

/// `http://HOST[:PORT][/path][?query]`. The error says what to write.
pub(super) fn http(text: &str, public: Public<'_>) -> Result<Probe, String> {
    const HTTP_PORT: u16 = 80;
    let rest = strip_scheme(text)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be ASCII without spaces: write other characters as %XX".to_owned());
    }
    if rest.contains('#') {
        return Err("must not contain `#`, which is never sent".to_owned());
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err("must not contain a user or password, which are not sent".to_owned());
    }
    if path.contains(PLACEHOLDER) {
        return Err(format!(
            "may have {PLACEHOLDER} only where the port stands, as in \"http://127.0.0.1:{PLACEHOLDER}/\""
        ));
    }
    let (host, port) = split(authority)?;
    let target = target(host, port.or(Some(Port::Fixed(HTTP_PORT))), public)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Probe::Http {
        target,
        path: format!("{slash}{path}"),
    })
}

/// `HOST:PORT`. The error says what to write.
pub(super) fn tcp(text: &str, public: Public<'_>) -> Result<Target, String> {
    if let Some((_, rest)) = text.split_once("://") {
        let authority = rest.split('/').next().unwrap_or_default();
        return Err(format!("must be HOST:PORT alone: write {authority:?}"));
    }
    if is_port(text) || text == PLACEHOLDER {
        return Err(format!("must be HOST:PORT: write \"127.0.0.1:{text}\""));
    }
    let (host, port) = split(text)?;
    target(host, port, public)
}

fn strip_scheme(text: &str) -> Result<&str, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(rest),
        "https" => Err(
            "must begin with http://: for https write tcp = \"HOST:PORT\", or exec with a program \
             that asks"
                .to_owned(),
        ),
        "" if rest.starts_with('/') => Err(format!(
            "must begin with http:// and a host, such as \"http://127.0.0.1:8080{}\"",
            rest.escape_debug()
        )),
        "" => Err(format!(
            "must begin with http://: write {:?}",
            format!("http://{rest}")
        )),
        _ => Err("must begin with http://".to_owned()),
    }
}

/// A port as it is written.
#[derive(Clone, Copy)]
enum Port {
    Fixed(u16),
    Placeholder,
}

/// `HOST[:PORT]`, the host without brackets.
fn split(authority: &str) -> Result<(&str, Option<Port>), String> {
    if let Some(rest) = authority.strip_prefix('[') {
        let brackets = || "must have both brackets around IPv6, such as \"[::1]:8080\"".to_owned();
        let (host, after) = rest.split_once(']').ok_or_else(brackets)?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(
                "must have an IPv6 address in the brackets, such as \"[::1]:8080\"".to_owned(),
            );
        }
        if after.is_empty() {
            return Ok((host, None));
        }
        let text = after.strip_prefix(':').ok_or_else(brackets)?;
        return Ok((host, Some(port(text)?)));
    }
    let (host, port) = match authority.split_once(':') {
        None => (authority, None),
        Some((_, rest)) if rest.contains(':') => {
            return Err("must have brackets around IPv6, such as \"[::1]:8080\"".to_owned());
        }
        Some((host, text)) => (host, Some(port(text)?)),
    };
    check_host(host)?;
    Ok((host, port))
}

fn port(text: &str) -> Result<Port, String> {
    if text == PLACEHOLDER {
        return Ok(Port::Placeholder);
    }
    let number = text.parse().ok().filter(|_| is_port(text));
    number
        .map(Port::Fixed)
        .ok_or_else(|| "the port must be a number from 1 to 65535".to_owned())
}

fn check_host(host: &str) -> Result<(), String> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    // What consists of numbers alone is an IP or a mistake.
    let number = host.ends_with(|c: char| c.is_ascii_digit())
        && host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if host.is_empty() {
        Err("lacks a host, such as 127.0.0.1".to_owned())
    } else if host.len() > LONGEST_HOST || !host.chars().all(known) {
        Err("the host must be an IP or a name, such as 127.0.0.1 or localhost".to_owned())
    } else if number && host.parse::<IpAddr>().is_err() {
        Err("the host is no IP address, such as 127.0.0.1".to_owned())
    } else {
        Ok(())
    }
}

fn target(host: &str, port: Option<Port>, public: Public<'_>) -> Result<Target, String> {
    let port = match port.ok_or("lacks a port, such as \"127.0.0.1:8080\"")? {
        Port::Placeholder => private(host, public)?,
        Port::Fixed(port) => fixed(host, port, public)?,
    };
    Ok(Target {
        host: host.to_owned(),
        port,
    })
}

fn private(host: &str, public: Public<'_>) -> Result<TargetPort, String> {
    if matches!(public, Public::Absent) {
        return Err(format!(
            "{PLACEHOLDER} is the private port of a process with the key port, which this one lacks"
        ));
    }
    if !is_here(host) {
        return Err(format!(
            "the private port is on this machine: write 127.0.0.1:{PLACEHOLDER}"
        ));
    }
    Ok(TargetPort::Private)
}

/// The public port is the relay's: there the old child would answer.
fn fixed(host: &str, port: u16, public: Public<'_>) -> Result<TargetPort, String> {
    let Public::At(addresses) = public else {
        return Ok(TargetPort::Fixed(port));
    };
    let ip: Option<IpAddr> = host.parse().ok();
    let mut same_port = addresses.iter().filter(|it| it.port() == port).peekable();
    if same_port.peek().is_none() {
        Ok(TargetPort::Fixed(port))
    } else if is_here(host) || same_port.any(|it| Some(it.ip()) == ip) {
        Ok(TargetPort::Private)
    } else {
        Err(format!(
            "must not ask at the public port, where the old program answers too: write \
             127.0.0.1:{PLACEHOLDER}"
        ))
    }
}

/// Whether a host is this machine by loopback.
fn is_here(host: &str) -> bool {
    if let Ok(ip) = host.parse::<IpAddr>() {
        let ip = ip.to_canonical();
        return ip.is_loopback() || ip.is_unspecified();
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}
