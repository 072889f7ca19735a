//! `[env]` of cargo's configuration, which `cargo run` gives to the program.
//!
//! cargo itself is asked, because it alone knows which files count and how they are merged. Its
//! `config get` is not stable: whatever goes wrong with it means that there is nothing to give.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::build::environment::Variables;

/// Lets a stable cargo answer [`values`] and [`origins`].
pub(crate) const LEAVE: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

/// The question which variables there are; answered as [`Configured::read`] expects it.
pub(crate) fn values() -> Vec<OsString> {
    question(&["--format", "json"])
}

/// The question in which file each is; answered as [`Configured::locate`] expects it.
pub(crate) fn origins() -> Vec<OsString> {
    question(&["--show-origin"])
}

fn question(how: &[&str]) -> Vec<OsString> {
    let what = ["-Zunstable-options", "config", "get", "env"].iter();
    what.chain(how).map(OsString::from).collect()
}

/// Whether cargo finds a configuration of anybody where it runs in `cwd`.
pub(crate) fn is_there(cwd: &Path, variables: &Variables) -> bool {
    let variable = |name: &str| {
        let value = variables.get(OsStr::new(name));
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    let home = || variable("HOME").or_else(env::home_dir);
    let cargo_home = variable("CARGO_HOME").or_else(|| Some(home()?.join(".cargo")));
    let folders = cwd.ancestors().map(|folder| folder.join(".cargo"));
    let mut folders = folders.chain(cargo_home);
    folders.any(|folder| {
        ["config.toml", "config"]
            .iter()
            .any(|name| folder.join(name).is_file())
    })
}

/// What the configuration says.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    entries: BTreeMap<String, Entry>,
    /// The folders that relative values count from.
    roots: BTreeMap<String, PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain(String),
    Table {
        value: String,
        #[serde(default)]
        force: bool,
        #[serde(default)]
        relative: bool,
    },
}

impl Configured {
    /// What cargo answers to [`values`]; nothing where it is not understood.
    pub(crate) fn read(json: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            env: BTreeMap<String, Entry>,
        }
        let entries = serde_json::from_slice(json).map(|Answer { env }| env);
        Self {
            entries: entries.unwrap_or_default(),
            roots: BTreeMap::new(),
        }
    }

    /// Whether [`Self::locate`] is needed.
    pub(crate) fn is_relative(&self) -> bool {
        let is_relative = |entry: &Entry| matches!(entry, Entry::Table { relative: true, .. });
        self.entries.values().any(is_relative)
    }

    /// Takes in what cargo answers to [`origins`]: `env.NAME.value = "…" # /p/.cargo/config.toml`.
    pub(crate) fn locate(&mut self, toml: &[u8]) {
        let toml = String::from_utf8_lossy(toml);
        for line in toml.lines() {
            let Some((name, rest)) = line
                .strip_prefix("env.")
                .and_then(|l| l.split_once(".value = "))
            else {
                continue;
            };
            let file = rest.rsplit_once(" # ").map(|(_, file)| Path::new(file));
            if let Some(root) = file.and_then(|file| file.parent()?.parent()) {
                self.roots
                    .insert(name.trim_matches('"').to_owned(), root.to_owned());
            }
        }
    }

    /// What is given to a program that `inherits` these variables: as in cargo, they win, unless the
    /// configuration forces its own.
    pub(crate) fn given(self, inherits: &Variables) -> Variables {
        let mut given = Variables::new();
        for (name, entry) in self.entries {
            let (value, force, relative) = match entry {
                Entry::Plain(value) => (value, false, false),
                Entry::Table {
                    value,
                    force,
                    relative,
                } => (value, force, relative),
            };
            if !force && inherits.contains_key(OsStr::new(&name)) {
                continue;
            }
            let value = match (relative, self.roots.get(&name)) {
                (false, _) => value.into(),
                (true, Some(root)) => root.join(value).into_os_string(),
                // A wrong path is worse than none.
                (true, None) => continue,
            };
            given.insert(name.into(), value);
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{"env":{"FORCED":{"force":true,"value":"f"},"PLAIN":"p","LEFT":"l","REL":{"relative":true,"value":"data"},"LOST":{"relative":true,"value":"x"}}}"#;
    const TOML: &[u8] = b"env.FORCED.force = true # /p/.cargo/config.toml\nenv.REL.relative = true # /p/.cargo/config.toml\nenv.REL.value = \"data\" # /p/.cargo/config.toml\n";

    #[test]
    fn values_are_given_as_cargo_gives_them() {
        let mut configured = Configured::read(JSON);
        assert!(configured.is_relative());
        configured.locate(TOML);
        let inherits = ["FORCED", "LEFT"].map(|name| (name.into(), "inherited".into()));
        let given = configured.given(&inherits.into());
        let expected = [("FORCED", "f"), ("PLAIN", "p"), ("REL", "/p/data")];
        let expected = expected.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(given, expected.into());
    }

    #[test]
    fn what_is_not_understood_gives_nothing() {
        for answer in [&b"error"[..], b"", b"{}", br#"{"env":{"A":1}}"#] {
            assert!(Configured::read(answer).given(&Variables::new()).is_empty());
        }
    }

    #[test]
    fn a_configuration_is_sought_in_the_folders_above_and_in_cargo_home() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let homes = [("HOME", at("nobody")), ("CARGO_HOME", at("home"))];
        let variables: Variables = homes.map(|(k, v)| (k.into(), v.into())).into();
        let cwd = at("project/deep");
        assert!(!is_there(&cwd, &variables));
        for file in ["home/config.toml", "project/.cargo/config"] {
            std::fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            std::fs::write(at(file), "").unwrap();
            assert!(is_there(&cwd, &variables));
            std::fs::remove_file(at(file)).unwrap();
        }
    }
}
