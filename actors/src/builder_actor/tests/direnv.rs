//! direnv: the real one where its own behaviour matters, a script where its calls are counted.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    process::Command,
    time::{Duration, SystemTime},
};

use super::{
    heard::listen,
    spawner::group_lives,
    stage::{Bench, Stage},
};
use crate::{
    artifact::{Artifact, Direnv, Work},
    spec::{CargoTarget, Mode},
};

const DEV: Work = Work::Compile(Mode::Dev);

/// Counts its calls, and answers what the `.envrc` contains.
const COUNTING: &str = "echo called >> calls; test \"$1 $2\" = 'export json' && cat .envrc";

fn calls(bench: &Bench) -> usize {
    let calls = fs::read_to_string(bench.stage.path("calls"));
    calls.map_or(0, |calls| calls.lines().count())
}

fn value<'a>(artifact: &'a Artifact, name: &str) -> Option<&'a OsStr> {
    let change = artifact.environment.changes.get(OsStr::new(name))?;
    change.as_deref()
}

fn touch(bench: &Bench, name: &str) {
    let file = File::options()
        .write(true)
        .open(bench.stage.path(name))
        .unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(5))
        .unwrap();
}

async fn command(stage: Stage) -> Bench {
    let spec = stage.command("main", "sh");
    stage.build_for([spec]).await
}

#[actix::test]
async fn an_environment_is_evaluated_again_only_when_something_changed() {
    let stage = Stage::new()
        .script("direnv", COUNTING)
        .file(".envrc", r#"{"A":"1","HOME":null}"#);
    let mut bench = command(stage).await;
    let first = bench.compiled().await.artifact;
    assert_eq!(value(&first, "A"), Some(OsStr::new("1")));
    assert_eq!(first.environment.changes[OsStr::new("HOME")], None);
    assert_eq!(calls(&bench), 1);

    let again = bench.built(Work::Reuse(first.clone())).await.unwrap();
    assert_eq!(again.artifact, first);
    assert_eq!(calls(&bench), 1);

    fs::write(bench.stage.path(".envrc"), r#"{"A":"2"}"#).unwrap();
    touch(&bench, ".envrc");
    let anew = bench.built(Work::Reuse(first)).await.unwrap().artifact;
    assert_eq!(value(&anew, "A"), Some(OsStr::new("2")));
    assert_eq!(calls(&bench), 2);

    bench.compiled().await;
    assert_eq!(calls(&bench), 3, "a build always evaluates");

    fs::remove_file(bench.stage.path(".envrc")).unwrap();
    let without = bench.built(Work::Reuse(anew)).await.unwrap().artifact;
    assert_eq!(without.environment.direnv, Direnv::Absent);
    assert_eq!(value(&without, "A"), None);
    assert_eq!(calls(&bench), 3);

    fs::write(bench.stage.path(".envrc"), r#"{"A":"3"}"#).unwrap();
    let later = bench.built(Work::Reuse(without)).await.unwrap().artifact;
    assert_eq!(value(&later, "A"), Some(OsStr::new("3")));
}

#[actix::test]
async fn build_and_run_both_get_the_environment_and_a_new_one_is_put_under_cargo_s() {
    let main = "fn main() { println!(\"{} {}\", env!(\"A\"), std::env::var(\"A\").unwrap()); }";
    let stage = Stage::new()
        .script("direnv", COUNTING)
        .file(".envrc", r#"{"A":"1"}"#)
        .package(".", "hello", main);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let first = bench.compiled().await.artifact;
    assert_eq!(bench.run(&first), "1 1\n");

    fs::write(bench.stage.path(".envrc"), r#"{"A":"2"}"#).unwrap();
    touch(&bench, ".envrc");
    let anew = bench.built(Work::Reuse(first.clone())).await.unwrap();
    assert_eq!(
        (&anew.artifact.program, anew.artifact.build),
        (&first.program, first.build)
    );
    assert_eq!(anew.report, None);
    assert_eq!(bench.run(&anew.artifact), "1 2\n");
    assert!(value(&anew.artifact, "CARGO_MANIFEST_DIR").is_some());
}

#[actix::test]
async fn cargo_and_commands_are_sought_in_the_path_of_direnv() {
    let stage = Stage::new()
        .script("direnv", COUNTING)
        .file("tools/tool", "");
    let tools = stage.path("tools");
    let envrc = format!(r#"{{"PATH":"{}"}}"#, tools.display());
    let stage = stage
        .file(".envrc", &envrc)
        .with("HOME", "/no/home")
        .with("CARGO_HOME", "/no/cargo-home");
    let specs = [
        stage.command("main", "tool"),
        stage.rust("rust", CargoTarget::default()),
    ];
    let mut bench = stage.build_for(specs).await;
    let reason = bench.failed().await.reason;
    assert_eq!(
        reason,
        format!("`tool` was not found in PATH ({})", tools.display())
    );
    bench.ask("rust", DEV).await;
    let reason = bench.done().await.1.unwrap_err().reason;
    assert!(reason.contains(&tools.display().to_string()), "{reason}");
}

#[actix::test]
async fn direnv_does_not_see_the_state_of_another_direnv_and_neither_does_the_program() {
    let script = "env | grep ^DIRENV_ | tr '\\n' ' ' >&2; exit 1";
    let stage = Stage::new()
        .script("direnv", script)
        .file(".envrc", "")
        .with("DIRENV_DIFF", "old")
        .with("DIRENV_CONFIG", "kept");
    let mut bench = command(stage).await;
    let reason = bench.failed().await.reason;
    assert!(
        reason.ends_with("(exit code 1): DIRENV_CONFIG=kept "),
        "{reason}"
    );

    let stage = Stage::new()
        .script("direnv", COUNTING)
        .file(".envrc", "{}")
        .with("DIRENV_DIFF", "old");
    let mut bench = command(stage).await;
    let artifact = bench.compiled().await.artifact;
    assert_eq!(
        artifact.environment.changes[OsStr::new("DIRENV_DIFF")],
        None
    );
}

#[actix::test]
async fn what_direnv_says_is_in_the_build_log() {
    let stage = Stage::new()
        .script("direnv", "echo 'loading it' >&2")
        .file(".envrc", "")
        .package(".", "hello", "fn main() {}");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    bench.compiled().await;
    assert!(bench.log.starts_with("loading it\n"), "{}", bench.log);
}

#[actix::test]
async fn a_newer_request_ends_a_direnv_that_hangs() {
    let script = "test -e second && exit; echo running > running; read word < go";
    let stage = Stage::new()
        .script("direnv", script)
        .file(".envrc", "")
        .fifo("running")
        .fifo("go");
    let mut bench = command(stage).await;
    bench.ask("main", DEV).await;
    bench.hear("running").await;
    let group = bench.spawner.groups()[0];
    fs::write(bench.stage.path("second"), "").unwrap();
    let newer = bench.ask("main", DEV).await;
    let (job, outcome) = bench.done().await;
    outcome.unwrap();
    assert_eq!(job, newer);
    bench.builder.send(crate::restart::Shutdown).await.unwrap();
    assert!(!group_lives(group));
}

/// Tells that it evaluates and waits to be released.
const GATED: &str = "echo evaluating > evaluating; read word < go; cat .envrc";

#[actix::test]
async fn a_direnv_that_hangs_stops_nobody_else_s_build() {
    let stage = Stage::new()
        .script("direnv", GATED)
        .file("slow/.envrc", r#"{"A":"1"}"#)
        .package("slow", "slow", "fn main() {}")
        .package("quick", "quick", "fn main() {}");
    for fifo in ["evaluating", "go"] {
        nix::unistd::mkfifo(
            &stage.path(&format!("slow/{fifo}")),
            nix::sys::stat::Mode::S_IRWXU,
        )
        .unwrap();
    }
    let specs = ["slow", "quick"].map(|name| {
        let mut spec = stage.rust(name, CargoTarget::default());
        spec.cwd = stage.path(name);
        spec
    });
    let mut bench = stage.build_for(specs).await;
    let slow = bench.ask("slow", DEV).await;
    bench.hear("slow/evaluating").await;
    let quick = bench.ask("quick", DEV).await;
    let (job, outcome) = bench.done().await;
    outcome.unwrap();
    assert_eq!(job, quick);

    bench.release("slow/go").await;
    let (job, outcome) = bench.done().await;
    assert_eq!(job, slow);
    assert_eq!(
        value(&outcome.unwrap().artifact, "A"),
        Some(OsStr::new("1"))
    );
}

#[actix::test]
async fn a_build_whose_direnv_hangs_is_cancelled_with_it() {
    let stage = Stage::new()
        .script("direnv", GATED)
        .script("cargo", "")
        .file(".envrc", "{}")
        .fifo("evaluating")
        .fifo("go");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let job = bench.ask("main", DEV).await;
    bench.hear("evaluating").await;
    let group = bench.spawner.groups()[0];
    bench.cancel("main", job).await;
    bench.builder.send(crate::restart::Shutdown).await.unwrap();
    assert!(!group_lives(group));
    let events = bench.so_far().await;
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(*bench.spawner.started.borrow(), ["direnv"]);
}

#[actix::test]
async fn a_direnv_that_never_ends_is_named_after_three_seconds_and_ended_after_sixty() {
    let stage = Stage::new()
        .script("direnv", GATED)
        .file(".envrc", "")
        .fifo("evaluating")
        .fifo("go");
    let (dir, envrc) = (stage.project().dir, stage.path(".envrc"));
    let (dir, envrc) = (dir.display(), envrc.display());
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let mut log = listen();
    // The clock stands still while a child is waited for, except where it is put forward.
    tokio::time::pause();
    bench.ask("main", DEV).await;
    bench.hear("evaluating").await;
    let group = bench.spawner.groups()[0];
    tokio::time::advance(Duration::from_millis(2_900)).await;
    bench.so_far().await;
    assert!(log.is_empty());
    tokio::time::advance(Duration::from_millis(200)).await;
    assert_eq!(
        log.recv().await.unwrap(),
        format!("INFO main: waits for direnv ({envrc})")
    );
    tokio::time::advance(Duration::from_millis(56_700)).await;
    assert!(bench.so_far().await.is_empty());
    assert!(group_lives(group));
    tokio::time::advance(Duration::from_millis(400)).await;
    let reason = bench.done().await.1.unwrap_err().reason;
    assert_eq!(
        reason,
        format!(
            "{envrc} took longer than 60 s: run `direnv exec {dir} true` to see what it waits \
             for, mend it and restart"
        )
    );
    assert!(!group_lives(group));
    assert_eq!(
        log.recv().await.unwrap(),
        format!("WARN main: cannot build: {reason}")
    );
    assert!(log.is_empty(), "it is said once");
}

#[actix::test]
async fn without_direnv_the_failure_says_what_to_do() {
    let stage = Stage::new().file(".envrc", "").with("PATH", "/no/where");
    let envrc = stage.path(".envrc");
    let mut bench = command(stage).await;
    let reason = bench.failed().await.reason;
    let expected = format!(
        "direnv is not installed, but {} needs it: install it or remove the file",
        envrc.display()
    );
    assert!(reason.starts_with(&expected), "{reason}");
    assert!(reason.contains("/no/where"), "{reason}");
}

/// A stage on which the real direnv keeps its own files in a folder of the test.
fn with_real_direnv() -> Stage {
    let stage = Stage::new();
    let home = stage.dir.path().join("home");
    fs::create_dir(&home).unwrap();
    stage
        .with("XDG_DATA_HOME", home.join("data"))
        .with("XDG_CONFIG_HOME", home.join("config"))
        .with("XDG_CACHE_HOME", home.join("cache"))
}

#[expect(clippy::disallowed_methods, reason = "a test does what a user does")]
fn allow(bench: &Bench) {
    let home = bench.stage.dir.path().join("home");
    let allowed = Command::new("direnv")
        .arg("allow")
        .arg(bench.stage.path("."))
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .status()
        .expect("direnv must be installed (apt-get install direnv)");
    assert!(allowed.success());
}

#[actix::test]
async fn the_real_direnv_refuses_until_the_file_is_allowed() {
    let stage = with_real_direnv().file(".envrc", "export A=1\nunset LANG\nPATH_add tools\n");
    let stage = stage.with("LANG", "C");
    let mut bench = command(stage).await;
    // Fails the test where direnv is missing.
    let reason = bench.failed().await.reason;
    let dir = bench.stage.project().dir.display().to_string();
    assert_eq!(
        reason,
        format!("{dir}/.envrc is not allowed: run `direnv allow {dir}`")
    );

    allow(&bench);
    let artifact = bench.compiled().await.artifact;
    assert_eq!(value(&artifact, "A"), Some(OsStr::new("1")));
    assert_eq!(artifact.environment.changes[OsStr::new("LANG")], None);
    let path = value(&artifact, "PATH")
        .unwrap()
        .to_string_lossy()
        .into_owned();
    assert!(path.starts_with(&format!("{dir}/tools:")), "{path}");
    assert!(value(&artifact, "DIRENV_DIR").is_some());
    let envrc = bench.stage.path(".envrc");
    assert_eq!(
        artifact.environment.direnv,
        Direnv::Evaluated(envrc.clone())
    );
    let watched: Vec<_> = artifact
        .environment
        .watches
        .iter()
        .map(|w| &w.path)
        .collect();
    assert!(
        watched.len() > 1 && watched.contains(&&envrc),
        "{watched:?}"
    );

    let before = bench.spawner.started.borrow().len();
    let again = bench.built(Work::Reuse(artifact.clone())).await.unwrap();
    assert_eq!(again.artifact, artifact);
    assert_eq!(bench.spawner.started.borrow().len(), before);

    fs::write(&envrc, "export A=2\n").unwrap();
    touch(&bench, ".envrc");
    let changed = bench.built(Work::Reuse(artifact)).await.unwrap_err();
    assert!(
        changed.reason.contains("direnv allow"),
        "{}",
        changed.reason
    );
}

#[actix::test]
async fn the_real_direnv_tells_why_a_file_fails() {
    let stage = with_real_direnv().file(".envrc", "echo oh no >&2\nexit 3\n");
    let mut bench = command(stage).await;
    allow(&bench);
    let reason = bench.failed().await.reason;
    assert!(
        reason.contains("oh no") && reason.contains("exit status 3"),
        "{reason}"
    );
}

#[actix::test]
async fn the_environment_of_a_run_is_complete() {
    let stage = with_real_direnv().file(".envrc", "export A=direnv B=direnv\n");
    let mut spec = stage.command("main", "env");
    spec.env = [("B".to_owned(), "own".to_owned())].into();
    let mut bench = stage.build_for([spec.clone()]).await;
    allow(&bench);
    let artifact = bench.compiled().await.artifact;
    let base = [(OsString::from("C"), OsString::from("base"))];
    let base = crate::build::environment::BaseEnvironment::of_daemon(base);
    let run: BTreeMap<_, _> = base
        .of_run(&artifact.environment, &spec.env)
        .into_iter()
        .collect();
    for (name, value) in [("A", "direnv"), ("B", "own"), ("C", "base")] {
        assert_eq!(run[OsStr::new(name)], value, "{name}");
    }
}
