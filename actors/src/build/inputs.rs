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
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_rule_of_cargo_is_taken_apart() {
        let rule = r"/p/a\ b/target/debug/app: /p/a\ b/build.rs /p/a\ b/in\ put.txt /p/lib\src.rs";
        let files = prerequisites(&format!("{rule}\n\nother: x\n")).unwrap();
        let expected = ["/p/a b/build.rs", "/p/a b/in put.txt", r"/p/lib\src.rs"];
        assert_eq!(files, expected.map(PathBuf::from));
        assert_eq!(prerequisites("/p/app:\n"), Some(Vec::new()));
        assert_eq!(prerequisites(r"/p/app: a\"), Some(vec![r"a\".into()]));
        for odd in ["", "\n", "what is this", ": ", "{}"] {
            let files = prerequisites(odd);
            assert!(files.is_none_or(|files| files.is_empty()), "{odd}");
        }
    }

    fn write(path: &Path, text: &str, modified: SystemTime) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(modified).unwrap();
    }

    /// A workspace with one package, built a minute ago.
    struct Built {
        dir: TempDir,
        inputs: Inputs,
        read_at: SystemTime,
    }

    impl Built {
        fn new(rule: &str) -> Self {
            let dir = TempDir::new().unwrap();
            let at = |name: &str| dir.path().join(name);
            let read_at = SystemTime::now() - Duration::from_mins(1);
            let before = read_at - Duration::from_mins(1);
            write(
                &at("Cargo.toml"),
                "[workspace]\nmembers = [\"app\"]\n",
                before,
            );
            write(&at("Cargo.lock"), "", before);
            write(&at("app/Cargo.toml"), "[package]\n", before);
            write(&at("app/src/main.rs"), "", before);
            let root = dir.path().display().to_string();
            write(
                &at("target/debug/app.d"),
                &rule.replace("ROOT", &root),
                read_at,
            );
            let inputs = Inputs {
                dep_info: at("target/debug/app.d"),
                manifest: at("app/Cargo.toml"),
                packages: vec![LocalPackage {
                    manifest: at("app/Cargo.toml"),
                    out_dir: Some(at("target/debug/build/app-1/out")),
                    script: Some(at("app/build.rs")),
                }],
                made: vec![at("target/debug")],
            };
            Self {
                dir,
                inputs,
                read_at,
            }
        }

        fn write(&self, name: &str, after: i64) {
            let distance = Duration::from_secs(after.unsigned_abs());
            let at = if after < 0 {
                self.read_at - distance
            } else {
                self.read_at + distance
            };
            write(&self.dir.path().join(name), "", at);
        }

        fn sources(&self) -> Sources {
            sources(&self.inputs, self.read_at)
        }

        fn names<'a>(&self, files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<String> {
            let name = |file: &PathBuf| {
                let name = file.strip_prefix(self.dir.path()).unwrap();
                name.display().to_string()
            };
            files.into_iter().map(name).collect()
        }

        fn stamped(&self) -> Vec<String> {
            let sources = self.sources();
            self.names(sources.stamped.iter().map(|(file, _)| file))
        }
    }

    #[test]
    fn sources_and_manifests_are_looked_after_and_what_was_made_is_not() {
        let built = Built::new(
            "ROOT/target/debug/app: ROOT/app/src/main.rs ROOT/app/none ROOT/target/debug/build/app-1/out/gen.rs\n",
        );
        built.write("target/debug/build/app-1/out/gen.rs", 5);
        let sources = built.sources();
        let expected = [
            "Cargo.lock",
            "Cargo.toml",
            "app/Cargo.toml",
            "app/src/main.rs",
        ];
        assert_eq!(built.names(&*sources.files), expected);
        assert!(sources.stamped.is_empty() && !sources.changed());
        for name in expected {
            built.write(name, 1);
            assert!(sources.changed(), "{name}");
            built.write(name, -1);
            assert!(!sources.changed(), "{name}");
        }
    }

    #[test]
    fn relative_names_are_sought_from_the_package_upwards() {
        let built = Built::new("target/debug/app: app/src/main.rs app/nowhere.rs\n");
        let names = built.names(&*built.sources().files);
        assert_eq!(names.last().unwrap(), "app/src/main.rs");
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn without_dep_info_nothing_is_known() {
        let built = Built::new("odd\n");
        assert!(built.sources().read_at.is_none());
        fs::remove_file(&built.inputs.dep_info).unwrap();
        assert!(built.sources().read_at.is_none());
    }

    #[test]
    fn a_file_that_was_changed_during_the_build_is_changed() {
        let built = Built::new("app: ROOT/app/src/main.rs\n");
        built.write("app/src/main.rs", 10);
        assert!(built.sources().changed());
    }

    #[test]
    fn what_the_build_wrote_itself_is_not_changed_until_somebody_else_does() {
        let built = Built::new("app: ROOT/app/src/main.rs ROOT/app/src/made.rs\n");
        built.write("Cargo.lock", 1);
        built.write("app/src/made.rs", 10);
        assert_eq!(built.stamped(), ["Cargo.lock"], "no script was seen to end");
        built.write("target/debug/build/app-1/root-output", 12);
        assert_eq!(built.stamped(), ["Cargo.lock", "app/src/made.rs"]);
        let sources = built.sources();
        assert!(!sources.changed());
        built.write("app/src/made.rs", 11);
        assert!(sources.changed());

        let built = Built::new("app: ROOT/app/src/made.rs ROOT/app/build.rs ROOT/app/in.txt\n");
        built.write("target/debug/build/app-1/root-output", 12);
        for name in ["app/build.rs", "app/in.txt"] {
            built.write(name, 10);
            assert!(built.stamped().is_empty(), "{name} was read before");
        }
        built.write("app/src/made.rs", 13);
        assert!(built.stamped().is_empty(), "after the script");
    }

    #[test]
    fn a_script_of_the_package_around_says_nothing_about_the_one_within() {
        let mut built = Built::new("app: ROOT/app/src/main.rs\n");
        built.inputs.packages[0].out_dir = None;
        built.inputs.packages.push(LocalPackage {
            manifest: built.dir.path().join("Cargo.toml"),
            out_dir: Some(built.dir.path().join("target/debug/build/app-1/out")),
            script: None,
        });
        built.write("target/debug/build/app-1/root-output", 12);
        built.write("app/src/main.rs", 10);
        assert!(built.sources().changed());
    }

    #[test]
    fn a_file_from_the_future_is_not_changed_for_that() {
        let built = Built::new("app: ROOT/app/src/main.rs\n");
        built.write("app/src/main.rs", 3600);
        let sources = built.sources();
        assert!(!sources.changed());
        built.write("app/src/main.rs", 3601);
        assert!(sources.changed());
    }

    #[test]
    fn a_package_alone_is_its_own_root() {
        let dir = TempDir::new().unwrap();
        let now = SystemTime::now();
        write(&dir.path().join("Cargo.toml"), "[package]\n", now);
        assert_eq!(workspace_root(dir.path()), dir.path());
    }

    #[test]
    fn no_more_files_than_allowed_are_looked_after() {
        let numbers = 0..MOST_FILES + 5;
        let names: Vec<_> = numbers.map(|n| format!("app/src/f{n}.rs")).collect();
        let built = Built::new(&format!("app: {}\n", names.join(" ")));
        for name in names {
            fs::write(built.dir.path().join(name), "").unwrap();
        }
        let sources = built.sources();
        assert_eq!(sources.files.len() + sources.stamped.len(), MOST_FILES);
    }
}
