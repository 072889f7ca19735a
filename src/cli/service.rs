//! `bpm service`.

use std::{io, path::Path};

use super::{code::Code, console::Console, failure::Failure};
use crate::unit::command::{Done, ServiceCommand, ServiceError};

/// Has systemd run the daemon of a project, or no more.
///
/// # Errors
/// When it did not work.
pub(super) fn service(
    command: &ServiceCommand,
    dir: &Path,
    console: &mut Console,
) -> Result<Code, Failure> {
    // What systemctl prints comes between, so nothing is held back.
    console.flush()?;
    match command.run(dir, &mut io::stdout()) {
        Ok(Done::Done) => Ok(Code::Done),
        Ok(Done::NotRunning) => Ok(Code::NotRunning),
        Err(ServiceError::Output(cause)) => Err(cause.into()),
        Err(ServiceError::Configuration(error)) => Err(error.into()),
        Err(error) => Err(Failure::new(code(&error), error.to_string())),
    }
}

fn code(error: &ServiceError) -> Code {
    match error {
        ServiceError::NoUser(_) | ServiceError::Unwritable(_) => Code::Usage,
        _ => Code::Failed,
    }
}
