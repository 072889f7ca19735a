//! Who is built when, and what becomes of those whom nobody wants any more. A script stands in the
//! place of cargo: it tells that it runs, then waits for a word.

use std::fs;

use nix::unistd::Pid;

use super::{
    spawner::group_lives,
    stage::{Bench, Event, Stage},
};
use crate::{
    artifact::{BuilderClosed, Work},
    ids::{BuildId, JobId},
    logs::BuildEnding,
    restart::Shutdown,
    spec::{CargoTarget, Mode},
};

const DEV: Work = Work::Compile(Mode::Dev);

/// Makes its own script the executable.
const ARTIFACT: &str = r#"echo '{"reason":"compiler-artifact","package_id":"path+file:///p#0.1.0","manifest_path":"/p/Cargo.toml","target":{"kind":["bin"],"name":"p"},"profile":{"test":false},"executable":"'$0'"}'"#;

/// A builder for processes of these names, with `cargo` as the script.
async fn bench(names: &[&str], cargo: &str) -> Bench {
    let stage = Stage::new()
        .fifo("running")
        .fifo("go")
        .script("cargo", &format!("{cargo}\n{ARTIFACT}"));
    let specs: Vec<_> = names
        .iter()
        .map(|name| stage.rust(name, CargoTarget::default()))
        .collect();
    stage.build_for(specs).await
}

/// Tells that it runs and waits to be released.
const GATED: &str = "echo running > running; read word < go";

#[actix::test]
async fn builds_run_one_at_a_time_in_the_order_of_arrival() {
    let mut bench = bench(&["a", "b", "c"], GATED).await;
    for name in ["a", "b", "c"] {
        bench.ask(name, DEV).await;
    }
    for name in ["a", "b", "c"] {
        assert_eq!(bench.start().await.as_str(), name);
        bench.hear("running").await;
        assert_eq!(bench.spawner.groups().len(), 1);
        bench.release("go").await;
        bench.done().await.1.unwrap();
    }
}

#[actix::test]
async fn who_waits_for_a_lock_of_cargo_s_lets_others_pass_and_comes_to_its_end() {
    let blocked = "if mkdir blocked 2> /dev/null; then \
                   echo ' Blocking waiting for file lock on build directory' >&2; read word < go; fi";
    let mut bench = bench(&["a", "b"], blocked).await;
    let a = bench.ask("a", DEV).await;
    let waits = bench.wait().await;
    assert_eq!((waits.job, waits.build), (a, BuildId(1)));
    assert_eq!(waits.lock, "build directory");
    let b = bench.ask("b", DEV).await;
    let (job, outcome) = bench.done().await;
    assert_eq!(job, b);
    outcome.unwrap();
    bench.release("go").await;
    let (job, outcome) = bench.done().await;
    assert_eq!(job, a);
    outcome.unwrap();
    let told = "waiting for cargo's lock on the build directory, which another cargo has; \
                `target_dir` in [process.a] gives it a folder of its own\n";
    assert!(bench.log.contains(told), "{}", bench.log);
    // Its end is not taken for the end of another one's turn.
    bench.ask("b", DEV).await;
    bench.done().await.1.unwrap();
}

#[actix::test]
async fn a_newer_request_takes_the_place_of_a_queued_one() {
    let mut bench = bench(&["a", "b", "c"], GATED).await;
    bench.ask("a", DEV).await;
    bench.hear("running").await;
    bench.ask("b", DEV).await;
    bench.ask("c", DEV).await;
    let newer = bench.ask("b", Work::Compile(Mode::Release)).await;
    bench.release("go").await;
    bench.done().await.1.unwrap();

    bench.hear("running").await;
    bench.release("go").await;
    let (job, outcome) = bench.done().await;
    assert_eq!(
        (job, outcome.unwrap().artifact.mode),
        (newer, Mode::Release)
    );
    bench.hear("running").await;
    bench.release("go").await;
    bench.done().await.1.unwrap();
    assert_eq!(bench.started.len(), 3, "the older one never ran");
}

#[actix::test]
async fn a_newer_request_cancels_the_running_build_with_its_whole_tree() {
    let cargo =
        "if [ ! -e second ]; then sh -c 'echo running > running; read word < go' & wait; fi";
    let mut bench = bench(&["main"], cargo).await;
    bench.ask("main", DEV).await;
    bench.hear("running").await;
    let first = bench.spawner.groups()[0];
    fs::write(bench.stage.path("second"), "").unwrap();

    let newer = bench.ask("main", DEV).await;
    let (job, outcome) = bench.done().await;
    outcome.unwrap();
    assert_eq!(job, newer, "the cancelled one is not reported");
    assert!(!group_lives(first));
    assert_eq!(
        bench.ended,
        [
            (BuildId(1), BuildEnding::Cancelled),
            (BuildId(2), BuildEnding::Succeeded)
        ]
    );
}

#[actix::test]
async fn a_build_that_ignores_the_request_to_end_is_killed() {
    let cargo = "trap '' TERM; if [ ! -e second ]; then echo running > running; read word < go; fi";
    let mut bench = bench(&["main"], cargo).await;
    bench.ask("main", DEV).await;
    bench.hear("running").await;
    let first = bench.spawner.groups()[0];
    fs::write(bench.stage.path("second"), "").unwrap();
    bench.ask("main", DEV).await;
    bench.done().await.1.unwrap();
    assert!(!group_lives(first));
}

#[actix::test]
async fn only_the_named_job_is_cancelled_and_the_next_one_starts() {
    let mut bench = bench(&["a", "b", "c"], GATED).await;
    let first = bench.ask("a", DEV).await;
    bench.hear("running").await;
    let queued = bench.ask("b", DEV).await;
    let last = bench.ask("c", DEV).await;
    bench.cancel("b", JobId(99)).await;
    bench.cancel("a", queued).await;
    assert_eq!(bench.spawner.groups().len(), 1, "neither concerned anybody");
    bench.cancel("b", queued).await;
    bench.cancel("a", first).await;

    bench.hear("running").await;
    bench.release("go").await;
    let (job, outcome) = bench.done().await;
    outcome.unwrap();
    assert_eq!(job, last);
    assert_eq!(bench.ended[0], (BuildId(1), BuildEnding::Cancelled));
    assert_eq!(bench.started.len(), 2, "the one in the queue never ran");
}

#[actix::test]
async fn what_needs_no_cargo_is_answered_before_the_order_itself() {
    let mut bench = bench(&["main"], GATED).await;
    let command = bench.stage.command("tool", "sh");
    bench.enlist(command).await;
    bench.ask("main", DEV).await;
    bench.hear("running").await;
    bench.so_far().await;

    let asked = bench.ask("tool", DEV).await;
    let events = bench.so_far().await;
    let [Event::Done(done)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(done.job, asked);
    let built = done.outcome.clone().unwrap();
    assert!(built.artifact.program.is_absolute());
    assert_eq!((built.artifact.build, built.report), (None, None));
    assert_eq!(*bench.spawner.started.borrow(), ["cargo"], "nothing else");
}

#[actix::test]
async fn a_command_that_does_not_exist_says_where_it_was_sought() {
    let stage = Stage::new().file("tool.sh", "");
    let specs = [
        stage.command("main", "no-such-tool"),
        stage.command("script", "./tool.sh"),
    ];
    let mut bench = stage.build_for(specs).await;
    let reason = bench.failed().await.reason;
    assert!(
        reason.starts_with("`no-such-tool` was not found in PATH (/"),
        "{reason}"
    );
    bench.ask("script", DEV).await;
    let reason = bench.done().await.1.unwrap_err().reason;
    assert!(
        reason.ends_with("tool.sh is not an executable file"),
        "{reason}"
    );
}

#[actix::test]
async fn the_path_of_the_configuration_counts_for_a_command() {
    let stage = Stage::new().script("tool", "");
    let bin = stage.dir.path().join("bin");
    let stage = stage.with("PATH", "/no/where");
    let mut spec = stage.command("main", "tool");
    spec.env = [("PATH".to_owned(), bin.display().to_string())].into();
    let mut bench = stage.build_for([spec]).await;
    assert_eq!(bench.compiled().await.artifact.program, bin.join("tool"));
}

#[actix::test]
async fn a_server_that_cargo_leaves_behind_delays_nothing_and_ends_with_the_daemon() {
    // It holds both outputs.
    let mut bench = bench(&["main"], "sleep 1000 &").await;
    bench.compiled().await;
    let group = bench.spawner.groups()[0];
    assert!(group_lives(group), "an orderly build ends nobody");
    bench.builder.send(Shutdown).await.unwrap();
    assert!(bench.spawner.groups().is_empty());
    assert!(!group_lives(group));
}

#[actix::test]
async fn a_shutdown_cancels_everything_and_refuses_more() {
    let mut bench = bench(&["a", "b"], GATED).await;
    bench.ask("a", DEV).await;
    bench.ask("b", DEV).await;
    bench.hear("running").await;
    let group = bench.spawner.groups()[0];
    let builder = bench.builder.clone();
    let shutdown = actix::spawn(async move { builder.send(Shutdown).await.unwrap() });
    let refused = bench.builder.send(Shutdown);
    shutdown.await.unwrap();
    refused.await.unwrap();
    assert!(!group_lives(group));
    assert_eq!(bench.try_ask("a", DEV).await, Err(BuilderClosed));
    let events = bench.so_far().await;
    assert!(
        !events.iter().any(|event| matches!(event, Event::Done(..))),
        "{events:?}"
    );
    assert_eq!(bench.ended, [(BuildId(1), BuildEnding::Cancelled)]);
    assert_eq!(bench.started.len(), 1);
}

#[actix::test]
async fn what_is_no_message_of_cargo_goes_to_the_log_as_it_is() {
    let cargo = "echo from a wrapper; printf '{\"reason\":\"new\"}\\n'; echo ' Compiling x' >&2; printf 'no newline' >&2";
    let mut bench = bench(&["main"], cargo).await;
    bench.compiled().await;
    assert_eq!(bench.foreign, "from a wrapper\n");
    assert!(
        bench.log.ends_with(" Compiling x\nno newline"),
        "{}",
        bench.log
    );
}

#[actix::test]
async fn a_message_without_end_is_left_out_and_the_build_goes_on() {
    let cargo = "head -c 20000000 /dev/zero | tr '\\0' x; echo";
    let mut bench = bench(&["main"], cargo).await;
    bench.compiled().await;
    assert_eq!(bench.foreign, "(a line of 20000000 bytes was left out)\n");
}

#[actix::test]
async fn a_cargo_that_is_killed_is_a_failed_build() {
    let mut bench = bench(&["main"], "kill -9 $$").await;
    let failure = bench.failed().await;
    assert_eq!(failure.reason, "1 error: cargo failed: signal 9 (SIGKILL)");
    assert_eq!(failure.report.unwrap().error_count, 1);
}

#[actix::test]
async fn compilers_that_outlive_a_killed_cargo_are_ended() {
    let mut bench = bench(&["main"], "sleep 1000 & echo $$ > group; kill -9 $$").await;
    bench.failed().await;
    let group = fs::read_to_string(bench.stage.path("group")).unwrap();
    let group = Pid::from_raw(group.trim().parse().unwrap());
    assert!(!group_lives(group));
}

#[actix::test]
async fn a_cargo_that_cannot_be_executed_is_a_failure() {
    let stage = Stage::new().script("cargo", "");
    let cargo = stage.dir.path().join("bin/cargo");
    fs::write(&cargo, "#!/no/such/interpreter\n").unwrap();
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    let expected = format!("cannot run {}: ", cargo.display());
    assert!(failure.reason.starts_with(&expected), "{}", failure.reason);
    assert!(bench.started.is_empty());
}
