//! `bpm run`: the daemon in the foreground.

use std::{os::unix::process::CommandExt, path::Path, process::Command};

use super::{beside::beside, code::Code, failure::Failure};
use crate::{config::Config, daemon};

/// Becomes the daemon of a project, or is it until a signal ends it.
///
/// # Errors
/// When the configuration is of no use, or the daemon cannot do its work.
pub(super) fn run(dir: &Path) -> Result<Code, Failure> {
    if let Some(program) = beside("background-process-manager") {
        let cause = Command::new(&program).arg("--").arg(dir).exec();
        log::debug!("{}: {cause}", program.display());
    }
    // Installed alone, this program can do it as well.
    let config = Config::load(dir)?;
    match daemon::run(config) {
        Ok(()) => Ok(Code::Done),
        Err(error) => {
            let code = if error.is_configuration() {
                Code::Usage
            } else {
                Code::Failed
            };
            Err(Failure::new(code, error.to_string()))
        }
    }
}
