//! The daemon.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use background_process_manager::{
    arguments::Arguments,
    config::{Config, LoadError},
    daemon::{self, DaemonError},
};
use bpm_actors::{chain_load, logs::journal};
use clap::Parser;

fn main() -> ExitCode {
    if let Some(code) = chain_load::become_program_if_asked() {
        return code;
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to be told when stderr is closed.
            let _ = io::stderr().write_all(&journal::complaint(&failure.to_string()));
            failure.exit_code()
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = Config::load(&arguments.dir).map_err(Failure::Configuration)?;
    if arguments.check {
        // The exit code says it as well.
        let _ = writeln!(io::stdout(), "{}", config.summary());
        return Ok(());
    }
    daemon::run(config).map_err(Failure::Work)
}

/// Why the daemon ends with something else than 0.
enum Failure {
    Configuration(LoadError),
    Work(DaemonError),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) => ExitCode::from(2),
            Self::Work(error) if error.is_configuration() => ExitCode::from(2),
            Self::Work(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => error.fmt(f),
            Self::Work(error) => error.fmt(f),
        }
    }
}
