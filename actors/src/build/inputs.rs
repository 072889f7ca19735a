//! Which files a build read: what cargo wrote down beside the program, and the manifests.
//!
//! Only the package's own sources, those of its path dependencies, and what their build scripts ask
//! for: what comes from a registry does not change. Everything here blocks on the disk, so it is
//! called on a thread for that. It must not know what becomes of the answer.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::artifact::{Sources, is_later};

/// How many files are looked after.
const MOST_FILES: usize = 5_000;
/// More than cargo writes about that many files.
const MOST_DEP_INFO: u64 = 4 << 20;
/// More than any manifest.
const MOST_MANIFEST: u64 = 1 << 20;

/// What a build told about its inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// The file that cargo wrote beside the program.
    pub(crate) dep_info: PathBuf,
    /// The manifest of the program's package.
    pub(crate) manifest: PathBuf,
    /// All packages that are built from a folder.
    pub(crate) packages: Vec<LocalPackage>,
    /// Where the build put things; what is read from there was made, not written.
    pub(crate) made: Vec<PathBuf>,
}

/// A package that is built from a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalPackage {
    pub(crate) manifest: PathBuf,
    /// `OUT_DIR` of its build script.
    pub(crate) out_dir: Option<PathBuf>,
    /// The source of its build script.
    pub(crate) script: Option<PathBuf>,
}

/// The files of a build that began at `read_at` and has succeeded.
pub(crate) fn sources(inputs: &Inputs, read_at: SystemTime) -> Sources {
    let text = match read(&inputs.dep_info, MOST_DEP_INFO) {
        Ok(text) => text,
        Err(error) => {
            log::debug!("no sources in {}: {error}", inputs.dep_info.display());
            return Sources::default();
        }
    };
    let Some(named) = prerequisites(&text) else {
        log::debug!("no sources in {}: unknown form", inputs.dep_info.display());
        return Sources::default();
    };
    let folder = inputs.manifest.parent().unwrap_or(Path::new("/"));
    let root = workspace_root(folder);
    let lock = root.join("Cargo.lock");
    let manifests = inputs.packages.iter().map(|package| &package.manifest);
    let mut files: BTreeSet<PathBuf> = manifests.cloned().collect();
    files.extend([
        inputs.manifest.clone(),
        root.join("Cargo.toml"),
        lock.clone(),
    ]);
    files.extend(named.iter().filter_map(|file| found(file, folder)));
    files.retain(|file| !inputs.made.iter().any(|made| file.starts_with(made)));
    if files.len() > MOST_FILES {
        log::debug!(
            "only {MOST_FILES} of {} sources are looked after",
            files.len()
        );
    }
    let scripts = Scripts::of(&inputs.packages);
    let now = SystemTime::now();
    let (mut plain, mut stamped) = (Vec::new(), Vec::new());
    for file in files.into_iter().take(MOST_FILES) {
        // A build script may ask for a file that does not exist.
        let Ok(modified) = file.metadata().and_then(|metadata| metadata.modified()) else {
            continue;
        };
        let is_by_build = is_later(modified, read_at)
            && (file == lock || modified > now || scripts.could_have_written(&file, modified));
        if is_by_build {
            stamped.push((file, modified));
        } else {
            plain.push(file);
        }
    }
    Sources {
        files: plain.into(),
        read_at: Some(read_at),
        stamped: stamped.into(),
    }
}

/// What build scripts did, as far as the times of files tell.
struct Scripts(Vec<Script>);

struct Script {
    /// Where its package is.
    folder: PathBuf,
    source: Option<PathBuf>,
    /// When it had ended; `None` where there is none, or that is not known.
    ended: Option<SystemTime>,
}

impl Scripts {
    fn of(packages: &[LocalPackage]) -> Self {
        let script = |package: &LocalPackage| {
            let folder = package.manifest.parent()?.to_owned();
            let ended = package.out_dir.as_ref().and_then(|out_dir| {
                // cargo writes it when the script has ended; the time of `output` is set back.
                let last = out_dir.parent()?.join("root-output");
                last.metadata().ok()?.modified().ok()
            });
            Some(Script {
                folder,
                source: package.script.clone(),
                ended,
            })
        };
        Self(packages.iter().filter_map(script).collect())
    }

    /// Whether a file that was written during the build is a source that was there before its package
    /// was compiled: that begins when the package's build script has ended. What the script itself
    /// was made from and reads, it may have read before.
    fn could_have_written(&self, file: &Path, modified: SystemTime) -> bool {
        let around = self
            .0
            .iter()
            .filter(|script| file.starts_with(&script.folder));
        let nearest = around.max_by_key(|script| script.folder.as_os_str().len());
        nearest.is_some_and(|script| {
            file.extension().is_some_and(|extension| extension == "rs")
                && script.source.as_deref() != Some(file)
                && script.ended.is_some_and(|ended| modified <= ended)
        })
    }
}

fn read(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// The files behind the colon of a make rule, as cargo writes it: a space within a name has a
/// backslash before it. `None` if that is not what it is.
fn prerequisites(rule: &str) -> Option<Vec<PathBuf>> {
    let rule = rule.lines().next()?;
    let mut names = names(rule).into_iter();
    let target = names.next()?;
    if !target.ends_with(':') {
        return None;
    }
    Some(names.map(PathBuf::from).collect())
}

fn names(rule: &str) -> Vec<String> {
    let (mut names, mut name) = (Vec::new(), String::new());
    let mut chars = rule.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.peek() == Some(&' ') => {
                chars.next();
                name.push(' ');
            }
            ' ' => names.push(std::mem::take(&mut name)),
            _ => name.push(char),
        }
    }
    names.push(name);
    names.retain(|name| !name.is_empty());
    names
}

/// The file that is meant. With `dep-info-basedir` names are relative to a folder that is not told:
/// one of those above the package.
fn found(file: &Path, package: &Path) -> Option<PathBuf> {
    if file.is_absolute() {
        return Some(file.to_owned());
    }
    let mut candidates = package.ancestors().map(|folder| folder.join(file));
    candidates.find(|path| path.exists())
}

/// The nearest folder from `package` upwards that says to be a workspace, else the package's own.
fn workspace_root(package: &Path) -> &Path {
    let is_root = |folder: &&Path| {
        let manifest = folder.join("Cargo.toml");
        let is_file = fs::metadata(&manifest).is_ok_and(|metadata| metadata.is_file());
        is_file
            && read(&manifest, MOST_MANIFEST).is_ok_and(|text| {
                let mut lines = text.lines().map(str::trim_start);
                lines.any(|line| line.starts_with("[workspace]") || line.starts_with("[workspace."))
            })
    };
    package.ancestors().find(is_root).unwrap_or(package)
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
