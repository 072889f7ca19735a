//! The idle clock: when nobody has worked with the project for long, what runs in dev goes to release.
//!
//! It hears of activity ([`ToolCalled`]) and of modes ([`ModeChanged`]), and sends [`Restart`] with
//! [`Cause::Idle`]. A reload of the configuration sends [`SetTimeout`], [`Watch`] and [`Unwatch`]. It never touches a process, and does not know what a restart does.

use std::{collections::BTreeSet, time::Duration};

use actix::prelude::*;
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

/// When dev ends; `None` while nothing is in dev.
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
        (!self.in_dev.is_empty()).then(|| self.last_activity + self.timeout)
    }

    /// Whether it is time; if so the next time is a whole timeout away, whatever comes of this one.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.release_at().is_some_and(|at| at <= now);
        if due {
            self.last_activity = now;
        }
        due
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
        if let (Some(at), None) = (at, self.alarm) {
            let wait = at.saturating_duration_since(Instant::now());
            self.alarm = Some(ctx.run_later(wait, |actor, ctx| {
                actor.alarm = None;
                actor.ring();
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

    fn ring(&mut self) {
        if self.clock.is_due(Instant::now()) {
            log::info!(
                "nobody has worked here for {}: back to release",
                hours(self.clock.timeout)
            );
            for process in &self.processes {
                process.do_send(Restart {
                    mode: Mode::Release,
                    cause: Cause::Idle,
                    until: None,
                });
            }
        }
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
            Mode::Dev => self.clock.in_dev.insert(process),
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
    use tokio::sync::mpsc;

    use super::*;

    /// Passes on what a process would have got.
    struct Probe(mpsc::UnboundedSender<Restart>);

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
