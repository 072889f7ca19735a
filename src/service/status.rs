//! `get_status`: what every process does, read from the boards.

use bpm_actors::{
    report::{ProcessReport, StateName},
    spec::Mode,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use super::Service;

/// What the daemon and its processes do.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StatusReport {
    /// The project's directory.
    pub project_dir: String,
    /// The daemon's version.
    pub version: String,
    /// Where MCP is served.
    pub url: String,
    /// `dev` while any process is in dev.
    pub mode: Mode,
    /// Time until dev mode ends because nobody works on it; null in release.
    pub release_in_seconds: Option<f64>,
    /// The processes, in the order of the configuration.
    pub processes: Vec<ProcessReport>,
}

impl Service {
    /// What everything does, with ages and waits as of `now`.
    #[must_use]
    pub fn status(&self, now: Instant) -> StatusReport {
        let processes: Vec<ProcessReport> = self
            .members()
            .iter()
            .map(|member| member.board.borrow().report(now))
            .collect();
        let mode = mode(&processes);
        let release_at = *self.parts.release_at.borrow();
        StatusReport {
            project_dir: self.project().to_owned(),
            version: self.version().to_owned(),
            url: self.parts.url.clone(),
            mode,
            release_in_seconds: release_at
                .filter(|_| mode == Mode::Dev)
                .map(|at| tenths(at.saturating_duration_since(now).as_secs_f64())),
            processes,
        }
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
