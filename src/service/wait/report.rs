//! What came of a wait, as readers receive it.

use std::time::Duration;

use bpm_actors::{
    history::rounded,
    ids::RunId,
    report::{Behind, BuildOutcome, Health, LastBuild, LastExit, ProcessReport, StateName},
    spec::ProcessType,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::{Sight, Verdict};

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// That the process serves, is ready, and nothing newer is on its way.
    Ready,
    /// That the run which served at the call ends or is replaced.
    Exit,
    /// A line that matches.
    Log,
    /// That no build is under way.
    Build,
}

/// Why a wait ended without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unmet {
    /// Time ran out; it may still come.
    TimeUp,
    /// It backs off, and the next attempt is later than the wait would have ended.
    TooLate,
    /// It is stopped: it cannot come before somebody starts it.
    Stopped,
    /// Its entry was removed from `.mcp-run`.
    Removed,
    /// The daemon ends.
    ShuttingDown,
}

/// The answer to `wait_for`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WaitReport {
    /// The process.
    pub process: String,
    /// What was waited for.
    pub until: Wanted,
    /// Whether it is so.
    pub met: bool,
    /// Why it is not; null when it is.
    pub reason: Option<Unmet>,
    /// How long the wait took.
    pub waited_seconds: f64,
    /// What the process does now.
    pub state: StateName,
    /// Whether what runs is ready; null when nothing runs.
    pub health: Option<Health>,
    /// Why what runs is not the newest; null when it is.
    pub behind: Option<Behind>,
    /// Run that serves now.
    pub run: Option<RunId>,
    /// Pid that serves now.
    pub pid: Option<u32>,
    /// The line that matched, shortened where it is long.
    pub line: Option<String>,
    /// How the last child ended.
    pub last_exit: Option<LastExit>,
    /// The last build that ended.
    pub last_build: Option<LastBuild>,
    /// What to do next; null when there is nothing to do.
    pub next: Option<String>,
}

impl WaitReport {
    /// How much of a line is repeated, in bytes.
    const MOST_LINE: usize = 500;

    /// What came of it.
    pub(super) fn new(
        until: Wanted,
        verdict: Verdict,
        line: Option<String>,
        waited: Duration,
        sight: Sight,
    ) -> Self {
        let reason = match verdict {
            Verdict::Met => None,
            Verdict::Open => Some(Unmet::TimeUp),
            Verdict::Unmet(reason) => Some(reason),
        };
        let next = match reason {
            None => after(until, &sight),
            Some(reason) => Some(instead(reason, &sight.report)),
        };
        let now = sight.report;
        Self {
            process: now.name,
            until,
            met: reason.is_none(),
            reason,
            waited_seconds: rounded(waited),
            state: now.state,
            health: now.health,
            behind: now.behind,
            run: now.run,
            pid: now.pid,
            line: line.map(shortened),
            last_exit: now.last_exit,
            last_build: now.last_build,
            next,
        }
    }

    /// Whether it cannot come any more. That time ran out is no error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        match self.reason {
            None | Some(Unmet::TimeUp | Unmet::TooLate) => false,
            Some(Unmet::Stopped | Unmet::Removed | Unmet::ShuttingDown) => true,
        }
    }
}

fn shortened(mut line: String) -> String {
    if line.len() > WaitReport::MOST_LINE {
        line.truncate(line.floor_char_boundary(WaitReport::MOST_LINE));
        line.push('…');
    }
    line
}

/// The step to take when it is so.
fn after(until: Wanted, sight: &Sight) -> Option<String> {
    let now = &sight.report;
    match until {
        Wanted::Ready => now.behind.map(|behind| not_the_newest(behind).to_owned()),
        Wanted::Exit => now
            .last_exit
            .is_some()
            .then(|| "search_logs has what it printed".to_owned()),
        Wanted::Log => None,
        Wanted::Build if now.r#type != ProcessType::Rust => Some(
            "nothing is built for a process of this type; wait_for `ready` tells when it serves"
                .to_owned(),
        ),
        Wanted::Build => match (&sight.unbuilt, &now.last_build) {
            (Some(event), _) => Some(format!(
                "the newest attempt failed before cargo: {}; mend this and restart",
                event.text
            )),
            (None, Some(build)) if build.outcome == BuildOutcome::Failed => Some(
                "the build failed: search_build_log has the errors; mend them and restart"
                    .to_owned(),
            ),
            (None, Some(_)) => None,
            (None, None) => Some("it was not built yet".to_owned()),
        },
    }
}

fn not_the_newest(behind: Behind) -> &'static str {
    match behind {
        Behind::BuildFailed => {
            "what serves is older than the newest attempt, which failed to build; get_status has \
             why, search_build_log what cargo said"
        }
        Behind::RolledBack => {
            "what serves is the last good version, because the newest build did not prove itself; \
             get_status has why"
        }
        Behind::SourcesChanged => {
            "source files were changed after the build of what serves; restart builds them"
        }
    }
}

/// The step to take when it is not.
fn instead(reason: Unmet, now: &ProcessReport) -> String {
    let attempt = now
        .next_attempt_in_seconds
        .map(|wait| format!("next attempt in {wait:.0} s; restart acts at once"));
    match (reason, attempt) {
        (Unmet::TimeUp, None) => "call wait_for again to wait on".to_owned(),
        (Unmet::TimeUp, Some(attempt)) => format!("{attempt}; call wait_for again to wait on"),
        (Unmet::TooLate, Some(attempt)) => format!("{attempt}; search_logs has what it printed"),
        (Unmet::TooLate, None) => "restart acts at once".to_owned(),
        (Unmet::Stopped, _) => {
            "it stays stopped until somebody starts it: call start or restart".to_owned()
        }
        (Unmet::Removed, _) => {
            "its entry was removed from .mcp-run; get_status shows the processes that there are"
                .to_owned()
        }
        (Unmet::ShuttingDown, _) => "the daemon is ending; start it again".to_owned(),
    }
}
