//! A project on disk, a daemon that serves it, and what a test asks of both.

mod bpm;
mod daemon;
mod found;
mod gate;
mod http;
mod measure;
mod processes;
pub(crate) mod project;
mod server;
pub(crate) mod shape;
mod stream;
mod terminal;
mod visitor;

use std::{
    fmt::Debug,
    net::TcpListener,
    time::{Duration, Instant},
};

pub(crate) use self::{
    bpm::Bpm, daemon::Daemon, found::*, gate::Gate, http::Http, measure::*, processes::*,
    project::Project, server::*, stream::Lines, terminal::*, visitor::*,
};

/// How long anything may take before a test gives up.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Looks until `look` finds what the test waits for; gives up after [`LIMIT`] and shows what it saw
/// last.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "outside of the daemon there is no event to wait for"
)]
pub(crate) fn eventually<T, S: Debug>(what: &str, mut look: impl FnMut() -> Result<T, S>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if begun.elapsed() > LIMIT => panic!("never {what}; last seen: {seen:#?}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// A port that the system chose and that is free on both loopback addresses.
pub(crate) fn free_port() -> u16 {
    eventually("a free port", || {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        TcpListener::bind(("::1", port)).map(|_| port)
    })
}
