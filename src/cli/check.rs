//! `bpm check`.

use std::path::Path;

use super::{code::Code, console::Console, failure::Failure};
use crate::config::Config;

/// Checks the configuration of a project.
///
/// # Errors
/// With everything that is wrong with it.
pub(super) fn check(dir: &Path, console: &mut Console) -> Result<Code, Failure> {
    let config = Config::load(dir)?;
    console.line(&config.summary())?;
    Ok(Code::Done)
}
