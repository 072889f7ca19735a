//! The idle clock: when nobody has worked with the project for long, what runs in dev goes to release.
//!
//! It hears of activity ([`ToolCalled`]) and of modes ([`ModeChanged`]), and sends [`Restart`] with
//! [`Cause::Idle`]. A reload of the configuration sends [`SetTimeout`], [`Watch`] and [`Unwatch`]. It never touches a process, and does not know what a restart does.

use std::{collections::BTreeSet, time::Duration};

use actix::prelude::*;
use futures_util::future::join_all;
use tokio::{sync::watch, time::Instant};

use crate::{
    beat::beats,
    events::Events,
    ids::ProcessName,
    restart::{Cause, ModeChanged, Restart, ToolCalled},
    spec::Mode,
};

/// Command: from now on tell this process when nobody works on it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Watch {
    /// Where it takes its restarts.
    pub process: Recipient<Restart>,
}

/// Command: this process does not concern the clock any more.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Unwatch {
    /// Its name.
    pub name: ProcessName,
    /// Where it took its restarts.
    pub process: Recipient<Restart>,
}

/// Command: from now on dev lasts for so long after the last activity, also where it has begun.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct SetTimeout(pub Duration);

/// When dev ends; `None` while nothing is in dev. While the way to release is under way it is the
/// moment in which that began.
pub type ReleaseAt = watch::Receiver<Option<Instant>>;

/// The actor.
#[derive(Debug)]
pub struct ModeActor {
    events: Events,
    clock: IdleClock,
    processes: Vec<Recipient<Restart>>,
    release_at: watch::Sender<Option<Instant>>,
    alarm: Option<SpawnHandle>,
}

/// The decision, without actor and alarm.
#[derive(Debug)]
struct IdleClock {
    timeout: Duration,
    last_activity: Instant,
    in_dev: BTreeSet<ProcessName>,
    /// When the processes were told to go to release, until all have answered what came of it.
    ordered_at: Option<Instant>,
}

impl IdleClock {
    /// Dev while anything is.
    fn mode(&self) -> Mode {
        if self.in_dev.is_empty() {
            Mode::Release
        } else {
            Mode::Dev
        }
    }

    fn release_at(&self) -> Option<Instant> {
        let due_at = self.due_at()?;
        Some(self.ordered_at.unwrap_or(due_at))
    }

    /// When the processes are told, or told again.
    fn due_at(&self) -> Option<Instant> {
        (!self.in_dev.is_empty()).then(|| self.last_activity + self.timeout)
    }

    /// Whether it is time; if so the next time is a whole timeout away, whatever comes of this one.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.due_at().is_some_and(|at| at <= now);
        if due {
            self.last_activity = now;
            self.ordered_at = Some(now);
        }
        due
    }

    /// All have answered what was ordered then: who is in dev still, stays for another while.
    fn answered(&mut self, ordered_at: Instant) {
        self.ordered_at.take_if(|it| *it == ordered_at);
    }
}

impl ModeActor {
    /// A clock that lets dev last for `timeout` after the last activity, and tells when the daemon as
    /// a whole is in dev and when no more.
    #[must_use]
    pub fn new(timeout: Duration, events: Events) -> (Self, ReleaseAt) {
        let (release_at, reader) = watch::channel(None);
        let clock = IdleClock {
            timeout,
            last_activity: Instant::now(),
            in_dev: BTreeSet::new(),
            ordered_at: None,
        };
        (
            Self {
                events,
                clock,
                processes: Vec::new(),
                release_at,
                alarm: None,
            },
            reader,
        )
    }

    /// Publishes when dev ends, and sets the alarm if there is none: one that rings too early just
    /// sets the next, so that activity costs no timer.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        let at = self.clock.release_at();
        self.release_at.send_if_modified(|published| {
            let changed = *published != at;
            *published = at;
            changed
        });
        if let (Some(at), None) = (self.clock.due_at(), self.alarm) {
            let wait = at.saturating_duration_since(Instant::now());
            self.alarm = Some(ctx.run_later(wait, |actor, ctx| {
                actor.alarm = None;
                actor.ring(ctx);
                actor.settle(ctx);
            }));
        }
    }

    /// Tells whether the daemon as a whole went to another mode.
    fn tell_mode(&self, before: Mode) {
        if self.clock.mode() != before {
            self.events.publish_mode(self.clock.mode());
        }
    }

    fn ring(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        if !self.clock.is_due(now) {
            return;
        }
        log::info!(
            "nobody has worked here for {}: back to release",
            hours(self.clock.timeout)
        );
        let orders = self.processes.iter().map(|process| {
            let given = process.send(Restart {
                mode: Mode::Release,
                cause: Cause::Idle,
                until: None,
            });
            async {
                // One that ends has nothing to answer.
                if let Ok(Ok(pending)) = given.await {
                    let _ = pending.await;
                }
            }
        });
        let answered = join_all(orders).into_actor(self);
        ctx.spawn(answered.map(move |_, actor, ctx| {
            actor.clock.answered(now);
            actor.settle(ctx);
        }));
    }
}

impl Actor for ModeActor {
    type Context = Context<Self>;
}

beats!(ModeActor, |_| "idle clock");

impl Handler<Watch> for ModeActor {
    type Result = ();

    fn handle(&mut self, Watch { process }: Watch, _: &mut Self::Context) {
        self.processes.push(process);
    }
}

impl Handler<Unwatch> for ModeActor {
    type Result = ();

    fn handle(&mut self, Unwatch { name, process }: Unwatch, ctx: &mut Self::Context) {
        self.processes.retain(|it| *it != process);
        let before = self.clock.mode();
        self.clock.in_dev.remove(&name);
        self.tell_mode(before);
        self.settle(ctx);
    }
}

impl Handler<SetTimeout> for ModeActor {
    type Result = ();

    fn handle(&mut self, SetTimeout(timeout): SetTimeout, ctx: &mut Self::Context) {
        self.clock.timeout = timeout;
        // It may be due earlier now.
        if let Some(alarm) = self.alarm.take() {
            ctx.cancel_future(alarm);
        }
        self.settle(ctx);
    }
}

impl Handler<ToolCalled> for ModeActor {
    type Result = ();

    fn handle(&mut self, _: ToolCalled, ctx: &mut Self::Context) {
        self.clock.last_activity = Instant::now();
        self.settle(ctx);
    }
}

impl Handler<ModeChanged> for ModeActor {
    type Result = ();

    fn handle(&mut self, ModeChanged { process, mode }: ModeChanged, ctx: &mut Self::Context) {
        let before = self.clock.mode();
        match mode {
            Mode::Dev => {
                let is_new = self.clock.in_dev.insert(process);
                if is_new {
                    // It was told to go nowhere.
                    self.clock.ordered_at = None;
                }
                is_new
            }
            Mode::Release => self.clock.in_dev.remove(&process),
        };
        self.tell_mode(before);
        self.settle(ctx);
    }
}

fn hours(time: Duration) -> String {
    format!("{:.1} h", time.as_secs_f64() / 3600.0)
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::report::RestartReport;

    /// Passes on what a process would have got.
    struct Probe(mpsc::UnboundedSender<Restart>);

    /// A process that answers when the test drops its promises.
    struct Slow(mpsc::UnboundedSender<oneshot::Sender<RestartReport>>);

    impl Actor for Slow {
        type Context = Context<Self>;
    }

    impl Handler<Restart> for Slow {
        type Result = <Restart as Message>::Result;

        fn handle(&mut self, _: Restart, _: &mut Self::Context) -> Self::Result {
            let (promise, pending) = oneshot::channel();
            let _ = self.0.send(promise);
            Ok(pending)
        }
    }

    impl Actor for Probe {
        type Context = Context<Self>;
    }

    impl Handler<Restart> for Probe {
        type Result = <Restart as Message>::Result;

        fn handle(&mut self, restart: Restart, _: &mut Self::Context) -> Self::Result {
            let _ = self.0.send(restart);
            Err(crate::restart::ShuttingDown)
        }
    }

    const TIMEOUT: Duration = Duration::from_hours(3);

    async fn clock() -> (Addr<ModeActor>, ReleaseAt, mpsc::UnboundedReceiver<Restart>) {
        let (sender, restarts) = mpsc::unbounded_channel();
        let (actor, release_at) = ModeActor::new(TIMEOUT, Events::new());
        let actor = actor.start();
        actor
            .send(Watch {
                process: Probe(sender).start().recipient(),
            })
            .await
            .unwrap();
        (actor, release_at, restarts)
    }

    fn is_now(mode: Mode) -> ModeChanged {
        ModeChanged {
            process: "main".parse().unwrap(),
            mode,
        }
    }

    #[actix::test]
    async fn dev_ends_when_nobody_called_for_the_whole_timeout() {
        tokio::time::pause();
        let (actor, release_at, mut restarts) = clock().await;
        actor.send(is_now(Mode::Dev)).await.unwrap();
        tokio::time::advance(TIMEOUT / 2).await;
        actor.send(ToolCalled).await.unwrap();
        let called = Instant::now();
        assert_eq!(*release_at.borrow(), Some(called + TIMEOUT));
        let restart = restarts.recv().await.unwrap();
        assert_eq!((restart.mode, restart.cause), (Mode::Release, Cause::Idle));
        assert!(called.elapsed() >= TIMEOUT, "after {:?}", called.elapsed());
    }

    #[actix::test]
    async fn a_release_build_that_failed_is_tried_again_after_another_timeout() {
        tokio::time::pause();
        let (actor, _release_at, mut restarts) = clock().await;
        actor.send(is_now(Mode::Dev)).await.unwrap();
        restarts.recv().await.unwrap();
        let first = Instant::now();
        restarts.recv().await.unwrap();
        assert!(first.elapsed() >= TIMEOUT, "after {:?}", first.elapsed());
    }

    #[actix::test]
    async fn while_the_release_is_built_no_time_is_left_and_behind_a_failure_it_begins_anew() {
        tokio::time::pause();
        let (actor, mut release_at) = ModeActor::new(TIMEOUT, Events::new());
        let actor = actor.start();
        let (sender, mut promises) = mpsc::unbounded_channel();
        let process = Slow(sender).start().recipient();
        actor.send(Watch { process }).await.unwrap();
        actor.send(is_now(Mode::Dev)).await.unwrap();
        let promise = promises.recv().await.unwrap();
        tokio::time::advance(Duration::from_mins(5)).await;
        // Whoever looks meanwhile changes nothing about it.
        actor.send(ToolCalled).await.unwrap();
        let ordered = release_at.borrow_and_update().unwrap();
        assert!(ordered < Instant::now(), "it is over");
        drop(promise);
        release_at.changed().await.unwrap();
        let again = release_at.borrow().unwrap();
        assert!(again > Instant::now(), "another while in dev");

        // On the way again: a process that is new in dev was not told to leave it.
        let _promise = promises.recv().await.unwrap();
        actor
            .send(ModeChanged {
                process: "web".parse().unwrap(),
                mode: Mode::Dev,
            })
            .await
            .unwrap();
        assert!(release_at.borrow().unwrap() > Instant::now());
    }

    #[actix::test]
    async fn a_shorter_timeout_holds_for_the_dev_that_is_under_way() {
        tokio::time::pause();
        let (actor, release_at, mut restarts) = clock().await;
        let began = Instant::now();
        actor.send(is_now(Mode::Dev)).await.unwrap();
        actor.send(SetTimeout(TIMEOUT / 3)).await.unwrap();
        assert_eq!(*release_at.borrow(), Some(began + TIMEOUT / 3));
        restarts.recv().await.unwrap();
        assert!(began.elapsed() < TIMEOUT, "after {:?}", began.elapsed());
    }

    #[actix::test]
    async fn a_process_that_is_not_watched_any_more_keeps_nobody_in_dev_and_is_told_nothing() {
        tokio::time::pause();
        let (sender, mut restarts) = mpsc::unbounded_channel();
        let (actor, release_at) = ModeActor::new(TIMEOUT, Events::new());
        let actor = actor.start();
        let process = Probe(sender).start().recipient();
        let watch = Watch {
            process: process.clone(),
        };
        actor.send(watch).await.unwrap();
        actor.send(is_now(Mode::Dev)).await.unwrap();
        let name = "main".parse().unwrap();
        actor.send(Unwatch { name, process }).await.unwrap();
        assert_eq!(*release_at.borrow(), None);
        actor.send(is_now(Mode::Dev)).await.unwrap();
        tokio::time::advance(TIMEOUT * 2).await;
        actor.send(ToolCalled).await.unwrap();
        assert!(restarts.try_recv().is_err());
    }

    #[actix::test]
    async fn nothing_is_due_while_nothing_is_in_dev() {
        tokio::time::pause();
        let (actor, release_at, mut restarts) = clock().await;
        actor.send(is_now(Mode::Dev)).await.unwrap();
        actor.send(is_now(Mode::Release)).await.unwrap();
        assert_eq!(*release_at.borrow(), None);
        tokio::time::advance(TIMEOUT * 3).await;
        actor.send(ToolCalled).await.unwrap();
        assert!(restarts.try_recv().is_err());
    }
}
