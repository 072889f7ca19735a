//! What the configuration says about one process, in types that hold only what may exist.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ids::ProcessName, pattern::Pattern};

mod change;

pub use change::Change;

/// Which build runs, and with it which crash policy holds. It belongs to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `cargo build`: somebody works on it; a crash waits so that he can look.
    Dev,
    /// `cargo build --release`: nobody works on it; a crash is retried soon.
    Release,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dev => "dev",
            Self::Release => "release",
        })
    }
}

/// One `[process.NAME]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSpec {
    /// Its name.
    pub name: ProcessName,
    /// What is run.
    pub program: Program,
    /// Where it is built and run; absolute.
    pub cwd: PathBuf,
    /// Variables added to those of the daemon and of direnv when it runs.
    pub env: BTreeMap<String, String>,
    /// What connects it to its port.
    pub sockets: Sockets,
    /// When a new child counts as ready.
    pub readiness: Readiness,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// How long a child that was replaced may serve the connections that it has: held sockets, from
    /// SIGTERM to SIGKILL; relayed, until SIGTERM.
    pub drain: Duration,
    /// How long a new child must serve before its artifact counts as good. A crash before that goes
    /// back to the last good one, once.
    pub stable: Duration,
    /// How often a ready child must give a sign of life (`WATCHDOG=1`), if it must.
    pub watchdog: Option<Duration>,
    /// How long to wait after a crash.
    pub crash_policy: CrashPolicy,
}

impl ProcessSpec {
    /// An entry that says nothing but these: everything else as when the configuration is silent.
    #[must_use]
    pub fn new(
        name: ProcessName,
        program: Program,
        cwd: PathBuf,
        crash_policy: CrashPolicy,
    ) -> Self {
        const STOP_GRACE: Duration = Duration::from_secs(5);
        Self {
            name,
            program,
            cwd,
            env: BTreeMap::new(),
            sockets: Sockets::Own,
            readiness: Readiness::Settle(Duration::from_secs(1)),
            stop_grace: STOP_GRACE,
            drain: STOP_GRACE,
            stable: Duration::from_secs(10),
            watchdog: None,
            crash_policy,
        }
    }
}

/// What is kept of the output of all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Bytes on disk for one process, its runs and builds together; at least 1 MiB.
    pub keep_bytes: u64,
    /// How many days a log is kept on disk; 0 keeps it however old it is.
    pub keep_days: u32,
    /// Bytes of memory for the logs of all processes.
    pub memory_bytes: u64,
    /// Whether there is a history on disk.
    pub disk: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            keep_bytes: 256 << 20,
            keep_days: 14,
            memory_bytes: 64 << 20,
            disk: true,
        }
    }
}

/// What connects a process to its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// It binds its own.
    Own,
    /// The daemon binds them, keeps them, and hands them down (`listen`).
    Held {
        /// At least one, at most [`Sockets::MOST`]; handed down in this order.
        listen: Vec<Listen>,
        /// Whether an old and a new child may run at the same time.
        overlap: Overlap,
    },
    /// The daemon holds the public port and relays to a private one of each child (`port`).
    Relayed {
        /// The public addresses.
        public: Vec<SocketAddr>,
        /// Whether an old and a new child may run at the same time.
        overlap: Overlap,
    },
}

/// Whether two children of a process may run at the same time (`overlap`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// The new one starts beside the old one, which leaves when the new one is ready.
    Beside,
    /// The old one is gone before the new one starts; connections wait in between.
    Alone,
}

impl Sockets {
    /// How many sockets one process may be handed.
    pub const MOST: usize = 32;

    /// Whether one of its addresses has this TCP port.
    #[must_use]
    pub fn has_port(&self, port: u16) -> bool {
        match self {
            Self::Own => false,
            Self::Held { listen, .. } => listen.iter().any(
                |it| matches!(&it.address, ListenAddress::Tcp(address) if address.port() == port),
            ),
            Self::Relayed { public, .. } => public.iter().any(|address| address.port() == port),
        }
    }

    /// Whether an old and a new child may run at the same time.
    #[must_use]
    pub fn overlap(&self) -> Overlap {
        match self {
            Self::Own => Overlap::Alone,
            Self::Held { overlap, .. } | Self::Relayed { overlap, .. } => *overlap,
        }
    }
}

/// A socket that the daemon holds for a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Its name in `LISTEN_FDNAMES`: no colon, no control characters.
    pub name: String,
    /// Where it listens.
    pub address: ListenAddress,
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// TCP; the port is not 0.
    Tcp(SocketAddr),
    /// A unix stream socket; absolute.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// When a new child counts as ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// When it has lived for so long (`settle_seconds`).
    Settle(Duration),
    /// When the probe says so (`ready`).
    Probe {
        /// How to find out.
        probe: Probe,
        /// How long it may take.
        timeout: Duration,
    },
}

/// How to find out whether a child is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A GET that answers 2xx or 3xx.
    Http {
        /// Whom to ask.
        target: Target,
        /// Path and query; begins with a slash.
        path: String,
    },
    /// A connection that the child accepts.
    Tcp(Target),
    /// A line of the run that matches.
    Log(LinePattern),
    /// `READY=1` at `NOTIFY_SOCKET`.
    Notify,
    /// A program that ends with exit code 0.
    Exec(CommandLine),
}

/// Where a probe connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// An IP address (without brackets) or a name.
    pub host: String,
    /// Its port.
    pub port: TargetPort,
}

/// The port of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// This one.
    Fixed(u16),
    /// The private one that the child was given: the configuration names the public one of a relayed
    /// process, or `{port}`. The child may listen on either loopback address.
    Private,
}

/// A pattern with its text.
#[derive(Clone, Debug)]
pub struct LinePattern {
    /// As people wrote it.
    pub text: String,
    /// Ready to match.
    pub pattern: Pattern,
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for LinePattern {}

/// What a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A binary that cargo builds.
    Rust(CargoTarget),
    /// `type = "npm"`: a command line, nothing is built.
    Npm(CommandLine),
    /// `type = "command"`: a command line, nothing is built.
    Command(CommandLine),
}

/// The `type` of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessType {
    /// Built by cargo.
    Rust,
    /// A command of the node world.
    Npm,
    /// Any command.
    Command,
}

impl Program {
    /// The `type` that the configuration names.
    #[must_use]
    pub fn kind(&self) -> ProcessType {
        match self {
            Self::Rust(_) => ProcessType::Rust,
            Self::Npm(_) => ProcessType::Npm,
            Self::Command(_) => ProcessType::Command,
        }
    }

    /// The arguments that the program is started with.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        match self {
            Self::Rust(target) => &target.args,
            Self::Npm(line) | Self::Command(line) => &line.args,
        }
    }
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// A name to look up in PATH, or a path (relative to the `cwd`).
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
}

/// Which binary cargo builds, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CargoTarget {
    /// `--package`
    pub package: Option<String>,
    /// `--bin`
    pub bin: Option<String>,
    /// `--features`
    pub features: Vec<String>,
    /// More arguments for `cargo build`.
    pub cargo_args: Vec<String>,
    /// `--target-dir`; absolute.
    pub target_dir: Option<PathBuf>,
    /// Run cargo's own file instead of a copy. The next build then overwrites what runs.
    pub in_place: bool,
    /// Arguments for the program itself.
    pub args: Vec<String>,
}

/// Waits after crashes and failed builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPolicy {
    /// Dev: before the next build.
    pub dev_wait: Duration,
    /// Release: the first wait of a row.
    pub release_initial: Duration,
    /// Release: the longest wait of a row.
    pub release_max: Duration,
}

/// The project that the daemon serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its directory; canonical.
    pub dir: PathBuf,
    /// Where the daemon keeps its state for this project; mode 0700.
    pub state_dir: PathBuf,
}

impl Project {
    /// `path` as people of this project write it: relative where it lies inside.
    #[must_use]
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.dir).unwrap_or(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_a_process_are_those_that_it_asks_for() {
        let (public, overlap) = (vec![([127, 0, 0, 1], 8080).into()], Overlap::Beside);
        let listen = vec![
            Listen {
                name: "http".to_owned(),
                address: ListenAddress::Tcp(([127, 0, 0, 1], 8080).into()),
            },
            Listen {
                name: "unix".to_owned(),
                address: ListenAddress::Unix("/run/8081".into()),
            },
        ];
        let held = Sockets::Held { listen, overlap };
        for sockets in [held, Sockets::Relayed { public, overlap }] {
            assert!(sockets.has_port(8080) && !sockets.has_port(8081));
        }
        assert!(!Sockets::Own.has_port(8080));
    }
}
