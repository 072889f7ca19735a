//! What the environment of a child is made of: the daemon's own, direnv's changes, cargo's
//! additions, and the `env` table of the configuration, each over the one before.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    sync::Arc,
};

use crate::artifact::{CargoVariables, Environment};

/// A whole environment.
pub type Variables = BTreeMap<OsString, OsString>;

/// Variables to set, or to remove where the value is `None`.
pub type Changes = BTreeMap<OsString, Option<OsString>>;

const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The daemon's environment as children may see it. Taken once, at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseEnvironment(Arc<Variables>);

impl BaseEnvironment {
    /// `variables` without those that are meant for the daemon alone: what systemd tells it about
    /// its own sockets, watchdog and journal, the marks of another daemon that started it, and what
    /// `cargo run` and rustup tell the program that they start.
    #[must_use]
    pub fn of_daemon(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let inherited = variables.into_iter().filter(|(name, _)| !is_private(name));
        let mut inherited: Variables = inherited.collect();
        forget_toolchain(&mut inherited);
        Self(Arc::new(inherited))
    }

    /// This environment with `changes` made to it.
    #[must_use]
    pub fn with(&self, changes: &Changes) -> Variables {
        let mut variables = Variables::clone(&self.0);
        for (name, value) in changes {
            match value {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
        variables
    }

    /// The whole environment of a run: that of its artifact, and over it the configuration's `own`.
    #[must_use]
    pub fn of_run(
        &self,
        environment: &Environment,
        own: &BTreeMap<String, String>,
    ) -> Vec<(OsString, OsString)> {
        let mut variables = self.with(&environment.changes);
        variables.extend(own.iter().map(|(name, value)| (name.into(), value.into())));
        variables.into_iter().collect()
    }

    /// The changes of direnv and over them what cargo adds.
    pub(crate) fn joined(&self, direnv: Changes, cargo: &CargoVariables) -> Changes {
        let mut changes = direnv;
        for (name, value) in &cargo.variables {
            changes.insert(name.clone(), Some(value.clone()));
        }
        if !cargo.libraries.is_empty() {
            let inherited = match changes.get(OsStr::new(LIBRARY_PATH)) {
                Some(value) => value.clone(),
                None => self.0.get(OsStr::new(LIBRARY_PATH)).cloned(),
            };
            let inherited = inherited.unwrap_or_default();
            let folders = cargo.libraries.iter().cloned();
            let folders =
                folders.chain(env::split_paths(&inherited).filter(|path| path.as_os_str() != ""));
            // A folder with a colon in its name cannot be written into such a list at all.
            if let Ok(joined) = env::join_paths(folders) {
                changes.insert(LIBRARY_PATH.into(), Some(joined));
            }
        }
        changes
    }
}

/// Makes programs of the node world colour what they print: without a terminal they do only when
/// they are asked to. Whoever said something about colours is not contradicted.
pub(crate) fn ask_for_colours(environment: &mut Vec<(OsString, OsString)>) {
    const ANSWERED: [&str; 2] = ["NO_COLOR", "FORCE_COLOR"];
    let answered = |(name, _): &(OsString, OsString)| ANSWERED.iter().any(|it| name == it);
    if !environment.iter().any(answered) {
        environment.push(("FORCE_COLOR".into(), "1".into()));
    }
}

/// Removes the toolchain that rustup chose when the daemon was started by `cargo run`: it would
/// overrule the project's `rust-toolchain.toml`. One that a user set stays.
fn forget_toolchain(variables: &mut Variables) {
    let source = variables.remove(OsStr::new("RUSTUP_TOOLCHAIN_SOURCE"));
    // Of every rustup, also of those that do not tell the source.
    let below_rustup = variables
        .remove(OsStr::new("RUST_RECURSION_COUNT"))
        .is_some();
    let is_chosen = match source {
        Some(source) => source != "env",
        None => below_rustup,
    };
    if is_chosen {
        variables.remove(OsStr::new("RUSTUP_TOOLCHAIN"));
    }
}

fn is_private(name: &OsStr) -> bool {
    const NAMES: [&str; 6] = [
        "CARGO",
        "NOTIFY_SOCKET",
        "JOURNAL_STREAM",
        "BPM_PROJECT",
        "BPM_PROCESS",
        "BPM_RUN",
    ];
    const FAMILIES: [&str; 4] = ["WATCHDOG_", "LISTEN_", "CARGO_PKG_", "CARGO_MANIFEST_"];
    name.to_str().is_some_and(|name| {
        NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(variables: &[(&str, &str)]) -> BaseEnvironment {
        BaseEnvironment::of_daemon(variables.iter().map(|(k, v)| (k.into(), v.into())))
    }

    #[test]
    fn what_systemd_tells_the_daemon_is_not_inherited() {
        let base = base(&[
            ("PATH", "/bin"),
            ("NOTIFY_SOCKET", "/run/systemd/notify"),
            ("WATCHDOG_USEC", "1"),
            ("LISTEN_FDS", "1"),
            ("JOURNAL_STREAM", "8:1"),
            ("BPM_RUN", "7"),
        ]);
        let variables = base.of_run(&Environment::default(), &BTreeMap::new());
        assert_eq!(variables, [("PATH".into(), "/bin".into())]);
    }

    #[test]
    fn a_toolchain_is_inherited_only_from_a_user() {
        let inherits = |more: &[(&str, &str)]| {
            let toolchain = [("RUSTUP_TOOLCHAIN", "x")];
            let variables = base(&[&toolchain, more].concat());
            variables.with(&Changes::new())
                == Variables::from([("RUSTUP_TOOLCHAIN".into(), "x".into())])
        };
        let source = "RUSTUP_TOOLCHAIN_SOURCE";
        let below = ("RUST_RECURSION_COUNT", "1");
        assert!(inherits(&[]));
        assert!(inherits(&[
            (source, "env"),
            below,
            ("CARGO_PKG_NAME", "daemon")
        ]));
        assert!(!inherits(&[(source, "default"), below]));
        assert!(!inherits(&[below]));
    }

    #[test]
    fn colours_are_asked_for_unless_somebody_said_something_about_them() {
        let asked = |name: &str| {
            let mut environment = vec![(name.into(), "0".into())];
            ask_for_colours(&mut environment);
            environment.len() == 2
        };
        assert!(asked("PORT") && !asked("NO_COLOR") && !asked("FORCE_COLOR"));
    }

    #[test]
    fn each_layer_covers_the_one_below() {
        let base = base(&[("A", "base"), ("B", "base"), ("C", "base"), ("D", "base")]);
        let environment = Environment {
            changes: Changes::from([
                ("B".into(), Some("direnv".into())),
                ("C".into(), Some("direnv".into())),
                ("D".into(), None),
            ]),
            ..Environment::default()
        };
        let own = BTreeMap::from([("C".to_owned(), "own".to_owned())]);
        let expected = [("A", "base"), ("B", "direnv"), ("C", "own")];
        let expected = expected.map(|(k, v)| (OsString::from(k), OsString::from(v)));
        assert_eq!(base.of_run(&environment, &own), expected);
    }

    #[test]
    fn the_library_path_of_cargo_comes_before_the_inherited_one() {
        let cargo = CargoVariables {
            variables: Variables::from([("CARGO_PKG_NAME".into(), "p".into())]),
            libraries: vec!["/t/deps".into(), "/t".into()],
        };
        let inherited = base(&[(LIBRARY_PATH, "/old")]);
        let changes = inherited.joined(Changes::new(), &cargo);
        let value = |name: &str| changes[OsStr::new(name)].clone();
        assert_eq!(value(LIBRARY_PATH), Some("/t/deps:/t:/old".into()));
        assert_eq!(value("CARGO_PKG_NAME"), Some("p".into()));

        let removed = Changes::from([(LIBRARY_PATH.into(), None)]);
        let changes = inherited.joined(removed, &cargo);
        assert_eq!(
            changes[OsStr::new(LIBRARY_PATH)],
            Some("/t/deps:/t".into()),
            "what direnv removed does not come back"
        );
    }
}
