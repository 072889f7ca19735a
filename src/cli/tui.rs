//! `bpm tui`.

use std::{os::unix::process::CommandExt, process::Command};

use super::{arguments::Place, beside::beside, code::Code, failure::Failure};

const PROGRAM: &str = "bpm-tui";

/// Becomes the terminal UI.
///
/// # Errors
/// When that is not installed.
pub(super) fn open(place: &Place) -> Result<Code, Failure> {
    let program = beside(PROGRAM).unwrap_or_else(|| PROGRAM.into());
    let mut command = Command::new(&program);
    match &place.url {
        Some(url) => command.arg("--").arg(url),
        None => command.current_dir(place.dir()),
    };
    let cause = command.exec();
    let text = format!("cannot start {}: {cause}", program.display());
    Err(Failure::new(Code::Failed, text))
}
