//! The daemon.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use background_process_manager::{
    arguments::{Arguments, DaemonCommand},
    config::{Config, LoadError},
    daemon::{self, DaemonError},
    unit::command::ServiceError,
};
use bpm_actors::{chain_load, logs::journal};
use clap::Parser;

fn main() -> ExitCode {
    if let Some(code) = chain_load::become_program_if_asked() {
        return code;
    }
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(failure) => {
            // Nobody is left to be told when stderr is closed.
            let _ = io::stderr().write_all(&journal::complaint(&failure.to_string()));
            failure.exit_code()
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(DaemonCommand::Service(command)) = &arguments.command {
        let dir = command.dir().unwrap_or(Path::new("."));
        let code = command.run(dir, &mut io::stdout());
        return Ok(code.map_err(Failure::Service)?.into());
    }
    let config = Config::load(&arguments.dir).map_err(Failure::Configuration)?;
    if arguments.check {
        // The exit code says it as well.
        let _ = writeln!(io::stdout(), "{}", config.summary());
        return Ok(ExitCode::SUCCESS);
    }
    daemon::run(config).map_err(Failure::Work)?;
    Ok(ExitCode::SUCCESS)
}

/// Why the daemon ends with something else than 0.
enum Failure {
    Configuration(LoadError),
    Work(DaemonError),
    Service(ServiceError),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) | Self::Work(DaemonError::Activation(_)) => ExitCode::from(2),
            Self::Work(_) => ExitCode::FAILURE,
            Self::Service(error) => error.exit_code().into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => error.fmt(f),
            Self::Work(error) => error.fmt(f),
            Self::Service(error) => error.fmt(f),
        }
    }
}
