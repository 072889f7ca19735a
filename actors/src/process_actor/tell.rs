//! What happened, in the daemon's log, in the history and to followers: one line per transition.

use std::time::SystemTime;

use super::{
    ProcessActor,
    answer::{self, Wish},
};
use crate::{
    events::{Detail, Kind, LiveKind},
    exit::Exit,
    history::{Picture, rounded, timestamp},
    ids::RunId,
    lifecycle::{Debut, Effect, Failure, FailureCause, Instead, KillReason, Verdict},
    report::{EventKind, StateName},
};

/// What followers were told.
#[derive(Debug)]
pub(super) struct Told {
    /// How many events of the history.
    events: u64,
    state: Detail,
}

impl Told {
    /// Nothing yet.
    pub(super) fn before(picture: &Picture) -> Self {
        let (events, state) = (0, picture.state());
        Self { events, state }
    }
}

impl ProcessActor {
    /// Publishes what is new: events first, then the state that they led to.
    pub(super) fn tell_followers(&mut self, state: Detail) {
        let (events, name) = (&self.ports.events, &self.spec.name);
        for (at, kind, text) in self.history.behind_first(self.told.events) {
            let detail = match kind {
                EventKind::Mode => Detail::Mode { mode: self.mode },
                _ => Detail::Nothing {},
            };
            events.publish(Some(name), at, Kind::Event(kind), text.to_owned(), detail);
        }
        self.told.events = self.history.noted();
        if self.told.state != state {
            self.told.state = state;
            let kind = Kind::Live(LiveKind::State);
            let at = timestamp(SystemTime::now());
            events.publish(Some(name), at, kind, in_words(state), state);
        }
    }

    pub(super) fn tell(&mut self, effects: &[Effect]) {
        let name = self.spec.name.clone();
        let wait = effects.iter().find_map(|effect| match effect {
            Effect::BackingOff { until, mode } => Some(answer::wait_in_words(*until, *mode)),
            _ => None,
        });
        let then = match effects.iter().find_map(|effect| self.instead(effect)) {
            Some(instead) => instead,
            None => wait.clone().unwrap_or_else(|| "again at once".to_owned()),
        };
        let crashed = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Crashed { .. }));
        let rolled_back = effects
            .iter()
            .any(|effect| matches!(effect, Effect::RolledBack { .. }));
        // Of a start there is nothing to say but that it is up, which was said.
        let is_restart = |ticket| {
            let promise = self.promises.get(ticket);
            promise.is_none_or(|it| it.wish != Wish::Start)
        };
        let restarted = effects.iter().any(|effect| match effect {
            Effect::Answer {
                ticket,
                verdict: Verdict::Restarted,
            } => is_restart(ticket),
            _ => false,
        });
        for effect in effects {
            match effect {
                Effect::Crashed { run, exit } => {
                    log::warn!("{name}: crashed ({exit}), {then}");
                    let text = self.ended(*run, *exit);
                    self.history.note(EventKind::Crashed, text);
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
                    let why = self.note_hung(*run);
                    log::warn!("{name}: run {run} is killed: {why}");
                }
                Effect::NotReady { run } => {
                    let text = format!("run {run} was not ready in time ({})", self.why_not(*run));
                    log::warn!("{name}: {text}, {then}");
                    if !rolled_back {
                        self.history.note(EventKind::Crashed, text);
                    }
                }
                Effect::Ready { run, debut } => self.tell_ready(*run, *debut, restarted),
                Effect::RolledBack { failure, .. } => {
                    let text = format!("{}; {then}", self.how(*failure));
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

    /// A failure, as the history says it.
    fn how(&self, Failure { run, cause }: Failure) -> String {
        match cause {
            FailureCause::Exited(exit) => self.ended(run, exit),
            FailureCause::NotStarted => format!("run {run} could not be started"),
            FailureCause::NotReady => {
                format!("run {run} was not ready in time ({})", self.why_not(run))
            }
        }
    }

    /// How a run ended, and why it had to, where it hung.
    fn ended(&self, run: RunId, exit: Exit) -> String {
        match self.live.get(&run).and_then(|child| child.hung.as_ref()) {
            Some(why) => format!("run {run}: {exit}: {why}"),
            None => format!("run {run}: {exit}"),
        }
    }

    /// Takes down why a run that hangs is killed.
    fn note_hung(&mut self, run: RunId) -> String {
        let watchdog = self.live.get(&run).and_then(|child| child.spec.watchdog);
        let time = watchdog.map_or(0.0, rounded);
        let silent = || format!("it gave no sign of life for {time} s");
        match self.live.get_mut(&run) {
            Some(child) => child.hung.get_or_insert_with(silent).clone(),
            None => silent(),
        }
    }

    /// Why a run does not count as ready yet.
    pub(super) fn why_not(&self, run: RunId) -> String {
        let Some(child) = self.live.get(&run) else {
            return String::new();
        };
        let mut why = child.findings.why_not();
        if let Some(said) = &child.shown().said {
            why = format!("{why}; it says `{said}`");
        }
        why
    }

    fn tell_ready(&mut self, run: RunId, debut: Debut, restarted: bool) {
        let pid = self.live.get(&run).map_or(0, |child| child.pid);
        let mode = self.machine.mode();
        let up = format!("up (run {run}, pid {pid}, {mode})");
        match debut {
            Debut::Swapped(old) => {
                log::info!("{}: run {run} took over from run {old}", self.spec.name);
                let drain = rounded(self.spec.drain);
                let text = format!(
                    "{up}, took over from run {old}, which has up to {drain} s for what it serves"
                );
                self.history.note(EventKind::Swapped, text);
            }
            Debut::Fresh if restarted => self.history.note(EventKind::Restarted, up),
            Debut::Fresh | Debut::Fallback => {}
        }
    }

    /// What happens instead of the newest version.
    fn instead(&self, effect: &Effect) -> Option<String> {
        let Effect::RolledBack { to, .. } = effect else {
            return None;
        };
        let (what, artifact) = match to {
            Instead::Old(run) => (
                format!("run {run} keeps serving"),
                self.machine
                    .staying()
                    .find(|it| it.id == *run)
                    .map(|it| &it.artifact),
            ),
            Instead::LastGood => (
                "the last good version is started again".to_owned(),
                self.machine.good(),
            ),
        };
        let before = artifact.is_some_and(|it| !it.spec.runs_like(&self.spec));
        let how = if before {
            ", as .mcp-run had it before the change"
        } else {
            ""
        };
        Some(format!("{what}{how}"))
    }
}

/// A state as people read it.
fn in_words(detail: Detail) -> String {
    let Detail::State {
        state,
        serving,
        run,
    } = detail
    else {
        return String::new();
    };
    let doing = match state {
        StateName::Stopped => "stopped",
        StateName::Building => "building",
        StateName::Proving => "proving",
        StateName::Running => "running",
        StateName::Stopping => "stopping",
        StateName::BackingOff => "backing off",
    };
    match run.filter(|_| serving) {
        Some(run) => format!("{doing}, run {run} serves"),
        None => doing.to_owned(),
    }
}
