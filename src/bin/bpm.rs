//! The command line.

use std::process::ExitCode;

use background_process_manager::cli;
use bpm_actors::chain_load;
use clap::Parser;

fn main() -> ExitCode {
    // As `bpm run` this may be the daemon, whose children begin here.
    if let Some(code) = chain_load::become_program_if_asked() {
        return code;
    }
    cli::run(&cli::Arguments::parse())
}
