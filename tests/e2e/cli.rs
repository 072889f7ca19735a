//! `bpm` against a real daemon.

mod entrances;
mod events;
mod logs;
mod orders;
mod reload;
mod setup;
mod status;
mod wait;

use nix::sys::signal::Signal;

use crate::support::{Daemon, Project};

/// Ends a daemon and starts another one for the same project.
#[track_caller]
fn restarted(project: &Project, mut daemon: Daemon) -> Daemon {
    daemon.signal(Signal::SIGTERM);
    daemon.ends();
    project.start()
}
