//! The terminal UI of a running daemon.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use background_process_manager::tui::{self, arguments::Arguments};
use clap::Parser;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let shown = env::current_dir().and_then(|here| tui::run(arguments.which(here)));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told when stderr is closed.
            let _ = writeln!(io::stderr(), "bpm-tui: {error}");
            ExitCode::FAILURE
        }
    }
}
