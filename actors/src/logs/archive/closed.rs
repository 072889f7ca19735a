//! A history that could not be opened when the daemon began.

use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::{Archive, ArchiveLimits, PAUSE};
use crate::ids::{BuildId, RunId, Sequence};

/// A history that could not be opened when the daemon began.
#[derive(Debug)]
pub struct Closed {
    root: PathBuf,
    limits: ArchiveLimits,
    runs: Sequence<RunId>,
    builds: Sequence<BuildId>,
    /// When it is tried again.
    until: Instant,
}

impl Closed {
    /// The history below `root`, which could not be opened just now. Where it turns out to have ids
    /// that `runs` and `builds` have given out meanwhile, they go on behind them.
    #[must_use]
    pub fn now(
        root: &Path,
        limits: ArchiveLimits,
        runs: Sequence<RunId>,
        builds: Sequence<BuildId>,
    ) -> Self {
        Self {
            root: root.to_owned(),
            limits,
            runs,
            builds,
            until: Instant::now() + PAUSE,
        }
    }

    /// When it is opened, so much is kept.
    pub(crate) fn set_limits(&mut self, limits: ArchiveLimits) {
        self.limits = limits;
    }

    /// Tries again, where it is time.
    pub(crate) fn open(&mut self) -> Option<Archive> {
        if Instant::now() < self.until {
            return None;
        }
        self.until = Instant::now() + PAUSE;
        let mut archive = Archive::open(&self.root, self.limits).ok()?;
        let (run, build) = (RunId(archive.last_run()), BuildId(archive.last_build()));
        self.runs.skip_to(run.0);
        self.builds.skip_to(build.0);
        archive.hidden = Some((run, build));
        let earlier = if run.0 + build.0 > 0 {
            "; what is there of earlier daemons is shown by the next one"
        } else {
            ""
        };
        log::info!("{}: history is kept again{earlier}", self.root.display());
        Some(archive)
    }
}
