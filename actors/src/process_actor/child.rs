//! Starting a child, and listening to it until it is ready.

use std::{
    ffi::OsString,
    io, mem,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix::{fut, prelude::*};
use futures_util::stream;
use tokio::time::Instant;

use super::{Exited, ProcessActor, TreeGone};
use crate::{
    artifact::Artifact,
    build::environment::ask_for_colours,
    children::{Launch, Marker, SpawnError, Spawned, TreeEvent, TreeId},
    history::{Shown, rounded},
    ids::RunId,
    lifecycle::Event,
    logs::{OpenLog, Stream},
    notify::{Notice, NotifySocket},
    readiness::{self, Findings, Subject},
    relay::private_port,
    report::EventKind,
    spec::{CommandLine, Probe, ProcessSpec, Program, Readiness, Sockets},
};

/// The pause between two things that are heard: a child that talks without end keeps nobody from work.
const BREATH: Duration = Duration::from_millis(1);

/// A child whose tree is not gone.
pub(super) struct Child {
    /// As what it was started.
    pub(super) spec: Arc<ProcessSpec>,
    pub(super) tree: TreeId,
    pub(super) pid: u32,
    /// The private port that it was given, if it was.
    pub(super) port: Option<u16>,
    pub(super) findings: Findings,
    /// The watch for its readiness, until it is ready or nobody cares any more.
    watch: Option<SpawnHandle>,
    /// Ends when the child is gone; the socket's file with it.
    listening: Option<SpawnHandle>,
    /// What it says about itself.
    said: Option<Arc<str>>,
    /// Why it was killed, where it hung.
    pub(super) hung: Option<String>,
}

impl Child {
    /// Whether it says itself when it is ready.
    fn notifies(&self) -> bool {
        matches!(
            self.spec.readiness,
            Readiness::Probe {
                probe: Probe::Notify,
                ..
            }
        )
    }

    pub(super) fn shown(&self) -> Shown {
        Shown {
            pid: Some(self.pid),
            said: self.said.clone(),
        }
    }
}

/// What a child needs before it can be started.
struct Equipment {
    port: Option<u16>,
    notify: Option<NotifySocket>,
}

impl ProcessActor {
    /// Starts a child; what failed at once is an event of its own.
    pub(super) fn start(
        &mut self,
        run: RunId,
        artifact: &Artifact,
        ctx: &mut Context<Self>,
    ) -> Option<Event> {
        match self.spawn(run, artifact, ctx) {
            Ok(()) => None,
            Err(error) => {
                log::warn!("{}: {error}", self.spec.name);
                self.history.note(EventKind::Crashed, error.to_string());
                self.attempt.could_not_start(&error);
                Some(Event::SpawnFailed { run })
            }
        }
    }

    fn spawn(
        &mut self,
        run: RunId,
        artifact: &Artifact,
        ctx: &mut Context<Self>,
    ) -> Result<(), SpawnError> {
        let equipment = self
            .equip(run, &artifact.spec)
            .map_err(|cause| SpawnError {
                program: artifact.program.clone(),
                cause,
            })?;
        self.prepare_sockets(run, &artifact.spec.sockets);
        let launch = self.launch(run, artifact, &equipment);
        let address = ctx.address();
        let owner = Box::new(move |event| match event {
            TreeEvent::Exited(exit) => address.do_send(Exited { run, exit }),
            TreeEvent::Gone => address.do_send(TreeGone { run }),
        });
        let spawned = self.ports.children.spawn(&launch, owner)?;

        let before = self.newest.replace((run, artifact.program.clone()));
        let same = before
            .as_ref()
            .filter(|(_, program)| is_built_into(program, artifact));
        let same = same.map(|(run, _)| *run);
        let before = before.map(|(run, _)| run);
        self.attempt.started(run, before, self.left_at.take(), same);
        let (pid, mode) = (spawned.pid, artifact.mode);
        let text = format!("up (run {run}, pid {pid}, {mode})");
        log::info!("{}: {text}", self.spec.name);
        self.history.note(EventKind::Started, text);
        let (child, outputs) = self.accompany(run, &artifact.spec, spawned, launch, equipment, ctx);
        self.live.insert(run, child);
        // The watch asks for lines of this log only when it is polled, which is later.
        self.ports.open_log.do_send(OpenLog {
            key: self.log_of(run),
            mode,
            at: SystemTime::now(),
            preface: mem::take(&mut self.said),
            outputs,
        });
        Ok(())
    }

    /// Makes held sockets as a child expects them. During a swap their mode stays: an old run that
    /// serves would block in the middle of its own work.
    fn prepare_sockets(&mut self, run: RunId, sockets: &Sockets) {
        self.entrances.renew(sockets);
        if let Some(sockets) = self.entrances.held(sockets) {
            sockets.widen();
            if !self.machine.has_company(run) {
                sockets.block();
            }
        }
    }

    fn equip(&self, run: RunId, spec: &ProcessSpec) -> io::Result<Equipment> {
        let port = match spec.sockets {
            Sockets::Relayed { .. } => Some(private_port()?),
            Sockets::Own | Sockets::Held { .. } => None,
        };
        let notifies = matches!(
            spec.readiness,
            Readiness::Probe {
                probe: Probe::Notify,
                ..
            }
        );
        let notify = (notifies || spec.watchdog.is_some())
            .then(|| NotifySocket::bind(&self.ports.notify_folder, &spec.name, run))
            .transpose()?;
        Ok(Equipment { port, notify })
    }

    /// Begins to listen to a child.
    fn accompany(
        &self,
        run: RunId,
        spec: &Arc<ProcessSpec>,
        spawned: Spawned,
        launch: Launch,
        equipment: Equipment,
        ctx: &mut Context<Self>,
    ) -> (Child, Vec<(Stream, std::os::fd::OwnedFd)>) {
        let findings = Findings::default();
        let watch = match &spec.readiness {
            Readiness::Settle(_) => None,
            Readiness::Probe { probe, .. } => {
                let probe = with_port(probe, equipment.port);
                let subject = Subject {
                    tree: spawned.tree,
                    log: self.log_of(run),
                    port: equipment.port,
                    launch,
                };
                let ports = readiness::Ports {
                    children: self.ports.children.clone(),
                    lines: self.ports.lines.clone(),
                };
                let watch = readiness::watch(probe, subject, ports, findings.clone());
                let ready = watch.into_actor(self);
                Some(ctx.spawn(
                    ready.map(move |(), actor, ctx| actor.happens(Event::Ready { run }, ctx)),
                ))
            }
        };
        let listening = equipment.notify.map(|socket| {
            let heard = fut::wrap_stream(notices(socket));
            ctx.spawn(
                heard
                    .map(move |notices, actor: &mut Self, ctx| actor.hears(run, notices, ctx))
                    .finish(),
            )
        });
        let child = Child {
            spec: Arc::clone(spec),
            tree: spawned.tree,
            pid: spawned.pid,
            port: equipment.port,
            findings,
            watch,
            listening,
            said: None,
            hung: None,
        };
        let outputs = vec![
            (Stream::Stdout, spawned.stdout),
            (Stream::Stderr, spawned.stderr),
        ];
        (child, outputs)
    }

    fn hears(&mut self, run: RunId, notices: Vec<Notice>, ctx: &mut Context<Self>) {
        for notice in notices {
            match notice {
                Notice::Ready => {
                    if self.live.get(&run).is_some_and(Child::notifies) {
                        self.happens(Event::Ready { run }, ctx);
                    }
                }
                Notice::Status(text) => self.says(run, text.into()),
                Notice::Stopping => self.says(run, "stopping".into()),
                Notice::Alive => self.happens(Event::Alive { run }, ctx),
                Notice::Stuck => {
                    if let Some(child) = self.live.get_mut(&run) {
                        child.hung = Some("it said itself that it is stuck".to_owned());
                    }
                    self.happens(Event::Stuck { run }, ctx);
                }
            }
        }
    }

    fn says(&mut self, run: RunId, text: Arc<str>) {
        if let Some(child) = self.live.get_mut(&run) {
            child.said = Some(text);
            self.publish();
        }
    }

    /// Ends the watches for what is ready or has to leave.
    pub(super) fn stop_watching(&mut self, ctx: &mut Context<Self>) {
        for (run, child) in &mut self.live {
            let unready = |it: &crate::lifecycle::Run| it.id == *run && it.ready_at.is_none();
            if child.watch.is_some() && !self.machine.staying().any(unready) {
                child.watch.take().map(|watch| ctx.cancel_future(watch));
            }
        }
    }

    /// A child's tree is gone.
    pub(super) fn forget(&mut self, run: RunId, ctx: &mut Context<Self>) -> Option<Child> {
        let mut child = self.live.remove(&run)?;
        for task in [child.watch.take(), child.listening.take()] {
            task.map(|task| ctx.cancel_future(task));
        }
        Some(child)
    }

    /// How long a run took to be ready, where something had to say so.
    pub(super) fn ready_after(&self, run: RunId) -> Option<f64> {
        let run = self.machine.staying().find(|it| it.id == run)?;
        let Readiness::Probe { .. } = run.artifact.spec.readiness else {
            return None;
        };
        let took = Instant::now().saturating_duration_since(run.since);
        Some(rounded(took * 1000))
    }

    fn launch(&self, run: RunId, artifact: &Artifact, equipment: &Equipment) -> Launch {
        let filled = |text: &str| filled(text, equipment.port);
        let spec = &artifact.spec;
        let own = spec.env.iter();
        let own = own.map(|(name, value)| (name.clone(), filled(value)));
        let mut given = std::collections::BTreeMap::new();
        if let Some(port) = equipment.port {
            given.insert("PORT".to_owned(), port.to_string());
        }
        given.extend(own);
        let mut environment = self.ports.environment.of_run(&artifact.environment, &given);
        if matches!(spec.program, Program::Npm(_)) {
            ask_for_colours(&mut environment);
        }
        if let Some(socket) = &equipment.notify {
            environment.push(("NOTIFY_SOCKET".into(), socket.path().into()));
            if let Some(time) = spec.watchdog {
                let time = time.as_micros().to_string();
                environment.push(("WATCHDOG_USEC".into(), time.into()));
            }
        }
        let arguments = spec.program.arguments().iter();
        Launch {
            program: artifact.program.clone(),
            args: arguments.map(|it| OsString::from(filled(it))).collect(),
            cwd: spec.cwd.clone(),
            environment,
            marker: Marker {
                process: spec.name.clone(),
                run: run.to_string(),
            },
            sockets: (self.entrances.held(&spec.sockets).cloned()).unwrap_or_default(),
        }
    }
}

/// Whether cargo made this program again. Copies are named by their content; where cargo's own file
/// runs nothing is known.
fn is_built_into(program: &Path, artifact: &Artifact) -> bool {
    matches!(&artifact.spec.program, Program::Rust(target) if !target.in_place)
        && artifact.program == program
}

/// `text` with the private port in the place of `{port}`.
fn filled(text: &str, port: Option<u16>) -> String {
    match port {
        Some(port) => text.replace("{port}", &port.to_string()),
        None => text.to_owned(),
    }
}

/// The probe of a run with this private port. A target has a place of its own for it, which
/// [`Subject`] fills.
fn with_port(probe: &Probe, port: Option<u16>) -> Probe {
    match probe {
        Probe::Exec(CommandLine { program, args }) => Probe::Exec(CommandLine {
            program: filled(program, port),
            args: args.iter().map(|it| filled(it, port)).collect(),
        }),
        probe => probe.clone(),
    }
}

/// What is said at a socket, until it is of no use any more. Who says much waits: his socket's queue
/// is short.
fn notices(socket: NotifySocket) -> impl futures_util::Stream<Item = Vec<Notice>> {
    stream::unfold((socket, Duration::ZERO), |(socket, pause)| async move {
        tokio::time::sleep(pause).await;
        match socket.next().await {
            Ok(notices) => Some((notices, (socket, BREATH))),
            Err(error) => {
                log::warn!("{} is not heard any more: {error}", socket.path().display());
                None
            }
        }
    })
}
