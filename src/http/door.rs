//! Who may talk to the daemon: programs of this machine, and pages that it served itself.
//!
//! A web page that somebody visits can send requests to loopback, and by DNS rebinding it can even
//! read the answers. It cannot choose its Host and Origin, so these are checked: on every route,
//! before the body is read. Programs of other users of the machine lack the token, where one is
//! wanted.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HOST, HeaderMap, HeaderName, ORIGIN},
    middleware::Next,
};

use super::{
    peer::{Peer, Way},
    refusal::Refusal,
    token::Token,
};

/// The names by which a browser reaches what we bind.
const OURSELVES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Admits or refuses requests.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    ports: Arc<[u16]>,
    /// What requests over TCP must bring, if anything.
    token: Option<Token>,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    /// Host is missing, doubled, malformed, or names something else than this machine.
    #[error("the Host header must be a loopback name or address")]
    Host,
    /// The request comes from a page that is not ours.
    #[error("the Origin header must be absent or this server's own")]
    Origin,
}

impl Door {
    /// A door of a server that listens on these ports, and wants this token.
    pub(crate) fn new(ports: Vec<u16>, token: Option<Token>) -> Self {
        Self {
            ports: ports.into(),
            token,
        }
    }

    /// The origins that are our own.
    pub(crate) fn origins(&self) -> Vec<String> {
        let urls = |&port: &u16| OURSELVES.map(|host| format!("http://{host}:{port}"));
        self.ports.iter().flat_map(urls).collect()
    }

    /// Whether this may come in. `target` is the authority of a request line in absolute form.
    fn admits(&self, target: Option<&str>, headers: &HeaderMap) -> Result<(), Stranger> {
        let host = one(headers, &HOST).map_err(|Unclear| Stranger::Host)?;
        let loopback = host.is_some_and(is_loopback) && target.is_none_or(is_loopback);
        if !loopback {
            return Err(Stranger::Host);
        }
        match one(headers, &ORIGIN) {
            Ok(None) => Ok(()),
            Ok(Some(origin)) if self.is_own(origin) => Ok(()),
            Ok(Some(_)) | Err(Unclear) => Err(Stranger::Origin),
        }
    }

    /// Whether who came in this way may stay. The unix socket is this user's alone.
    fn knows(&self, way: Way, headers: &HeaderMap) -> bool {
        match (way, &self.token) {
            (Way::Unix, _) | (_, None) => true,
            (Way::Tcp, Some(token)) => token.is_in(headers),
        }
    }

    fn is_own(&self, origin: &str) -> bool {
        // Browsers write an origin in lower case and leave a port of 80 out.
        let Some(authority) = origin.strip_prefix("http://") else {
            return false;
        };
        let own = |port: &u16| {
            OURSELVES.iter().any(|host| {
                authority.strip_prefix(host).is_some_and(|rest| {
                    let written = rest.strip_prefix(':').and_then(number);
                    written == Some(*port) || (rest.is_empty() && *port == 80)
                })
            })
        };
        self.ports.iter().any(own)
    }
}

/// The header is there more than once, or is no text.
struct Unclear;

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Unclear> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Unclear);
    }
    value.to_str().map(Some).map_err(|_| Unclear)
}

/// Whether an authority, with or without a port, names this machine and nothing else. Any port, so
/// that `ssh -L` works.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else {
                return false;
            };
            let loopback = address.parse().is_ok_and(|it: Ipv6Addr| it.is_loopback());
            if !loopback {
                return false;
            }
            return port.is_empty() || port.strip_prefix(':').and_then(number).is_some();
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let named = host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|it: Ipv4Addr| it.is_loopback());
    named && port.is_none_or(|port| number(port).is_some())
}

/// A port as it is written: digits only, no sign.
fn number(text: &str) -> Option<u16> {
    text.bytes()
        .all(|it| it.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// The door as middleware around all routes.
pub(crate) async fn guard<B: MessageBody + 'static>(
    door: Door,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let target = request.uri().authority().map(|it| it.as_str().to_owned());
    match door.admits(target.as_deref(), request.headers()) {
        Ok(()) => {
            let peer = request.request().conn_data::<Peer>();
            let way = peer.map_or(Way::Tcp, Peer::way);
            if door.knows(way, request.headers()) {
                return Ok(next.call(request).await?.map_into_left_body());
            }
            log::warn!("http: refused a request without the token");
            Ok(request
                .into_response(Refusal::unauthorized())
                .map_into_right_body())
        }
        Err(stranger) => {
            log::warn!("http: refused a request, {stranger}");
            let refusal = Refusal::forbidden(stranger.to_string()).response();
            Ok(request.into_response(refusal).map_into_right_body())
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn judge(host: &[&str], origin: &[&str]) -> Result<(), Stranger> {
        let mut headers = HeaderMap::new();
        for it in host {
            headers.append(HOST, HeaderValue::from_str(it).unwrap());
        }
        for it in origin {
            headers.append(ORIGIN, HeaderValue::from_str(it).unwrap());
        }
        Door::new(vec![3001], None).admits(None, &headers)
    }

    #[test]
    fn only_loopback_names_and_addresses_are_hosts() {
        for host in [
            "localhost",
            "LOCALHOST:3001",
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:3001",
            "127.9.8.7:1",
            "[::1]",
            "[::1]:3001",
        ] {
            assert_eq!(judge(&[host], &[]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:3001",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.nip.io",
            "0.0.0.0:3001",
            "192.168.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "::1",
            "[::1",
            "[::1]evil",
            "[::2]",
            "[::ffff:10.0.0.1]",
            "localhost:",
            "localhost:port",
            "localhost:+80",
            "localhost:99999",
            "localhost:80:80",
            "user@localhost",
            "localhost/",
            " localhost",
        ] {
            assert_eq!(judge(&[host], &[]), Err(Stranger::Host), "{host}");
        }
        assert_eq!(judge(&[], &[]), Err(Stranger::Host));
        let twice = judge(&["localhost", "localhost"], &[]);
        assert_eq!(twice, Err(Stranger::Host));
    }

    #[test]
    fn an_origin_is_absent_or_exactly_our_own() {
        let host = &["localhost:3001"];
        for origin in [
            "http://localhost:3001",
            "http://127.0.0.1:3001",
            "http://[::1]:3001",
        ] {
            assert_eq!(judge(host, &[origin]), Ok(()), "{origin}");
        }
        for origin in [
            "",
            "null",
            "http://localhost",
            "http://localhost:3002",
            "http://localhost:30010",
            "https://localhost:3001",
            "http://evil.example",
            "http://evil.example:3001",
            "http://localhost:3001.evil.example",
            "http://localhost:3001/",
            "http://localhost:3001@evil.example",
            "http://user@localhost:3001",
            "http://127.0.0.2:3001",
            "localhost:3001",
            "file://",
        ] {
            assert_eq!(judge(host, &[origin]), Err(Stranger::Origin), "{origin}");
        }
        let twice = judge(host, &["http://localhost:3001", "http://localhost:3001"]);
        assert_eq!(twice, Err(Stranger::Origin));
    }

    #[test]
    fn a_request_line_cannot_name_another_host_than_the_header() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("localhost"));
        let door = Door::new(vec![3001], None);
        assert_eq!(door.admits(Some("127.0.0.1:3001"), &headers), Ok(()));
        let other = door.admits(Some("evil.example"), &headers);
        assert_eq!(other, Err(Stranger::Host));
    }

    #[test]
    fn a_port_of_80_is_not_written() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
        assert_eq!(Door::new(vec![80], None).admits(None, &headers), Ok(()));
    }
}
