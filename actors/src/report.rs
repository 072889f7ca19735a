//! What readers receive: plain data, the JSON shapes that agents, screens and scripts depend upon.
//!
//! What is unknown is null, never missing. Absolute times are RFC 3339 in UTC and end in `at`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    artifact::Diagnostic,
    ids::{BuildId, RunId},
    spec::{Mode, ProcessType},
};

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// Not asked to run.
    Stopped,
    /// A build is under way.
    Building,
    /// A new child has not shown yet that it is ready.
    Proving,
    /// Ready.
    Running,
    /// Told to stop, nothing serves.
    Stopping,
    /// Crashed or failed; waits for the next attempt.
    BackingOff,
}

/// Whether what runs is known to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It proved itself.
    Ready,
    /// It has not proved itself yet.
    Unready,
}

/// Why what runs is not the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Behind {
    /// The newest attempt to build, or to prepare the start, failed.
    BuildFailed,
    /// The newest build did not prove itself.
    RolledBack,
    /// Source files were changed after the build of what runs began.
    SourcesChanged,
}

/// What connects the process to its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Connections {
    /// The process binds its own sockets: in a restart, connections are refused for a moment.
    Own,
    /// The daemon holds the sockets and hands them down: no connection is refused.
    Held,
    /// The daemon holds the public port and relays to the child's private one: no connection is
    /// refused.
    Relayed,
}

/// One process in `get_status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessReport {
    /// The name of its `[process.*]` entry.
    pub name: String,
    /// The entry's type.
    pub r#type: ProcessType,
    /// What it is doing.
    pub state: StateName,
    /// Mode of what runs, or of what was tried last.
    pub mode: Mode,
    /// Whether a child works, also while a build goes on.
    pub serving: bool,
    /// Whether what runs is ready; null when nothing runs.
    pub health: Option<Health>,
    /// Why what runs is not the newest; null when it is.
    pub behind: Option<Behind>,
    /// Id of the run that serves.
    pub run: Option<RunId>,
    /// Pid of the child that serves.
    pub pid: Option<u32>,
    /// How long that child has been up.
    pub uptime_seconds: Option<f64>,
    /// Requested restarts since the daemon's start.
    pub restarts: u64,
    /// Crashes since the daemon's start.
    pub crashes: u64,
    /// Crashes and failed attempts since the last stable run.
    pub crashes_in_a_row: u32,
    /// Time until the next attempt while it backs off.
    pub next_attempt_in_seconds: Option<f64>,
    /// What connects it to its port.
    pub connections: Connections,
    /// Nobody accepts now, and connections wait in the backlog instead of being refused.
    pub connections_wait: bool,
    /// What the child says about itself (`STATUS=` at `NOTIFY_SOCKET`).
    pub status_text: Option<String>,
    /// How the last child ended.
    pub last_exit: Option<LastExit>,
    /// The last build that ended.
    pub last_build: Option<LastBuild>,
    /// What happened, newest first, at most 10.
    pub events: Vec<EventReport>,
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastExit {
    /// Which run.
    pub run: RunId,
    /// Its exit code, if it returned one.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// In words: `exit code 3`, `signal 9 (SIGKILL)`.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildOutcome {
    /// There is an artifact.
    Ok,
    /// There is none.
    Failed,
}

/// The last build that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastBuild {
    /// Its id.
    pub id: BuildId,
    /// Its mode.
    pub mode: Mode,
    /// How it ended.
    pub outcome: BuildOutcome,
    /// How long it took.
    pub seconds: f64,
    /// How many errors.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// When it ended.
    pub at: Timestamp,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A child was started.
    Started,
    /// A requested restart succeeded: stop, then start.
    Restarted,
    /// A new child took over from the old one without a pause.
    Swapped,
    /// A child ended that should not have.
    Crashed,
    /// The next attempt waits.
    BackingOff,
    /// cargo was started.
    BuildStarted,
    /// There is a new artifact.
    BuildDone,
    /// There is none.
    BuildFailed,
    /// The new child did not prove itself; the last good version runs.
    RolledBack,
    /// The mode changed.
    Mode,
    /// A child ended because it was told to.
    Stopped,
    /// Its entry in the configuration was changed.
    Reloaded,
    /// The configuration was changed into something that is wrong; the one before holds.
    ConfigInvalid,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventReport {
    /// When.
    pub at: Timestamp,
    /// How long ago.
    pub age_seconds: f64,
    /// Of which kind.
    pub kind: EventKind,
    /// In words.
    pub text: String,
}

/// What came of a restart, a start or a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The new child runs; the old one was stopped first.
    Restarted,
    /// The new child runs; it took over from the old one, and no connection was refused.
    Swapped,
    /// `start`: it runs.
    Started,
    /// `start`: it ran already and was left alone.
    Running,
    /// Time ran out; it goes on.
    Building,
    /// `stop`: time ran out; it goes on.
    Stopping,
    /// The sources do not compile; what ran goes on.
    BuildFailed,
    /// The new child did not prove itself; the last good version runs.
    RolledBack,
    /// The new child died at once, and there is no good version to go back to.
    Crashed,
    /// The new child was not ready in time, and there is no good version to go back to.
    NotReady,
    /// A later order took its place.
    Superseded,
    /// It was stopped.
    Stopped,
    /// The daemon ends.
    ShuttingDown,
}

/// The answer to `restart`, `start` and `stop`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestartReport {
    /// The process.
    pub process: String,
    /// True means that what was asked for is so: after `restart`, that the change is live and the new
    /// child is ready.
    pub ok: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it was rolled back, is not ready, or cannot be started; null where the rest says it.
    pub reason: Option<String>,
    /// Mode of what serves now, or of what was tried.
    pub mode: Mode,
    /// Run that serves now.
    pub run: Option<RunId>,
    /// Pid that serves now.
    pub pid: Option<u32>,
    /// The build of this restart.
    pub build: Option<BuildId>,
    /// How long it took.
    pub build_seconds: Option<f64>,
    /// From the old child's stop signal to the new child's start, or that of the last good version
    /// which took its place; 0 where one took over from the other. What it needs until it listens
    /// comes on top.
    pub pause_ms: Option<f64>,
    /// How long the new child took to be ready; null when nothing but its life shows that.
    pub ready_after_ms: Option<f64>,
    /// Connections that were refused meanwhile: 0 where the daemon holds the port, else unknown.
    pub connections_refused: Option<u64>,
    /// How many errors the build had.
    pub error_count: usize,
    /// How many warnings the build had.
    pub warning_count: usize,
    /// How many of both the build before did not have.
    pub new_count: usize,
    /// How many of the build before were not reported again.
    pub fixed_count: usize,
    /// The first errors and, behind them, new warnings; at most 10, each once.
    pub errors: Vec<Diagnostic>,
    /// How many errors and warnings are not in `errors`; `search_build_log` has them.
    pub omitted_count: usize,
    /// What the new child printed that looks like an error and the one before did not print.
    pub error_lines: Vec<String>,
    /// How the new child ended, if it died or had to.
    pub exit: Option<LastExit>,
    /// What it printed last, if it did not prove itself.
    pub last_lines: Vec<String>,
    /// Why what serves is not what is on disk; null when it is, or nothing is known.
    pub behind: Option<Behind>,
    /// What to do next; null when there is nothing to do.
    pub next: Option<String>,
}

impl RestartReport {
    /// Whether an agent must do something about it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        !self.ok && !matches!(self.outcome, Outcome::Building | Outcome::Stopping)
    }
}
