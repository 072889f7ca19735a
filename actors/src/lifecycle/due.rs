//! What is due, and what waited for a place that is free now.

use std::mem;

use tokio::time::Instant;

use super::{Effect, Lifecycle, Next, PASSING, Run, Serving, State, Verdict};
use crate::spec::{Overlap, Readiness};

impl Lifecycle {
    /// When [`Event::Deadline`](super::Event::Deadline) is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Proving { until, .. } | State::BackingOff { until, .. } => Some(*until),
            _ => None,
        };
        let served = match &self.state {
            State::Building { serving, .. } => serving.run(),
            State::Proving { old, .. } => old.as_ref(),
            State::Running { run } => Some(run),
            _ => None,
        };
        let due = [
            self.pressing(),
            state,
            served.and_then(|run| run.hung_at),
            served.and_then(|run| self.settles(run)),
        ];
        due.into_iter().flatten().min()
    }

    /// When a run becomes ready by its mere life.
    fn settles(&self, run: &Run) -> Option<Instant> {
        match (run.ready_at, &self.spec.readiness) {
            (None, Readiness::Settle(time)) => Some(run.since + *time),
            _ => None,
        }
    }

    /// Whether a child may start now.
    fn place_is_free(&self) -> bool {
        self.leaving.is_empty() || self.spec.sockets.overlap() == Overlap::Beside
    }

    pub(super) fn advance(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.press(now, effects);
        let hung = self
            .served_by()
            .filter(|run| run.hung_at.is_some_and(|at| at <= now))
            .map(|run| run.id);
        if let Some(run) = hung {
            self.stuck(run, effects);
        }
        match &self.state {
            State::Proving { run, until, .. } if *until <= now => {
                // One that an event found ready is not here any more.
                let run = run.id;
                match self.spec.readiness {
                    Readiness::Settle(_) => self.proved(now, effects),
                    Readiness::Probe { .. } => self.not_ready(run, now, effects),
                }
            }
            State::BackingOff { until, then } if *until <= now => {
                let then = then.clone();
                self.build(then, now, effects);
            }
            _ => {}
        }
        let free = self.place_is_free();
        match mem::replace(&mut self.state, PASSING) {
            State::Stopping {
                next: Next::Prove(artifact, trial),
            } if free => self.prove(artifact, trial, None, now, effects),
            State::Stopping {
                next: Next::Stopped(mode),
            } if self.leaving.is_empty() => {
                self.state = State::Stopped { mode };
                self.answer_stops(Verdict::Stopped, effects);
            }
            State::Stopping { next: Next::Gone } if self.leaving.is_empty() => {
                self.state = State::Gone;
                effects.push(Effect::Gone);
            }
            State::Building { job, work, serving } => {
                let serving = match serving {
                    Serving::InHand(artifact) if free => {
                        Serving::Current(self.launch(artifact, now, effects))
                    }
                    Serving::Awaited(artifact) if free => {
                        Serving::StandIn(self.launch(artifact, now, effects))
                    }
                    other => other,
                };
                self.state = State::Building { job, work, serving };
            }
            other => self.state = other,
        }
    }
}
