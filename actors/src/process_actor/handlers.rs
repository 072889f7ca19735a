//! What each message becomes.

use std::sync::Arc;

use actix::prelude::*;
use tokio::{sync::oneshot, time::Instant};

use super::{Exited, ProcessActor, TreeGone, answer::Wish, fulfil::Promise};
use crate::{
    artifact::{BuildDone, BuildStarted, BuildWaits},
    beat::beats,
    ids::{RunId, Ticket},
    lifecycle::{End, Event, Next, State},
    logs::TreeEnded,
    report::EventKind,
    restart::{
        Cause, ConfigRejected, Pending, Remove, Replace, Restart, Shutdown, ShuttingDown, Start,
        Stop,
    },
    sockets::Hold,
    spec::Change,
};

impl Actor for ProcessActor {
    type Context = Context<Self>;
}

beats!(ProcessActor, |process| process.spec.name.as_str());

/// Fact: nothing keeps a child that was replaced.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Drained {
    pub(super) run: RunId,
}

impl ProcessActor {
    /// Whether the daemon goes on. Where only this process ends, the machine answers.
    fn takes_orders(&self) -> Result<(), ShuttingDown> {
        match self.machine.end_of_all() {
            Some(End::Shutdown) => Err(ShuttingDown),
            Some(End::Removed) | None => Ok(()),
        }
    }

    /// Writes down who waits for what, and until when.
    fn promise(&mut self, wish: Wish, until: Option<Instant>) -> (Ticket, Pending) {
        let (answer, pending) = oneshot::channel();
        let ticket = self.tickets.next();
        let promise = Promise {
            wish,
            until,
            answer,
        };
        self.promises.insert(ticket, promise);
        (ticket, pending)
    }
}

impl Handler<Hold> for ProcessActor {
    type Result = ();

    fn handle(&mut self, Hold(doors): Hold, _: &mut Self::Context) {
        self.entrances.put(self.spec.sockets.clone(), doors);
        self.route();
    }
}

impl Handler<Restart> for ProcessActor {
    type Result = Result<Pending, ShuttingDown>;

    fn handle(
        &mut self,
        Restart { mode, cause, until }: Restart,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.takes_orders()?;
        match cause {
            Cause::Boot => self.happens(Event::Boot { mode }, ctx),
            // Whoever waits for an answer works on it; the idle clock asks again.
            Cause::Idle if !self.promises.is_empty() => {}
            Cause::Idle => {
                self.happens(Event::Idle { mode }, ctx);
                let (under_way, pending) = oneshot::channel();
                self.idle_change = Some(under_way).filter(|_| self.is_changing());
                return Ok(pending);
            }
            Cause::Requested => {
                // It is another change from here on.
                self.idle_change = None;
                let (ticket, pending) = self.promise(Wish::Restart, until);
                self.history.restart_requested();
                self.stopped_by = None;
                self.happens(Event::Restart { mode, ticket }, ctx);
                return Ok(pending);
            }
        }
        // Nobody waits for these.
        Ok(oneshot::channel().1)
    }
}

impl Handler<Start> for ProcessActor {
    type Result = Result<Pending, ShuttingDown>;

    fn handle(&mut self, Start { until }: Start, ctx: &mut Self::Context) -> Self::Result {
        self.takes_orders()?;
        let (ticket, pending) = self.promise(Wish::Start, until);
        self.stopped_by = None;
        self.happens(Event::Start { ticket }, ctx);
        Ok(pending)
    }
}

impl Handler<Stop> for ProcessActor {
    type Result = Result<Pending, ShuttingDown>;

    fn handle(&mut self, Stop { by }: Stop, ctx: &mut Self::Context) -> Self::Result {
        self.takes_orders()?;
        let (ticket, pending) = self.promise(Wish::Stop, None);
        if self.stopped_by.replace(by).is_none() {
            log::info!("{}: {by} stops it", self.spec.name);
            let text = format!("{by} stopped it; start or restart runs it again");
            self.history.note(EventKind::Stopped, text);
        }
        self.happens(Event::Stop { ticket }, ctx);
        Ok(pending)
    }
}

impl Handler<Drained> for ProcessActor {
    type Result = ();

    fn handle(&mut self, Drained { run }: Drained, ctx: &mut Self::Context) {
        self.happens(Event::Drained { run }, ctx);
    }
}

impl Handler<Shutdown> for ProcessActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) -> Self::Result {
        let (waiter, gone) = oneshot::channel();
        if matches!(self.machine.state(), State::Gone(_)) {
            return Box::pin(async {});
        }
        self.awaiting_end.push(waiter);
        self.happens(Event::Shutdown, ctx);
        Box::pin(async {
            // The sender lives in this actor: an error means that it is gone too.
            let _ = gone.await;
        })
    }
}

impl Handler<Remove> for ProcessActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Remove, ctx: &mut Self::Context) -> Self::Result {
        let (waiter, gone) = oneshot::channel();
        if matches!(self.machine.state(), State::Gone(_)) {
            return Box::pin(async {});
        }
        log::info!("{}: removed from the configuration", self.spec.name);
        self.awaiting_end.push(waiter);
        self.happens(Event::Remove, ctx);
        Box::pin(async {
            // As with `Shutdown`.
            let _ = gone.await;
        })
    }
}

impl Handler<Replace> for ProcessActor {
    type Result = ();

    fn handle(&mut self, Replace { spec, doors }: Replace, ctx: &mut Self::Context) {
        let Some(change) = self
            .spec
            .change_to(&spec)
            .filter(|_| !self.machine.is_ending())
        else {
            return;
        };
        let keys = self.spec.changed_keys(&spec).join(", ");
        self.entrances.put(spec.sockets.clone(), doors);
        self.spec = Arc::clone(&spec);
        let suffices = change != Change::Settle && self.machine.suffices(&spec);
        if suffices {
            self.history.caught_up();
        }
        let how = match (self.machine.state(), change) {
            (_, Change::Settle) => "holds from now on",
            (
                State::Idle { .. }
                | State::Stopped { .. }
                | State::Stopping {
                    next: Next::Stopped(_),
                },
                _,
            ) => "for its next start",
            _ if suffices => "as what runs has it",
            (_, Change::Swap) => "a new run without a build",
            (_, Change::Rebuild) => "a new build, then a new run",
        };
        let text = format!("{keys} changed: {how}");
        log::info!("{}: {text}", spec.name);
        self.history.note(EventKind::Reloaded, text);
        self.happens(Event::Replace { spec, change }, ctx);
    }
}

impl Handler<ConfigRejected> for ProcessActor {
    type Result = ();

    fn handle(&mut self, ConfigRejected { why }: ConfigRejected, _: &mut Self::Context) {
        self.history.note(EventKind::ConfigInvalid, why);
        self.publish();
    }
}

impl Handler<BuildStarted> for ProcessActor {
    type Result = ();

    fn handle(&mut self, BuildStarted { job, build, mode }: BuildStarted, _: &mut Self::Context) {
        if self.machine.awaits(job) {
            self.history.build_started(build, mode);
            self.publish();
        }
    }
}

impl Handler<BuildWaits> for ProcessActor {
    type Result = ();

    fn handle(&mut self, waits: BuildWaits, _: &mut Self::Context) {
        if self.machine.awaits(waits.job) {
            self.history.build_waits(waits.build, &waits.lock);
            self.publish();
        }
    }
}

impl Handler<BuildDone> for ProcessActor {
    type Result = ();

    fn handle(&mut self, BuildDone { job, outcome }: BuildDone, ctx: &mut Self::Context) {
        if !self.machine.awaits(job) {
            return;
        }
        let (event, outcome) = match outcome {
            Ok(built) => {
                self.said = built.said;
                let artifact = built.artifact;
                (Event::Built { job, artifact }, Ok(built.report))
            }
            Err(failure) => (Event::BuildFailed { job }, Err(failure)),
        };
        self.build_ended(&outcome);
        self.attempt.built(outcome);
        self.happens(event, ctx);
    }
}

impl Handler<Exited> for ProcessActor {
    type Result = ();

    fn handle(&mut self, Exited { run, exit }: Exited, ctx: &mut Self::Context) {
        self.happens(Event::Exited { run, exit }, ctx);
    }
}

impl Handler<TreeGone> for ProcessActor {
    type Result = ();

    fn handle(&mut self, TreeGone { run }: TreeGone, ctx: &mut Self::Context) {
        if self.forget(run, ctx).is_some() {
            // Before the next run opens its log.
            let process = self.spec.name.clone();
            self.ports.tree_ended.do_send(TreeEnded { process, run });
        }
        self.happens(Event::TreeGone { run }, ctx);
    }
}
