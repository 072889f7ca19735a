//! What others ask for: boot, restart, start, stop, the idle change, shutdown.

use std::mem;

use tokio::time::Instant;

use super::{
    Effect, End, Lifecycle, Next, PASSING, Serving, State, Verdict, Wanted, answer, state::Patience,
};
use crate::{
    artifact::Work,
    back_off::CrashRow,
    ids::Ticket,
    spec::{Mode, ProcessType},
};

impl Lifecycle {
    pub(super) fn boot(&mut self, mode: Mode, now: Instant, effects: &mut Vec<Effect>) {
        let State::Idle { wanted } = self.state else {
            return;
        };
        let mode = match wanted {
            Wanted::Boot => mode,
            Wanted::Restart(mode) => mode,
            Wanted::Stop => {
                self.state = State::Stopped { mode };
                return;
            }
        };
        self.build(Work::Compile(mode), now, effects);
    }

    pub(super) fn restart(
        &mut self,
        mode: Mode,
        ticket: Ticket,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(end) = self.end_of_all() {
            effects.push(answer(ticket, end.into()));
            return;
        }
        self.waiting.push(ticket);
        self.row = CrashRow::default();
        if let State::Idle { wanted } = &mut self.state {
            // The daemon is not ready to start anything: what an earlier one left may still live.
            *wanted = Wanted::Restart(mode);
            self.answer_stops(Verdict::Superseded, effects);
        } else {
            self.build(Work::Compile(mode), now, effects);
        }
    }

    pub(super) fn start(&mut self, ticket: Ticket, now: Instant, effects: &mut Vec<Effect>) {
        match &mut self.state {
            State::Running { .. } => effects.push(answer(ticket, Verdict::Running)),
            State::Gone(end)
            | State::Stopping {
                next: Next::Gone(end),
            } => effects.push(answer(ticket, (*end).into())),
            State::Idle { wanted } => {
                if *wanted == Wanted::Stop {
                    *wanted = Wanted::Boot;
                }
                self.waiting.push(ticket);
                self.answer_stops(Verdict::Superseded, effects);
            }
            State::Building { .. }
            | State::Proving { .. }
            | State::Stopping {
                next: Next::Prove(..),
            } => self.waiting.push(ticket),
            State::Stopped { mode }
            | State::Stopping {
                next: Next::Stopped(mode),
            } => {
                let mode = *mode;
                self.waiting.push(ticket);
                self.row = CrashRow::default();
                self.build(Work::Compile(mode), now, effects);
            }
            State::BackingOff { then, .. } => {
                let then = then.clone();
                self.waiting.push(ticket);
                self.row = CrashRow::default();
                self.build(then, now, effects);
            }
        }
    }

    pub(super) fn stop(&mut self, ticket: Ticket, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(end) = self.end_of_all() {
            effects.push(answer(ticket, end.into()));
            return;
        }
        self.stopping.push(ticket);
        if let State::Idle { wanted } = &mut self.state {
            *wanted = Wanted::Stop;
            // Nobody runs; whoever an earlier daemon left is ended anyway.
            self.answer_stops(Verdict::Stopped, effects);
        } else {
            self.row = CrashRow::default();
            let next = Next::Stopped(self.mode());
            self.end(next, now, effects);
        }
        self.answer_all(Verdict::Stopped, effects);
    }

    pub(super) fn shutdown(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.end_of_all().is_none() {
            self.end(Next::Gone(End::Shutdown), now, effects);
        }
        self.answer_all(Verdict::ShuttingDown, effects);
        self.answer_stops(Verdict::ShuttingDown, effects);
    }

    /// The configuration does not name it any more. Whoever waits until it is stopped waits on.
    pub(super) fn remove(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.end_of_all().is_none() {
            self.end(Next::Gone(End::Removed), now, effects);
            self.answer_all(Verdict::Removed, effects);
        }
    }

    /// Tells everybody to leave.
    fn end(&mut self, next: Next, now: Instant, effects: &mut Vec<Effect>) {
        match mem::replace(&mut self.state, State::Stopping { next }) {
            State::Building { job, serving, .. } => {
                effects.push(Effect::CancelBuild { job });
                if let Some(run) = serving.into_run() {
                    self.leave(&run, now, effects);
                }
            }
            State::Proving { run, old, .. } => {
                self.leave(&run, now, effects);
                if let Some(old) = old {
                    self.leave(&old, now, effects);
                }
            }
            State::Running { run } => self.leave(&run, now, effects),
            State::Idle { .. }
            | State::Stopped { .. }
            | State::Stopping { .. }
            | State::BackingOff { .. }
            | State::Gone(_) => {}
        }
        let draining: Vec<_> = self
            .leaving
            .iter()
            .filter(|leaving| matches!(leaving.patience, Patience::Draining(_)))
            .map(|leaving| leaving.run)
            .collect();
        for run in draining {
            self.drained(run, now, effects);
        }
    }

    /// Asks for a build; what serves goes on.
    pub(super) fn build(&mut self, work: Work, now: Instant, effects: &mut Vec<Effect>) {
        let serving = match mem::replace(&mut self.state, PASSING) {
            State::Building { serving, .. } => serving,
            State::Proving {
                run,
                old: Some(old),
                ..
            } => {
                self.leave(&run, now, effects);
                Serving::Current(old)
            }
            State::Proving { run, old: None, .. } | State::Running { run } => Serving::Current(run),
            State::Stopping {
                next: Next::Prove(artifact, _),
            } => Serving::InHand(artifact),
            State::Idle { .. }
            | State::Stopped { .. }
            | State::BackingOff { .. }
            | State::Stopping {
                next: Next::Gone(_) | Next::Stopped(_),
            }
            | State::Gone(_) => Serving::Nobody,
        };
        self.answer_stops(Verdict::Superseded, effects);
        let job = self.jobs.next();
        effects.push(Effect::Build {
            job,
            work: work.clone(),
        });
        self.state = State::Building { job, work, serving };
    }

    /// Nobody has worked on it for long: what runs in another mode is swapped; elsewhere only the
    /// mode of the next attempt changes.
    pub(super) fn idle(&mut self, mode: Mode, now: Instant, effects: &mut Vec<Effect>) {
        if !self.waiting.is_empty() {
            // Whoever waits for a restart works on it.
            return;
        }
        let nothing_to_build = self.spec.program.kind() != ProcessType::Rust;
        match &mut self.state {
            State::Running { run } | State::Proving { run, .. } if run.artifact.mode != mode => {
                if !nothing_to_build {
                    self.build(Work::Compile(mode), now, effects);
                    return;
                }
                run.artifact.mode = mode;
                if let State::Proving { old: Some(old), .. } = &mut self.state {
                    old.artifact.mode = mode;
                }
                if let Some(good) = &mut self.good {
                    good.artifact.mode = mode;
                }
            }
            State::Building { work, .. } if work.mode() != mode => {
                self.build(Work::Compile(mode), now, effects);
            }
            State::BackingOff { then, .. } if then.mode() != mode => *then = Work::Compile(mode),
            State::Stopped { mode: had }
            | State::Stopping {
                next: Next::Stopped(had),
            } => *had = mode,
            _ => {}
        }
    }
}
