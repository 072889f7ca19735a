//! Answering a caller, with what the child printed.

use std::time::Duration;

use actix::prelude::*;
use tokio::time::{Instant, sleep_until};

use super::{
    ProcessActor,
    answer::{Answer, Attempt},
};
use crate::{
    ids::{RunId, Ticket},
    lifecycle::{Failure, FailureCause, Next, State, Trial, Verdict},
    logs::{DescribeErrorLines, DescribeLastLines},
    relay::listens,
    spec::{Readiness, Sockets},
};

/// How many lines of a child that failed an answer shows.
const LAST_LINES: usize = 20;
/// How many lines of a new child that look like errors an answer shows.
const ERROR_LINES: usize = 10;
/// How long a child must have lived before its success is told, where a probe found it ready earlier:
/// what is wrong often shows at the first work.
const FIRST_WORDS: Duration = Duration::from_secs(1);

impl ProcessActor {
    /// Answers a caller, as soon as there is something to say about the child's first work.
    pub(super) fn fulfil(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        attempt: &Attempt,
        ctx: &mut Context<Self>,
    ) {
        let (Verdict::Restarted | Verdict::Swapped, (Some(run), _)) = (verdict, attempt.runs())
        else {
            return match verdict {
                // They have nothing to do with what was built last.
                Verdict::Running | Verdict::Stopped | Verdict::Superseded => {
                    self.answer(ticket, verdict, &Attempt::default(), ctx);
                }
                _ => self.answer(ticket, verdict, attempt, ctx),
            };
        };
        let attempt = attempt.clone();
        let later = sleep_until(self.first_words(run)).into_actor(self);
        ctx.spawn(later.map(move |(), actor, ctx| {
            let (verdict, attempt) = actor.revised(run, verdict, attempt);
            actor.answer(ticket, verdict, &attempt, ctx);
        }));
    }

    /// The private port of a child that nothing but its life has shown to be ready.
    fn unproved_port(&self, run: RunId) -> Option<u16> {
        let settles = matches!(self.spec.readiness, Readiness::Settle(_));
        self.live.get(&run)?.port.filter(|_| settles)
    }

    /// When a new child's first words are looked at.
    fn first_words(&self, run: RunId) -> Instant {
        let now = Instant::now();
        let run = self.machine.staying().find(|staying| staying.id == run);
        match (&self.spec.readiness, run) {
            (Readiness::Probe { .. }, Some(run)) => now.max(run.since + FIRST_WORDS),
            // Who sets a time to settle has set this one too.
            _ => now,
        }
    }

    /// What came of a success until now: the child may have died meanwhile.
    fn revised(&self, run: RunId, verdict: Verdict, attempt: Attempt) -> (Verdict, Attempt) {
        let Some(exit) = self.attempt.crash_of(run) else {
            return (verdict, attempt);
        };
        let failure = Failure {
            run,
            cause: FailureCause::Exited(exit),
        };
        let falls_back = matches!(
            self.machine.state(),
            State::Stopping {
                next: Next::Prove(_, Trial::Fallback(_))
            }
        );
        let verdict = if falls_back || self.machine.serving().is_some() {
            Verdict::RolledBack(failure)
        } else {
            Verdict::Failed(failure)
        };
        (verdict, self.attempt.clone())
    }

    fn answer(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        attempt: &Attempt,
        ctx: &mut Context<Self>,
    ) {
        let Some((wish, promise)) = self.promises.remove(&ticket) else {
            return;
        };
        let serving = self.machine.serving();
        let pid = |run| self.live.get(&run).map(|child| child.pid);
        let answer = Answer {
            process: &self.spec.name,
            wish,
            attempt,
            mode: self.mode,
            serving: serving.map(|run| (run.id, pid(run.id))),
            behind: self.history.behind(&self.machine),
            next_attempt: match self.machine.state() {
                State::BackingOff { until, .. } => Some(*until),
                _ => None,
            },
            relayed: matches!(self.spec.sockets, Sockets::Relayed { .. }),
            refused: match self.spec.sockets {
                Sockets::Own => None,
                Sockets::Held { .. } | Sockets::Relayed { .. } => Some(0),
            },
        };
        let mut report = answer.report(verdict);
        match (verdict, attempt.runs()) {
            (Verdict::RolledBack(failure) | Verdict::Failed(failure), _)
                if failure.cause != FailureCause::NotStarted =>
            {
                let question = DescribeLastLines {
                    key: self.log_of(failure.run),
                    count: LAST_LINES,
                };
                let lines = self.ports.last_lines.send(question).into_actor(self);
                ctx.spawn(lines.map(move |lines, _, _| {
                    report.last_lines = lines.unwrap_or_default();
                    let _ = promise.send(report);
                }));
            }
            (Verdict::Restarted | Verdict::Swapped, (Some(run), before)) => {
                let question = DescribeErrorLines {
                    key: self.log_of(run),
                    unlike: before.map(|run| self.log_of(run)),
                    count: ERROR_LINES,
                };
                let unheard = self.unproved_port(run);
                let lines = self.ports.error_lines.send(question);
                let look = async move {
                    let lines = lines.await;
                    let deaf = match unheard {
                        Some(port) if !listens(port).await => Some(port),
                        _ => None,
                    };
                    (lines, deaf)
                };
                ctx.spawn(look.into_actor(self).map(move |(lines, deaf), _, _| {
                    report.error_lines = lines.unwrap_or_default();
                    report.next = report.next.or(deaf.map(|port| {
                        format!(
                            "nothing listens at the private port {port} of run {run} yet, so that \
                             connections wait: the program has to listen at the port in its variable \
                             PORT ({{port}} in its arguments); `ready` in .mcp-run makes sure of it"
                        )
                    }));
                    let _ = promise.send(report);
                }));
            }
            _ => {
                // Who hung up does not get it; the restart happened all the same.
                let _ = promise.send(report);
            }
        }
    }
}
