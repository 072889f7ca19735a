//! Whether what somebody waits for is so, may still come, or cannot. Pure.

use std::time::Duration;

use bpm_actors::{
    ids::RunId,
    report::{EventReport, Health, ProcessReport, StateName},
    spec::ProcessType,
};

use super::report::Unmet;

/// What must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The process serves, is ready, and nothing newer is on its way.
    Ready,
    /// This run, which served when the wait began, has ended or was replaced.
    Exit(Option<RunId>),
    /// A line. Whether it came is for the log store to say.
    Log,
    /// No build is under way.
    Build,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may still come.
    Open,
    /// It is so.
    Met,
    /// It is not, and there is no use in waiting on.
    Unmet(Unmet),
}

/// What is seen of a process at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// What it does.
    pub(super) report: ProcessReport,
    /// How its newest attempt failed, where that was before cargo.
    pub(super) unbuilt: Option<EventReport>,
    /// Whether the daemon ends.
    pub(super) is_ending: bool,
    /// Whether the configuration does not name it any more.
    pub(super) is_removed: bool,
}

impl Goal {
    /// How it stands, with so much time left to wait.
    pub(super) fn verdict(self, sight: &Sight, left: Duration) -> Verdict {
        let now = &sight.report;
        match self {
            _ if self.is_met(now) => Verdict::Met,
            // A run that is told to end will.
            Self::Exit(_) => Verdict::Open,
            _ if sight.is_removed => Verdict::Unmet(Unmet::Removed),
            _ if sight.is_ending => Verdict::Unmet(Unmet::ShuttingDown),
            Self::Build => Verdict::Open,
            Self::Ready | Self::Log => prospect(now, left),
        }
    }

    fn is_met(self, now: &ProcessReport) -> bool {
        match self {
            Self::Ready => {
                now.state == StateName::Running && now.serving && now.health == Some(Health::Ready)
            }
            Self::Exit(None) => true,
            Self::Exit(run) => now.run != run || now.last_exit.as_ref().map(|it| it.run) == run,
            Self::Log => false,
            Self::Build => {
                let builds = now.state == StateName::Building || is_new(now);
                now.r#type != ProcessType::Rust || !builds
            }
        }
    }
}

/// Whether there will be a child that could do it.
fn prospect(now: &ProcessReport, left: Duration) -> Verdict {
    match (now.state, now.next_attempt_in_seconds) {
        (StateName::Stopped, _) if !is_new(now) => Verdict::Unmet(Unmet::Stopped),
        (StateName::BackingOff, Some(wait)) if !left.is_zero() && wait > left.as_secs_f64() => {
            Verdict::Unmet(Unmet::TooLate)
        }
        _ => Verdict::Open,
    }
}

/// Whether the daemon has only just begun and will start it in a moment: nothing has happened to it
/// yet, not even a stop.
fn is_new(now: &ProcessReport) -> bool {
    now.state == StateName::Stopped && now.events.is_empty()
}
