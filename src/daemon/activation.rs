//! Sockets for MCP that systemd has bound and passes on (socket activation, `sd_listen_fds(3)`).
//!
//! They are used instead of binding any. Where no `.socket` unit started the daemon there are none.

use std::{
    env, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use listenfd::ListenFd;
use socket2::SockRef;

use super::listener::{Listeners, Origin};

/// What systemd passes cannot be used. The unit or the configuration must be changed.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Something else was passed.
    #[error(
        "socket {number} that systemd passes is no TCP socket that listens{}: \
         write ListenStream=127.0.0.1:PORT into the .socket unit",
        because(.cause.as_ref())
    )]
    NoListener {
        /// Which, from 1.
        number: usize,
        /// Why not, as far as it is known.
        cause: Option<io::Error>,
    },
    /// Other machines could reach it.
    #[error(
        "systemd passes a socket at {address}, which other machines may reach: \
         write ListenStream=127.0.0.1:{} into the .socket unit",
        address.port()
    )]
    NotLoopback {
        /// Its address.
        address: SocketAddr,
    },
    /// There is one URL only.
    #[error("systemd passes sockets at two ports, {one} and {other}, but MCP is served at one")]
    TwoPorts {
        /// A port.
        one: u16,
        /// And the other.
        other: u16,
    },
    /// The configuration wants another port.
    #[error(
        "systemd passes a socket at port {passed}, but mcp_port is {configured} in {}: \
         make them equal, or set mcp_port = 0 to take what is passed",
        file.display()
    )]
    OtherPort {
        /// That of the socket.
        passed: u16,
        /// That of the configuration.
        configured: u16,
        /// Where it is configured.
        file: PathBuf,
    },
}

fn because(cause: Option<&io::Error>) -> String {
    cause.map(|cause| format!(" ({cause})")).unwrap_or_default()
}

/// Takes what is passed to this very process; `None` where that is nothing. Called once, while the
/// process has one thread: the variables are removed.
///
/// # Errors
/// When MCP cannot be served there.
pub fn take() -> Result<Option<Listeners>, ActivationError> {
    let meant = env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
    if !meant {
        return Ok(None);
    }
    let mut passed = ListenFd::from_env();
    let sockets: Result<Vec<TcpListener>, _> = (0..passed.len())
        .map(|at| {
            let no_listener = |cause| ActivationError::NoListener {
                number: at + 1,
                cause,
            };
            match passed.take_tcp_listener(at) {
                Ok(Some(socket)) => Ok(socket),
                Ok(None) => Err(no_listener(None)),
                Err(cause) => Err(no_listener(Some(cause))),
            }
        })
        .collect();
    listeners(sockets?)
}

/// Whether MCP can be served on all of these.
fn listeners(sockets: Vec<TcpListener>) -> Result<Option<Listeners>, ActivationError> {
    let mut port = None;
    for (at, socket) in sockets.iter().enumerate() {
        let no_listener = |cause| ActivationError::NoListener {
            number: at + 1,
            cause,
        };
        let listens = SockRef::from(socket).is_listener();
        if !listens.map_err(|cause| no_listener(Some(cause)))? {
            return Err(no_listener(None));
        }
        let address = socket.local_addr();
        let address = address.map_err(|cause| no_listener(Some(cause)))?;
        if !address.ip().to_canonical().is_loopback() {
            return Err(ActivationError::NotLoopback { address });
        }
        let one = *port.get_or_insert(address.port());
        if one != address.port() {
            let other = address.port();
            return Err(ActivationError::TwoPorts { one, other });
        }
        let unblocked = socket.set_nonblocking(true);
        unblocked.map_err(|cause| no_listener(Some(cause)))?;
    }
    Ok(port.map(|port| Listeners {
        sockets,
        port,
        origin: Origin::Passed,
    }))
}

/// Whether the configuration agrees with the port of what was passed.
///
/// # Errors
/// When it asks for another port.
pub fn agree(passed: u16, mcp_port: u16, file: &Path) -> Result<(), ActivationError> {
    if mcp_port == 0 || mcp_port == passed {
        return Ok(());
    }
    Err(ActivationError::OtherPort {
        passed,
        configured: mcp_port,
        file: file.to_owned(),
    })
}

/// The same sockets at other descriptors: the lowest ones, which systemd uses, are kept free for
/// children.
///
/// # Errors
/// When there are no descriptors left.
pub fn moved(passed: &Listeners) -> io::Result<Listeners> {
    let copies: io::Result<_> = passed.sockets.iter().map(TcpListener::try_clone).collect();
    Ok(Listeners {
        sockets: copies?,
        port: passed.port,
        origin: passed.origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(address: &str) -> TcpListener {
        TcpListener::bind(address).unwrap()
    }

    #[test]
    fn sockets_at_one_port_of_the_loopback_addresses_are_taken() {
        let first = bound("127.0.0.1:0");
        let port = first.local_addr().unwrap().port();
        let taken = listeners(vec![first]).unwrap().unwrap();
        assert_eq!((taken.port, taken.sockets.len()), (port, 1));
        assert!(listeners(Vec::new()).unwrap().is_none());
    }

    #[test]
    fn a_socket_that_others_may_reach_is_refused_with_what_to_write() {
        let everywhere = bound("0.0.0.0:0");
        let port = everywhere.local_addr().unwrap().port();
        let refused = listeners(vec![everywhere]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "systemd passes a socket at 0.0.0.0:{port}, which other machines may reach: \
                 write ListenStream=127.0.0.1:{port} into the .socket unit"
            )
        );
    }

    #[test]
    fn two_ports_are_one_too_many() {
        let sockets = vec![bound("127.0.0.1:0"), bound("127.0.0.1:0")];
        let refused = listeners(sockets).unwrap_err();
        assert!(matches!(refused, ActivationError::TwoPorts { .. }));
    }

    #[test]
    fn a_configured_port_must_be_the_one_that_is_passed_and_0_takes_any() {
        let file = Path::new("/p/.mcp-run");
        agree(4000, 0, file).unwrap();
        agree(4000, 4000, file).unwrap();
        assert_eq!(
            agree(4000, 3001, file).unwrap_err().to_string(),
            "systemd passes a socket at port 4000, but mcp_port is 3001 in /p/.mcp-run: \
             make them equal, or set mcp_port = 0 to take what is passed"
        );
    }
}
