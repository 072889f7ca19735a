//! `get_status`: what every process does, read from the boards.

use std::sync::Arc;

use bpm_actors::{
    report::{ProcessReport, StateName},
    restart::Board,
    spec::Mode,
};
use futures_util::future::{join_all, pending, select_all};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};

use super::{ConfiguredBoard, Member, Service};

/// What the daemon and its processes do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusReport {
    /// The project's directory.
    pub project_dir: String,
    /// The daemon's version.
    pub version: String,
    /// Where MCP is served.
    pub url: String,
    /// `dev` while any process is in dev.
    pub mode: Mode,
    /// Time until dev mode ends because nobody works on it, 0 while release is being built; null in
    /// release.
    pub release_in_seconds: Option<f64>,
    /// What is wrong with .mcp-run as it is now, so that an older one holds; null when nothing is.
    pub config_error: Option<String>,
    /// The processes, in the order of the configuration.
    pub processes: Vec<ProcessReport>,
}

impl Service {
    /// Tells when to ask for the status again. At first everything counts as changed.
    #[must_use]
    pub fn watch_status(&self) -> StatusWatch {
        let mut watch = StatusWatch {
            configured: self.parts.configured.clone(),
            boards: Vec::new(),
            release_at: self.parts.release_at.clone(),
        };
        watch.find_boards();
        watch
    }

    /// Looks at the sources of what serves, where that is due: [`Service::status`] tells whether they
    /// were changed.
    pub async fn refresh(&self) {
        let configured = self.configured();
        join_all(configured.members.iter().map(Member::refresh)).await;
    }

    /// What everything does, with ages and waits as of `now`.
    #[must_use]
    pub fn status(&self, now: Instant) -> StatusReport {
        let configured = self.configured();
        let members = configured.members.iter();
        let processes: Vec<ProcessReport> = members.map(|member| member.report(now)).collect();
        let mode = mode(&processes);
        let release_at = *self.parts.release_at.borrow();
        StatusReport {
            project_dir: self.project().to_owned(),
            version: self.version().to_owned(),
            url: configured.url.clone(),
            config_error: configured.error.clone(),
            mode,
            release_in_seconds: release_at
                .filter(|_| mode == Mode::Dev)
                .map(|at| tenths(at.saturating_duration_since(now).as_secs_f64())),
            processes,
        }
    }
}

/// Tells whether anything that a status shows has changed, but for ages and waits.
#[derive(Clone)]
pub struct StatusWatch {
    configured: ConfiguredBoard,
    boards: Vec<Board>,
    release_at: watch::Receiver<Option<Instant>>,
}

impl StatusWatch {
    /// Waits until something was published since [`StatusWatch::mark_seen`].
    pub async fn published(&mut self) {
        async fn next<T>(board: &mut watch::Receiver<T>) {
            // A sender that is gone publishes nothing more.
            if board.changed().await.is_err() {
                pending::<()>().await;
            }
        }
        let boards = &mut self.boards;
        let boards = async move {
            if boards.is_empty() {
                pending::<()>().await;
            }
            select_all(boards.iter_mut().map(|board| Box::pin(next(board)))).await
        };
        tokio::select! {
            _ = boards => {}
            () = next(&mut self.release_at) => {}
            // The boards are others; they are found when this is looked at.
            () = next(&mut self.configured) => self.configured.mark_changed(),
        }
    }

    /// What was published so far is known.
    pub fn mark_seen(&mut self) {
        if self.configured.has_changed().unwrap_or(false) {
            self.find_boards();
        }
        self.boards
            .iter_mut()
            .for_each(watch::Receiver::mark_unchanged);
        self.release_at.mark_unchanged();
    }

    /// Whether anything was published since this was asked before.
    pub fn changed(&mut self) -> bool {
        if self.configured.has_changed().unwrap_or(false) {
            self.find_boards();
        }
        // A sender that is gone publishes nothing more, but looks changed for ever, which is safe.
        let boards = self
            .boards
            .iter()
            .any(|it| it.has_changed().unwrap_or(true));
        let changed = boards || self.release_at.has_changed().unwrap_or(true);
        if changed {
            self.mark_seen();
        }
        changed
    }

    /// Looks at the boards of the processes that there are now. All count as changed.
    fn find_boards(&mut self) {
        let configured = Arc::clone(&*self.configured.borrow_and_update());
        let members = configured.members.iter();
        self.boards = members.map(|it| it.board.clone()).collect();
        let boards = self.boards.iter_mut();
        boards.for_each(watch::Receiver::mark_changed);
        self.release_at.mark_changed();
    }
}

/// Dev while any process is in dev: it runs in dev, or its next attempt will.
fn mode(processes: &[ProcessReport]) -> Mode {
    let dev = |process: &ProcessReport| {
        process.mode == Mode::Dev && (process.serving || process.state != StateName::Stopped)
    };
    if processes.iter().any(dev) {
        Mode::Dev
    } else {
        Mode::Release
    }
}

/// Seconds as people read them.
fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}
