//! What becomes of builds and runs.

use std::{mem, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Debut, Effect, Failure, FailureCause, Instead, KillReason, Lifecycle, Next, PASSING, Run,
    Serving, State, Trial, Verdict,
};
use crate::{
    artifact::{Artifact, Work},
    exit::Exit,
    ids::{JobId, RunId},
    spec::{Mode, Overlap},
};

impl Lifecycle {
    pub(super) fn built(
        &mut self,
        job: JobId,
        artifact: Artifact,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let Some((work, serving)) = self.take_build(job) else {
            return;
        };
        let artifact = match work {
            // Whatever the configuration says of its start was changed meanwhile without a new build.
            Work::Compile(_) => artifact.with(&self.spec),
            Work::Reuse(_) if artifact.spec.runs_like(&self.spec) => artifact.with(&self.spec),
            Work::Reuse(_) => artifact,
        };
        let current = serving.into_run();
        match (artifact.spec.sockets.overlap(), current) {
            // One that was never ready is nothing to go back to.
            (Overlap::Beside, Some(old))
                if old.ready_at.is_some() && old.overlap() == Overlap::Beside =>
            {
                self.prove(artifact, Trial::Newest, Some(old), now, effects);
            }
            (_, old) => {
                if let Some(old) = old {
                    self.note_replaced(&old);
                    self.part(&old, now, effects);
                }
                self.state = State::Stopping {
                    next: Next::Prove(artifact, Trial::Newest),
                };
            }
        }
    }

    pub(super) fn build_failed(&mut self, job: JobId, now: Instant, effects: &mut Vec<Effect>) {
        let Some((work, serving)) = self.take_build(job) else {
            return;
        };
        match (serving, work) {
            (Serving::Current(run) | Serving::StandIn(run), _) => {
                self.resume(run, Trial::Newest);
            }
            (Serving::InHand(artifact) | Serving::Awaited(artifact), _) => {
                let artifact = self.renewed(artifact);
                self.state = State::Stopping {
                    next: Next::Prove(artifact, Trial::Newest),
                };
            }
            (Serving::Nobody, work) => {
                if let (Some(good), Work::Compile(_)) = (self.good().cloned(), &work) {
                    let artifact = self.renewed(good);
                    self.state = State::Stopping {
                        next: Next::Prove(artifact, Trial::Newest),
                    };
                } else {
                    self.row
                        .add(Duration::ZERO, work.mode(), &self.spec.crash_policy);
                    self.back_off(work, now, effects);
                }
            }
        }
        self.answer_all(Verdict::BuildFailed, effects);
        self.catch_up(now, effects);
    }

    /// Starts a child that has to prove itself.
    pub(super) fn prove(
        &mut self,
        artifact: Artifact,
        trial: Trial,
        old: Option<Run>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let run = self.launch(artifact, now, effects);
        let until = run.proof_ends();
        self.state = State::Proving {
            run,
            until,
            old,
            trial,
        };
    }

    /// Starts a child.
    pub(super) fn launch(
        &mut self,
        artifact: Artifact,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Run {
        let id = self.runs.next();
        if artifact.spec.runs_like(&self.spec) {
            self.tried = Arc::clone(&self.spec);
        }
        effects.push(Effect::Start {
            run: id,
            artifact: artifact.clone(),
        });
        Run {
            id,
            artifact,
            since: now,
            ready_at: None,
            hung_at: None,
        }
    }

    /// A probe found a run ready.
    pub(super) fn ready(&mut self, id: RunId, now: Instant, effects: &mut Vec<Effect>) {
        if matches!(&self.state, State::Proving { run, .. } if run.id == id) {
            self.proved(now, effects);
        } else if self
            .served_by()
            .is_some_and(|run| run.id == id && run.ready_at.is_none())
        {
            self.found_ready(now, effects);
        }
    }

    /// The run under proof is ready, and takes over.
    pub(super) fn proved(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let (mut run, old, trial) = match mem::replace(&mut self.state, PASSING) {
            State::Proving {
                run, old, trial, ..
            } => (run, old, trial),
            other => {
                self.state = other;
                return;
            }
        };
        run.found_ready(now);
        let (debut, verdict) = match (&trial, &old) {
            (Trial::Fallback(failure), _) => (Debut::Fallback, Verdict::RolledBack(*failure)),
            (Trial::Newest, Some(old)) => (Debut::Swapped(old.id), Verdict::Swapped),
            (Trial::Newest, None) => (Debut::Fresh, Verdict::Restarted),
        };
        effects.push(Effect::Ready { run: run.id, debut });
        if let Some(old) = old {
            self.note_replaced(&old);
            self.part(&old, now, effects);
        }
        self.note_ready(&run.artifact);
        self.state = State::Running { run };
        self.answer_all(verdict, effects);
    }

    /// A run gave a sign of life.
    pub(super) fn alive(&mut self, id: RunId, now: Instant) {
        if let Some(run) = self.served_by().filter(|run| run.id == id)
            && run.hung_at.is_some()
        {
            run.hung_at = run.artifact.spec.watchdog.map(|time| now + time);
        }
    }

    /// A run hangs: its death will be a crash like any other.
    pub(super) fn stuck(&mut self, id: RunId, effects: &mut Vec<Effect>) {
        let Some(run) = self.staying().find(|run| run.id == id).map(|run| run.id) else {
            return;
        };
        if let Some(served) = self.served_by().filter(|served| served.id == run) {
            served.hung_at = None;
        }
        effects.push(Effect::Kill {
            run,
            why: KillReason::Hung,
        });
    }

    /// The run's leader ended.
    pub(super) fn exited(
        &mut self,
        run: RunId,
        exit: Exit,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if self.is_leaving(run) {
            effects.push(Effect::Stopped { run, exit });
            return;
        }
        let staying = self.staying().find(|it| it.id == run);
        if let Some(overlap) = staying.map(Run::overlap) {
            effects.push(Effect::Crashed { run, exit });
            self.bury(run, overlap, effects);
            let cause = FailureCause::Exited(exit);
            self.lost(Failure { run, cause }, now, effects);
        }
    }

    /// The run could not be started.
    pub(super) fn not_started(&mut self, run: RunId, now: Instant, effects: &mut Vec<Effect>) {
        if self.staying().any(|staying| staying.id == run) {
            let cause = FailureCause::NotStarted;
            self.lost(Failure { run, cause }, now, effects);
        }
    }

    /// The run under proof was not ready in time.
    pub(super) fn not_ready(&mut self, run: &Run, now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::NotReady { run: run.id });
        self.leave(run, now, effects);
        let (run, cause) = (run.id, FailureCause::NotReady);
        self.lost(Failure { run, cause }, now, effects);
    }

    /// One of those who should stay is lost.
    fn lost(&mut self, failure: Failure, now: Instant, effects: &mut Vec<Effect>) {
        match mem::replace(&mut self.state, PASSING) {
            State::Proving {
                run,
                old,
                until,
                trial,
            } => match old {
                Some(old) if old.id == failure.run => {
                    self.note_crash(&old, now);
                    self.state = State::Proving {
                        run,
                        until,
                        old: None,
                        trial,
                    };
                }
                Some(old) => {
                    let to = Instead::Old(old.id);
                    effects.push(Effect::RolledBack { failure, to });
                    if old.ready_at.is_some() {
                        self.answer_all(Verdict::RolledBack(failure), effects);
                    }
                    self.resume(old, Trial::Fallback(failure));
                }
                None => self.failed_alone(&run, trial, failure, now, effects),
            },
            State::Running { run } => {
                let on_trial = run.ready_at.is_some_and(|at| now < at + self.spec.stable);
                self.note_crash(&run, now);
                match self.better_than(&run.artifact).filter(|_| on_trial) {
                    Some(good) => self.fall_back(good, failure, effects),
                    None => self.try_again(&run, now, effects),
                }
            }
            State::Building { job, work, serving } => {
                let serving = match serving {
                    Serving::Current(run) => {
                        self.note_crash(&run, now);
                        self.good()
                            .cloned()
                            .map_or(Serving::Nobody, Serving::Awaited)
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

    /// The run under proof failed, and nobody served beside it.
    fn failed_alone(
        &mut self,
        run: &Run,
        trial: Trial,
        failure: Failure,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        self.note_crash(run, now);
        match (trial, self.better_than(&run.artifact)) {
            (Trial::Newest, Some(good)) => self.fall_back(good, failure, effects),
            (Trial::Newest, None) => {
                self.try_again(run, now, effects);
                self.answer_all(Verdict::Failed(failure), effects);
            }
            (Trial::Fallback(first), _) => {
                self.try_again(run, now, effects);
                self.answer_all(Verdict::Failed(first), effects);
            }
        }
    }

    /// The last good artifact is started again. Who waits learns of it when it is ready.
    fn fall_back(&mut self, good: Artifact, failure: Failure, effects: &mut Vec<Effect>) {
        let to = Instead::LastGood;
        effects.push(Effect::RolledBack { failure, to });
        self.state = State::Stopping {
            next: Next::Prove(good, Trial::Fallback(failure)),
        };
    }

    /// The next attempt, after the wait that it takes.
    fn try_again(&mut self, run: &Run, now: Instant, effects: &mut Vec<Effect>) {
        let then = match (run.artifact.mode, self.good()) {
            (Mode::Release, Some(good)) => Work::Reuse(good.clone()),
            (mode, _) => Work::Compile(mode),
        };
        self.back_off(then, now, effects);
    }

    fn note_crash(&mut self, run: &Run, now: Instant) {
        let lived = now.saturating_duration_since(run.since);
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

    /// A run goes on as if there had been nothing else.
    pub(super) fn resume(&mut self, run: Run, trial: Trial) {
        self.state = if run.ready_at.is_some() {
            State::Running { run }
        } else {
            let until = run.proof_ends();
            State::Proving {
                run,
                until,
                old: None,
                trial,
            }
        };
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
}
