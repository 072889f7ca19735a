//! Whether what somebody waits for is so, may still come, or cannot. Pure.

use std::fmt;

use bpm_actors::{
    ids::RunId,
    report::{Health, ProcessReport, StateName},
};

use crate::cli::arguments::Awaited;

/// What must come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// It serves, is ready, and nothing newer is on its way.
    Ready,
    /// This run has ended or was replaced; none is at its end.
    End(Option<RunId>),
    /// A line that matches. Whether it came the log tells.
    Line(String),
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may still come.
    Open,
    /// It is so.
    Met(String),
    /// It cannot come.
    Unmet(String),
}

impl Goal {
    /// What is waited for, where the process is now like this.
    pub(super) fn new(awaited: &Awaited, now: Option<&ProcessReport>) -> Self {
        match awaited {
            Awaited::Ready => Self::Ready,
            Awaited::Exit => Self::End(now.and_then(|now| now.run)),
            Awaited::Log(pattern) => Self::Line(pattern.clone()),
        }
    }

    /// How it stands.
    pub(super) fn verdict(&self, now: Option<&ProcessReport>) -> Verdict {
        let Some(now) = now else {
            return Verdict::Unmet("there is no such process any more".to_owned());
        };
        let name = &now.name;
        match self {
            Self::Ready
                if now.state == StateName::Running
                    && now.serving
                    && now.health == Some(Health::Ready) =>
            {
                Verdict::Met(format!("{name}: ready{}", serves(now)))
            }
            Self::End(None) => Verdict::Met(format!("{name}: nothing runs")),
            Self::End(run) => end(*run, now),
            Self::Ready | Self::Line(_) if is_stopped(now) => {
                Verdict::Unmet(format!("{name}: stopped; bpm start {name} runs it again"))
            }
            Self::Ready | Self::Line(_) => Verdict::Open,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::End(Some(run)) => write!(f, "the end of run {run}"),
            Self::End(None) => f.write_str("the end"),
            Self::Line(pattern) => write!(f, "a line that matches {pattern:?}"),
        }
    }
}

fn serves(now: &ProcessReport) -> String {
    match (now.run, now.pid) {
        (Some(run), Some(pid)) => format!(" (run {run}, pid {pid}, {})", now.mode),
        _ => String::new(),
    }
}

fn end(run: Option<RunId>, now: &ProcessReport) -> Verdict {
    let exit = now.last_exit.as_ref().filter(|exit| Some(exit.run) == run);
    match (exit, run) {
        (Some(exit), _) => Verdict::Met(format!(
            "{}: run {} ended: {}",
            now.name, exit.run, exit.text
        )),
        (None, Some(run)) if now.run != Some(run) => {
            Verdict::Met(format!("{}: run {run} serves no more", now.name))
        }
        (None, _) => Verdict::Open,
    }
}

/// Whether somebody must start it. One of which nothing is known yet is about to be started by the
/// daemon, which has only just begun.
fn is_stopped(now: &ProcessReport) -> bool {
    now.state == StateName::Stopped && !now.events.is_empty()
}

#[cfg(test)]
mod tests {
    use bpm_actors::report::LastExit;

    use super::*;
    use crate::cli::samples;

    fn in_state(state: StateName) -> ProcessReport {
        ProcessReport {
            state,
            serving: false,
            ..samples::process("main")
        }
    }

    #[test]
    fn ready_is_a_run_that_serves_and_nothing_newer_on_its_way() {
        let ready = |now: &ProcessReport| Goal::Ready.verdict(Some(now));
        let met = Verdict::Met("main: ready (run 7, pid 4711, dev)".to_owned());
        assert_eq!(ready(&samples::process("main")), met);
        for state in [
            StateName::Building,
            StateName::Proving,
            StateName::Stopping,
            StateName::BackingOff,
        ] {
            let mut now = in_state(state);
            assert_eq!(ready(&now), Verdict::Open, "{state:?}");
            now.serving = true;
            assert_eq!(ready(&now), Verdict::Open, "{state:?}");
        }
    }

    #[test]
    fn what_is_stopped_does_not_come_unless_the_daemon_only_begins() {
        let mut now = in_state(StateName::Stopped);
        for goal in [Goal::Ready, Goal::Line("x".to_owned())] {
            let verdict = goal.verdict(Some(&now));
            assert!(matches!(verdict, Verdict::Unmet(text) if text.contains("bpm start main")));
        }
        now.events.clear();
        assert_eq!(Goal::Ready.verdict(Some(&now)), Verdict::Open);
        assert!(matches!(Goal::Ready.verdict(None), Verdict::Unmet(_)));
    }

    #[test]
    fn a_run_has_ended_when_it_says_so_or_another_one_serves() {
        let goal = Goal::new(&Awaited::Exit, Some(&samples::process("main")));
        assert_eq!(goal, Goal::End(Some(RunId(7))));
        let mut now = samples::process("main");
        assert_eq!(goal.verdict(Some(&now)), Verdict::Open);
        now.run = Some(RunId(8));
        let met = Verdict::Met("main: run 7 serves no more".to_owned());
        assert_eq!(goal.verdict(Some(&now)), met);
        now.last_exit = Some(LastExit {
            run: RunId(7),
            code: Some(3),
            signal: None,
            text: "exit code 3".to_owned(),
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
        });
        let met = Verdict::Met("main: run 7 ended: exit code 3".to_owned());
        assert_eq!(goal.verdict(Some(&now)), met);
        now.run = None;
        let nothing = Goal::new(&Awaited::Exit, Some(&now));
        assert!(matches!(nothing.verdict(Some(&now)), Verdict::Met(_)));
    }
}
