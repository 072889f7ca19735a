//! What the configuration says about one process, in types that hold only what may exist.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;

use crate::ids::ProcessName;

/// Which build runs, and with it which crash policy holds. It belongs to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// How long a new child must live to count as ready.
    pub settle: Duration,
    /// How long to wait after a crash.
    pub crash_policy: CrashPolicy,
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
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
