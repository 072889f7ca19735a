//! The life of one process, as a pure state machine: `step(event, now) -> effects`.
//!
//! ```text
//!             Boot                Built                   place free             ready
//!  Idle ───────────────► Building ──────► Stopping{Prove} ──────────► Proving ─────────► Running
//!                        ▲  ▲   │ └───────────────────────────────────►  │ ▲               │
//!                        │  │   │   sockets held: beside the old one      │ │ last good     │
//!             Restart or │  │   ├──► Stopping{Prove(last good)} ────────────┘◄──────────────┤
//!               deadline │  │   │ failed, and nobody runs                │     on trial     │
//!                        │  │   └──► BackingOff ◄────────────────────────┴──────────────────┘
//!                        │  └────────────┘                       Exited: a crash
//!                        └── Proving, Running: what runs goes on serving inside Building
//!
//!  any ── Stop ──► Stopping{Stopped} ── nobody left ──► Stopped ── Start, Restart ──► Building
//!  any ── Shutdown, Remove ──► Stopping{Gone} ── nobody left ──► Gone
//! ```
//!
//! Whether an exit is a crash is decided by the place where it arrives: a run that was told to leave
//! stands in `leaving`, any other exit is a crash. There is no "manual restart" flag.
//!
//! A new child proves itself beside the old one where the daemon holds the sockets; otherwise nothing
//! starts before everything of the earlier runs is gone. One that does not prove itself leaves, and
//! the old one, which never stopped, goes on; where nobody runs, the last good artifact is started
//! again. The same happens, once, when a child crashes soon after it was ready.
//!
//! The machine sees no clock, no child and no caller. Runs and jobs are known by ids, and a fact with
//! an id that it does not hold is ignored. The caller performs the effects in their order, feeds back
//! what comes of them, and keeps one alarm at [`Lifecycle::deadline`].

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    artifact::Artifact,
    back_off::CrashRow,
    ids::{BuildId, JobId, RunId, Sequence, Ticket},
    spec::{Mode, ProcessSpec},
};

mod due;
mod event;
mod facts;
mod good;
mod leave;
mod orders;
mod replace;
#[cfg(test)]
mod replace_tests;
mod state;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod swap_tests;
#[cfg(test)]
mod tests;

pub use event::{Debut, Effect, Event, Instead, KillReason, Verdict};
pub use state::{End, Failure, FailureCause, Next, Run, Serving, State, Trial, Wanted};
use state::{Good, Leaving};

/// What stands in the place of the state while the next one is made of it.
const PASSING: State = State::Gone(End::Shutdown);

/// The machine.
#[derive(Debug)]
pub struct Lifecycle {
    spec: Arc<ProcessSpec>,
    runs: Sequence<RunId>,
    jobs: Sequence<JobId>,
    state: State,
    leaving: Vec<Leaving>,
    /// What to go back to.
    good: Option<Good>,
    /// The entry of the configuration that was tried last.
    tried: Arc<ProcessSpec>,
    row: CrashRow,
    /// Who waits until it runs.
    waiting: Vec<Ticket>,
    /// Who waits until it is stopped.
    stopping: Vec<Ticket>,
}

impl Lifecycle {
    /// A process that was not asked to run yet. `runs` is shared with the other processes.
    #[must_use]
    pub fn new(spec: Arc<ProcessSpec>, runs: Sequence<RunId>) -> Self {
        Self {
            tried: Arc::clone(&spec),
            spec,
            runs,
            jobs: Sequence::new(),
            state: State::Idle {
                wanted: Wanted::Boot,
            },
            leaving: Vec::new(),
            good: None,
            row: CrashRow::default(),
            waiting: Vec::new(),
            stopping: Vec::new(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its entry in the configuration as it is now.
    #[must_use]
    pub fn wanted(&self) -> &ProcessSpec {
        &self.spec
    }

    /// The child that serves; while it proves itself, only where no old one does.
    #[must_use]
    pub fn serving(&self) -> Option<&Run> {
        match &self.state {
            State::Proving { run, old, .. } => Some(old.as_ref().unwrap_or(run)),
            State::Running { run } => Some(run),
            State::Building { serving, .. } => serving.run(),
            _ => None,
        }
    }

    /// The newest child that is ready: new connections are for it.
    #[must_use]
    pub fn accepting(&self) -> Option<&Run> {
        self.serving().filter(|run| run.ready_at.is_some())
    }

    /// Every child that was not told to leave.
    pub fn staying(&self) -> impl Iterator<Item = &Run> {
        let under_proof = match &self.state {
            State::Proving {
                run, old: Some(_), ..
            } => Some(run),
            _ => None,
        };
        self.serving().into_iter().chain(under_proof)
    }

    /// Whether the last good artifact is on its way to take the place of one that failed.
    #[must_use]
    pub fn falls_back(&self) -> bool {
        matches!(
            self.state,
            State::Stopping {
                next: Next::Prove(_, Trial::Fallback(_))
            } | State::Proving {
                trial: Trial::Fallback(_),
                ..
            }
        )
    }

    /// The build that is to take the place of what serves, as soon as it has proved itself.
    #[must_use]
    pub fn upcoming(&self) -> Option<BuildId> {
        match &self.state {
            State::Proving { run, .. } => run.artifact.build,
            State::Stopping {
                next: Next::Prove(artifact, _),
            }
            | State::Building {
                serving: Serving::InHand(artifact),
                ..
            } => artifact.build,
            _ => None,
        }
    }

    /// The artifact to go back to.
    #[must_use]
    pub fn good(&self) -> Option<&Artifact> {
        self.good.as_ref().map(|good| &good.artifact)
    }

    /// Crashes and failed attempts that followed each other.
    #[must_use]
    pub fn crashes_in_a_row(&self) -> u32 {
        self.row.count()
    }

    /// The mode of what runs, or of what is tried, or was tried last.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if let Some(run) = self.serving() {
            return run.artifact.mode;
        }
        match &self.state {
            State::Stopping {
                next: Next::Prove(artifact, _),
            }
            | State::Building {
                serving: Serving::InHand(artifact) | Serving::Awaited(artifact),
                ..
            } => artifact.mode,
            State::Building { work, .. } | State::BackingOff { then: work, .. } => work.mode(),
            State::Stopped { mode }
            | State::Stopping {
                next: Next::Stopped(mode),
            } => *mode,
            _ => Mode::Release,
        }
    }

    /// Why it is told to end for good, or has ended, if so.
    #[must_use]
    pub fn end_of_all(&self) -> Option<End> {
        match self.state {
            State::Gone(end)
            | State::Stopping {
                next: Next::Gone(end),
            } => Some(end),
            _ => None,
        }
    }

    /// Whether it is told to end for good, or has ended.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.end_of_all().is_some()
    }

    /// Whether the outcome of this job still matters.
    #[must_use]
    pub fn awaits(&self, wanted: JobId) -> bool {
        matches!(self.state, State::Building { job, .. } if job == wanted)
    }

    /// Whether this run was told to leave, or its leader died.
    #[must_use]
    pub fn is_leaving(&self, run: RunId) -> bool {
        self.leaving.iter().any(|leaving| leaving.run == run)
    }

    /// Takes an event and returns what to do.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.note_proof(now, &mut effects);
        match event {
            Event::Boot { mode } => self.boot(mode, now, &mut effects),
            Event::Restart { mode, ticket } => self.restart(mode, ticket, now, &mut effects),
            Event::Start { ticket } => self.start(ticket, now, &mut effects),
            Event::Stop { ticket } => self.stop(ticket, now, &mut effects),
            Event::Idle { mode } => self.idle(mode, now, &mut effects),
            Event::Built { job, artifact } => self.built(job, artifact, now, &mut effects),
            Event::BuildFailed { job } => self.build_failed(job, now, &mut effects),
            Event::SpawnFailed { run } => self.not_started(run, now, &mut effects),
            Event::Ready { run } => self.ready(run, now, &mut effects),
            Event::Alive { run } => self.alive(run, now),
            Event::Stuck { run } => self.stuck(run, &mut effects),
            Event::Drained { run } => self.drained(run, now, &mut effects),
            Event::Exited { run, exit } => self.exited(run, exit, now, &mut effects),
            Event::TreeGone { run } => self.leaving.retain(|leaving| leaving.run != run),
            Event::Deadline => {}
            Event::Replace { spec, change } => self.replace(spec, change, now, &mut effects),
            Event::Remove => self.remove(now, &mut effects),
            Event::Shutdown => self.shutdown(now, &mut effects),
        }
        self.advance(now, &mut effects);
        effects
    }

    /// Tells everybody who waits until it runs what came of that.
    fn answer_all(&mut self, verdict: Verdict, effects: &mut Vec<Effect>) {
        effects.extend(self.waiting.drain(..).map(|ticket| answer(ticket, verdict)));
    }

    /// Tells everybody who waits until it is stopped what came of that.
    fn answer_stops(&mut self, verdict: Verdict, effects: &mut Vec<Effect>) {
        let stopping = self.stopping.drain(..);
        effects.extend(stopping.map(|ticket| answer(ticket, verdict)));
    }
}

fn answer(ticket: Ticket, verdict: Verdict) -> Effect {
    Effect::Answer { ticket, verdict }
}
