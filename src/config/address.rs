//! Addresses that a socket can be bound to, as people write them.
//!
//! What they write instead is answered with what to write, so that nobody must look it up.

use std::{
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::unix::{ffi::OsStrExt, fs::FileTypeExt},
    path::{Path, PathBuf},
};

use bpm_actors::spec::ListenAddress;

/// The longest path that the system takes for a socket, in bytes: 108 with the NUL behind it.
const LONGEST_PATH: usize = 107;

const PORT: &str = "the port must be a number from 1 to 65535";

/// An address of a held socket. The error says what to write.
pub(super) fn listen(text: &str, project: &Path) -> Result<ListenAddress, String> {
    if let Some(address) = tcp(text) {
        return Ok(ListenAddress::Tcp(address?));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = match scheme {
            "unix" => rest,
            _ => rest.split('/').next().unwrap_or_default(),
        };
        return Err(format!("must be an address alone: write {rest:?}"));
    }
    if text.contains('/') {
        return Ok(ListenAddress::Unix(unix(text, project)?));
    }
    Err(no_address(text).unwrap_or_else(|| {
        "must be IP:PORT, such as \"127.0.0.1:8080\", or a path with a slash, such as \"./app.sock\""
            .to_owned()
    }))
}

/// A TCP address that can be bound and found; `None` if it is not even one.
pub(super) fn tcp(text: &str) -> Option<Result<SocketAddr, String>> {
    let address: SocketAddr = text.parse().ok()?;
    let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
    Some(if address.port() == 0 {
        Err(format!("{PORT}: nobody would find port 0"))
    } else if canonical.is_ipv4() && address.is_ipv6() {
        Err(format!("is an IPv4 address: write \"{canonical}\""))
    } else {
        Ok(address)
    })
}

/// What to write instead of something that was probably meant as a TCP address.
pub(super) fn no_address(text: &str) -> Option<String> {
    let lacks_ip = |port: &str| {
        if !is_port(port) {
            return PORT.to_owned();
        }
        format!(
            "must name the IP too: write \"127.0.0.1:{port}\" for this machine alone, or \
             \"0.0.0.0:{port}\" for its networks"
        )
    };
    if is_number(text) {
        return Some(lacks_ip(text));
    }
    if let Some(ip) = ip(text) {
        if let Some((host, port)) = text.rsplit_once(':')
            && let (Ok(host), true) = (host.parse::<Ipv6Addr>(), is_port(port))
        {
            return Some(format!(
                "must have brackets around IPv6: write \"[{host}]:{port}\""
            ));
        }
        let example = SocketAddr::new(ip, 8080);
        return Some(format!("lacks a port: write it as in \"{example}\""));
    }
    let (host, port) = text.rsplit_once(':')?;
    Some(match host {
        "" | "*" | "localhost" => lacks_ip(port),
        host if ip(host).is_some() => PORT.to_owned(),
        _ if is_port(port) => format!(
            "must be an IP address with a port, such as \"127.0.0.1:{port}\"; names are not looked up"
        ),
        _ => return None,
    })
}

/// Whether these digits are a port that can be found.
pub(super) fn is_port(text: &str) -> bool {
    is_number(text) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An IP, with or without brackets.
fn ip(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    inner.unwrap_or(text).parse().ok()
}

/// A path where a socket can be made.
fn unix(text: &str, project: &Path) -> Result<PathBuf, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Err(format!("must be the path alone: write {path:?}"));
    }
    if text.starts_with(['~', '$', '%']) {
        return Err("must be the path itself: nothing is expanded here".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    let path: PathBuf = project.join(text).components().collect();
    // `components` drops what tells a folder from a file.
    if text.ends_with('/') || text.ends_with("/.") || path.file_name().is_none() {
        return Err(format!(
            "must name a file for the socket, such as \"{}/app.sock\"",
            text.trim_end_matches('/').escape_debug()
        ));
    }
    let length = path.as_os_str().as_bytes().len();
    if length > LONGEST_PATH {
        return Err(format!(
            "must be at most {LONGEST_PATH} bytes long, as every path of a socket: {} has {length}",
            path.display()
        ));
    }
    // A socket that an earlier daemon left there is in nobody's way.
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Err(format!(
            "must name a file for the socket: {} is a directory",
            path.display()
        )),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(format!(
            "must be free for the socket: {} is something else",
            path.display()
        )),
        _ => Ok(path),
    }
}
