//! The daemon: what must hold before anything is started, the start itself, and the orderly end.
//!
//! `main` calls [`run`] with a valid configuration. It must not know arguments or exit codes.
//!
//! The order is: lock, port, state folder; then bind the sockets that are held for the processes, as far
//! as nothing is in the way that a dead daemon left; then serve; then end what it left, and bind them
//! now at the latest; then start the processes. From then on a changed configuration takes the place of the
//! one that holds: see `reload`.

pub mod activation;
pub mod held;
pub mod listener;
pub mod lock;
pub mod occupant;
pub mod port_owner;
pub mod state_dir;
pub mod state_place;

mod doorway;
mod front;
mod local;
mod logger;
mod reload;
mod signals;
mod systemd;
mod team;
mod watcher;

use std::{io, path::Path, sync::Arc, time::Duration};

use bpm_actors::{
    leftovers,
    logs::passthrough::Passthrough,
    notify,
    reaper::{Reaper, floor::Floor, ledger::Ledger, limits::Limits},
};
use tokio::sync::{mpsc, watch};

use self::{
    front::Front,
    held::{Held, HeldError, SocketFiles},
    listener::Listeners,
    lock::ProjectLock,
    reload::{Reloader, Trigger},
    signals::{Signals, Told},
    state_dir::StateDir,
    systemd::ServiceManager,
    team::{Desk, Team},
    watcher::ConfigWatcher,
};
use crate::{config::Config, http::Token, service::ReloadRequest};

/// How long the last lines may take to be written when a reader is slow.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How long those that hid from their tree may take to vanish once they are killed.
const STRAYS: Duration = Duration::from_secs(2);

/// Why the daemon could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Somebody else serves the project.
    #[error(transparent)]
    Lock(#[from] lock::LockError),
    /// The MCP port cannot be had.
    #[error(transparent)]
    Listen(#[from] listener::ListenError),
    /// The sockets that systemd passes cannot be used.
    #[error(transparent)]
    Activation(#[from] activation::ActivationError),
    /// An actor panicked; this is a fault of the daemon.
    #[error("{0} ended because of a fault in the daemon")]
    Fault(String),
    /// A socket of a process cannot be had.
    #[error(transparent)]
    Held(#[from] held::HeldError),
    /// There is nowhere to keep state.
    #[error(transparent)]
    StateDir(#[from] state_dir::StateDirError),
    /// The system refuses something that the daemon cannot do without.
    #[error("cannot {what}: {cause}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it did not work.
        cause: io::Error,
    },
}

impl DaemonError {
    /// Whether somebody has to change how it is started: it will not do to start it again. The unit
    /// that passes sockets is configuration as well.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Activation(_))
    }
}

fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> DaemonError {
    move |cause| DaemonError::System { what, cause }
}

/// Serves the project until a signal ends it.
///
/// # Errors
/// When the project is locked, a port taken, or the state folder of no use.
pub fn run(config: Config) -> Result<(), DaemonError> {
    // While there is one thread.
    let passed = activation::take()?;
    // Before anything that is closed again; see there.
    let _floor = lay_floor()?;
    let moved = passed.as_ref().map(activation::moved).transpose();
    let moved = moved.map_err(cannot("keep the sockets of systemd"))?;
    drop(passed);
    let _floor_below = lay_floor()?;
    let _lock = ProjectLock::acquire(&config.project_dir)?;
    let listeners = match moved {
        Some(passed) => {
            activation::agree(passed.port, config.mcp_port, &config.file)?;
            passed
        }
        None => listen(&config)?,
    };
    let state = StateDir::open(&config.project_dir)?;
    let token = config.token.then(|| state.token()).transpose()?;
    // What the daemon's own parent left open stays open here, but children do not inherit it.
    close_fds::CloseFdsBuilder::new().cloexecfrom(3);
    let outputs = Passthrough::standard().map_err(cannot("start to write output"))?;
    logger::start(&outputs);

    let served =
        actix::System::new().block_on(serve(config, (listeners, token), &state, outputs.clone()));
    if let Err(error) = state.remove_daemon_file() {
        log::warn!("{error}");
    }
    // A reader that is slower than this loses the last lines; they were stored.
    let _ = outputs.flush(LAST_LINES);
    served
}

fn lay_floor() -> Result<Floor, DaemonError> {
    Floor::lay().map_err(cannot("reserve descriptors for sockets"))
}

async fn serve(
    config: Config,
    (listeners, token): (Listeners, Option<Token>),
    state: &StateDir,
    outputs: Passthrough,
) -> Result<(), DaemonError> {
    // First of all, so that no signal finds the daemon unprepared.
    let mut signals = Signals::listen().map_err(cannot("listen for signals"))?;
    if let Err(error) = notify::clear(&state.notify_folder()) {
        log::warn!("cannot clear {}: {error}", state.notify_folder().display());
    }
    let project = config.project_dir.clone();
    let ledger = state.path().join("children.json");
    let reaper = Reaper::start(project.clone(), Ledger::new(ledger.clone()))
        .map_err(cannot("watch over child processes"))?
        .limiting(Limits::raise());
    let grace = longest_grace(&config);

    let mut watcher = ConfigWatcher::of(&config.file);
    let (configured, board) = watch::channel(Arc::default());
    let (desk, mut requests) = mpsc::channel(1);
    let desk = Desk {
        configured: board,
        reload: desk,
    };
    let (team, service) = Team::assemble(&config, state, desk, &reaper, outputs);
    // Who connects as soon as we say that we serve finds a queue to wait in. What an earlier daemon
    // left may still be in the way.
    let early = match Held::bind(&config.processes, &config.file) {
        Ok(held) => Some(held),
        Err(error) if may_pass(&error, &ledger, &project) => None,
        Err(error) => return Err(error.into()),
    };
    let told = service.clone();
    let front = Front::open(listeners, service, token, state).map_err(cannot("serve MCP"))?;
    let manager = ServiceManager::of_environment();
    let mut reloader = Reloader {
        config,
        team,
        front,
        files: SocketFiles::default(),
        state,
        configured,
        witness: Box::new(manager.clone()),
    };
    reloader.publish(None);
    // The server begins when it is polled, and the look for leftovers holds this thread for a moment.
    tokio::task::yield_now().await;
    reloader.tell_url();

    let begun = tokio::select! {
        begun = async {
            end_leftovers(&ledger, &project, grace).await;
            begin(&mut reloader, early)
        } => begun.map(|()| Begun::Completely),
        () = signals.next() => Ok(Begun::Partly),
    };
    let mut fault = None;
    if let Ok(Begun::Completely) = begun {
        manager.ready();
        actix::spawn(manager.clone().keep_informed(told));
        // A task of its own: also the end gives signs of life.
        let mut heart = actix::spawn(manager.clone().keep_alive(reloader.team.pulse()));
        tokio::select! {
            () = attend(&mut reloader, &mut signals, &mut watcher, &mut requests) => {}
            gone = &mut heart => fault = gone.ok(),
        }
    }
    if let Some(gone) = &fault {
        log::error!("{gone} ended because of a fault in the daemon, which cannot go on");
    }
    // Who still asks for a reload is told that there is none.
    drop(requests);
    manager.stopping(longest_grace(&reloader.config));
    log::info!("shutting down");
    let Reloader {
        team, front, files, ..
    } = reloader;
    tokio::select! {
        () = team.end() => {}
        () = hurry(&mut signals, &reaper) => log::warn!("a third signal: not waiting for those that are left"),
    }
    if tokio::time::timeout(STRAYS, reaper.end_strays())
        .await
        .is_err()
    {
        log::warn!("some processes cannot be killed");
    }
    // Also after a third signal: the pipes outlive those who printed.
    team.close_logs().await;
    let served = front.close().await;
    // The files of unix sockets are there until nobody is left who serves.
    drop(files);
    manager.fall_silent();
    begun?;
    if let Some(gone) = fault {
        return Err(DaemonError::Fault(gone));
    }
    served.map_err(cannot("serve MCP"))
}

/// How long the end of all processes may take.
fn longest_grace(config: &Config) -> Duration {
    let graces = config.processes.iter().map(|spec| spec.stop_grace);
    graces.max().unwrap_or_default()
}

/// How far the start came.
enum Begun {
    /// The processes were told to start.
    Completely,
    /// A signal came first.
    Partly,
}

/// Gives the processes what was bound for them, and starts them.
fn begin(reloader: &mut Reloader<'_>, early: Option<Held>) -> Result<(), DaemonError> {
    let Reloader {
        config,
        team,
        files,
        ..
    } = reloader;
    let held = match early {
        Some(held) => held,
        None => Held::bind(&config.processes, &config.file)?,
    };
    let doorways = team.open(&config.processes, held.bound);
    team.hold(doorways.map_err(cannot("relay connections"))?);
    files.extend(held.files);
    team.boot();
    Ok(())
}

/// Reloads the configuration whenever there is reason to, until a signal ends the daemon.
async fn attend(
    reloader: &mut Reloader<'_>,
    signals: &mut Signals,
    watcher: &mut ConfigWatcher,
    requests: &mut mpsc::Receiver<ReloadRequest>,
) {
    // It may have been changed after it was read and before it was watched.
    if reloader.is_automatic() {
        _ = reloader.reload(Trigger::File).await;
    }
    loop {
        let (trigger, asks) = tokio::select! {
            told = signals.any() => match told {
                Told::End => return,
                Told::Reload => (Trigger::Order, None),
            },
            Some(ReloadRequest { answer }) = requests.recv() => (Trigger::Order, Some(answer)),
            () = watcher.changed() => (Trigger::File, None),
        };
        // First, so that no change of what is read now goes unseen.
        watcher.follow();
        if trigger == Trigger::File && !reloader.is_automatic() {
            continue;
        }
        // What is wrong is in the log and in the status.
        let outcome = reloader.reload(trigger).await;
        if let Some(asks) = asks {
            // He may have given up.
            _ = asks.send(outcome);
        }
    }
}

/// Listens for MCP. Where the system chooses the port, it is none that a process asks for.
fn listen(config: &Config) -> Result<Listeners, DaemonError> {
    let asked = |port| {
        let mut sockets = config.processes.iter().map(|spec| &spec.sockets);
        sockets.any(|sockets| sockets.has_port(port))
    };
    // Held until there is another one, so that the system does not give them again.
    let mut unfit = Vec::new();
    loop {
        let listeners = listener::bind(config.mcp_port, &config.file)?;
        if config.mcp_port != 0 || !asked(listeners.port) {
            return Ok(listeners);
        }
        unfit.push(listeners);
    }
}

/// Whether the end of what an earlier daemon left may remove this problem.
fn may_pass(problem: &HeldError, ledger: &Path, project: &Path) -> bool {
    let owner = problem.owner();
    owner.is_some_and(|owner| !owner.is_none_of(&leftovers::pids(ledger, project)))
}

async fn end_leftovers(ledger: &Path, project: &Path, grace: Duration) {
    match leftovers::end(ledger, project, grace).await {
        Ok(0) => {}
        Ok(count) => log::warn!("ended {count} processes that an earlier daemon left"),
        Err(pids) => log::error!("an earlier daemon left processes that cannot be ended: {pids:?}"),
    }
}

/// A second signal kills at once; the third stops waiting.
async fn hurry(signals: &mut Signals, reaper: &Reaper) {
    signals.next().await;
    log::warn!("a second signal: killing what is left");
    reaper.kill_all();
    signals.next().await;
}
