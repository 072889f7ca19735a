//! Dev and release: whose mode it is, and how idleness ends dev.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Gate, Project, eventually, is_alive, pid_in,
    project::{COUNT, RUST, counted, lives, shell},
    signal,
};

/// 3.6 s: longer than a restart with its build takes on a slow machine, as far as that can be.
const SOON: &str = "dev_timeout_hours = 0.001\n";

/// Compiles in dev only.
const NOT_IN_RELEASE: &str = "#[cfg(not(debug_assertions))] compile_error!(\"dev only\");";

#[test]
fn idleness_builds_release_first_then_swaps_once_and_counts_no_crash_while_status_is_polled() {
    let project = Project::new("idle");
    project
        .rust(&counted("up"))
        .config(&format!("{SOON}{RUST}"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let dev = daemon.restart("main");
    assert_eq!(
        (&dev["outcome"], &dev["mode"]),
        (&json!("restarted"), &json!("dev"))
    );
    // This asks for the status all the time.
    let release = daemon.until("main", "in release", |main| {
        assert!(
            main["state"] != "building" || main["pid"] == dev["pid"],
            "{main}"
        );
        main["mode"] == "release" && main["state"] == "running"
    });
    assert_eq!(release["last_build"]["mode"], "release");
    assert_eq!(
        (&release["crashes"], &release["restarts"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(project.lines("starts"), 3, "{}", daemon.output());
    let status = daemon.status();
    assert_eq!(
        (&status["mode"], &status["release_in_seconds"]),
        (&json!("release"), &Value::Null)
    );
}

#[test]
fn while_release_is_built_no_time_is_left_and_it_does_not_begin_anew() {
    let project = Project::new("idle-building");
    project
        .rust(&counted("up"))
        .config(&format!("{SOON}{RUST}"));
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.restart("main");
    gate.close();
    // The build script runs for each profile, and again when a source was touched.
    project.main(&counted("changed"));
    gate.arrived();
    let status = daemon.status();
    assert_eq!(
        (&status["mode"], &status["release_in_seconds"]),
        (&json!("dev"), &json!(0.0))
    );
    gate.open();
    let release = |main: &Value| main["mode"] == "release" && main["state"] == "running";
    daemon.until("main", "in release", release);
    assert_eq!(daemon.status()["release_in_seconds"], Value::Null);
}

#[test]
fn a_search_is_activity_and_get_status_is_not() {
    let project = Project::new("activity");
    project.config(&shell("main", "echo up; exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.restart("main");
    let left = || daemon.status()["release_in_seconds"].as_f64().unwrap();
    let first = left();
    assert!((10_700.0..=10_800.0).contains(&first), "{first}");
    for call in ["search_logs", "search_build_log"] {
        // Only get_status is called until the clock has visibly gone on.
        let later = eventually("less time", || {
            let now = left();
            if now < 10_799.0 { Ok(now) } else { Err(now) }
        });
        daemon.call(call, &json!({"process": "main"}));
        // The call is told to the clock, not awaited by it.
        eventually(&format!("more time after {call}"), || {
            let now = left();
            if now > later { Ok(now) } else { Err(now) }
        });
    }
}

#[test]
fn a_failed_release_build_leaves_dev_running_and_is_seen_in_the_status() {
    let project = Project::new("idle-fails");
    project
        .rust(&counted("old"))
        .config(&format!("{SOON}{RUST}"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&format!("{NOT_IN_RELEASE} {}", counted("dev")));
    let dev = daemon.restart("main");
    assert_eq!(dev["outcome"], "restarted", "{dev}");
    let main = daemon.until("main", "release build failed", |main| {
        main["last_build"]["outcome"] == "failed" && main["state"] == "running"
    });
    for unchanged in ["run", "pid", "mode"] {
        assert_eq!(main[unchanged], dev[unchanged], "{unchanged}");
    }
    assert_eq!(main["last_build"]["mode"], "release");
    assert_eq!(
        (&main["behind"], &main["crashes"]),
        (&json!("build_failed"), &json!(0))
    );
    assert!(main["events"].to_string().contains("dev only"), "{main}");
    assert_eq!(daemon.status()["mode"], "dev");
    assert!(is_alive(pid_in(&dev)));

    // The next try comes after another timeout.
    project.main(&counted("mended"));
    let release = daemon.until("main", "in release", |main| {
        main["mode"] == "release" && main["state"] == "running"
    });
    assert!(daemon.logs("main").contains("mended"));
    assert_eq!(
        (&release["behind"], project.lines("starts")),
        (&Value::Null, 3)
    );
}

#[test]
fn a_restart_of_an_npm_process_does_not_change_the_mode_of_a_rust_process() {
    let project = Project::new("npm-mode");
    let web = shell("web", "echo up >> webs; exec sleep 1000").replace("\"command\"", "\"npm\"");
    let waits = "release_crash_backoff_initial_seconds = 0.05\n";
    project
        .rust(&counted("up"))
        .config(&format!("{waits}{RUST}{web}"));
    let daemon = project.start();
    let before = daemon.until_state("main", "running");
    daemon.until_state("web", "running");
    assert_eq!(daemon.restart("web")["mode"], "dev");
    let main = daemon.process("main");
    for unchanged in ["run", "pid", "mode", "last_build"] {
        assert_eq!(main[unchanged], before[unchanged], "{unchanged}");
    }
    // Its crash policy is that of release still: no long wait and no build.
    signal(pid_in(&main), Signal::SIGKILL);
    let back = daemon.until("main", "back", |main| {
        main["state"] == "running" && main["run"] != before["run"]
    });
    assert_eq!(
        (&back["mode"], &back["last_build"]),
        (&json!("release"), &before["last_build"])
    );
}

#[test]
fn idleness_does_not_start_an_npm_process_again() {
    let project = Project::new("npm-idle");
    let web = shell("web", "echo up >> starts; exec sleep 1000").replace("\"command\"", "\"npm\"");
    project.config(&format!("dev_timeout_hours = 0.0005\n{web}"));
    let daemon = project.start();
    daemon.until_state("web", "running");
    let dev = daemon.restart("web");
    let release = daemon.until("web", "in release", |web| web["mode"] == "release");
    assert_eq!(
        (&release["pid"], &release["state"]),
        (&dev["pid"], &json!("running"))
    );
    assert_eq!(project.lines("starts"), 2);
}

#[test]
fn a_failed_restart_says_release_while_release_runs() {
    let project = Project::new("failed-mode");
    project.rust(&lives("up")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main("broken");
    let answer = daemon.restart("main");
    assert_eq!(
        (&answer["outcome"], &answer["mode"]),
        (&json!("build_failed"), &json!("release"))
    );
    let status = daemon.status();
    assert_eq!(
        (&status["mode"], &status["release_in_seconds"]),
        (&json!("release"), &Value::Null)
    );
    assert_eq!(status["processes"][0]["mode"], "release");
}

#[test]
fn dev_is_built_without_and_release_with_optimisation() {
    let project = Project::new("profiles");
    let says = format!(
        "{COUNT} println!(\"debug: {{}}\", cfg!(debug_assertions)); {}",
        lives("up")
    );
    project.rust(&says).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    assert!(daemon.logs("main").contains("debug: false"));
    daemon.restart("main");
    assert!(daemon.logs("main").contains("debug: true"));
}
