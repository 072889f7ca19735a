//! The actors of one daemon: who knows whom.

use std::{io, sync::Arc, time::Duration};

use actix::prelude::*;
use bpm_actors::{
    build::environment::BaseEnvironment,
    builder_actor::{BuildLog, BuilderActor, Enlist},
    events::Events,
    ids::Sequence,
    log_store_actor::LogStoreActor,
    logs::{
        archive::{Archive, ArchiveLimits, Closed},
        passthrough::Passthrough,
        shelf::Limits,
    },
    mode_actor::{ModeActor, Watch},
    process_actor::{Ports, ProcessActor},
    reaper::Reaper,
    relay::Relay,
    restart::{Cause, Restart, Shutdown},
    sockets::{Doors, Hold},
    spec::{Mode, Project},
};
use futures_util::future::join_all;

use super::{held::Bound, state_dir::StateDir, systemd::Pulse};
use crate::{
    config::Config,
    service::{FollowPorts, Freshness, Member, Parts, Service},
};

/// How long the log store may take for what the pipes still hold.
const LAST_LINES: Duration = Duration::from_secs(1);

/// All of them.
pub(super) struct Team {
    builder: Addr<BuilderActor>,
    processes: Vec<Addr<ProcessActor>>,
    logs: Addr<LogStoreActor>,
    /// Everybody whose heartbeat tells that the daemon lives.
    pulse: Pulse,
    /// The log store's own thread: a flood of output does not delay a restart.
    _log_thread: Arbiter,
    /// The relays' own thread, where there are any.
    relay_thread: Option<Arbiter>,
}

impl Team {
    /// Starts the actors, and makes the service that answers for them.
    pub(super) fn assemble(
        config: Config,
        state: &StateDir,
        url: &str,
        reaper: &Reaper,
        outputs: Passthrough,
    ) -> (Self, Service) {
        let log_thread = Arbiter::new();
        let (archive, closed) = history(&config, state);
        let last = archive
            .as_ref()
            .map_or((0, 0), |archive| (archive.last_run(), archive.last_build()));
        let (runs, builds) = (Sequence::after(last.0), Sequence::after(last.1));
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
        let children = std::rc::Rc::new(reaper.clone());
        let builder = BuilderActor::new(
            project,
            environment.clone(),
            children.clone(),
            builds,
            build_log(&logs),
        )
        .start();
        let pulse = pulse(&logs, &builder, &mode);

        let mut processes = Vec::new();
        let mut members = Vec::new();
        for spec in config.processes.into_iter().map(Arc::new) {
            let ports = Ports {
                children: children.clone(),
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
                environment: environment.clone(),
            };
            let (process, board) = ProcessActor::new(spec.clone(), ports, runs.clone());
            let process = process.start();
            builder.do_send(Enlist {
                spec: spec.clone(),
                started: process.clone().recipient(),
                waits: process.clone().recipient(),
                done: process.clone().recipient(),
            });
            pulse.add(spec.name.as_str(), process.clone().recipient());
            mode.do_send(Watch {
                process: process.clone().recipient(),
            });
            members.push(Member {
                name: spec.name.clone(),
                kind: spec.program.kind(),
                restart: process.clone().recipient(),
                start: process.clone().recipient(),
                stop: process.clone().recipient(),
                freshness: Freshness::default(),
                board,
            });
            processes.push(process);
        }
        let service = Service::new(Parts {
            project_dir: config.project_dir,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: url.to_owned(),
            members,
            logs: logs.clone().recipient(),
            lines: logs.clone().recipient(),
            diagnoses: logs.clone().recipient(),
            follow: FollowPorts {
                locate: logs.clone().recipient(),
                read_on: logs.clone().recipient(),
                listen: logs.clone().recipient(),
            },
            activity: mode.recipient(),
            release_at,
            events,
        });
        (
            Self {
                builder,
                processes,
                logs,
                pulse,
                _log_thread: log_thread,
                relay_thread: None,
            },
            service,
        )
    }

    /// Gives each process, in the order of the file, what was bound for it. Once, before the start.
    ///
    /// # Errors
    /// When a relay cannot be started.
    pub(super) fn hold(&mut self, bound: Vec<Bound>) -> io::Result<()> {
        for (process, bound) in self.processes.iter().zip(bound) {
            let doors = match bound {
                Bound::Own => Doors::Own,
                Bound::Held(sockets) => Doors::Held(sockets),
                Bound::Public(listeners) => {
                    let thread = self.relay_thread.get_or_insert_with(Arbiter::new);
                    Doors::Relayed(Relay::start(listeners, &thread.handle())?)
                }
            };
            process.do_send(Hold(doors));
        }
        Ok(())
    }

    /// Everybody who must be alive.
    pub(super) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Starts every process, in the order of the file.
    pub(super) fn boot(&self) {
        for process in &self.processes {
            process.do_send(Restart {
                mode: Mode::Release,
                cause: Cause::Boot,
                until: None,
            });
        }
    }

    /// Ends every process and every build, side by side, and returns when nobody is left.
    pub(super) async fn end(&self) {
        let processes = join_all(self.processes.iter().map(|process| process.send(Shutdown)));
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

/// The history on disk, where there is to be one. The daemon works without it as well.
fn history(config: &Config, state: &StateDir) -> (Option<Archive>, Option<Closed>) {
    if !config.logs.disk {
        return (None, None);
    }
    let (root, limits) = (state.path().join("logs"), ArchiveLimits::from(&config.logs));
    match Archive::open(&root, limits) {
        Ok(archive) => (Some(archive), None),
        Err(error) => {
            log::warn!("{error}; history is off and tried again later");
            (None, Some(Closed::now(&root, limits)))
        }
    }
}
