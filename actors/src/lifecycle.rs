//! The life of one process, as a pure state machine: `step(event, now) -> effects`.
//!
//! ```text
//!             Boot                Built                   place free            settled
//!  Idle ───────────────► Building ──────► Stopping{Prove} ──────────► Proving ─────────► Running
//!                        ▲  ▲   │ failed, and nobody runs                │  Exited          │
//!             Restart or │  │   ├──► Stopping{Prove(last good)}          │                  │
//!               deadline │  │   └──► BackingOff ◄────────────────────────┴──────────────────┘
//!                        │  └────────────┘                       Exited: a crash
//!                        └── Proving, Running: what runs goes on serving inside Building
//!
//!  any ── Shutdown ──► Stopping{Gone} ── nobody left ──► Gone
//! ```
//!
//! Whether an exit is a crash is decided by the place where it arrives: a run that was told to leave
//! stands in `leaving`, any other exit is a crash. There is no "manual restart" flag.
//!
//! The machine sees no clock, no child and no caller. Runs and jobs are known by ids, and a fact with
//! an id that it does not hold is ignored. The caller performs the effects in their order, feeds back
//! what comes of them, and keeps one alarm at [`Lifecycle::deadline`]. A program without held sockets
//! cannot run twice, so nothing starts before everything of the earlier runs is gone; a new child
//! that proves itself beside the old one will be another way from `Building` to `Proving`.

use std::{mem, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    artifact::{Artifact, Work},
    back_off::CrashRow,
    exit::Exit,
    ids::{JobId, RunId, Sequence, Ticket},
    spec::{Mode, ProcessSpec, ProcessType, Readiness},
};

mod event;
mod state;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;

pub use event::{Effect, Event, Verdict};
use state::{Leaving, Patience};
pub use state::{Next, Run, Serving, State};

/// What stands in the place of the state while the next one is made of it.
const PASSING: State = State::Gone;

/// The machine.
#[derive(Debug)]
pub struct Lifecycle {
    spec: Arc<ProcessSpec>,
    runs: Sequence<RunId>,
    jobs: Sequence<JobId>,
    state: State,
    leaving: Vec<Leaving>,
    /// The last artifact that proved itself.
    good: Option<Artifact>,
    row: CrashRow,
    waiting: Vec<Ticket>,
}

impl Lifecycle {
    /// A process that was not asked to run yet. `runs` is shared with the other processes.
    #[must_use]
    pub fn new(spec: Arc<ProcessSpec>, runs: Sequence<RunId>) -> Self {
        Self {
            spec,
            runs,
            jobs: Sequence::new(),
            state: State::Idle { wanted: None },
            leaving: Vec::new(),
            good: None,
            row: CrashRow::default(),
            waiting: Vec::new(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The child that serves.
    #[must_use]
    pub fn serving(&self) -> Option<&Run> {
        match &self.state {
            State::Proving { run, .. }
            | State::Running { run }
            | State::Building {
                serving: Serving::Current(run) | Serving::StandIn(run),
                ..
            } => Some(run),
            _ => None,
        }
    }

    /// The last artifact that proved itself.
    #[must_use]
    pub fn good(&self) -> Option<&Artifact> {
        self.good.as_ref()
    }

    /// Crashes and failed attempts that followed each other.
    #[must_use]
    pub fn crashes_in_a_row(&self) -> u32 {
        self.row.count()
    }

    /// The mode of what runs, or of what is tried, or was tried last.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match &self.state {
            State::Proving { run, .. }
            | State::Running { run }
            | State::Building {
                serving: Serving::Current(run) | Serving::StandIn(run),
                ..
            } => run.artifact.mode,
            State::Stopping {
                next: Next::Prove(artifact),
            }
            | State::Building {
                serving: Serving::InHand(artifact) | Serving::Awaited(artifact),
                ..
            } => artifact.mode,
            State::Building { work, .. } | State::BackingOff { then: work, .. } => work.mode(),
            State::Idle { .. } | State::Stopping { next: Next::Gone } | State::Gone => {
                Mode::Release
            }
        }
    }

    /// Whether it is told to end, or has ended.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(
            self.state,
            State::Gone | State::Stopping { next: Next::Gone }
        )
    }

    /// Whether the outcome of this job still matters.
    #[must_use]
    pub fn awaits(&self, wanted: JobId) -> bool {
        matches!(self.state, State::Building { job, .. } if job == wanted)
    }

    /// Whether somebody waits for the outcome of a restart.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether this run was told to leave, or its leader died.
    #[must_use]
    pub fn is_leaving(&self, run: RunId) -> bool {
        self.leaving.iter().any(|leaving| leaving.run == run)
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let patience = self
            .leaving
            .iter()
            .filter_map(|leaving| match leaving.patience {
                Patience::Until(at) => Some(at),
                Patience::Ended => None,
            });
        let state = match &self.state {
            State::Proving { until, .. } | State::BackingOff { until, .. } => Some(*until),
            _ => self.unproved().map(|(_, at)| at),
        };
        patience.chain(state).min()
    }

    /// Takes an event and returns what to do.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.note_proof(now);
        match event {
            Event::Boot { mode } => self.boot(mode, &mut effects),
            Event::Restart { mode, ticket } => self.restart(mode, ticket, &mut effects),
            Event::Idle { mode } => self.idle(mode, &mut effects),
            Event::Built { job, artifact } => self.built(job, artifact, now, &mut effects),
            Event::BuildFailed { job } => self.build_failed(job, now, &mut effects),
            Event::SpawnFailed { run } => self.ended(run, None, now, &mut effects),
            Event::Exited { run, exit } => self.ended(run, Some(exit), now, &mut effects),
            Event::TreeGone { run } => self.leaving.retain(|leaving| leaving.run != run),
            Event::Deadline => {}
            Event::Shutdown => self.shutdown(now, &mut effects),
        }
        self.advance(now, &mut effects);
        effects
    }

    fn boot(&mut self, mode: Mode, effects: &mut Vec<Effect>) {
        if let State::Idle { wanted } = self.state {
            self.build(Work::Compile(wanted.unwrap_or(mode)), effects);
        }
    }

    fn restart(&mut self, mode: Mode, ticket: Ticket, effects: &mut Vec<Effect>) {
        if self.is_ending() {
            effects.push(answer(ticket, Verdict::ShuttingDown));
            return;
        }
        self.waiting.push(ticket);
        self.row = CrashRow::default();
        if let State::Idle { wanted } = &mut self.state {
            // The daemon is not ready to start anything: what an earlier one left may still live.
            *wanted = Some(mode);
        } else {
            self.build(Work::Compile(mode), effects);
        }
    }

    /// Asks for a build; what runs goes on.
    fn build(&mut self, work: Work, effects: &mut Vec<Effect>) {
        let serving = match mem::replace(&mut self.state, PASSING) {
            State::Building { serving, .. } => serving,
            State::Proving { run, .. } | State::Running { run } => Serving::Current(run),
            State::Stopping {
                next: Next::Prove(artifact),
            } => Serving::InHand(artifact),
            State::Idle { .. }
            | State::BackingOff { .. }
            | State::Stopping { next: Next::Gone }
            | State::Gone => Serving::Nobody,
        };
        let job = self.jobs.next();
        effects.push(Effect::Build {
            job,
            work: work.clone(),
        });
        self.state = State::Building { job, work, serving };
    }

    /// Nobody has worked on it for long: what runs in another mode is swapped; elsewhere only the
    /// mode of the next attempt changes.
    fn idle(&mut self, mode: Mode, effects: &mut Vec<Effect>) {
        if !self.waiting.is_empty() {
            // Whoever waits for a restart works on it.
            return;
        }
        let nothing_to_build = self.spec.program.kind() != ProcessType::Rust;
        match &mut self.state {
            State::Running { run } | State::Proving { run, .. } if run.artifact.mode != mode => {
                if nothing_to_build {
                    run.artifact.mode = mode;
                    self.good.iter_mut().for_each(|good| good.mode = mode);
                } else {
                    self.build(Work::Compile(mode), effects);
                }
            }
            State::Building { work, .. } if work.mode() != mode => {
                self.build(Work::Compile(mode), effects);
            }
            State::BackingOff { then, .. } if then.mode() != mode => *then = Work::Compile(mode),
            _ => {}
        }
    }

    fn built(&mut self, job: JobId, artifact: Artifact, now: Instant, effects: &mut Vec<Effect>) {
        let Some((_, serving)) = self.take_build(job) else {
            return;
        };
        match serving {
            Serving::Nobody | Serving::InHand(_) | Serving::Awaited(_) => {}
            Serving::Current(run) | Serving::StandIn(run) => self.leave(&run, now, effects),
        }
        self.state = State::Stopping {
            next: Next::Prove(artifact),
        };
    }

    fn build_failed(&mut self, job: JobId, now: Instant, effects: &mut Vec<Effect>) {
        let Some((work, serving)) = self.take_build(job) else {
            return;
        };
        match (serving, work) {
            (Serving::Current(run) | Serving::StandIn(run), _) => self.resume(run),
            (Serving::InHand(artifact) | Serving::Awaited(artifact), _) => {
                self.state = State::Stopping {
                    next: Next::Prove(artifact),
                };
            }
            (Serving::Nobody, work) => {
                if let (Some(good), Work::Compile(_)) = (&self.good, &work) {
                    self.state = State::Stopping {
                        next: Next::Prove(good.clone()),
                    };
                } else {
                    self.row
                        .add(Duration::ZERO, work.mode(), &self.spec.crash_policy);
                    self.back_off(work, now, effects);
                }
            }
        }
        self.answer_all(Verdict::BuildFailed, effects);
    }

    /// The run's leader ended, or was never started.
    fn ended(&mut self, run: RunId, exit: Option<Exit>, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_leaving(run) {
            effects.extend(exit.map(|exit| Effect::Stopped { run, exit }));
            return;
        }
        if self.serving().is_none_or(|serving| serving.id != run) {
            return;
        }
        if let Some(exit) = exit {
            effects.push(Effect::Crashed { run, exit });
            effects.push(Effect::Kill { run });
            self.leaving.push(Leaving {
                run,
                patience: Patience::Ended,
            });
        }
        match mem::replace(&mut self.state, PASSING) {
            State::Proving { run, .. } => {
                self.crashed(&run, now, effects);
                self.answer_all(Verdict::Crashed { run: run.id, exit }, effects);
            }
            State::Running { run } => self.crashed(&run, now, effects),
            State::Building { job, work, serving } => {
                let serving = match serving {
                    Serving::Current(run) => {
                        self.note_crash(&run, now);
                        self.good.clone().map_or(Serving::Nobody, Serving::Awaited)
                    }
                    Serving::StandIn(run) => {
                        self.note_crash(&run, now);
                        Serving::Nobody
                    }
                    other => other,
                };
                self.state = State::Building { job, work, serving };
            }
            other => self.state = other,
        }
    }

    fn crashed(&mut self, run: &Run, now: Instant, effects: &mut Vec<Effect>) {
        self.note_crash(run, now);
        let then = match (run.artifact.mode, &self.good) {
            (Mode::Release, Some(good)) => Work::Reuse(good.clone()),
            (mode, _) => Work::Compile(mode),
        };
        self.back_off(then, now, effects);
    }

    fn note_crash(&mut self, run: &Run, now: Instant) {
        let lived = now.saturating_duration_since(run.since);
        if lived >= self.settle() {
            self.good = Some(run.artifact.clone());
        }
        self.row
            .add(lived, run.artifact.mode, &self.spec.crash_policy);
    }

    fn back_off(&mut self, then: Work, now: Instant, effects: &mut Vec<Effect>) {
        let mode = then.mode();
        let until = now + self.row.wait(mode, &self.spec.crash_policy);
        if until > now {
            effects.push(Effect::BackingOff { until, mode });
        }
        self.state = State::BackingOff { until, then };
    }

    fn shutdown(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        match mem::replace(&mut self.state, State::Stopping { next: Next::Gone }) {
            State::Gone => self.state = State::Gone,
            State::Building { job, serving, .. } => {
                effects.push(Effect::CancelBuild { job });
                if let Serving::Current(run) | Serving::StandIn(run) = serving {
                    self.leave(&run, now, effects);
                }
            }
            State::Proving { run, .. } | State::Running { run } => self.leave(&run, now, effects),
            State::Idle { .. } | State::Stopping { .. } | State::BackingOff { .. } => {}
        }
        self.answer_all(Verdict::ShuttingDown, effects);
    }

    /// Whoever serves during a build proves himself by the time he lived.
    fn note_proof(&mut self, now: Instant) {
        if let Some(artifact) = self
            .unproved()
            .filter(|(_, at)| *at <= now)
            .map(|(artifact, _)| artifact)
        {
            self.good = Some(artifact.clone());
        }
    }

    /// What serves during a build without having proved itself, and when it will have.
    fn unproved(&self) -> Option<(&Artifact, Instant)> {
        match &self.state {
            State::Building {
                serving: Serving::Current(run) | Serving::StandIn(run),
                ..
            } if self.good.as_ref() != Some(&run.artifact) => {
                Some((&run.artifact, run.since + self.settle()))
            }
            _ => None,
        }
    }

    /// What is due by `now`, and what waited for a place that is free now.
    fn advance(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for leaving in &mut self.leaving {
            if matches!(leaving.patience, Patience::Until(at) if at <= now) {
                leaving.patience = Patience::Ended;
                effects.push(Effect::Kill { run: leaving.run });
            }
        }
        match mem::replace(&mut self.state, PASSING) {
            State::BackingOff { until, then } if until <= now => self.build(then, effects),
            State::Proving { run, until } if until <= now => {
                self.good = Some(run.artifact.clone());
                effects.push(Effect::Ready { run: run.id });
                self.state = State::Running { run };
                self.answer_all(Verdict::Restarted, effects);
            }
            State::Stopping {
                next: Next::Prove(artifact),
            } if self.leaving.is_empty() => {
                let run = self.start(artifact, now, effects);
                self.state = State::Proving {
                    run,
                    until: now + self.settle(),
                };
            }
            State::Stopping { next: Next::Gone } if self.leaving.is_empty() => {
                self.state = State::Gone;
                effects.push(Effect::Gone);
            }
            State::Building { job, work, serving } => {
                let serving = match serving {
                    Serving::InHand(artifact) if self.leaving.is_empty() => {
                        Serving::Current(self.start(artifact, now, effects))
                    }
                    Serving::Awaited(artifact) if self.leaving.is_empty() => {
                        Serving::StandIn(self.start(artifact, now, effects))
                    }
                    other => other,
                };
                self.state = State::Building { job, work, serving };
            }
            other => self.state = other,
        }
    }

    fn start(&mut self, artifact: Artifact, now: Instant, effects: &mut Vec<Effect>) -> Run {
        let id = self.runs.next();
        effects.push(Effect::Start {
            run: id,
            artifact: artifact.clone(),
        });
        Run {
            id,
            artifact,
            since: now,
        }
    }

    fn leave(&mut self, run: &Run, now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::Terminate { run: run.id });
        let patience = Patience::Until(now + self.spec.stop_grace);
        self.leaving.push(Leaving {
            run: run.id,
            patience,
        });
    }

    /// A run goes on as if there had been no build; `advance` tells whether it has proved itself.
    fn resume(&mut self, run: Run) {
        self.state = if self.good.as_ref() == Some(&run.artifact) {
            State::Running { run }
        } else {
            let until = run.since + self.settle();
            State::Proving { run, until }
        };
    }

    fn settle(&self) -> Duration {
        match &self.spec.readiness {
            Readiness::Settle(time) => *time,
            Readiness::Probe { timeout, .. } => *timeout,
        }
    }

    fn take_build(&mut self, wanted: JobId) -> Option<(Work, Serving)> {
        match mem::replace(&mut self.state, PASSING) {
            State::Building { job, work, serving } if job == wanted => Some((work, serving)),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn answer_all(&mut self, verdict: Verdict, effects: &mut Vec<Effect>) {
        effects.extend(self.waiting.drain(..).map(|ticket| answer(ticket, verdict)));
    }
}

fn answer(ticket: Ticket, verdict: Verdict) -> Effect {
    Effect::Answer { ticket, verdict }
}
