//! What each message becomes.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{Exited, ProcessActor, TreeGone};
use crate::{
    artifact::{BuildDone, BuildStarted},
    lifecycle::{Event, State},
    logs::TreeEnded,
    restart::{Cause, Pending, Restart, Shutdown, ShuttingDown, Start, Stop},
    sockets::Hold,
};

impl Actor for ProcessActor {
    type Context = Context<Self>;
}

impl Handler<Restart> for ProcessActor {
    type Result = Result<Pending, ShuttingDown>;

    fn handle(
        &mut self,
        Restart { mode, cause }: Restart,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        if self.machine.is_ending() {
            return Err(ShuttingDown);
        }
        let (promise, pending) = oneshot::channel();
        let event = match cause {
            Cause::Boot => Event::Boot { mode },
            Cause::Idle => Event::Idle { mode },
            Cause::Requested => {
                let ticket = self.tickets.next();
                self.promises.insert(ticket, promise);
                self.history.restart_requested();
                Event::Restart { mode, ticket }
            }
        };
        self.happens(event, ctx);
        Ok(pending)
    }
}

impl Handler<Start> for ProcessActor {
    type Result = Result<Pending, ShuttingDown>;

    fn handle(&mut self, _: Start, _: &mut Self::Context) -> Self::Result {
        Err(ShuttingDown)
    }
}

impl Handler<Stop> for ProcessActor {
    type Result = Result<Pending, ShuttingDown>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        Err(ShuttingDown)
    }
}

impl Handler<Hold> for ProcessActor {
    type Result = ();

    fn handle(&mut self, Hold(doors): Hold, _: &mut Self::Context) {
        let _ = doors;
    }
}

impl Handler<Shutdown> for ProcessActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) -> Self::Result {
        let (waiter, gone) = oneshot::channel();
        if matches!(self.machine.state(), State::Gone) {
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

impl Handler<BuildStarted> for ProcessActor {
    type Result = ();

    fn handle(&mut self, BuildStarted { job, build, mode }: BuildStarted, _: &mut Self::Context) {
        if self.machine.awaits(job) {
            self.history.build_started(build, mode);
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
            Ok(built) => (
                Event::Built {
                    job,
                    artifact: built.artifact,
                },
                Ok(built.report),
            ),
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
        if self.live.remove(&run).is_some() {
            // Before the next run opens its log.
            let process = self.spec.name.clone();
            self.ports.tree_ended.do_send(TreeEnded { process, run });
        }
        self.happens(Event::TreeGone { run }, ctx);
    }
}
