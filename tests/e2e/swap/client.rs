//! A client who looks closely at what it gets.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use nix::errno::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::server::page;
use crate::support::LIMIT;

/// Where it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Quick,
    /// The answer takes 100 ms, between its first half and its second.
    Slow,
}

/// What it wants then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    More,
    Close,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) version: u32,
    pub(super) pid: u32,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    /// Nobody listened.
    Refused,
    /// The connection broke.
    Reset,
    /// It ended too early.
    Cut,
    /// Nothing came.
    TimedOut,
    /// It is not the page that it should be.
    Wrong(String),
    /// Something that has nothing to do with the server.
    Odd(String),
}

impl From<io::Error> for Loss {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The file of a socket that was removed.
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => Self::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Self::Reset
            }
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            // What `connect` says when its time is up.
            _ if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => Self::TimedOut,
            _ => Self::Odd(error.to_string()),
        }
    }
}

pub(super) struct Client(Socket);

impl Client {
    /// Every connection over IPv4 comes from an address of its own: ports that rest after a connection
    /// are never missed.
    pub(super) fn connect(target: &Target) -> Result<Self, Loss> {
        let (domain, address) = match target {
            Target::Tcp(address) => (Domain::for_address(*address), (*address).into()),
            Target::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
        };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_read_timeout(Some(LIMIT))?;
        // For `connect` as well.
        socket.set_write_timeout(Some(LIMIT))?;
        if domain == Domain::IPV4 {
            socket.bind(&SocketAddr::from((own_address(), 0)).into())?;
        }
        socket.connect(&address)?;
        Ok(Self(socket))
    }

    /// One request, and its whole answer.
    pub(super) fn ask(&mut self, request: Request, then: Then) -> Result<Server, Loss> {
        let nonce = nonce();
        let kind = match request {
            Request::Quick => "quick",
            Request::Slow => "slow",
        };
        let wish = match then {
            Then::More => "keep-alive",
            Then::Close => "close",
        };
        let request =
            format!("GET /{kind}/{nonce} HTTP/1.1\r\nHost: swap\r\nConnection: {wish}\r\n\r\n");
        self.0.write_all(request.as_bytes())?;
        let body = self.answer()?;
        if then == Then::Close && self.0.read(&mut [0; 1])? > 0 {
            return Err(Loss::Wrong("more than a page".to_owned()));
        }
        let server = server_in(&body);
        server
            .filter(|server| body == page(server.version, server.pid, &nonce))
            .ok_or(Loss::Wrong(body))
    }

    /// The body of the next answer, and not a byte of what follows.
    fn answer(&mut self) -> Result<String, Loss> {
        const HEAD_ENDS: &str = "\r\n\r\n";
        let mut bytes = Vec::with_capacity(4096);
        let mut buffer = [0; 4096];
        loop {
            let count = self.0.read(&mut buffer)?;
            if count == 0 {
                return Err(Loss::Cut);
            }
            bytes.extend_from_slice(&buffer[..count]);
            let text = str::from_utf8(&bytes).map_err(|_| wrong(&bytes))?;
            let Some((head, body)) = text.split_once(HEAD_ENDS) else {
                continue;
            };
            let length = head
                .strip_prefix("HTTP/1.1 200 OK\r\nContent-Length: ")
                .and_then(|length| length.parse::<usize>().ok())
                .ok_or_else(|| wrong(&bytes))?;
            if body.len() == length {
                return Ok(body.to_owned());
            }
            if body.len() > length {
                return Err(wrong(&bytes));
            }
        }
    }
}

fn wrong(bytes: &[u8]) -> Loss {
    Loss::Wrong(String::from_utf8_lossy(bytes).into_owned())
}

/// Who says that it made this page.
fn server_in(page: &str) -> Option<Server> {
    let mut words = page.lines().next()?.split(' ');
    let version = words.nth(1)?.parse().ok()?;
    let pid = words.nth(1)?.parse().ok()?;
    Some(Server { version, pid })
}

/// All of 127.0.0.0/8 is this machine.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [_, a, b, c] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 64 | a & 63, b, c)
}

/// A word that no other request has.
fn nonce() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{:08x}", NEXT.fetch_add(1, Ordering::Relaxed))
}
