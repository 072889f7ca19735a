//! The daemon's command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::unit::command::ServiceCommand;

/// Builds, runs and restarts a project's processes, and tells coding agents about them over MCP.
///
/// Reads DIR/.mcp-run and stays in the foreground until SIGTERM or SIGINT.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "background-process-manager",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 orderly, 1 failed at work (project locked, port taken), 2 usage or configuration.\n\
                  Log filter: BPM_LOG, else RUST_LOG, else info.\n\
                  A directory whose name is a command is written ./service."
)]
pub struct Arguments {
    /// The project's directory, which contains .mcp-run.
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Check the configuration and exit.
    #[arg(long)]
    pub check: bool,
    /// What else can be done.
    #[command(subcommand)]
    pub command: Option<DaemonCommand>,
}

/// What the daemon's binary does instead of being the daemon.
#[derive(Clone, Debug, Subcommand)]
pub enum DaemonCommand {
    /// Let systemd run the daemon of a project.
    #[command(subcommand)]
    Service(ServiceCommand),
}
