//! What a changed entry of the configuration does to what runs.
//!
//! A run and an artifact keep the entry that they were started with, so that to go back to one is to
//! go back to its configuration as well.

use std::{mem, sync::Arc};

use tokio::time::Instant;

use super::{Effect, Lifecycle, Next, PASSING, Serving, State, Trial, Verdict};
use crate::{
    artifact::{Artifact, Work},
    back_off::CrashRow,
    spec::{Change, ProcessSpec, ProcessType},
};

impl Lifecycle {
    pub(super) fn replace(
        &mut self,
        spec: Arc<ProcessSpec>,
        change: Change,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if self.is_ending() {
            return;
        }
        let suffices = self.suffices(&spec);
        let before = mem::replace(&mut self.spec, spec);
        if change == Change::Settle {
            self.settle(&before);
        } else if suffices {
            self.tried = Arc::clone(&self.spec);
            self.keep(now, effects);
        } else if let Some(work) = self.work_of(change) {
            self.row = CrashRow::default();
            self.give_up_falling_back(effects);
            self.build(work, now, effects);
        }
    }

    /// Whether what serves is what this entry asks for, and nobody asked for more: it was rolled back
    /// to that, or the change before is undone while it is not through.
    #[must_use]
    pub fn suffices(&self, spec: &ProcessSpec) -> bool {
        let (run, mode) = match &self.state {
            State::Running { run } => (run, run.artifact.mode),
            // Whoever waits asked for the newest sources.
            _ if !self.waiting.is_empty() => return false,
            State::Proving {
                run,
                old: Some(old),
                ..
            } => (old, run.artifact.mode),
            State::Building {
                work,
                serving: Serving::Current(run),
                ..
            } => (run, work.mode()),
            _ => return false,
        };
        run.artifact.mode == mode && run.artifact.spec.runs_like(spec)
    }

    /// What serves goes on, and what was to replace it is given up.
    fn keep(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        match mem::replace(&mut self.state, PASSING) {
            State::Proving {
                run,
                old: Some(old),
                ..
            } => {
                self.leave(&run, now, effects);
                self.resume(old, Trial::Newest);
            }
            State::Building {
                job,
                serving: Serving::Current(run),
                ..
            } => {
                effects.push(Effect::CancelBuild { job });
                self.resume(run, Trial::Newest);
            }
            other => self.state = other,
        }
    }

    /// What it takes until the newest entry is true of what runs, if anything.
    fn work_of(&self, change: Change) -> Option<Work> {
        match &self.state {
            State::Idle { .. }
            | State::Stopped { .. }
            | State::Stopping {
                next: Next::Stopped(_) | Next::Gone(_),
            }
            | State::Gone(_) => None,
            // What it makes is started as the newest entry has it.
            State::Building {
                work: Work::Compile(_),
                ..
            } if change == Change::Swap && self.is_built() => None,
            State::Building { work, .. } | State::BackingOff { then: work, .. } => {
                Some(match work {
                    Work::Compile(mode) => Work::Compile(*mode),
                    Work::Reuse(artifact) => self.again(artifact),
                })
            }
            State::Stopping {
                next: Next::Prove(artifact, _),
            } => Some(self.again(artifact)),
            State::Proving { run, .. } | State::Running { run } => Some(self.again(&run.artifact)),
        }
    }

    /// How to come from this artifact to one of the newest entry.
    fn again(&self, artifact: &Artifact) -> Work {
        if self.is_built() && artifact.spec.builds_like(&self.spec) {
            Work::Reuse(artifact.clone().with(&self.spec))
        } else {
            Work::Compile(artifact.mode)
        }
    }

    /// A build of the newest sources failed, and this one goes on: it does so as the newest entry has
    /// it, where that was not tried yet.
    pub(super) fn renewed(&self, artifact: Artifact) -> Artifact {
        if self.is_untried() && artifact.spec.builds_like(&self.spec) {
            artifact.with(&self.spec)
        } else {
            artifact
        }
    }

    /// The same for one that runs.
    pub(super) fn catch_up(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let (State::Running { run } | State::Proving { run, .. }) = &self.state else {
            return;
        };
        if self.is_untried() && run.artifact.spec.builds_like(&self.spec) {
            let work = self.again(&run.artifact);
            self.build(work, now, effects);
        }
    }

    /// Whether no child was started yet as the newest entry has it.
    fn is_untried(&self) -> bool {
        self.is_built() && !self.tried.runs_like(&self.spec)
    }

    /// Whether there is a build, which another start does not need.
    fn is_built(&self) -> bool {
        self.spec.program.kind() == ProcessType::Rust
    }

    /// What comes next is not what those who wait asked for, and not what they are told of as the last
    /// good one either.
    fn give_up_falling_back(&mut self, effects: &mut Vec<Effect>) {
        if let State::Stopping {
            next: Next::Prove(_, Trial::Fallback(failure)),
        }
        | State::Proving {
            trial: Trial::Fallback(failure),
            ..
        } = &self.state
        {
            let verdict = Verdict::RolledBack(*failure);
            self.answer_all(verdict, effects);
        }
    }

    /// Only limits and waits differ: they hold for what is there, too.
    fn settle(&mut self, before: &ProcessSpec) {
        let spec = Arc::clone(&self.spec);
        let is_of_before = |it: &Arc<ProcessSpec>| **it == *before;
        if is_of_before(&self.tried) {
            self.tried = Arc::clone(&spec);
        }
        for artifact in self.artifacts() {
            if is_of_before(&artifact.spec) {
                artifact.spec = Arc::clone(&spec);
            }
        }
        match &mut self.state {
            State::Proving { run, until, .. } => *until = run.proof_ends(),
            State::BackingOff { until, then } => {
                let wait = |spec: &ProcessSpec| self.row.wait(then.mode(), &spec.crash_policy);
                if let Some(since) = until.checked_sub(wait(before)) {
                    *until = since + wait(&spec);
                }
            }
            _ => {}
        }
    }

    /// Everything that runs or may be started.
    fn artifacts(&mut self) -> impl Iterator<Item = &mut Artifact> {
        let (one, other) = match &mut self.state {
            State::Building { work, serving, .. } => (reused(work), served(serving)),
            State::Stopping {
                next: Next::Prove(artifact, _),
            } => (Some(artifact), None),
            State::Proving { run, old, .. } => (
                Some(&mut run.artifact),
                old.as_mut().map(|old| &mut old.artifact),
            ),
            State::Running { run } => (Some(&mut run.artifact), None),
            State::BackingOff { then, .. } => (reused(then), None),
            State::Idle { .. }
            | State::Stopped { .. }
            | State::Stopping { .. }
            | State::Gone(_) => (None, None),
        };
        let good = self.good.as_mut().map(|good| &mut good.artifact);
        one.into_iter().chain(other).chain(good)
    }

    /// Whether something that runs, may be started, or is wanted is of such an entry.
    pub fn concerns(&self, is_such: impl Fn(&ProcessSpec) -> bool) -> bool {
        let in_hand = match &self.state {
            State::Building {
                work: Work::Reuse(artifact),
                ..
            }
            | State::BackingOff {
                then: Work::Reuse(artifact),
                ..
            }
            | State::Stopping {
                next: Next::Prove(artifact, _),
            } => Some(artifact),
            _ => None,
        };
        let waiting = match &self.state {
            State::Building {
                serving: Serving::InHand(artifact) | Serving::Awaited(artifact),
                ..
            } => Some(artifact),
            _ => None,
        };
        let running = self.staying().map(|run| &run.artifact);
        let artifacts = running.chain(in_hand).chain(waiting).chain(self.good());
        is_such(&self.spec) || artifacts.into_iter().any(|it| is_such(&it.spec))
    }
}

fn reused(work: &mut Work) -> Option<&mut Artifact> {
    match work {
        Work::Reuse(artifact) => Some(artifact),
        Work::Compile(_) => None,
    }
}

fn served(serving: &mut Serving) -> Option<&mut Artifact> {
    match serving {
        Serving::Current(run) | Serving::StandIn(run) => Some(&mut run.artifact),
        Serving::InHand(artifact) | Serving::Awaited(artifact) => Some(artifact),
        Serving::Nobody => None,
    }
}
