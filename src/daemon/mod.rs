//! The daemon: what must hold before anything is started, the start itself, and the orderly end.
//!
//! `main` calls [`run`] with a valid configuration. It must not know arguments or exit codes.
//!
//! The order is: lock, port, state folder; then bind the sockets that are held for the processes, as far
//! as nothing is in the way that a dead daemon left; then serve; then end what it left, and bind them
//! now at the latest; then start the processes.

pub mod activation;
pub mod held;
pub mod listener;
pub mod lock;
pub mod occupant;
pub mod port_owner;
pub mod state_dir;
pub mod state_place;

mod local;
mod logger;
mod signals;
mod systemd;
mod team;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bpm_actors::{
    leftovers,
    logs::passthrough::Passthrough,
    notify,
    reaper::{Reaper, floor::Floor, ledger::Ledger, limits::Limits},
};
use tokio_util::sync::CancellationToken;

use self::{
    held::{Held, HeldError, SocketFiles},
    listener::Listeners,
    local::LocalSocket,
    lock::ProjectLock,
    signals::Signals,
    state_dir::StateDir,
    systemd::ServiceManager,
    team::Team,
};
use crate::{
    config::Config,
    http::{self, Entrances, Token},
    mcp,
};

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
            activation::agree(&passed, config.mcp_port, &config.file)?;
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
    let grace = config
        .processes
        .iter()
        .map(|spec| spec.stop_grace)
        .max()
        .unwrap_or_default();

    let (processes, file) = (config.processes.clone(), config.file.clone());
    let url = format!("http://localhost:{}{}", listeners.port, mcp::PATH);
    let manager = ServiceManager::of_environment();
    let (mut team, service) = Team::assemble(config, state, &url, &reaper, outputs);
    // Who connects as soon as we say that we serve finds a queue to wait in. What an earlier daemon
    // left may still be in the way.
    let early = match Held::bind(&processes, &file) {
        Ok(held) => Some(held),
        Err(error) if may_pass(&error, &ledger, &project) => None,
        Err(error) => return Err(error.into()),
    };
    let farewell = CancellationToken::new();
    let told = service.clone();
    let local = bind_local(state);
    let add = claude(&url, token.is_some().then(|| state.token_file()));
    let entrances = Entrances {
        tcp: listeners.sockets,
        unix: local.as_ref().and_then(|local| local.listener().ok()),
        token,
    };
    let server = http::serve(entrances, service, farewell.clone()).map_err(cannot("serve MCP"))?;
    let server = actix::spawn(server);
    // The server begins when it is polled, and the look for leftovers holds this thread for a moment.
    tokio::task::yield_now().await;
    let socket = local.as_ref().map(LocalSocket::path);
    if let Err(error) = state.write_daemon_file(&url, &project, socket) {
        log::warn!("{error}; the project's own tools do not find this daemon");
    }
    log::info!("serving {url} for {}", project.display());
    log::info!("to connect Claude Code: {add}");

    let work = async {
        end_leftovers(&ledger, &project, grace).await;
        let held = match early {
            Some(held) => held,
            None => Held::bind(&processes, &file)?,
        };
        let held = hold(&mut team, held)?;
        team.boot();
        Ok(held)
    };
    // The files of unix sockets are there until nobody is left who serves.
    let begun: Result<Option<SocketFiles>, DaemonError> = tokio::select! {
        begun = work => begun.map(Some),
        () = signals.next() => Ok(None),
    };
    let mut fault = None;
    if let Ok(Some(_)) = &begun {
        manager.ready();
        actix::spawn(manager.clone().keep_informed(told));
        // A task of its own: also the end gives signs of life.
        let mut heart = actix::spawn(manager.clone().keep_alive(team.pulse()));
        tokio::select! {
            () = signals.next() => {}
            gone = &mut heart => fault = gone.ok(),
        }
    }
    if let Some(gone) = &fault {
        log::error!("{gone} ended because of a fault in the daemon, which cannot go on");
    }
    manager.stopping();
    log::info!("shutting down");
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
    farewell.cancel();
    let served = server.await;
    manager.fall_silent();
    begun?;
    if let Some(gone) = fault {
        return Err(DaemonError::Fault(gone));
    }
    match served {
        Ok(Err(error)) => Err(cannot("serve MCP")(error)),
        // It neither panics nor is cancelled; and at this point nothing is lost by it.
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

/// Listens for this user's own tools; without it they use the port.
fn bind_local(state: &StateDir) -> Option<LocalSocket> {
    let bound = LocalSocket::bind(state);
    let warned =
        bound.inspect_err(|problem| log::warn!("no unix socket for local tools: {problem}"));
    warned.ok()
}

/// The command that connects Claude Code.
fn claude(url: &str, token: Option<PathBuf>) -> String {
    let add = format!("claude mcp add --transport http bpm {url}");
    match token {
        Some(file) => format!(
            "{add} --header \"Authorization: Bearer $(cat '{}')\"",
            file.display()
        ),
        None => add,
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

/// Gives the processes what was bound for them.
fn hold(team: &mut Team, held: Held) -> Result<SocketFiles, DaemonError> {
    team.hold(held.bound).map_err(cannot("relay connections"))?;
    Ok(held.files)
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
