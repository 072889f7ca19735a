//! Which of the files that cargo made is the program, and what `cargo run` would put into its
//! environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    artifact::CargoVariables,
    build::{
        environment::Variables,
        inputs::{Inputs, LocalPackage},
        messages::{Artifact, BuildScript, Package},
    },
    ids::ProcessName,
};

/// What one build made.
#[derive(Debug, Default)]
pub(crate) struct Products {
    binaries: Vec<Binary>,
    linked_folders: Vec<LinkedFolder>,
    linking: Linking,
    library_folders: BTreeSet<PathBuf>,
    /// By package id.
    local: BTreeMap<String, LocalPackage>,
}

/// A program that cargo made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binary {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) manifest_path: PathBuf,
    package_id: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bin,
    Example,
}

/// What the program needs to find when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Linking {
    #[default]
    Static,
    /// A C library was made beside it.
    Dynamic,
    /// A Rust `dylib` was made, which brings Rust's own libraries with it.
    DynamicRust,
}

#[derive(Debug)]
struct LinkedFolder {
    folder: PathBuf,
    out_dir: Option<PathBuf>,
}

/// Which binary is the program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    One(Binary),
    /// Only the manifest can tell (`default-run`).
    Several(Vec<Binary>),
}

/// The program cannot be chosen.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoBinary {
    #[error(
        "cargo made no executable for [process.{process}]: it needs a package with a binary (see `cwd`, `package`, `bin`)"
    )]
    None { process: ProcessName },
    #[error("cargo made no executable `{bin}`, which [process.{process}] names as `bin`")]
    NotNamed { process: ProcessName, bin: String },
    #[error("the {} has several binaries ({}): set {} in [process.{process}] and start the daemon again",
        if *.packages > 1 { "workspace" } else { "package" }, .names.join(", "),
        if *.packages > 1 { "`package` or `bin`" } else { "`bin`" })]
    Several {
        process: ProcessName,
        names: Vec<String>,
        packages: usize,
    },
}

impl NoBinary {
    pub(crate) fn several(process: &ProcessName, binaries: &[Binary]) -> Self {
        let packages: BTreeSet<_> = binaries.iter().map(|b| &b.package_id).collect();
        let mut names: Vec<_> = binaries.iter().map(|b| b.name.clone()).collect();
        names.sort();
        Self::Several {
            process: process.clone(),
            names,
            packages: packages.len(),
        }
    }
}

impl Binary {
    /// Where cargo puts all that it makes for this profile.
    fn profile_folder(&self) -> Option<&Path> {
        let folder = self.path.parent()?;
        match self.kind {
            Kind::Bin => Some(folder),
            Kind::Example => Some(folder.parent().unwrap_or(folder)),
        }
    }
}

impl Products {
    /// cargo made something, or found that it had made it before.
    pub(crate) fn note(&mut self, artifact: Artifact) {
        self.note_package(&artifact);
        let has = |kind: &str| artifact.target.kind.iter().any(|k| k == kind);
        let makes = |kind: &str| artifact.target.crate_types.iter().any(|k| k == kind);
        let linking = match (makes("dylib"), makes("cdylib")) {
            (true, _) => Linking::DynamicRust,
            (false, true) => Linking::Dynamic,
            (false, false) => Linking::Static,
        };
        if linking > Linking::Static {
            self.linking = self.linking.max(linking);
            let folders = artifact.filenames.iter().filter_map(|file| file.parent());
            self.library_folders.extend(folders.map(Path::to_owned));
        }
        let kind = if has("bin") {
            Kind::Bin
        } else if has("example") {
            Kind::Example
        } else {
            return;
        };
        // `--all-targets` makes a test of each binary as well.
        let Some(path) = artifact.executable.filter(|_| !artifact.profile.test) else {
            return;
        };
        if self.binaries.iter().all(|binary| binary.path != path) {
            self.binaries.push(Binary {
                name: artifact.target.name,
                path,
                manifest_path: artifact.manifest_path,
                package_id: artifact.package_id,
                kind,
            });
        }
    }

    fn note_package(&mut self, artifact: &Artifact) {
        if !is_local(&artifact.package_id) {
            return;
        }
        let known = self.local.entry(artifact.package_id.clone());
        let package = known.or_insert_with(|| LocalPackage {
            manifest: artifact.manifest_path.clone(),
            out_dir: None,
            script: None,
        });
        if artifact
            .target
            .kind
            .iter()
            .any(|kind| kind == "custom-build")
        {
            package.script.clone_from(&artifact.target.src_path);
        }
    }

    /// A build script told where libraries are.
    pub(crate) fn note_script(&mut self, script: BuildScript) {
        // cargo has told of the script itself before.
        if let Some(package) = self.local.get_mut(&script.package_id) {
            package.out_dir.clone_from(&script.out_dir);
        }
        for path in script.linked_paths {
            // `native=/path`, `all=/path`, or the path alone.
            let folder = match path.split_once('=') {
                Some((kind, folder)) if !kind.contains('/') => folder,
                _ => &path,
            };
            self.linked_folders.push(LinkedFolder {
                folder: folder.into(),
                out_dir: script.out_dir.clone(),
            });
        }
    }

    /// The program, as far as cargo's messages tell. Examples count where there is no binary:
    /// cargo makes them only when it is asked to.
    pub(crate) fn choose(
        &self,
        process: &ProcessName,
        bin: Option<&str>,
    ) -> Result<Choice, NoBinary> {
        let named = |binary: &&Binary| bin.is_none_or(|bin| binary.name == bin);
        let of = |kind: Kind| -> Vec<Binary> {
            let all = self.binaries.iter().filter(|b| b.kind == kind);
            all.filter(named).cloned().collect()
        };
        let mut found = of(Kind::Bin);
        if found.is_empty() {
            found = of(Kind::Example);
        }
        match (found.len(), bin) {
            (0, None) => Err(NoBinary::None {
                process: process.clone(),
            }),
            (0, Some(bin)) => Err(NoBinary::NotNamed {
                process: process.clone(),
                bin: bin.to_owned(),
            }),
            (1, _) => Ok(Choice::One(found.remove(0))),
            _ => Ok(Choice::Several(found)),
        }
    }

    /// Which files this program was made from, as far as messages tell.
    pub(crate) fn inputs(&self, binary: &Binary) -> Inputs {
        let packages: Vec<_> = self.local.values().cloned().collect();
        let out_dirs = packages
            .iter()
            .filter_map(|package| package.out_dir.clone());
        let profile = binary.profile_folder().map(Path::to_owned);
        Inputs {
            dep_info: binary.path.with_extension("d"),
            manifest: binary.manifest_path.clone(),
            made: profile.into_iter().chain(out_dirs).collect(),
            packages,
        }
    }

    /// Whether the program needs Rust's own dynamic libraries.
    pub(crate) fn needs_rust_libraries(&self) -> bool {
        self.linking == Linking::DynamicRust
    }

    /// What `cargo run` would add for this program. `rust_libraries` is where rustc keeps its own.
    pub(crate) fn variables(
        &self,
        binary: &Binary,
        cargo: &Path,
        rust_libraries: Option<PathBuf>,
    ) -> CargoVariables {
        CargoVariables {
            variables: package_variables(binary, cargo),
            libraries: self.libraries(binary, rust_libraries),
        }
    }

    fn libraries(&self, binary: &Binary, rust_libraries: Option<PathBuf>) -> Vec<PathBuf> {
        let Some(profile) = binary.profile_folder() else {
            return Vec::new();
        };
        // As in cargo: a system folder that a build script names must not come before the system's
        // own order.
        let is_ours = |linked: &&LinkedFolder| {
            linked.folder.starts_with(profile)
                || linked
                    .out_dir
                    .as_ref()
                    .is_some_and(|out_dir| linked.folder.starts_with(out_dir))
        };
        let linked = self.linked_folders.iter().filter(is_ours);
        let mut folders: Vec<_> = linked.map(|linked| linked.folder.clone()).collect();
        if self.linking == Linking::Static && folders.is_empty() {
            return folders;
        }
        folders.extend(self.library_folders.iter().cloned());
        folders.extend([profile.join("deps"), profile.to_owned()]);
        folders.extend(rust_libraries);
        let mut seen = BTreeSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        folders
    }
}

/// The one binary that a manifest declares to be the default, among those that were made.
pub(crate) fn default_run(binaries: &[Binary], packages: &[Package]) -> Option<Binary> {
    let is_default = |binary: &&Binary| {
        packages.iter().any(|package| {
            package.manifest_path == binary.manifest_path
                && package.default_run.as_ref() == Some(&binary.name)
        })
    };
    let mut defaults = binaries.iter().filter(is_default);
    let first = defaults.next()?;
    defaults.next().is_none().then(|| first.clone())
}

fn package_variables(binary: &Binary, cargo: &Path) -> Variables {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: &std::ffi::OsStr| variables.insert(name.into(), value.into());
    set("CARGO", cargo.as_os_str());
    set("CARGO_MANIFEST_PATH", binary.manifest_path.as_os_str());
    if let Some(folder) = binary.manifest_path.parent() {
        set("CARGO_MANIFEST_DIR", folder.as_os_str());
    }
    if let Some((name, version)) = name_and_version(&binary.package_id) {
        set("CARGO_PKG_NAME", name.as_ref());
        set("CARGO_PKG_VERSION", version.as_ref());
        let numbers = version.split(['-', '+']).next().unwrap_or_default();
        for (part, number) in ["MAJOR", "MINOR", "PATCH"].iter().zip(numbers.split('.')) {
            set(&format!("CARGO_PKG_VERSION_{part}"), number.as_ref());
        }
        let release = version.split('+').next().unwrap_or_default();
        let pre = release.split_once('-').map_or("", |(_, pre)| pre);
        set("CARGO_PKG_VERSION_PRE", pre.as_ref());
    }
    variables
}

/// Whether a package is built from a folder, rather than from what was fetched.
fn is_local(package_id: &str) -> bool {
    package_id.starts_with("path+") || package_id.contains("(path+")
}

/// From `path+file:///p/dir#name@1.0.0`, `path+file:///p/name#1.0.0`, or, before cargo 1.77,
/// `name 1.0.0 (path+file:///p/dir)`.
fn name_and_version(package_id: &str) -> Option<(&str, &str)> {
    if let Some((before, _)) = package_id.split_once(" (") {
        return before.split_once(' ');
    }
    let (source, fragment) = package_id.rsplit_once('#')?;
    match fragment.split_once('@') {
        Some(both) => Some(both),
        None => Some((source.rsplit('/').next()?, fragment)),
    }
}

#[cfg(test)]
#[path = "binary_tests.rs"]
mod tests;
