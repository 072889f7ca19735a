//! `bpm man`: the man pages of all programs, made from what their help says.

use std::{collections::BTreeSet, fs, io, path::Path};

use clap::CommandFactory;

use super::{arguments::Arguments, beside, code::Code, console::Console, failure::Failure};
use crate::{
    arguments::Arguments as DaemonArguments, tui::arguments::Arguments as ScreenArguments,
};

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

/// Writes a page for each program and each of its commands that is shown; says how many.
fn pages(dir: &Path) -> io::Result<usize> {
    fs::create_dir_all(dir)?;
    // `bpm tui` and `bpm-tui` share one.
    let mut names = BTreeSet::new();
    for program in [
        Arguments::command(),
        DaemonArguments::command(),
        ScreenArguments::command(),
    ] {
        let mut program = program.disable_help_subcommand(true);
        program.build();
        write_below(program, dir, &mut names)?;
    }
    Ok(names.len())
}

fn write_below(command: clap::Command, dir: &Path, names: &mut BTreeSet<String>) -> io::Result<()> {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write_below(below.clone(), dir, names)?;
    }
    let page = clap_mangen::Man::new(command);
    names.insert(page.get_filename());
    page.generate_to(dir).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_and_every_command_that_is_shown_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("ls.1"), "of somebody else").unwrap();
        let count = pages(&new).unwrap();
        let page = |name: &str| fs::read_to_string(dir.path().join("new").join(name));
        assert!(page("bpm.1").unwrap().contains("Exit codes"));
        assert!(page("bpm-logs.1").unwrap().contains("grep"));
        assert!(
            page("background-process-manager.1")
                .unwrap()
                .contains("DIR")
        );
        assert!(page("bpm-tui.1").unwrap().contains("URL"));
        assert!(page("bpm-man.1").unwrap().contains("man1"));
        assert!(page("bpm-service-install.1").is_ok());
        assert_eq!(count, fs::read_dir(&new).unwrap().count() - 1);
    }
}
