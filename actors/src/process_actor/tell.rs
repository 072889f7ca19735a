//! What happened, in the daemon's log and in the history: one line per transition.

use super::{ProcessActor, answer};
use crate::{
    history::rounded,
    lifecycle::{Debut, Effect, Failure, FailureCause, Instead, KillReason, Verdict},
    report::EventKind,
};

impl ProcessActor {
    pub(super) fn tell(&mut self, effects: &[Effect]) {
        let name = self.spec.name.clone();
        let wait = effects.iter().find_map(|effect| match effect {
            Effect::BackingOff { until, mode } => Some(answer::wait_in_words(*until, *mode)),
            _ => None,
        });
        let then = match effects.iter().find_map(instead) {
            Some(instead) => instead,
            None => wait.clone().unwrap_or_else(|| "again at once".to_owned()),
        };
        let crashed = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Crashed { .. }));
        let restarted = effects.iter().any(|effect| {
            matches!(
                effect,
                Effect::Answer {
                    verdict: Verdict::Restarted,
                    ..
                }
            )
        });
        for effect in effects {
            match effect {
                Effect::Crashed { run, exit } => {
                    log::warn!("{name}: crashed ({exit}), {then}");
                    self.history
                        .note(EventKind::Crashed, format!("run {run}: {exit}"));
                }
                Effect::Stopped { run, exit } => {
                    log::info!("{name}: stopped ({exit}, run {run})");
                    let by = self.stopped_by.filter(|_| !self.machine.is_ending());
                    let by = by.map_or(String::new(), |by| format!(" by {by}"));
                    let text = format!("run {run}{by}: {exit}");
                    self.history.note(EventKind::Stopped, text);
                }
                Effect::Kill {
                    run,
                    why: KillReason::Overdue,
                } => {
                    let text = format!("run {run} did not end in time and is killed");
                    log::warn!("{name}: {text}");
                    self.history.note(EventKind::Stopped, text);
                }
                Effect::Kill {
                    run,
                    why: KillReason::Hung,
                } => {
                    let time = self.spec.watchdog.map_or(0.0, rounded);
                    log::warn!("{name}: run {run} gave no sign of life for {time} s and is killed");
                }
                Effect::NotReady { run } => {
                    let found = self.live.get(run).map(|child| child.findings.why_not());
                    let found = found.unwrap_or_default();
                    log::warn!("{name}: run {run} was not ready in time ({found}), {then}");
                }
                Effect::Ready { run, debut } => self.tell_ready(*run, *debut, restarted),
                Effect::RolledBack { failure, .. } => {
                    let text = format!("{}; {then}", how(*failure));
                    log::warn!("{name}: rolled back: {text}");
                    self.history.note(EventKind::RolledBack, text);
                }
                Effect::BackingOff { .. } => {
                    let then = wait.clone().unwrap_or_default();
                    if !crashed {
                        log::info!("{name}: {then}");
                    }
                    self.history.note(EventKind::BackingOff, then);
                }
                _ => {}
            }
        }
    }

    fn tell_ready(&mut self, run: crate::ids::RunId, debut: Debut, restarted: bool) {
        let pid = self.live.get(&run).map_or(0, |child| child.pid);
        let mode = self.machine.mode();
        let up = format!("up (run {run}, pid {pid}, {mode})");
        match debut {
            Debut::Swapped(old) => {
                log::info!("{}: run {run} took over from run {old}", self.spec.name);
                let text = format!("{up}, took over from run {old}");
                self.history.note(EventKind::Swapped, text);
            }
            Debut::Fresh if restarted => self.history.note(EventKind::Restarted, up),
            Debut::Fresh | Debut::Fallback => {}
        }
    }
}

/// What happens instead of the newest version.
fn instead(effect: &Effect) -> Option<String> {
    let Effect::RolledBack { to, .. } = effect else {
        return None;
    };
    Some(match to {
        Instead::Old(run) => format!("run {run} keeps serving"),
        Instead::LastGood => "the last good version is started again".to_owned(),
    })
}

/// A failure, as the history says it.
fn how(Failure { run, cause }: Failure) -> String {
    match cause {
        FailureCause::Exited(exit) => format!("run {run}: {exit}"),
        FailureCause::NotStarted => format!("run {run} could not be started"),
        FailureCause::NotReady => format!("run {run} was not ready in time"),
    }
}
