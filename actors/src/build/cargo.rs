//! How cargo is found, and what it is told.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::{
    build::{
        environment::Variables,
        search_path::{folders, listed, within},
    },
    spec::{CargoTarget, Mode},
};

/// cargo is nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cargo was not found: sought in PATH ({}){}; install Rust (https://rustup.rs) or put cargo into the daemon's PATH",
    listed(.path), homes_listed(.homes))]
pub(crate) struct NoCargo {
    path: Vec<PathBuf>,
    homes: Vec<(&'static str, PathBuf)>,
}

fn homes_listed(homes: &[(&'static str, PathBuf)]) -> String {
    let each = homes
        .iter()
        .map(|(name, folder)| format!(", {name} ({})", folder.display()));
    each.collect()
}

/// cargo, and the environment that it is run in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) cargo: PathBuf,
    pub(crate) variables: Variables,
}

/// Looks for cargo in PATH, then where rustup puts it, which systemd's PATH does not contain.
///
/// # Errors
/// When it is in none of these, with all of them.
pub(crate) fn find(variables: Variables, cwd: &Path) -> Result<Tool, NoCargo> {
    let path = folders(&variables, cwd);
    if let Some(cargo) = within("cargo", &path) {
        return Ok(Tool { cargo, variables });
    }
    let variable = |name: &str| {
        let value = variables.get(OsStr::new(name));
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    let home = variable("HOME").or_else(env::home_dir);
    let candidates = [
        ("$CARGO_HOME/bin", variable("CARGO_HOME")),
        ("~/.cargo/bin", home.map(|home| home.join(".cargo"))),
    ];
    let homes: Vec<_> = candidates
        .into_iter()
        .filter_map(|(name, home)| Some((name, cwd.join(home?).join("bin"))))
        .collect();
    let found = homes.iter().find_map(|(_, folder)| {
        let cargo = within("cargo", std::slice::from_ref(folder))?;
        Some((cargo, folder.clone()))
    });
    match found {
        Some((cargo, folder)) => Ok(Tool {
            cargo,
            variables: with_folder(variables, &path, folder),
        }),
        None => Err(NoCargo { path, homes }),
    }
}

/// cargo looks for rustc in PATH, so the folder where cargo was found must be there, at its end.
fn with_folder(mut variables: Variables, path: &[PathBuf], folder: PathBuf) -> Variables {
    let folders = path.iter().cloned().chain([folder]);
    if let Ok(path) = env::join_paths(folders) {
        variables.insert("PATH".into(), path);
    }
    variables
}

/// The arguments of `cargo build`.
pub(crate) fn arguments(target: &CargoTarget, mode: Mode) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![
        "build".into(),
        // Artifacts, diagnostics as data, and diagnostics as people read them, all at once.
        "--message-format=json-diagnostic-rendered-ansi".into(),
    ];
    if mode == Mode::Release {
        arguments.push("--release".into());
    }
    let mut option = |name: &str, value: Option<&OsStr>| {
        if let Some(value) = value {
            arguments.extend([name.into(), value.to_owned()]);
        }
    };
    option("--package", target.package.as_deref().map(OsStr::new));
    option("--bin", target.bin.as_deref().map(OsStr::new));
    let features = target.features.join(",");
    option(
        "--features",
        (!features.is_empty()).then_some(features.as_ref()),
    );
    let target_dir = target.target_dir.as_deref().map(Path::as_os_str);
    option("--target-dir", target_dir);
    arguments.extend(target.cargo_args.iter().map(Into::into));
    arguments
}

/// The arguments of the question which binary is the default one.
pub(crate) fn metadata_arguments(manifest_path: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["metadata", "--no-deps", "--format-version", "1"]
        .map(OsString::from)
        .into();
    arguments.extend(["--manifest-path".into(), manifest_path.into()]);
    arguments
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use tempfile::TempDir;

    use super::*;

    fn variables(pairs: &[(&str, &Path)]) -> Variables {
        pairs.iter().map(|(k, v)| (k.into(), v.into())).collect()
    }

    fn put_cargo(folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join("cargo");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn cargo_is_sought_in_path_then_cargo_home_then_home() {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        let all = || {
            variables(&[
                ("PATH", &at("path")),
                ("CARGO_HOME", &at("cargo-home")),
                ("HOME", &at("home")),
            ])
        };
        let error = find(all(), dir.path()).unwrap_err().to_string();
        for place in ["path", "cargo-home/bin", "home/.cargo/bin"] {
            assert!(error.contains(&at(place).display().to_string()), "{error}");
        }

        let cargo = put_cargo(&at("home/.cargo/bin"));
        let tool = find(all(), dir.path()).unwrap();
        assert_eq!(tool.cargo, cargo);
        let path = env::join_paths([at("path"), at("home/.cargo/bin")]).unwrap();
        assert_eq!(tool.variables[OsStr::new("PATH")], path, "for rustc");

        let cargo = put_cargo(&at("cargo-home/bin"));
        assert_eq!(find(all(), dir.path()).unwrap().cargo, cargo);

        let cargo = put_cargo(&at("path"));
        let tool = find(all(), dir.path()).unwrap();
        assert_eq!(tool.cargo, cargo);
        assert_eq!(tool.variables, all(), "nothing to add");
    }

    #[test]
    fn every_key_of_the_configuration_becomes_an_argument() {
        let target = CargoTarget {
            package: Some("p".into()),
            bin: Some("b".into()),
            features: vec!["x".into(), "y".into()],
            cargo_args: vec!["--locked".into()],
            target_dir: Some("/t".into()),
            ..CargoTarget::default()
        };
        let line = arguments(&target, Mode::Release).join(OsStr::new(" "));
        assert_eq!(
            line,
            "build --message-format=json-diagnostic-rendered-ansi --release --package p --bin b \
             --features x,y --target-dir /t --locked"
        );
        let line = arguments(&CargoTarget::default(), Mode::Dev).join(OsStr::new(" "));
        assert_eq!(line, "build --message-format=json-diagnostic-rendered-ansi");
    }
}
