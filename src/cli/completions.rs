//! `bpm completions`.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{arguments::Arguments, code::Code, console::Console, failure::Failure};

/// Prints the script for a shell.
///
/// # Errors
/// When nobody reads it.
pub(super) fn print(shell: Shell, console: &mut Console) -> Result<Code, Failure> {
    // It panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "bpm", &mut script);
    console.out.write_all(&script)?;
    Ok(Code::Done)
}
