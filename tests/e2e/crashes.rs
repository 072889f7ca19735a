//! Exits that nobody asked for, failures to start, and the waits that follow.

use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Gate, Project, children_of, eventually, is_alive, pid_in,
    project::{RUST, counted, shell},
    signal, state_of, zombies_of,
};

const BROKEN: &str = "let _x: u8 = \"text\";";
/// So long that nothing happens by itself while a test looks.
const LONG_WAITS: &str = "dev_crash_wait_seconds = 1000
release_crash_backoff_initial_seconds = 1000
release_crash_backoff_max_seconds = 1000
";
const SHORT_WAITS: &str =
    "dev_crash_wait_seconds = 0.05\nrelease_crash_backoff_initial_seconds = 0.05\n";

/// Waits until another run than the one before has proved itself.
#[track_caller]
fn until_another(daemon: &Daemon, before: &Value) -> Value {
    daemon.until("main", "another run", |main| {
        main["state"] == "running" && main["run"] != before["run"]
    })
}

/// The texts of its events of one kind, oldest first.
fn events(process: &Value, kind: &str) -> Vec<String> {
    let events = process["events"].as_array().unwrap().iter().rev();
    events
        .filter(|event| event["kind"] == kind)
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_exit_with_code_0_that_nobody_asked_for_is_a_crash() {
    let project = Project::new("code-0");
    let script = "echo up >> starts; test -e over && exec sleep 1000; exit 0";
    project.config(&format!("{SHORT_WAITS}{}", shell("main", script)));
    let daemon = project.start();
    let main = daemon.until("main", "crashed", |main| main["crashes"] != 0);
    assert_eq!(main["last_exit"]["text"], "exit code 0");
    assert_eq!(main["last_exit"]["code"], 0);
    project.file("over", "");
    daemon.until_state("main", "running");
}

#[test]
fn a_child_killed_by_a_signal_says_which() {
    let project = Project::new("signal");
    project.config(&format!("{LONG_WAITS}{}", shell("main", "exec sleep 1000")));
    let daemon = project.start();
    let main = daemon.until_state("main", "running");
    signal(pid_in(&main), Signal::SIGKILL);
    let crashed = daemon.until_state("main", "backing_off");
    let exit = &crashed["last_exit"];
    assert_eq!(
        (&exit["text"], &exit["signal"], &exit["code"], &exit["run"]),
        (
            &json!("signal 9 (SIGKILL)"),
            &json!(9),
            &Value::Null,
            &main["run"]
        )
    );
    daemon.prints("main: crashed (signal 9 (SIGKILL))");
}

#[test]
fn status_answers_during_a_back_off_and_a_crashed_process_has_no_uptime() {
    let project = Project::new("status");
    project.config(&format!("{LONG_WAITS}{}", shell("main", "exit 7")));
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    for nothing in ["uptime_seconds", "pid", "run", "health"] {
        assert_eq!(main[nothing], Value::Null, "{nothing}");
    }
    assert_eq!(
        (&main["serving"], &main["crashes_in_a_row"]),
        (&json!(false), &json!(1))
    );
    let wait = main["next_attempt_in_seconds"].as_f64().unwrap();
    assert!((900.0..=1000.0).contains(&wait), "{wait}");
    let text = daemon.text("get_status", &json!({}));
    assert!(
        text.contains("backing_off") && text.contains("exit code 7"),
        "{text}"
    );
}

#[test]
fn in_release_the_last_good_artifact_comes_back_without_a_build_although_the_source_is_broken() {
    let project = Project::new("release");
    project
        .rust(&counted("good"))
        .config(&format!("{SHORT_WAITS}{RUST}"));
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    project.main(BROKEN);
    signal(pid_in(&old), Signal::SIGKILL);
    let new = until_another(&daemon, &old);
    assert_eq!(
        (&new["mode"], &new["crashes"]),
        (&json!("release"), &json!(1))
    );
    assert_eq!(new["last_build"]["id"], 1, "{new}");
    assert_eq!(events(&new, "build_started").len(), 1, "{new}");
    assert_eq!(new["behind"], "sources_changed");
    assert_eq!(project.lines("starts"), 2);
}

/// A run is good as soon as it is ready, so that its crash does not go back to an earlier build.
const STABLE_AT_ONCE: &str = "stable_seconds = 0\n";

#[test]
fn in_dev_a_crash_waits_and_then_builds_the_newest_sources() {
    let project = Project::new("dev");
    project
        .rust(&counted("old"))
        .config(&format!("{SHORT_WAITS}{RUST}{STABLE_AT_ONCE}"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let dev = daemon.restart("main");
    project.main(&counted("mended"));
    signal(pid_in(&dev), Signal::SIGKILL);
    let new = until_another(&daemon, &dev);
    assert_eq!(
        (&new["mode"], &new["last_build"]["id"]),
        (&json!("dev"), &json!(3))
    );
    assert!(daemon.logs("main").contains("mended"));
    daemon.prints("so that you can look; restart acts at once");
    assert_eq!(project.lines("starts"), 3);
}

#[test]
fn in_dev_a_crash_while_the_source_does_not_compile_brings_the_last_good_artifact_back() {
    let project = Project::new("dev-broken");
    project
        .rust(&counted("good"))
        .config(&format!("{SHORT_WAITS}{RUST}{STABLE_AT_ONCE}"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let dev = daemon.restart("main");
    project.main(BROKEN);
    signal(pid_in(&dev), Signal::SIGKILL);
    let new = until_another(&daemon, &dev);
    assert_eq!(new["last_build"]["outcome"], "failed", "{new}");
    assert_eq!(
        (&new["behind"], &new["mode"]),
        (&json!("build_failed"), &json!("dev"))
    );
    assert!(daemon.logs("main").contains("good"));
    assert_eq!(project.lines("starts"), 3);
}

#[test]
fn a_crash_during_a_restarts_build_brings_the_last_good_artifact_back_while_it_builds() {
    let project = Project::new("crash-in-build");
    project
        .rust(&counted("old"))
        .config(&format!("{LONG_WAITS}{RUST}"));
    let gate = Gate::new(&project);
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    project.main(&counted("new"));
    gate.close();
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.restart("main"));
        gate.arrived();
        signal(pid_in(&old), Signal::SIGKILL);
        let stand_in = daemon.until("main", "back", |main| {
            main["serving"] == true && main["pid"] != old["pid"]
        });
        assert_eq!(
            (&stand_in["state"], &stand_in["crashes"]),
            (&json!("building"), &json!(1))
        );
        assert_eq!(stand_in["mode"], "release");
        assert!(is_alive(pid_in(&stand_in)));
        gate.open();
        waiting.join().unwrap()
    });
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert!(daemon.logs("main").contains("new"));
    assert_eq!(children_of(daemon.pid()), [pid_in(&answer)]);
    assert_eq!(project.lines("starts"), 3);
}

#[test]
fn release_waits_grow_by_half_and_keep_their_fractions() {
    let project = Project::new("fractions");
    let waits =
        "release_crash_backoff_initial_seconds = 0.12\nrelease_crash_backoff_max_seconds = 0.25\n";
    project.config(&format!("{waits}{}", shell("main", "exit 1")));
    let daemon = project.start();
    let main = daemon.until("main", "four waits", |main| {
        events(main, "backing_off").len() >= 4
    });
    let said = events(&main, "backing_off");
    // The events keep the newest ten: a slow look sees the later ones only.
    let first = usize::try_from(main["crashes_in_a_row"].as_u64().unwrap()).unwrap() - said.len();
    for (text, wanted) in said.iter().zip(
        [0.12, 0.18, 0.25, 0.25]
            .into_iter()
            .chain([0.25; 9])
            .skip(first),
    ) {
        let seconds = text
            .strip_prefix("again in ")
            .and_then(|text| text.strip_suffix(" s"));
        let seconds: f64 = seconds.unwrap_or_else(|| panic!("{text}")).parse().unwrap();
        assert!((wanted * 0.8..=wanted).contains(&seconds), "{said:?}");
    }
}

#[test]
fn an_initial_wait_of_0_does_not_spin_when_a_child_dies_at_once() {
    let project = Project::new("spin");
    let waits = "release_crash_backoff_initial_seconds = 0\n";
    let script = "echo up >> starts; exit 1";
    project.config(&format!("{waits}{}", shell("main", script)));
    let daemon = project.start();
    daemon.until("main", "waits of more than a second", |main| {
        main["next_attempt_in_seconds"]
            .as_f64()
            .is_some_and(|wait| wait > 1.0)
    });
    // 0.1, 0.2, 0.4, 0.8, 1.6 s: five starts, a few more where the machine was so slow that a child
    // lived for 100 ms.
    let starts = project.lines("starts");
    assert!(
        (5..=15).contains(&starts),
        "{starts} starts\n{}",
        daemon.output()
    );
}

#[test]
fn an_initial_wait_of_0_brings_a_child_that_lived_back_at_once() {
    let project = Project::new("at-once");
    let waits = "release_crash_backoff_initial_seconds = 0\n";
    project.config(&format!("{waits}{}", shell("main", "exec sleep 1000")));
    let daemon = project.start();
    let mut now = daemon.until_state("main", "running");
    for _ in 0..3 {
        signal(pid_in(&now), Signal::SIGKILL);
        now = until_another(&daemon, &now);
        assert_eq!(events(&now, "backing_off"), [""; 0]);
    }
    daemon.prints("main: crashed (signal 9 (SIGKILL)), again at once");
}

#[test]
fn no_poll_delays_the_start_after_a_crash() {
    let project = Project::new("poll");
    let waits = "release_crash_backoff_initial_seconds = 0\n";
    project.config(&format!("{waits}{}", shell("main", "exec sleep 1000")));
    let daemon = project.start();
    let mut now = daemon.until_state("main", "running");
    let gaps = (0..5).map(|_| {
        signal(pid_in(&now), Signal::SIGKILL);
        now = until_another(&daemon, &now);
        let age = |kind: &str| {
            let events = now["events"].as_array().unwrap();
            let event = events.iter().find(|event| event["kind"] == kind).unwrap();
            event["age_seconds"].as_f64().unwrap()
        };
        age("crashed") - age("started")
    });
    let quickest = gaps.fold(f64::INFINITY, f64::min);
    assert!(quickest < 0.05, "{quickest} s");
}

#[test]
fn the_dev_wait_holds_for_every_crash_and_not_only_the_first() {
    let project = Project::new("every");
    let waits = "dev_crash_wait_seconds = 0.4\nrelease_crash_backoff_initial_seconds = 0\n";
    let script = "echo up >> starts; test -e dies && exit 1; exec sleep 1000";
    project.config(&format!("{waits}{}", shell("main", script)));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.restart("main");
    project.file("dies", "");
    signal(pid_in(&daemon.process("main")), Signal::SIGKILL);
    let main = daemon.until("main", "three waits", |main| {
        events(main, "backing_off").len() >= 3
    });
    for text in events(&main, "backing_off") {
        assert!(text.contains("so that you can look"), "{text}");
    }
    assert_eq!(main["mode"], "dev");
    assert!(main["crashes"].as_u64().unwrap() <= 4, "{main}");
}

#[test]
fn a_requested_restart_clears_the_row_of_crashes() {
    let project = Project::new("clears");
    let waits = "release_crash_backoff_initial_seconds = 0.02\ndev_crash_wait_seconds = 1000\n";
    let script = "test -e works || exit 3; exec sleep 1000";
    project.config(&format!("{waits}{}", shell("main", script)));
    let daemon = project.start();
    daemon.until("main", "three in a row", |main| {
        main["crashes_in_a_row"].as_u64() >= Some(3)
    });
    project.file("works", "");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    let now = daemon.process("main");
    assert_eq!(now["crashes_in_a_row"], 0, "{now}");
    signal(pid_in(&now), Signal::SIGKILL);
    let crashed = daemon.until_state("main", "backing_off");
    assert_eq!(crashed["crashes_in_a_row"], 1);
}

#[test]
fn a_run_that_outlived_the_longest_wait_clears_the_row_of_crashes() {
    let project = Project::new("outlived");
    let waits =
        "release_crash_backoff_initial_seconds = 0.05\nrelease_crash_backoff_max_seconds = 0.2\n";
    project.config(&format!("{waits}{}", shell("main", "exec sleep 1000")));
    let daemon = project.start();
    let mut now = daemon.until_state("main", "running");
    for _ in 0..3 {
        // It has lived for the second that makes it ready.
        signal(pid_in(&now), Signal::SIGKILL);
        // Then the wait is the first of a row again, and once it has lived long enough there is none.
        until_another(&daemon, &now);
        now = daemon.until("main", "a new row", |main| main["crashes_in_a_row"] == 0);
    }
    assert_eq!(now["crashes"], 3);
    assert_eq!(daemon.output().matches("again in 0.05 s").count(), 3);
}

#[test]
fn a_command_that_is_not_there_backs_off_and_says_why() {
    let project = Project::new("not-there");
    let main = "[process.main]\ntype = \"command\"\ncommand = [\"no-such-program-here\"]\n";
    project.config(&format!(
        "{LONG_WAITS}{main}{}",
        shell("side", "exec sleep 1000")
    ));
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    assert!(
        main["events"].to_string().contains("no-such-program-here"),
        "{main}"
    );
    assert_eq!(main["crashes_in_a_row"], 1);
    daemon.prints("no-such-program-here");
    let text = daemon.text("get_status", &json!({}));
    assert!(text.contains("no-such-program-here"), "{text}");
    let log = daemon.logs("main");
    assert!(log.contains("no-such-program-here"), "{log}");
    let answer = daemon.call("restart", &json!({"process": "main"}));
    assert_eq!(answer["isError"], true);
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("no-such-program-here"), "{text}");
    daemon.until_state("side", "running");
}

#[test]
fn a_file_that_is_not_executable_backs_off_says_why_and_runs_once_it_is() {
    let project = Project::new("not-executable");
    let main = "[process.main]\ntype = \"command\"\ncommand = [\"./tool\"]\n";
    project.config(&format!(
        "release_crash_backoff_initial_seconds = 0.05\n{main}"
    ));
    project.file("tool", "#!/bin/sh\nexec sleep 1000\n");
    let daemon = project.start();
    let main = daemon.until("main", "failed twice", |main| {
        main["crashes_in_a_row"].as_u64() >= Some(2)
    });
    let said = main["events"].to_string();
    assert!(said.contains("tool") && said.contains("execut"), "{said}");
    project.script("tool", "exec sleep 1000");
    daemon.until_state("main", "running");
}

#[test]
fn a_script_whose_interpreter_is_missing_backs_off_and_says_why() {
    let project = Project::new("interpreter");
    let main = "[process.main]\ntype = \"command\"\ncommand = [\"./tool\"]\n";
    project.config(&format!("{LONG_WAITS}{main}"));
    project.executable("tool", "#!/no/such/interpreter\n");
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    assert!(main["events"].to_string().contains("tool"), "{main}");
    let answer = daemon.call("restart", &json!({"process": "main"}));
    assert_eq!(answer["isError"], true, "{answer}");
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("tool") && text.contains("No such file"),
        "{text}"
    );
}

#[test]
fn a_failed_first_build_backs_off_with_its_reason_and_mends_itself_when_the_source_is_mended() {
    let project = Project::new("mended");
    project.rust(BROKEN).config(&format!("{SHORT_WAITS}{RUST}"));
    let daemon = project.start();
    let main = daemon.until("main", "failed twice", |main| {
        main["crashes_in_a_row"].as_u64() >= Some(2)
    });
    assert_eq!(main["last_build"]["outcome"], "failed", "{main}");
    assert_eq!(main["last_build"]["errors"], 1);
    let said = events(&main, "build_failed").join("\n");
    assert!(
        said.contains("mismatched types") && said.contains("src/main.rs"),
        "{said}"
    );
    project.main(&counted("mended"));
    let main = daemon.until_state("main", "running");
    assert_eq!(
        (&main["mode"], &main["crashes"]),
        (&json!("release"), &json!(0))
    );
    assert_eq!(project.lines("starts"), 1);
}

#[test]
fn a_storm_of_crashes_leaves_no_zombie_and_never_two_children() {
    let project = Project::new("storm");
    let waits =
        "release_crash_backoff_initial_seconds = 0.01\nrelease_crash_backoff_max_seconds = 0.01\n";
    let script = "echo up >> starts; sleep 0.01 & exit 1";
    project.config(&format!("{waits}{}", shell("main", script)));
    let daemon = project.start();
    eventually("twenty starts", || {
        // At most the leader and what it left, which is being killed.
        let children = children_of(daemon.pid());
        assert!(children.len() <= 2, "{children:?}");
        let starts = project.lines("starts");
        if starts >= 20 { Ok(()) } else { Err(starts) }
    });
    eventually("no zombie", || {
        let zombies = zombies_of(daemon.pid());
        if zombies.is_empty() {
            Ok(())
        } else {
            Err(zombies)
        }
    });
}

#[test]
fn a_child_that_closes_its_outputs_or_is_stopped_has_not_crashed() {
    let project = Project::new("closes");
    project.config(&shell("main", "exec sleep 1000 >&- 2>&-"));
    let daemon = project.start();
    let main = daemon.until_state("main", "running");
    signal(pid_in(&main), Signal::SIGSTOP);
    eventually("stopped", || match state_of(pid_in(&main)) {
        Some('T') => Ok(()),
        other => Err(other),
    });
    signal(pid_in(&main), Signal::SIGCONT);
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    let now = daemon.process("main");
    assert_eq!((&now["crashes"], &now["run"]), (&json!(0), &json!(2)));
}
