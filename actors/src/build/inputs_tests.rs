//! Rules as cargo writes them, and files with times.

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
