//! Answering a caller, with what the child printed.

use std::{collections::VecDeque, time::Duration};

use actix::prelude::*;
use tokio::{sync::oneshot, time::Instant};

use super::{
    ProcessActor,
    answer::{Answer, Attempt, Wish},
};
use crate::{
    exit::Exit,
    ids::{RunId, Ticket},
    lifecycle::{Failure, FailureCause, Next, State, Verdict},
    logs::{DescribeErrorLines, DescribeLastLines},
    relay::listens,
    report::{LastExit, RestartReport},
    spec::{Readiness, Sockets},
};

/// How many lines of a child that failed an answer shows.
const LAST_LINES: usize = 20;
/// How many lines of a new child that look like errors an answer shows.
const ERROR_LINES: usize = 10;
/// How long a child must have lived before its success is told, where a probe found it ready earlier:
/// what is wrong often shows at the first work.
const FIRST_WORDS: Duration = Duration::from_secs(1);

/// How long before a caller's patience ends he is answered with what is known.
const HASTE: Duration = Duration::from_millis(50);
/// How many crashes are remembered: more than happen in the time that a success waits to be told.
const CRASHES: usize = 16;

/// Somebody waits for an answer.
#[derive(Debug)]
pub(super) struct Promise {
    pub(super) wish: Wish,
    /// When he will wait no longer.
    pub(super) until: Option<Instant>,
    pub(super) answer: oneshot::Sender<RestartReport>,
}

/// A success that is told when its child has lived a little, or as soon as it has not.
#[derive(Debug)]
pub(super) struct Success {
    ticket: Ticket,
    run: RunId,
    verdict: Verdict,
    attempt: Attempt,
    /// When it is told.
    due: Instant,
}

/// The latest crashes, newest first.
#[derive(Debug, Default)]
pub(super) struct Crashes(VecDeque<(Exit, LastExit)>);

impl Crashes {
    pub(super) fn add(&mut self, how: Exit, report: LastExit) {
        self.0.truncate(CRASHES - 1);
        self.0.push_front((how, report));
    }

    fn of(&self, run: RunId) -> Option<&(Exit, LastExit)> {
        self.0.iter().find(|(_, report)| report.run == run)
    }
}

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
        let until = self.promises.get(&ticket).and_then(|it| it.until);
        let patience = until.and_then(|until| until.checked_sub(HASTE));
        let due = self.first_words(run);
        let due = patience.map_or(due, |patience| due.min(patience));
        self.successes.push(Success {
            ticket,
            run,
            verdict,
            attempt: attempt.clone(),
            due,
        });
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            ctx.run_later(wait, Self::tell_successes);
        }
    }

    /// Answers those whose child has lived a little, or came to nothing.
    pub(super) fn tell_successes(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let is_off = self.turned_off().is_some();
        // Whoever hears of a roll-back wants to know what serves.
        let falls_back = self.machine.falls_back();
        let crashes = &self.crashes;
        let is_known = |it: &mut Success| {
            it.due <= now || is_off || (crashes.of(it.run).is_some() && !falls_back)
        };
        let told: Vec<_> = self.successes.extract_if(.., is_known).collect();
        for success in told {
            let (verdict, attempt) = self.revised(&success);
            self.answer(success.ticket, verdict, &attempt, ctx);
        }
    }

    /// The private port of a child that nothing but its life has shown to be ready.
    fn unproved_port(&self, run: RunId) -> Option<u16> {
        let child = self.live.get(&run)?;
        let settles = matches!(child.spec.readiness, Readiness::Settle(_));
        child.port.filter(|_| settles)
    }

    /// When a new child's first words are looked at.
    fn first_words(&self, run: RunId) -> Instant {
        let now = Instant::now();
        let run = self.machine.staying().find(|staying| staying.id == run);
        match run.map(|run| (&run.artifact.spec.readiness, run)) {
            Some((Readiness::Probe { .. }, run)) => now.max(run.since + FIRST_WORDS),
            // Who sets a time to settle has set this one too.
            _ => now,
        }
    }

    /// What came of a success until now: the child may have died meanwhile, or been stopped. That a
    /// newer one took its place is no failure.
    fn revised(&self, success: &Success) -> (Verdict, Attempt) {
        let Success {
            run,
            verdict,
            attempt,
            ..
        } = success;
        let Some((how, report)) = self.crashes.of(*run) else {
            return (self.turned_off().unwrap_or(*verdict), attempt.clone());
        };
        let failure = Failure {
            run: *run,
            cause: FailureCause::Exited(*how),
        };
        let verdict = if self.machine.falls_back() || self.machine.serving().is_some() {
            Verdict::RolledBack(failure)
        } else {
            Verdict::Failed(failure)
        };
        let mut attempt = attempt.clone();
        attempt.ended(report.clone());
        (verdict, attempt)
    }

    /// What became of any order, where nothing of this process is wanted any more.
    fn turned_off(&self) -> Option<Verdict> {
        match self.machine.state() {
            State::Stopped { .. }
            | State::Stopping {
                next: Next::Stopped(_),
            } => Some(Verdict::Stopped),
            State::Gone(end)
            | State::Stopping {
                next: Next::Gone(end),
            } => Some((*end).into()),
            _ => None,
        }
    }

    fn answer(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        attempt: &Attempt,
        ctx: &mut Context<Self>,
    ) {
        let Some(Promise { wish, answer, .. }) = self.promises.remove(&ticket) else {
            return;
        };
        let promise = answer;
        let serving = self.machine.serving();
        let spec = serving.map_or(&self.spec, |run| &run.artifact.spec);
        let pid = |run| self.live.get(&run).map(|child| child.pid);
        let told = Answer {
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
            relayed: matches!(spec.sockets, Sockets::Relayed { .. }),
            refused: match spec.sockets {
                Sockets::Own => None,
                Sockets::Held { .. } | Sockets::Relayed { .. } => Some(0),
            },
        };
        let mut report = told.report(verdict);
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
