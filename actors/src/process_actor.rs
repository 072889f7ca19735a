//! One process of the project. Thin: a message becomes an event of the [`Lifecycle`], its effects are
//! performed, and the new picture is published.
//!
//! | message | from | what it does here |
//! |---|---|---|
//! | [`Hold`](crate::sockets::Hold) | daemon | the sockets that are held for it; before the boot |
//! | [`Restart`](crate::restart::Restart) | service, [`ModeActor`](crate::mode_actor), daemon | build, then swap; the outcome arrives later |
//! | [`Start`](crate::restart::Start), [`Stop`](crate::restart::Stop) | service | run, or do not run; the outcome arrives later |
//! | [`Shutdown`](crate::restart::Shutdown), [`Remove`](crate::restart::Remove) | daemon | end for good; answered when nobody is left |
//! | [`Replace`](crate::restart::Replace) | daemon | its entry in the configuration changed |
//! | [`ConfigRejected`](crate::restart::ConfigRejected) | daemon | what was written there is wrong |
//! | [`BuildStarted`](crate::artifact::BuildStarted), [`BuildWaits`](crate::artifact::BuildWaits), [`BuildDone`](crate::artifact::BuildDone) | [`BuilderActor`](crate::builder_actor) | what became of a job |
//! | [`Exited`], [`TreeGone`] | [`Reaper`](crate::reaper) | what became of a run |
//!
//! It sends [`Build`] and [`CancelBuild`] to the builder, [`OpenLog`],
//! [`Crashed`], [`Stopped`] and [`TreeEnded`] to the log store and [`ModeChanged`] to the idle clock,
//! and never waits for any of them in a handler. It watches each new child until it is ready
//! ([`crate::readiness`], [`crate::notify`]) and tells the [`crate::relay`] where connections go.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use actix::prelude::*;
use bytes::Bytes;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use crate::{
    artifact::{Build, BuildFailure, BuildReport, CancelBuild},
    build::environment::BaseEnvironment,
    children::SharedChildren,
    events::Events,
    exit::Exit,
    history::{History, Picture, Shown, rounded},
    ids::{RunId, Sequence, Ticket},
    lifecycle::{Debut, Effect, End, Event, Lifecycle, State},
    logs::{
        AwaitLine, Crashed, DescribeErrorLines, DescribeLastLines, LogKey, OpenLog, Source,
        Stopped, TreeEnded,
    },
    relay::Route,
    report::{BuildOutcome, EventKind, RestartReport},
    restart::{Asker, Board, ModeChanged, Snapshot},
    spec::{Mode, ProcessSpec},
};

mod answer;
mod child;
mod entrances;
mod fulfil;
mod handlers;
mod tell;
#[cfg(test)]
mod tests;

use answer::Attempt;
use child::Child;
use entrances::Entrances;
use fulfil::{Crashes, Promise, Success};
use tell::Told;

/// Whom a process talks to.
#[derive(Clone)]
pub struct Ports {
    /// Starts and ends children.
    pub children: SharedChildren,
    /// Builds.
    pub build: Recipient<Build>,
    /// Drops what was asked of the builder.
    pub cancel_build: Recipient<CancelBuild>,
    /// The log store.
    pub open_log: Recipient<OpenLog>,
    /// The log store.
    pub crashed: Recipient<Crashed>,
    /// The log store.
    pub stopped: Recipient<Stopped>,
    /// The log store.
    pub tree_ended: Recipient<TreeEnded>,
    /// The log store.
    pub last_lines: Recipient<DescribeLastLines>,
    /// The log store.
    pub error_lines: Recipient<DescribeErrorLines>,
    /// The log store.
    pub lines: Recipient<AwaitLine>,
    /// The idle clock.
    pub mode: Recipient<ModeChanged>,
    /// Where it is told what happens.
    pub events: Events,
    /// The environment that children inherit from the daemon.
    pub environment: BaseEnvironment,
    /// Where the sockets lie that children notify; only we may enter.
    pub notify_folder: PathBuf,
}

/// Fact: the child of a run ended; others of its tree may live on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Exited {
    /// Which run.
    pub run: RunId,
    /// How.
    pub exit: Exit,
}

/// Fact: nobody of a run's tree is left.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct TreeGone {
    /// Which run.
    pub run: RunId,
}

/// The actor.
pub struct ProcessActor {
    spec: Arc<ProcessSpec>,
    ports: Ports,
    entrances: Entrances,
    machine: Lifecycle,
    /// The children whose trees are not gone.
    live: HashMap<RunId, Child>,
    history: History,
    tickets: Sequence<Ticket>,
    promises: BTreeMap<Ticket, Promise>,
    /// Kept while the idle clock's change of mode is under way; it is closed, not answered.
    idle_change: Option<oneshot::Sender<RestartReport>>,
    /// What is told in a moment.
    successes: Vec<Success>,
    crashes: Crashes,
    /// What the newest job came to, for the callers who wait for it.
    attempt: Attempt,
    /// The run that was started last, and its program.
    newest: Option<(RunId, PathBuf)>,
    /// What direnv said for the newest job: it goes to the log of the run that is started with it.
    said: Bytes,
    /// When the child that is being replaced was told to leave, and nobody took its place.
    left_at: Option<Instant>,
    /// Who stopped it last.
    stopped_by: Option<Asker>,
    /// The mode as readers and the idle clock know it.
    mode: Mode,
    board: watch::Sender<Arc<dyn Snapshot>>,
    /// What followers were told.
    told: Told,
    alarm: Option<(Instant, SpawnHandle)>,
    awaiting_end: Vec<oneshot::Sender<()>>,
}

impl ProcessActor {
    /// A process that was not asked to run yet, and where it publishes what it does. `runs` is shared
    /// with the other processes.
    #[must_use]
    pub fn new(spec: Arc<ProcessSpec>, ports: Ports, runs: Sequence<RunId>) -> (Self, Board) {
        let machine = Lifecycle::new(spec.clone(), runs);
        let history = History::new();
        let nobody = |_| Shown::default();
        let picture = Picture::take(&spec, machine.mode(), &machine, &history, nobody);
        let told = Told::before(&picture);
        let (board, reader) = watch::channel(Arc::new(picture) as Arc<dyn Snapshot>);
        let actor = Self {
            mode: machine.mode(),
            spec,
            ports,
            entrances: Entrances::default(),
            machine,
            live: HashMap::new(),
            history,
            tickets: Sequence::new(),
            promises: BTreeMap::new(),
            idle_change: None,
            successes: Vec::new(),
            crashes: Crashes::default(),
            attempt: Attempt::default(),
            newest: None,
            said: Bytes::new(),
            left_at: None,
            stopped_by: None,
            board,
            told,
            alarm: None,
            awaiting_end: Vec::new(),
        };
        (actor, reader)
    }

    /// The heart: the machine decides, the actor performs.
    fn happens(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut answers = Vec::new();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            log::debug!("{}: {event:?}", self.spec.name);
            let effects = self.machine.step(event, Instant::now());
            self.tell(&effects);
            for effect in effects {
                match effect {
                    // The attempt as it is now: the same step may begin another.
                    Effect::Answer { ticket, verdict } => {
                        answers.push((ticket, verdict, self.attempt.clone()));
                    }
                    Effect::Start { run, artifact } => {
                        events.extend(self.start(run, &artifact, ctx));
                    }
                    effect => self.perform(effect, ctx),
                }
            }
        }
        self.stop_watching(ctx);
        self.tidy_entrances();
        self.route();
        self.publish();
        // Last, because an answer says what serves now.
        for (ticket, verdict, attempt) in answers {
            self.fulfil(ticket, verdict, &attempt, ctx);
        }
        self.tell_successes(ctx);
        self.set_alarm(ctx);
        if !self.is_changing() {
            self.idle_change = None;
        }
    }

    /// Whether a build or a swap is under way.
    fn is_changing(&self) -> bool {
        matches!(
            self.machine.state(),
            State::Building { .. } | State::Proving { .. } | State::Stopping { .. }
        )
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        let process = self.spec.name.clone();
        match effect {
            Effect::Build { job, work } => {
                let good = self.machine.good().map(|artifact| artifact.program.clone());
                let running = self.machine.staying();
                let running = running.map(|run| run.artifact.program.clone());
                let keep = good.into_iter().chain(running).collect();
                self.attempt = Attempt::default();
                self.said.clear();
                self.left_at = None;
                self.ports.build.do_send(Build {
                    process,
                    job,
                    work,
                    keep,
                });
            }
            Effect::CancelBuild { job } => self
                .ports
                .cancel_build
                .do_send(CancelBuild { process, job }),
            Effect::Drain { run } => {
                self.note_pause();
                self.drain(run, ctx);
            }
            Effect::Terminate { run } => {
                self.note_pause();
                if let Some(child) = self.live.get(&run) {
                    self.ports.children.terminate(child.tree);
                }
            }
            Effect::Kill { run, .. } => {
                if let Some(child) = self.live.get(&run) {
                    self.ports.children.kill(child.tree);
                }
            }
            Effect::Crashed { run, exit } => {
                self.restore_sockets(run);
                let exit_report = self.history.crashed(run, exit).clone();
                self.crashes.add(exit, exit_report.clone());
                self.attempt.ended(exit_report);
                self.ports.crashed.do_send(Crashed { process, run, exit });
            }
            Effect::Stopped { run, exit } => {
                self.restore_sockets(run);
                // One that was not ready in time is asked about, too.
                let exit_report = self.history.ended(run, exit).clone();
                self.attempt.ended(exit_report);
                self.ports.stopped.do_send(Stopped { process, run, exit });
            }
            Effect::NotReady { run } => {
                let found = self.why_not(run);
                self.attempt.not_ready(found);
            }
            Effect::Ready { run, debut } => {
                self.entrances.widen();
                self.attempt.ready(debut, self.ready_after(run));
                if debut != Debut::Fallback {
                    self.history.caught_up();
                }
            }
            Effect::RolledBack { failure, .. } => self.history.rolled_back(failure.run),
            Effect::Gone => {
                for waiter in self.awaiting_end.drain(..) {
                    // Who no longer waits does not need to know.
                    let _ = waiter.send(());
                }
            }
            Effect::Start { .. } | Effect::Answer { .. } | Effect::BackingOff { .. } => {}
        }
    }

    /// A child leaves: from now on connections wait or are refused. Where another one serves, nobody
    /// notices.
    fn note_pause(&mut self) {
        if self.machine.accepting().is_none() {
            self.left_at.get_or_insert_with(Instant::now);
        }
    }

    /// Says when a child that was replaced has no connection left.
    fn drain(&mut self, run: RunId, ctx: &mut Context<Self>) {
        // Before it is asked: what comes now is for the new one.
        self.route();
        let address = ctx.address();
        let child = self.live.get(&run);
        let relay = child.and_then(|child| self.entrances.relay(&child.spec.sockets));
        let Some(relay) = relay else {
            address.do_send(handlers::Drained { run });
            return;
        };
        let drained = relay.drained(run).into_actor(self);
        ctx.spawn(drained.map(move |(), actor, ctx| actor.happens(Event::Drained { run }, ctx)));
    }

    /// Undoes what a child that ended did to held sockets, so that connections wait. What another one
    /// still has is not bound anew: nobody would accept there.
    fn restore_sockets(&mut self, run: RunId) {
        if self.machine.is_ending() {
            return;
        }
        let alone = !self.machine.has_company(run);
        if let Some(child) = self.live.get(&run).filter(|_| alone) {
            self.entrances.renew(&child.spec.sockets);
        }
        self.entrances.widen();
    }

    /// Gives up the sockets that only an entry asked for of which nothing is left.
    fn tidy_entrances(&mut self) {
        let (machine, live) = (&self.machine, &self.live);
        let removed = matches!(machine.state(), State::Gone(End::Removed));
        self.entrances.retain(|sockets| {
            let asks = |spec: &ProcessSpec| spec.sockets.has_doors_of(sockets);
            !removed && (machine.concerns(asks) || live.values().any(|child| asks(&child.spec)))
        });
    }

    /// Tells the relays where new connections go. One whose port is not wanted any more still serves
    /// those who do not know that.
    fn route(&self) {
        let accepting = self.machine.accepting().map(|run| run.id);
        let route = accepting.and_then(|run| {
            let port = self.live.get(&run)?.port?;
            Some(Route { run, port })
        });
        for relay in self.entrances.relays() {
            relay.route(route);
        }
    }

    fn log_of(&self, run: RunId) -> LogKey {
        LogKey {
            process: self.spec.name.clone(),
            source: Source::Run(run),
        }
    }

    fn publish(&mut self) {
        let mode = self.machine.mode();
        // At the end nothing is of any mode: the last one stands.
        if mode != self.mode && !self.machine.is_ending() {
            self.mode = mode;
            self.history.note(EventKind::Mode, format!("now {mode}"));
            self.ports.mode.do_send(ModeChanged {
                process: self.spec.name.clone(),
                mode,
            });
        }
        let shown = |run| self.live.get(&run).map(Child::shown).unwrap_or_default();
        let picture = Picture::take(&self.spec, self.mode, &self.machine, &self.history, shown);
        let picture = picture.led_by(self.live.values().map(|child| child.pid).collect());
        let state = picture.state();
        self.board.send_replace(Arc::new(picture));
        // Behind the board: who is told and looks there sees it.
        self.tell_followers(state);
    }

    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let deadline = self.machine.deadline();
        if self.alarm.as_ref().map(|(at, _)| *at) == deadline {
            return;
        }
        if let Some((_, alarm)) = self.alarm.take() {
            ctx.cancel_future(alarm);
        }
        self.alarm = deadline.map(|at| {
            let wait = at.saturating_duration_since(Instant::now());
            let alarm = ctx.run_later(wait, |actor, ctx| {
                actor.alarm = None;
                actor.happens(Event::Deadline, ctx);
            });
            (at, alarm)
        });
    }

    fn build_ended(&mut self, outcome: &Result<Option<BuildReport>, BuildFailure>) {
        // Whatever would have changed what the builder does would have been another job.
        let spec = &self.spec;
        match outcome {
            Ok(None) => self.history.build_needless(),
            Ok(Some(report)) => {
                let text = format!(
                    "build {} ({}) ok in {} s",
                    report.id,
                    report.mode,
                    rounded(report.took)
                );
                self.history.note(EventKind::BuildDone, text);
                self.history.built(report, BuildOutcome::Ok, spec);
            }
            Err(failure) => {
                if let Some(report) = &failure.report {
                    self.history.built(report, BuildOutcome::Failed, spec);
                }
                // The builder warns where there is no report.
                self.history.build_failed(failure, spec);
            }
        }
    }
}
