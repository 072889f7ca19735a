//! One process of the project. Thin: a message becomes an event of the [`Lifecycle`], its effects are
//! performed, and the new picture is published.
//!
//! | message | from | what it does here |
//! |---|---|---|
//! | [`Restart`](crate::restart::Restart) | service, [`ModeActor`](crate::mode_actor), daemon | build, then swap; the outcome arrives later |
//! | [`Shutdown`](crate::restart::Shutdown) | daemon | end for good; answered when nobody is left |
//! | [`BuildStarted`](crate::artifact::BuildStarted), [`BuildDone`](crate::artifact::BuildDone) | [`BuilderActor`](crate::builder_actor) | what became of a job |
//! | [`Exited`], [`TreeGone`] | [`Reaper`](crate::reaper) | what became of a run |
//!
//! It sends [`Build`] and [`CancelBuild`] to the builder, [`OpenLog`], [`Crashed`], [`Stopped`] and
//! [`TreeEnded`] to the log store and [`ModeChanged`] to the idle clock, and never waits for any of
//! them in a handler.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use actix::prelude::*;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use crate::{
    artifact::{Artifact, Build, BuildFailure, BuildReport, CancelBuild},
    build::environment::BaseEnvironment,
    children::{Launch, Marker, SharedChildren, TreeEvent, TreeId},
    exit::Exit,
    history::{History, Picture, rounded},
    ids::{RunId, Sequence, Ticket},
    lifecycle::{Effect, Event, Lifecycle, State, Verdict},
    logs::{Crashed, DescribeLastLines, LogKey, OpenLog, Source, Stopped, Stream, TreeEnded},
    report::{BuildOutcome, EventKind, RestartReport},
    restart::{Board, ModeChanged, Snapshot},
    sockets::HeldSockets,
    spec::{Mode, ProcessSpec, Program},
};

mod answer;
mod handlers;
#[cfg(test)]
mod tests;

use answer::{Answer, Attempt};

/// How many lines of a child that died the answer to `restart` shows.
const LAST_LINES: usize = 20;

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
    /// The idle clock.
    pub mode: Recipient<ModeChanged>,
    /// The environment that children inherit from the daemon.
    pub environment: BaseEnvironment,
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
    machine: Lifecycle,
    live: HashMap<RunId, Live>,
    history: History,
    tickets: Sequence<Ticket>,
    promises: BTreeMap<Ticket, oneshot::Sender<RestartReport>>,
    /// What the newest job came to, for the callers who wait for it.
    attempt: Attempt,
    /// The run that was started last, and its program.
    newest: Option<(RunId, PathBuf)>,
    /// When the child that is being replaced was told to leave.
    left_at: Option<Instant>,
    /// The mode as readers and the idle clock know it.
    mode: Mode,
    board: watch::Sender<Arc<dyn Snapshot>>,
    alarm: Option<(Instant, SpawnHandle)>,
    awaiting_end: Vec<oneshot::Sender<()>>,
}

/// A child whose tree is not gone.
#[derive(Clone, Copy)]
struct Live {
    tree: TreeId,
    pid: u32,
}

impl ProcessActor {
    /// A process that was not asked to run yet, and where it publishes what it does. `runs` is shared
    /// with the other processes.
    #[must_use]
    pub fn new(spec: Arc<ProcessSpec>, ports: Ports, runs: Sequence<RunId>) -> (Self, Board) {
        let machine = Lifecycle::new(spec.clone(), runs);
        let history = History::new();
        let picture = Picture::take(&spec, machine.mode(), &machine, &history, |_| None);
        let (board, reader) = watch::channel(Arc::new(picture) as Arc<dyn Snapshot>);
        let actor = Self {
            mode: machine.mode(),
            spec,
            ports,
            machine,
            live: HashMap::new(),
            history,
            tickets: Sequence::new(),
            promises: BTreeMap::new(),
            attempt: Attempt::default(),
            newest: None,
            left_at: None,
            board,
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
                    effect => self.perform(effect),
                }
            }
        }
        self.publish();
        // Last, because an answer says what serves now.
        for (ticket, verdict, attempt) in answers {
            self.fulfil(ticket, verdict, &attempt, ctx);
        }
        self.set_alarm(ctx);
    }

    fn perform(&mut self, effect: Effect) {
        let process = self.spec.name.clone();
        match effect {
            Effect::Build { job, work } => {
                let good = self.machine.good().map(|artifact| artifact.program.clone());
                let running = self
                    .machine
                    .serving()
                    .map(|run| run.artifact.program.clone());
                let keep = good.into_iter().chain(running).collect();
                self.attempt = Attempt::default();
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
            Effect::Terminate { run } => {
                self.left_at = Some(Instant::now());
                if let Some(live) = self.live.get(&run) {
                    self.ports.children.terminate(live.tree);
                }
            }
            Effect::Kill { run } => {
                if let Some(live) = self.live.get(&run) {
                    self.ports.children.kill(live.tree);
                }
            }
            Effect::Crashed { run, exit } => {
                self.history.crashed(run, exit);
                self.ports.crashed.do_send(Crashed { process, run, exit });
            }
            Effect::Stopped { run, exit } => {
                self.history.ended(run, exit);
                self.ports.stopped.do_send(Stopped { process, run, exit });
            }
            Effect::Gone => {
                for waiter in self.awaiting_end.drain(..) {
                    // Who no longer waits does not need to know.
                    let _ = waiter.send(());
                }
            }
            Effect::Start { .. }
            | Effect::Answer { .. }
            | Effect::Ready { .. }
            | Effect::BackingOff { .. } => {}
        }
    }

    /// Starts a child; what failed at once is an event of its own.
    fn start(&mut self, run: RunId, artifact: &Artifact, ctx: &mut Context<Self>) -> Option<Event> {
        let address = ctx.address();
        let owner = Box::new(move |event| match event {
            TreeEvent::Exited(exit) => address.do_send(Exited { run, exit }),
            TreeEvent::Gone => address.do_send(TreeGone { run }),
        });
        match self
            .ports
            .children
            .spawn(&self.launch(run, artifact), owner)
        {
            Ok(child) => {
                let before = self.newest.replace((run, artifact.program.clone()));
                let same = before.filter(|(_, program)| self.is_built_into(program, artifact));
                self.attempt
                    .started(self.left_at.take(), same.map(|(run, _)| run));
                self.live.insert(
                    run,
                    Live {
                        tree: child.tree,
                        pid: child.pid,
                    },
                );
                let text = format!("up (run {run}, pid {}, {})", child.pid, artifact.mode);
                log::info!("{}: {text}", self.spec.name);
                self.history.note(EventKind::Started, text);
                self.ports.open_log.do_send(OpenLog {
                    key: self.log_of(run),
                    mode: artifact.mode,
                    at: SystemTime::now(),
                    outputs: vec![
                        (Stream::Stdout, child.stdout),
                        (Stream::Stderr, child.stderr),
                    ],
                });
                None
            }
            Err(error) => {
                log::warn!("{}: {error}", self.spec.name);
                self.history.note(EventKind::Crashed, error.to_string());
                self.attempt.could_not_start(&error);
                Some(Event::SpawnFailed { run })
            }
        }
    }

    /// Whether cargo made this program again. Copies are named by their content; where cargo's own
    /// file runs nothing is known.
    fn is_built_into(&self, program: &Path, artifact: &Artifact) -> bool {
        matches!(&self.spec.program, Program::Rust(target) if !target.in_place)
            && artifact.program == program
    }

    fn launch(&self, run: RunId, artifact: &Artifact) -> Launch {
        Launch {
            program: artifact.program.clone(),
            args: self
                .spec
                .program
                .arguments()
                .iter()
                .map(OsString::from)
                .collect(),
            cwd: self.spec.cwd.clone(),
            environment: self
                .ports
                .environment
                .of_run(&artifact.environment, &self.spec.env),
            marker: Marker {
                process: self.spec.name.clone(),
                run: run.to_string(),
            },
            sockets: HeldSockets::default(),
        }
    }

    fn log_of(&self, run: RunId) -> LogKey {
        LogKey {
            process: self.spec.name.clone(),
            source: Source::Run(run),
        }
    }

    /// Writes what happened into the daemon's log and the history: one line per transition.
    fn tell(&mut self, effects: &[Effect]) {
        let name = self.spec.name.clone();
        let wait = effects.iter().find_map(|effect| match effect {
            Effect::BackingOff { until, mode } => Some(answer::wait_in_words(*until, *mode)),
            _ => None,
        });
        let crashed = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Crashed { .. }));
        let restarted = effects.iter().any(|effect| {
            matches!(
                effect,
                Effect::Answer {
                    verdict: Verdict::Restarted,
                    ..
                }
            )
        });
        for effect in effects {
            match effect {
                Effect::Crashed { run, exit } => {
                    let then = wait.as_deref().unwrap_or("again at once");
                    log::warn!("{name}: crashed ({exit}), {then}");
                    self.history
                        .note(EventKind::Crashed, format!("run {run}: {exit}"));
                }
                Effect::Stopped { run, exit } => {
                    log::info!("{name}: stopped ({exit}, run {run})");
                    self.history
                        .note(EventKind::Stopped, format!("run {run}: {exit}"));
                }
                Effect::Kill { run } if !crashed => {
                    let grace = rounded(self.spec.stop_grace);
                    log::warn!("{name}: run {run} did not end within {grace} s and is killed");
                    let text = format!("run {run} did not end within {grace} s and is killed");
                    self.history.note(EventKind::Stopped, text);
                }
                Effect::Ready { run } if restarted => {
                    let pid = self.live.get(run).map_or(0, |live| live.pid);
                    let text = format!("up (run {run}, pid {pid}, {})", self.machine.mode());
                    self.history.note(EventKind::Restarted, text);
                }
                Effect::BackingOff { .. } => {
                    let then = wait.clone().unwrap_or_default();
                    if !crashed {
                        log::info!("{name}: {then}");
                    }
                    self.history.note(EventKind::BackingOff, then);
                }
                _ => {}
            }
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
        let pid_of = |run| self.live.get(&run).map(|live| live.pid);
        let picture = Picture::take(&self.spec, self.mode, &self.machine, &self.history, pid_of);
        self.board.send_replace(Arc::new(picture));
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

    /// Answers a caller; the last lines of a child that died are asked for first.
    fn fulfil(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        attempt: &Attempt,
        ctx: &mut Context<Self>,
    ) {
        let Some(promise) = self.promises.remove(&ticket) else {
            return;
        };
        let serving = self.machine.serving();
        let answer = Answer {
            process: &self.spec.name,
            attempt,
            mode: self.mode,
            serving: serving.map(|run| (run.id, self.live.get(&run.id).map(|live| live.pid))),
            behind: serving.and_then(|run| self.history.behind(run.artifact.build)),
            last_exit: self.history.last_exit(),
            next_attempt: match self.machine.state() {
                State::BackingOff { until, .. } => Some(*until),
                _ => None,
            },
        };
        let mut report = answer.report(verdict);
        let Verdict::Crashed { run, exit: Some(_) } = verdict else {
            // Who hung up does not get it; the restart happened all the same.
            let _ = promise.send(report);
            return;
        };
        let question = DescribeLastLines {
            key: self.log_of(run),
            count: LAST_LINES,
        };
        let lines = self.ports.last_lines.send(question).into_actor(self);
        ctx.spawn(lines.map(move |lines, _, _| {
            report.last_lines = lines.unwrap_or_default();
            let _ = promise.send(report);
        }));
    }

    fn build_ended(&mut self, outcome: &Result<Option<BuildReport>, BuildFailure>) {
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
                self.history.built(report, BuildOutcome::Ok);
            }
            Err(failure) => {
                if let Some(report) = &failure.report {
                    self.history.built(report, BuildOutcome::Failed);
                }
                // The builder warns where there is no report.
                self.history.build_failed(failure);
            }
        }
    }
}
