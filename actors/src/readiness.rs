//! Finds out when a new child is ready.
//!
//! A process's actor starts one watch for each run and drops it when it no longer cares. The watch
//! knows neither what serves now nor what becomes of the answer; how long it may take is decided by
//! the lifecycle.
//!
//! No kernel event tells that a child accepts connections, so tcp, http and exec are tried again and
//! again: 3 ms apart at first, slowing to 50 ms. The others wait for their event.

mod connect;
mod door;
mod event_loop;
mod exec;
mod finding;
mod http;
mod owner;
mod pace;
mod proc_net;
mod sock_diag;
mod table;
mod target;

use std::{
    cell::RefCell,
    future::{self, Future},
    rc::Rc,
};

use actix::Recipient;

use crate::{
    children::{Launch, SharedChildren, TreeId},
    logs::{AwaitLine, LogKey},
    spec::{LinePattern, Probe},
};

/// The run that is watched.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its tree.
    pub tree: TreeId,
    /// Its log.
    pub log: LogKey,
    /// The private port that it was given, if it was.
    pub port: Option<u16>,
    /// How it was started: a probe's program gets the same directory and environment.
    pub launch: Launch,
}

/// Whom a watch needs.
#[derive(Clone)]
pub struct Ports {
    /// Knows who belongs to a tree, and starts the programs of probes.
    pub children: SharedChildren,
    /// Knows the lines.
    pub lines: Recipient<AwaitLine>,
}

/// What a watch has found so far. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Findings(Rc<RefCell<String>>);

impl Findings {
    /// Why the run does not count as ready yet, in words, such as
    /// `http://127.0.0.1:8080/health answered 503`.
    #[must_use]
    pub fn why_not(&self) -> String {
        self.0.borrow().clone()
    }

    fn say(&self, words: String) {
        *self.0.borrow_mut() = words;
    }
}

/// Returns when the run is ready; never, if that never happens. [`Probe::Notify`] is not watched here
/// (see [`crate::notify`]) and never returns; [`Probe::Log`] asks for a log that must be open already.
/// Needs tokio's runtime; whoever drops it stops all that it started.
pub fn watch(
    probe: Probe,
    subject: Subject,
    ports: Ports,
    findings: Findings,
) -> impl Future<Output = ()> {
    findings.say("it was not probed yet".to_owned());
    async move {
        match probe {
            Probe::Http { target, path } => {
                connect::http(&target, &path, subject, ports, findings).await;
            }
            Probe::Tcp(target) => connect::tcp(&target, subject, ports, findings).await,
            Probe::Log(pattern) => line(pattern, subject.log, &ports, &findings).await,
            Probe::Notify => {
                findings.say("it did not say READY=1".to_owned());
                future::pending::<()>().await;
            }
            Probe::Exec(command) => exec::exec(&command, subject, ports, findings).await,
        }
    }
}

/// Returns when a line matches.
async fn line(pattern: LinePattern, key: LogKey, ports: &Ports, findings: &Findings) {
    let LinePattern { text, pattern } = pattern;
    findings.say(format!("no line matched \"{text}\""));
    if let Ok(Some(_)) = ports.lines.send(AwaitLine { key, pattern }).await {
        return;
    }
    // The log has ended: nothing can match any more.
    future::pending::<()>().await;
}

#[cfg(test)]
mod tests;
