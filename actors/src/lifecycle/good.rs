//! What to go back to: the last artifact that proved itself.
//!
//! A run proves itself when it is ready, and fully when it has served for `stable_seconds`. One that
//! is good to go back to is displaced only by one that proved itself as well or better.

use tokio::time::Instant;

use super::{
    Effect, Lifecycle, Run, Serving, State,
    state::{Good, Proof},
};
use crate::{artifact::Artifact, spec::Readiness};

impl Lifecycle {
    /// Takes down what the mere passing of time has proved until `now` of the run that serves.
    pub(super) fn note_proof(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let Some(run) = self.served_by() else {
            return;
        };
        let settle = match run.artifact.spec.readiness {
            Readiness::Settle(time) => Some(time),
            Readiness::Probe { .. } => None,
        };
        if let (None, Some(settle)) = (run.ready_at, settle)
            && run.since + settle <= now
        {
            let ready_at = run.since + settle;
            self.found_ready(ready_at, effects);
        }
        let stable = self.spec.stable;
        let proved = |run: &&mut Run| run.ready_at.is_some_and(|at| at + stable <= now);
        let Some(artifact) = self
            .served_by()
            .filter(proved)
            .map(|run| run.artifact.clone())
        else {
            return;
        };
        self.good = Some(Good {
            artifact,
            proof: Proof::Stable,
        });
    }

    /// The run that serves although it need not prove itself any more, or a build or a newer one is
    /// under way.
    pub(super) fn served_by(&mut self) -> Option<&mut Run> {
        match &mut self.state {
            State::Building {
                serving: Serving::Current(run) | Serving::StandIn(run),
                ..
            }
            | State::Proving { old: Some(run), .. }
            | State::Running { run } => Some(run),
            _ => None,
        }
    }

    /// The run that serves became ready while something else is under way.
    pub(super) fn found_ready(&mut self, at: Instant, effects: &mut Vec<Effect>) {
        let Some(run) = self.served_by() else {
            return;
        };
        run.found_ready(at);
        let (id, artifact) = (run.id, run.artifact.clone());
        self.note_ready(&artifact);
        effects.push(Effect::Ready {
            run: id,
            debut: super::Debut::Fresh,
        });
    }

    /// A run of this artifact became ready.
    pub(super) fn note_ready(&mut self, artifact: &Artifact) {
        match &mut self.good {
            None => {
                self.good = Some(Good {
                    artifact: artifact.clone(),
                    proof: Proof::Ready,
                });
            }
            Some(good) if good.artifact.is_like(artifact) => good.artifact = artifact.clone(),
            Some(_) => {}
        }
    }

    /// A run is replaced although nothing is wrong with it: who goes back expects the code before the
    /// change, also where there is an older one that served for longer.
    pub(super) fn note_replaced(&mut self, run: &Run) {
        if run.ready_at.is_some() {
            self.good = Some(Good {
                artifact: run.artifact.clone(),
                proof: Proof::Ready,
            });
        }
    }

    /// What to go back to when a run of `artifact` has failed.
    pub(super) fn better_than(&self, artifact: &Artifact) -> Option<Artifact> {
        let good = self.good.as_ref()?;
        (!good.artifact.is_like(artifact)).then(|| good.artifact.clone())
    }
}
