//! The daemon's command line.

use std::path::PathBuf;

use clap::Parser;

/// Builds, runs and restarts a project's processes, and tells coding agents about them over MCP.
///
/// Reads DIR/.mcp-run and stays in the foreground until SIGTERM or SIGINT, or until its terminal is
/// closed.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "background-process-manager",
    version,
    after_help = "Exit codes: 0 orderly, 1 failed at work (project locked, port taken), 2 usage or configuration.\n\
                  Log filter: BPM_LOG, else RUST_LOG, else info."
)]
pub struct Arguments {
    /// The project's directory, which contains .mcp-run.
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Check the configuration and exit.
    #[arg(long)]
    pub check: bool,
}
