//! Where a unix socket lies, and how it is laid there again when it is lost.

use std::{
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bpm_actors::{ids::ProcessName, sockets::Place, spec::ListenAddress};

use super::{
    HeldError, Key,
    unix::{self, SocketFile},
};

/// The place of one unix socket, as its process knows it.
#[derive(Debug)]
pub(super) struct SocketPlace {
    pub(super) process: ProcessName,
    /// Where it is configured.
    pub(super) config: PathBuf,
    /// Removed with the last process that has it, or at the end of the daemon.
    pub(super) file: Arc<Mutex<SocketFile>>,
}

impl Place for SocketPlace {
    fn renew(&self) -> Option<Arc<OwnedFd>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let loss = file.loss()?;
        let path = file.path().to_owned();
        match unix::listen(&path) {
            Ok(new) => {
                let Self { process, .. } = self;
                log::warn!("{process}: {} {loss}: bound anew", path.display());
                let socket = new.socket();
                // The old one, which is open until here, leaves the new file alone.
                *file = new;
                Some(socket)
            }
            Err(reason) => {
                let problem = HeldError {
                    process: self.process.clone(),
                    key: Key::Listen,
                    address: ListenAddress::Unix(path),
                    reason,
                    file: self.config.clone(),
                };
                log::warn!(
                    "{problem}, then restart {}: nobody reaches it there",
                    self.process
                );
                None
            }
        }
    }
}
