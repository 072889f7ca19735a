//! Answering a caller, with what the child printed.

use actix::prelude::*;

use super::{
    ProcessActor,
    answer::{Answer, Attempt},
};
use crate::{
    ids::Ticket,
    lifecycle::{FailureCause, State, Verdict},
    logs::{DescribeErrorLines, DescribeLastLines},
    spec::Sockets,
};

/// How many lines of a child that failed an answer shows.
const LAST_LINES: usize = 20;
/// How many lines of a new child that look like errors an answer shows.
const ERROR_LINES: usize = 10;

impl ProcessActor {
    pub(super) fn fulfil(
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
            refused: match self.spec.sockets {
                Sockets::Own => None,
                Sockets::Held { .. } | Sockets::Relayed { .. } => Some(0),
            },
        };
        let mut report = answer.report(verdict);
        match verdict {
            Verdict::RolledBack(failure) | Verdict::Failed(failure)
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
            Verdict::Restarted | Verdict::Swapped => {
                let (Some(run), before) = attempt.runs() else {
                    let _ = promise.send(report);
                    return;
                };
                let question = DescribeErrorLines {
                    key: self.log_of(run),
                    unlike: before.map(|run| self.log_of(run)),
                    count: ERROR_LINES,
                };
                let lines = self.ports.error_lines.send(question).into_actor(self);
                ctx.spawn(lines.map(move |lines, _, _| {
                    report.error_lines = lines.unwrap_or_default();
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
