//! The daemon: what must hold before anything is started, and the start itself.
//!
//! `main` calls [`run`] with a valid configuration. It must not know arguments or exit codes.

pub mod listener;
pub mod lock;
pub mod occupant;
pub mod state_dir;

use crate::config::Config;

/// Why the daemon could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Somebody else serves the project.
    #[error(transparent)]
    Lock(#[from] lock::LockError),
    /// The MCP port cannot be had.
    #[error(transparent)]
    Listen(#[from] listener::ListenError),
    /// There is nowhere to keep state.
    #[error(transparent)]
    StateDir(#[from] state_dir::StateDirError),
}

/// Serves the project until a signal ends it.
///
/// # Errors
/// When the project is locked, the port taken, or the state folder of no use.
pub fn run(_config: Config) -> Result<(), DaemonError> {
    // STUB: the daemon's start goes here.
    Ok(())
}
