//! The daemon that is measured: the one that was just built, or another.

use std::{env, process::Command};

use crate::support::{Daemon, Project};

/// The command that starts it for this project. `BPM` names another executable.
pub(crate) fn command(project: &Project) -> Command {
    let command = Daemon::command(project);
    let Some(executable) = env::var_os("BPM") else {
        return command;
    };
    let mut other = Command::new(executable);
    other.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}
