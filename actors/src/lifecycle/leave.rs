//! How children leave.

use tokio::time::Instant;

use super::{
    Effect, KillReason, Lifecycle, Run,
    state::{Leaving, Patience},
};
use crate::{
    ids::RunId,
    spec::{Overlap, Sockets},
};

/// How many replaced children may serve the connections that they have; the oldest goes first. Far
/// more than anybody needs who waits for his restarts: connections are cut only to save the machine.
pub(super) const MOST_DRAINING: usize = 64;

impl Lifecycle {
    /// Tells a child to end.
    pub(super) fn leave(&mut self, run: &Run, now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::Terminate { run: run.id });
        self.leaving.push(Leaving {
            run: run.id,
            patience: Patience::Until(now + self.spec.stop_grace),
            overlap: run.overlap(),
        });
    }

    /// Lets a child go that was replaced: it first serves the connections that it has.
    pub(super) fn part(&mut self, run: &Run, now: Instant, effects: &mut Vec<Effect>) {
        let (overlap, sockets) = (run.overlap(), &run.artifact.spec.sockets);
        let until = now + self.spec.drain;
        let patience = match sockets {
            Sockets::Own => return self.leave(run, now, effects),
            // Only its own end keeps it from accepting more.
            Sockets::Held { .. } => {
                effects.push(Effect::Terminate { run: run.id });
                Patience::Until(until)
            }
            Sockets::Relayed { .. } => {
                effects.push(Effect::Drain { run: run.id });
                Patience::Draining(until)
            }
        };
        self.leaving.push(Leaving {
            run: run.id,
            patience,
            overlap,
        });
        let draining = |leaving: &&Leaving| matches!(leaving.patience, Patience::Draining(_));
        let mut others = self.leaving.iter().filter(draining);
        let oldest = others.next().map(|leaving| leaving.run);
        if let Some(oldest) = oldest.filter(|_| others.count() >= MOST_DRAINING) {
            self.drained(oldest, now, effects);
        }
    }

    /// A child that was replaced has no connection left, or had time enough.
    pub(super) fn drained(&mut self, run: RunId, now: Instant, effects: &mut Vec<Effect>) {
        let grace = Patience::Until(now + self.spec.stop_grace);
        let mut leaving = self.leaving.iter_mut();
        if let Some(leaving) = leaving
            .find(|leaving| leaving.run == run && matches!(leaving.patience, Patience::Draining(_)))
        {
            leaving.patience = grace;
            effects.push(Effect::Terminate { run });
        }
    }

    /// A leader died that was not told to: the rest of its tree is killed at once.
    pub(super) fn bury(&mut self, run: RunId, overlap: Overlap, effects: &mut Vec<Effect>) {
        effects.push(Effect::Kill {
            run,
            why: KillReason::LeaderDied,
        });
        self.leaving.push(Leaving {
            run,
            patience: Patience::Ended,
            overlap,
        });
    }

    /// Whether a child beside this one may still accept: it stays, or was told to leave and has time left.
    #[must_use]
    pub fn has_company(&self, run: RunId) -> bool {
        let leaving = self.leaving.iter();
        let mut busy = leaving.filter(|it| it.patience != Patience::Ended);
        self.staying().any(|it| it.id != run) || busy.any(|it| it.run != run)
    }

    /// Does what is due to those who leave.
    pub(super) fn press(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let mut drained = Vec::new();
        for leaving in &mut self.leaving {
            match leaving.patience {
                Patience::Until(at) if at <= now => {
                    leaving.patience = Patience::Ended;
                    effects.push(Effect::Kill {
                        run: leaving.run,
                        why: KillReason::Overdue,
                    });
                }
                Patience::Draining(at) if at <= now => drained.push(leaving.run),
                _ => {}
            }
        }
        for run in drained {
            self.drained(run, now, effects);
        }
    }

    /// When [`Self::press`] has something to do.
    pub(super) fn pressing(&self) -> Option<Instant> {
        let due = self
            .leaving
            .iter()
            .filter_map(|leaving| match leaving.patience {
                Patience::Until(at) | Patience::Draining(at) => Some(at),
                Patience::Ended => None,
            });
        due.min()
    }
}
