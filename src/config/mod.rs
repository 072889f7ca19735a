//! `.mcp-run`: what the project's directory says about its processes, parsed into what may exist.
//!
//! The daemon's `main` and its reload ask for it. It knows TOML and the keys; it must not
//! know actors' messages, sockets, or who runs what it describes.

mod address;
mod claims;
mod closes_sockets;
mod entry;
mod keys;
mod listen;
mod load;
mod logs;
mod plan;
mod problem;
mod process;
mod ready;
mod sockets;
mod target;
mod top;
mod value;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bpm_actors::{
    ids::ProcessName,
    spec::{LogSettings, ProcessSpec},
};

pub use self::{
    load::{EXAMPLE, LoadError},
    plan::{Fate, Plan},
    problem::{InvalidConfig, Problem},
};

/// The name of the file in the project's directory.
pub const FILE_NAME: &str = ".mcp-run";

/// A valid `.mcp-run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The project's directory; canonical.
    pub project_dir: PathBuf,
    /// The file that was read: [`FILE_NAME`] in `project_dir`.
    pub file: PathBuf,
    /// The loopback port that MCP is served on; 0 lets the system choose.
    pub mcp_port: u16,
    /// Whether requests to that port must bring the token of the state folder.
    pub token: bool,
    /// How long nobody must have worked on the project before it goes back to release builds; at
    /// least a millisecond, at most a year.
    pub dev_timeout: Duration,
    /// When a changed file takes effect.
    pub reload: Reload,
    /// What is kept of the output of all processes.
    pub logs: LogSettings,
    /// The processes, in the order of the file; at least one.
    pub processes: Vec<ProcessSpec>,
}

/// When a changed `.mcp-run` takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reload {
    /// By itself, as soon as it is valid.
    #[default]
    Auto,
    /// When somebody says so.
    Manual,
}

impl Config {
    /// The entry of a process.
    #[must_use]
    pub fn process(&self, name: &ProcessName) -> Option<&ProcessSpec> {
        self.processes.iter().find(|spec| spec.name == *name)
    }

    /// Reads and checks the `.mcp-run` of a project; `dir` may be relative.
    ///
    /// # Errors
    /// When `dir` is no directory, the file is missing or cannot be read, or what it says is wrong.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        load::load(dir)
    }

    /// Checks the text of the `.mcp-run` in `project_dir`, which must be absolute: paths in the file
    /// are relative to it.
    ///
    /// # Errors
    /// With everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str, project_dir: &Path) -> Result<Self, InvalidConfig> {
        top::parse(text, project_dir)
    }

    /// One line for people: which file, and which processes it names.
    #[must_use]
    pub fn summary(&self) -> String {
        let names: Vec<_> = self
            .processes
            .iter()
            .map(|spec| spec.name.as_str())
            .collect();
        let noun = if names.len() == 1 {
            "process"
        } else {
            "processes"
        };
        format!(
            "{}: ok, {} {noun} ({})",
            self.file.display(),
            names.len(),
            names.join(", ")
        )
    }
}
