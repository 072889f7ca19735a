//! The actors of one daemon: who knows whom.

use std::{io, rc::Rc, sync::Arc, time::Duration};

use actix::prelude::*;
use bpm_actors::{
    build::environment::BaseEnvironment,
    builder_actor::{BuildLog, BuilderActor, Dismiss, Enlist},
    events::Events,
    ids::{BuildId, ProcessName, RunId, Sequence},
    log_store_actor::LogStoreActor,
    logs::{
        SetLimits,
        archive::{Archive, ArchiveLimits, Closed},
        passthrough::Passthrough,
        shelf::Limits,
    },
    mode_actor::{ModeActor, SetTimeout, Unwatch, Watch},
    process_actor::{Ports, ProcessActor},
    reaper::Reaper,
    restart::{Board, Cause, ConfigRejected, Remove, Replace, Restart, Shutdown},
    sockets::Hold,
    spec::{LogSettings, Mode, ProcessSpec, Project},
};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared, join_all},
};

use super::{
    doorway::{Attic, Doorway, Relays},
    held::{Bound, Stock},
    state_dir::StateDir,
    systemd::Pulse,
};
use crate::{
    config::{Config, Fate, Plan},
    service::{ConfiguredBoard, FollowPorts, Freshness, Member, Parts, ReloadDesk, Service},
};

/// How long the log store may take for what the pipes still hold.
const LAST_LINES: Duration = Duration::from_secs(1);

/// All of them.
pub(super) struct Team {
    builder: Addr<BuilderActor>,
    mode: Addr<ModeActor>,
    logs: Addr<LogStoreActor>,
    /// Everybody whose heartbeat tells that the daemon lives.
    pulse: Pulse,
    /// In the order of the file.
    crews: Vec<Crew>,
    /// Those that were removed and may still be ending.
    leaving: Vec<Leaving>,
    ports: Ports,
    runs: Sequence<bpm_actors::ids::RunId>,
    /// The log store's own thread: a flood of output does not delay a restart.
    _log_thread: Arbiter,
    relays: Relays,
    attic: Attic,
}

/// A process of the configuration.
struct Crew {
    spec: Arc<ProcessSpec>,
    process: Addr<ProcessActor>,
    board: Board,
    freshness: Freshness,
    doorway: Doorway,
}

/// One that is not of the configuration any more.
struct Leaving {
    process: Addr<ProcessActor>,
    gone: Shared<LocalBoxFuture<'static, ()>>,
}

impl Crew {
    fn member(&self) -> Member {
        Member {
            name: self.spec.name.clone(),
            kind: self.spec.program.kind(),
            restart: self.process.clone().recipient(),
            start: self.process.clone().recipient(),
            stop: self.process.clone().recipient(),
            freshness: self.freshness.clone(),
            board: self.board.clone(),
        }
    }
}

/// Where a service learns of the configuration and asks for it.
pub(super) struct Desk {
    pub(super) configured: ConfiguredBoard,
    pub(super) reload: ReloadDesk,
}

impl Team {
    /// Starts the actors, and makes the service that answers for them.
    pub(super) fn assemble(
        config: &Config,
        state: &StateDir,
        desk: Desk,
        reaper: &Reaper,
        outputs: Passthrough,
    ) -> (Self, Service) {
        let log_thread = Arbiter::new();
        let History {
            archive,
            closed,
            runs,
            builds,
        } = History::open(config, state);
        let memory = Limits::divided(config.logs.memory_bytes, config.processes.len());
        let logs = LogStoreActor::start_in_arbiter(&log_thread.handle(), move |_| {
            LogStoreActor::with_archive(outputs, memory, archive).waiting_for(closed)
        });
        let events = Events::new();
        let (mode, release_at) = ModeActor::new(config.dev_timeout, events.clone());
        let mode = mode.start();
        let environment = BaseEnvironment::of_daemon(std::env::vars_os());
        let project = Project {
            dir: config.project_dir.clone(),
            state_dir: state.path().to_owned(),
        };
        let children = Rc::new(reaper.clone());
        let builder = BuilderActor::new(
            project,
            environment.clone(),
            children.clone(),
            builds,
            build_log(&logs),
        )
        .start();
        let ports = Ports {
            children,
            build: builder.clone().recipient(),
            cancel_build: builder.clone().recipient(),
            open_log: logs.clone().recipient(),
            crashed: logs.clone().recipient(),
            stopped: logs.clone().recipient(),
            tree_ended: logs.clone().recipient(),
            last_lines: logs.clone().recipient(),
            error_lines: logs.clone().recipient(),
            lines: logs.clone().recipient(),
            notify_folder: state.notify_folder(),
            mode: mode.clone().recipient(),
            events: events.clone(),
            environment,
        };
        let service = Service::new(Parts {
            project_dir: config.project_dir.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configured: desk.configured,
            reload: desk.reload,
            logs: logs.clone().recipient(),
            lines: logs.clone().recipient(),
            diagnoses: logs.clone().recipient(),
            follow: FollowPorts {
                locate: logs.clone().recipient(),
                read_on: logs.clone().recipient(),
                listen: logs.clone().recipient(),
            },
            activity: mode.clone().recipient(),
            release_at,
            events,
        });
        let mut team = Self {
            pulse: pulse(&logs, &builder, &mode),
            builder,
            mode,
            logs,
            crews: Vec::new(),
            leaving: Vec::new(),
            ports,
            runs,
            _log_thread: log_thread,
            relays: Relays::default(),
            attic: Attic::default(),
        };
        for spec in &config.processes {
            let crew = team.recruit(Arc::new(spec.clone()), Doorway::default());
            team.crews.push(crew);
        }
        (team, service)
    }

    /// Starts the actor of a process, which does nothing before its boot.
    fn recruit(&self, spec: Arc<ProcessSpec>, doorway: Doorway) -> Crew {
        let (process, board) =
            ProcessActor::new(spec.clone(), self.ports.clone(), self.runs.clone());
        let process = process.start();
        self.enlist(&spec, &process);
        self.pulse
            .add(spec.name.as_str(), process.clone().recipient());
        self.mode.do_send(Watch {
            process: process.clone().recipient(),
        });
        Crew {
            spec,
            process,
            board,
            freshness: Freshness::default(),
            doorway,
        }
    }

    /// From now on the builder builds this for a process.
    fn enlist(&self, spec: &Arc<ProcessSpec>, process: &Addr<ProcessActor>) {
        self.builder.do_send(Enlist {
            spec: spec.clone(),
            started: process.clone().recipient(),
            waits: process.clone().recipient(),
            done: process.clone().recipient(),
        });
    }

    /// The processes, in the order of the file.
    pub(super) fn members(&self) -> Vec<Member> {
        self.crews.iter().map(Crew::member).collect()
    }

    /// What is bound for the processes as they are now.
    pub(super) fn stock(&self) -> Stock {
        let mut stock = Stock::default();
        self.attic.offer(&mut stock);
        let doorways = self.crews.iter().map(|crew| &crew.doorway);
        doorways.for_each(|doorway| doorway.offer(&mut stock));
        stock
    }

    /// Makes doorways of what was bound for these processes. One that keeps its sockets keeps its
    /// doorway, and who is in it.
    ///
    /// # Errors
    /// When a relay cannot be started.
    pub(super) fn open(
        &mut self,
        specs: &[ProcessSpec],
        bound: Vec<Bound>,
    ) -> io::Result<Vec<Doorway>> {
        let mut doorways = Vec::with_capacity(bound.len());
        for (spec, bound) in specs.iter().zip(bound) {
            let kept = self
                .crews
                .iter()
                .find(|crew| crew.spec.name == spec.name && crew.doorway.is_for(&spec.sockets));
            doorways.push(match kept {
                Some(crew) => crew.doorway.clone(),
                None => Doorway::open(spec.sockets.clone(), bound, &mut self.relays)?,
            });
        }
        Ok(doorways)
    }

    /// Gives each process, in the order of the file, what was bound for it. Once, before the start.
    pub(super) fn hold(&mut self, doorways: Vec<Doorway>) {
        for (crew, doorway) in self.crews.iter_mut().zip(doorways) {
            crew.process.do_send(Hold(doorway.doors.clone()));
            crew.doorway = doorway;
        }
    }

    /// Everybody who must be alive.
    pub(super) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Starts every process, in the order of the file.
    pub(super) fn boot(&self) {
        for crew in &self.crews {
            boot(&crew.process);
        }
    }

    /// Lets a new configuration hold. `doorways` are those of its processes, in their order.
    pub(super) fn adopt(&mut self, plan: &Plan, config: &Config, doorways: Vec<Doorway>) {
        let mut before = std::mem::take(&mut self.crews);
        // First, so that the memory is shared and the builder free for those who stay.
        let goes = |crew: &mut Crew| *plan.fate(&crew.spec.name) == Fate::Removed;
        for crew in before.extract_if(.., goes) {
            self.dismiss(crew);
        }
        let mut added = Vec::new();
        for (spec, doorway) in config.processes.iter().zip(doorways) {
            let place = before.iter().position(|crew| crew.spec.name == spec.name);
            let crew = match place.map(|place| before.swap_remove(place)) {
                Some(crew) if *plan.fate(&spec.name) == Fate::Unchanged => crew,
                Some(crew) => self.replace(crew, Arc::new(spec.clone()), doorway),
                None => {
                    let crew = self.recruit(Arc::new(spec.clone()), doorway);
                    crew.process.do_send(Hold(crew.doorway.doors.clone()));
                    added.push(crew.process.clone());
                    crew
                }
            };
            self.crews.push(crew);
        }
        self.mode.do_send(SetTimeout(config.dev_timeout));
        self.share_memory(config.logs);
        self.boot_behind(added);
    }

    fn replace(&mut self, crew: Crew, spec: Arc<ProcessSpec>, doorway: Doorway) -> Crew {
        if !crew.doorway.is_for(&spec.sockets) {
            self.attic.put(&crew.doorway);
        }
        // Before the process, which asks for a build at once.
        self.enlist(&spec, &crew.process);
        crew.process.do_send(Replace {
            spec: spec.clone(),
            doors: doorway.doors.clone(),
        });
        Crew {
            spec,
            doorway,
            ..crew
        }
    }

    fn dismiss(&mut self, crew: Crew) {
        self.attic.put(&crew.doorway);
        let name = crew.spec.name.clone();
        self.pulse.remove(&crew.process.clone().recipient());
        let gone = crew.process.send(Remove).map(|_| ()).boxed_local();
        self.leaving.push(Leaving {
            process: crew.process.clone(),
            gone: gone.shared(),
        });
        self.builder.do_send(Dismiss(name.clone()));
        self.mode.do_send(Unwatch {
            name,
            process: crew.process.recipient(),
        });
    }

    fn share_memory(&self, settings: LogSettings) {
        let processes: Vec<ProcessName> =
            self.crews.iter().map(|it| it.spec.name.clone()).collect();
        self.logs.do_send(SetLimits {
            settings,
            processes,
        });
    }

    /// Starts new processes when those that were removed are gone: a renamed one has the old one's
    /// port.
    fn boot_behind(&mut self, added: Vec<Addr<ProcessActor>>) {
        self.leaving.retain(|it| it.gone.peek().is_none());
        if added.is_empty() && self.leaving.is_empty() {
            return;
        }
        let leaving = join_all(self.leaving.iter().map(|it| it.gone.clone()));
        actix::spawn(async move {
            leaving.await;
            added.iter().for_each(boot);
        });
    }

    /// What the configuration says now holds: who follows looks at the whole again.
    pub(super) fn note_reload(&self, text: String) {
        self.ports.events.publish_reload(text);
    }

    /// A new configuration is wrong: the history of every process says so.
    pub(super) fn note_rejected(&self, why: &str) {
        for crew in &self.crews {
            let why = why.to_owned();
            crew.process.do_send(ConfigRejected { why });
        }
    }

    /// Ends every process and every build, side by side, and returns when nobody is left.
    pub(super) async fn end(&self) {
        let present = self.crews.iter().map(|crew| &crew.process);
        let all = present.chain(self.leaving.iter().map(|it| &it.process));
        let processes = join_all(all.map(|process| process.send(Shutdown)));
        // An actor that is gone has nothing left to end.
        let _ = tokio::join!(processes, self.builder.send(Shutdown));
    }

    /// Stores and passes on what was printed last. Called when nobody is left who prints.
    pub(super) async fn close_logs(&self) {
        let closed = self.logs.send(Shutdown).timeout(LAST_LINES);
        if closed.await.is_err() {
            log::warn!("the last lines of the processes may be missing");
        }
    }
}

/// Where the builder's output goes.
fn build_log(logs: &Addr<LogStoreActor>) -> BuildLog {
    BuildLog {
        open: logs.clone().recipient(),
        append: logs.clone().recipient(),
        diagnosed: logs.clone().recipient(),
        known: logs.clone().recipient(),
        ended: logs.clone().recipient(),
    }
}

/// Who must be alive beside the processes' actors.
fn pulse(
    logs: &Addr<LogStoreActor>,
    builder: &Addr<BuilderActor>,
    mode: &Addr<ModeActor>,
) -> Pulse {
    let pulse = Pulse::default();
    pulse.add("log store", logs.clone().recipient());
    pulse.add("builder", builder.clone().recipient());
    pulse.add("idle clock", mode.clone().recipient());
    pulse
}

fn boot(process: &Addr<ProcessActor>) {
    process.do_send(Restart {
        mode: Mode::Release,
        cause: Cause::Boot,
        until: None,
    });
}

/// The history on disk, and the ids that go on behind what it has.
struct History {
    archive: Option<Archive>,
    closed: Option<Closed>,
    runs: Sequence<RunId>,
    builds: Sequence<BuildId>,
}

impl History {
    /// Opens it, where there is to be one. The daemon works without it as well.
    fn open(config: &Config, state: &StateDir) -> Self {
        let mut history = Self {
            archive: None,
            closed: None,
            runs: Sequence::new(),
            builds: Sequence::new(),
        };
        if !config.logs.disk {
            return history;
        }
        let (root, limits) = (state.path().join("logs"), ArchiveLimits::from(&config.logs));
        match Archive::open(&root, limits) {
            Ok(archive) => {
                history.runs = Sequence::after(archive.last_run());
                history.builds = Sequence::after(archive.last_build());
                history.archive = Some(archive);
            }
            Err(error) => {
                log::warn!("{error}; history is off and tried again later");
                let (runs, builds) = (history.runs.clone(), history.builds.clone());
                history.closed = Some(Closed::now(&root, limits, runs, builds));
            }
        }
        history
    }
}
