//! What is due, and what waited for a place that is free now.

use std::mem;

use tokio::time::Instant;

use super::{Effect, Lifecycle, Next, PASSING, Run, Serving, State, Verdict};
use crate::{
    artifact::Artifact,
    spec::{Overlap, Readiness},
};

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
            served.and_then(Self::settles),
            served.and_then(|run| self.displaces(run)),
        ];
        due.into_iter().flatten().min()
    }

    /// When a run becomes ready by its mere life.
    fn settles(run: &Run) -> Option<Instant> {
        match (run.ready_at, &run.artifact.spec.readiness) {
            (None, Readiness::Settle(time)) => Some(run.since + *time),
            _ => None,
        }
    }

    /// When a run is good to go back to, where that frees the sockets that only the artifact before it
    /// asks for. Elsewhere it is time enough to look when something happens: nobody is woken.
    fn displaces(&self, run: &Run) -> Option<Instant> {
        let before = &self.good.as_ref()?.artifact.spec.sockets;
        let moved = !before.has_doors_of(&run.artifact.spec.sockets);
        run.ready_at
            .filter(|_| moved)
            .map(|at| at + self.spec.stable)
    }

    /// Whether a child of this may start now.
    fn has_place_for(&self, artifact: &Artifact) -> bool {
        let beside = |overlap| overlap == Overlap::Beside;
        self.leaving.iter().all(|it| beside(it.overlap))
            && (self.leaving.is_empty() || beside(artifact.spec.sockets.overlap()))
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
                match run.artifact.spec.readiness {
                    Readiness::Settle(_) => self.proved(now, effects),
                    Readiness::Probe { .. } => {
                        let run = run.clone();
                        self.not_ready(&run, now, effects);
                    }
                }
            }
            State::BackingOff { until, then } if *until <= now => {
                let then = then.clone();
                self.build(then, now, effects);
            }
            _ => {}
        }
        match mem::replace(&mut self.state, PASSING) {
            State::Stopping {
                next: Next::Prove(artifact, trial),
            } if self.has_place_for(&artifact) => self.prove(artifact, trial, None, now, effects),
            State::Stopping {
                next: Next::Stopped(mode),
            } if self.leaving.is_empty() => {
                self.state = State::Stopped { mode };
                self.answer_stops(Verdict::Stopped, effects);
            }
            State::Stopping {
                next: Next::Gone(end),
            } if self.leaving.is_empty() => {
                self.state = State::Gone(end);
                // Where it was removed: it is stopped now, which is what they wanted.
                self.answer_stops(Verdict::Stopped, effects);
                effects.push(Effect::Gone);
            }
            State::Building { job, work, serving } => {
                let serving = match serving {
                    Serving::InHand(artifact) if self.has_place_for(&artifact) => {
                        Serving::Current(self.launch(artifact, now, effects))
                    }
                    Serving::Awaited(artifact) if self.has_place_for(&artifact) => {
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
