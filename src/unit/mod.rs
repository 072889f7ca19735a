//! The systemd unit of a project: what it says, where it lies, and the command that installs it.
//!
//! It knows systemd's files and `systemctl`; it must not know actors or what is served. The text is
//! made of plain values; whoever runs the command finds them out ([`command`]).

pub mod command;
pub mod escape;
pub mod file;
pub mod text;

use std::{ffi::OsString, path::Path};

use crate::daemon::state_place;

/// Whose systemd runs the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's own, without privileges.
    User,
    /// That of the machine, which runs it as this user.
    System {
        /// The user's name.
        user: String,
    },
}

/// The unit's name: that of the project's state folder, as far as systemd permits it.
#[must_use]
pub fn name(project_dir: &Path) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let key = state_place::key(project_dir);
    let key: String = key
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    format!("bpm-{key}.service")
}

/// For whom the one who installs a service does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beneficiary {
    /// For himself.
    Installer,
    /// For another user, who has another home.
    Other,
}

/// The variables of the installer that the daemon needs as well: where programs are and, where they
/// are the same for the user of the service, its state, the Rust toolchain, and what direnv reads and
/// what it was allowed to.
pub fn passed_on(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    to: Beneficiary,
) -> Vec<(OsString, OsString)> {
    let names: &[&str] = match to {
        Beneficiary::Installer => &[
            "PATH",
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "DIRENV_CONFIG",
            "CARGO_HOME",
            "RUSTUP_HOME",
        ],
        Beneficiary::Other => &["PATH"],
    };
    let mut variables: Vec<_> = environment
        .into_iter()
        .filter(|(name, _)| names.iter().any(|it| name == it))
        .collect();
    variables.sort();
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_name_is_that_of_the_directory_with_a_hash_and_without_what_systemd_refuses() {
        let name = name(Path::new("/home/u/my bot@1+é"));
        let hash = name.strip_prefix("bpm-my_bot_1__-").unwrap();
        let hash = hash.strip_suffix(".service").unwrap();
        assert_eq!(hash.len(), 8);
        assert!(hash.chars().all(|c| c.is_ascii_hexdigit()));
    }

    #[test]
    fn only_what_the_daemon_needs_is_passed_on() {
        let variable = |name: &str| (name.into(), "x".into());
        let all = ["SECRET", "PATH", "HOME", "CARGO_HOME", "XDG_DATA_HOME"].map(variable);
        let passed = passed_on(all.clone(), Beneficiary::Installer);
        let expected = ["CARGO_HOME", "PATH", "XDG_DATA_HOME"].map(variable);
        assert_eq!(passed, expected);
        let passed = passed_on(all, Beneficiary::Other);
        assert_eq!(passed, ["PATH"].map(variable));
    }
}
