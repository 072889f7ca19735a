//! The relay: takes TCP connections at a public port and passes them on to the private port of the
//! newest ready child.
//!
//! A process's actor says where new connections go; connections that are there stay with the child
//! that they were made to. While there is nowhere to go, nothing is accepted and connections wait in
//! the backlog. It knows neither processes nor their life, only runs and ports.

use std::{io, net::TcpListener};

use actix::ArbiterHandle;

use crate::ids::RunId;

/// A relay at work. Clones share it; it ends with the last clone.
#[derive(Clone, Debug)]
pub struct Relay {}

/// Where new connections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// To this run,
    pub run: RunId,
    /// at this port of a loopback address (127.0.0.1 or `::1`, whichever answers).
    pub port: u16,
}

impl Relay {
    /// Begins to relay what comes to `listeners`, on the thread of `arbiter`.
    ///
    /// # Errors
    /// When a listener cannot be made non-blocking.
    pub fn start(listeners: Vec<TcpListener>, arbiter: &ArbiterHandle) -> io::Result<Self> {
        let _ = (listeners, arbiter);
        Ok(Self {})
    }

    /// From now on new connections go there; with `None` they wait.
    pub fn route(&self, to: Option<Route>) {
        let _ = to;
    }

    /// Returns when this run has no connection left and gets no new one.
    pub fn drained(&self, run: RunId) -> impl Future<Output = ()> + use<> {
        let _ = run;
        std::future::ready(())
    }
}

/// A port that nobody uses on either loopback address, for a child to listen on.
///
/// # Errors
/// When the system has none.
pub fn private_port() -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}
