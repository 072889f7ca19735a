//! `bpm man`: the man pages of all programs, made from what their help says.

use std::{fs, io, path::Path};

use clap::CommandFactory;

use super::{arguments::Arguments, beside, code::Code, console::Console, failure::Failure};
use crate::arguments::Arguments as DaemonArguments;

/// Writes them into a folder; without one into `man` beside this program, where a release has them.
///
/// # Errors
/// When they cannot be written.
pub(super) fn write(dir: Option<&Path>, console: &mut Console) -> Result<Code, Failure> {
    let usual = beside::folder().unwrap_or_default().join("man");
    let dir = dir.unwrap_or(&usual);
    let count = pages(dir).map_err(|cause| {
        let text = format!("{}: cannot write man pages: {cause}", dir.display());
        Failure::new(Code::Failed, text)
    })?;
    console.line(&format!("{}: {count} man pages", dir.display()))?;
    Ok(Code::Done)
}

fn pages(dir: &Path) -> io::Result<usize> {
    fs::create_dir_all(dir)?;
    for program in [Arguments::command(), DaemonArguments::command()] {
        clap_mangen::generate_to(program, dir)?;
    }
    Ok(fs::read_dir(dir)?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_and_every_command_that_is_shown_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let count = pages(&dir.path().join("new")).unwrap();
        let page = |name: &str| fs::read_to_string(dir.path().join("new").join(name));
        assert!(page("bpm.1").unwrap().contains("Exit codes"));
        assert!(page("bpm-logs.1").unwrap().contains("grep"));
        assert!(
            page("background-process-manager.1")
                .unwrap()
                .contains("DIR")
        );
        assert!(page("bpm-man.1").is_err(), "it is hidden");
        assert!(count >= 14, "{count}");
    }
}
