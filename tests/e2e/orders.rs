//! `start` and `stop`, by a real MCP client.

use std::thread;

use nix::sys::signal::Signal;
use rmcp::model::ProtocolVersion;
use serde_json::{Value, json};

use crate::{
    mcp::{Connected, call, connect, text},
    support::{
        Daemon, Gate, Project, eventually, is_alive, marked, pid_in,
        project::{RUST, counted, shell},
        shape::{self, has_shape, satisfies},
        signal, until_gone,
    },
};

const SHORT_WAITS: &str =
    "dev_crash_wait_seconds = 0.05\nrelease_crash_backoff_initial_seconds = 0.05\n";
const LONG_WAITS: &str = "dev_crash_wait_seconds = 1000
release_crash_backoff_initial_seconds = 1000
release_crash_backoff_max_seconds = 1000
";

/// An order that is carried out.
async fn order(client: &Connected, tool: &'static str, outcome: &str) -> Value {
    let result = call(client, tool, json!({"process": "main"})).await;
    let report = result.structured_content.clone().unwrap();
    has_shape(&report, &shape::restart());
    assert_eq!(report["outcome"], outcome, "{report}");
    assert_eq!(
        (result.is_error, &report["ok"]),
        (Some(false), &json!(true)),
        "{report}"
    );
    let said = format!("main: {outcome} (ok: true), ");
    assert!(text(&result).starts_with(&said), "{}", text(&result));
    report
}

#[tokio::test]
async fn a_stopped_process_stays_so_and_says_who_stopped_it_until_start_or_restart() {
    let project = Project::new("stop");
    let script = "echo up >> starts; sleep 1000 & echo $! > helper; exec sleep 1000";
    project.config(&format!("{SHORT_WAITS}{}", shell("main", script)));
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    let helper = project.pid_from("helper");
    let (client, _heard) = connect(&daemon, ProtocolVersion::V_2026_07_28).await;
    let tools = client.list_all_tools().await.unwrap();
    let schema = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        json!(tool.output_schema)
    };

    let running = order(&client, "start", "running").await;
    assert_eq!(running["pid"], first["pid"], "one that runs is left alone");
    for _ in 0..2 {
        let stopped = order(&client, "stop", "stopped").await;
        satisfies(&stopped, &schema("stop"));
        assert_eq!(
            (&stopped["run"], &stopped["pid"]),
            (&Value::Null, &Value::Null)
        );
        assert!(!is_alive(pid_in(&first)) && !is_alive(helper));
        let main = daemon.process("main");
        assert_eq!(
            (&main["state"], &main["crashes"], &main["health"]),
            (&json!("stopped"), &json!(0), &Value::Null)
        );
        let events = main["events"].to_string();
        assert!(events.contains("an agent (MCP) stopped it"), "{events}");
        has_shape(&daemon.status(), &shape::status());
    }
    assert_eq!(project.lines("starts"), 1);

    let started = order(&client, "start", "started").await;
    satisfies(&started, &schema("start"));
    // Nothing was started meanwhile: runs are numbered.
    assert_eq!(started["run"], 2);
    assert_eq!(daemon.process("main")["pid"], started["pid"]);
    order(&client, "stop", "stopped").await;
    let restarted = order(&client, "restart", "restarted").await;
    assert_eq!(restarted["run"], 3);
    client.cancel().await.unwrap();
}

#[test]
fn a_stop_wins_over_a_crash_that_is_in_flight() {
    const ROUNDS: usize = 15;
    let project = Project::new("in-flight");
    let entry = shell("main", "exec sleep 1000");
    project.config(&format!("{SHORT_WAITS}{entry}settle_seconds = 0\n"));
    let daemon = project.start();
    let mut now = daemon.until_state("main", "running");
    for _ in 0..ROUNDS {
        let pid = pid_in(&now);
        let stopped = thread::scope(|scope| {
            let stop = scope.spawn(|| daemon.call("stop", &json!({})));
            signal(pid, Signal::SIGKILL);
            stop.join().unwrap()
        });
        assert_eq!(
            stopped["structuredContent"]["outcome"], "stopped",
            "{stopped}"
        );
        until_gone(pid);
        let wait = daemon.call("wait_for", &json!({"until": "ready"}));
        assert_eq!(wait["structuredContent"]["reason"], "stopped", "{wait}");
        assert_eq!(marked(&project.dir()), [0; 0]);
        // On a slow machine the crash may have been over before the stop came.
        let last = daemon.process("main")["last_exit"]["run"].as_u64().unwrap();
        let started = daemon.call("start", &json!({}));
        now = started["structuredContent"].clone();
        assert_eq!(
            (&now["outcome"], &now["run"]),
            (&json!("started"), &json!(last + 1)),
            "{}",
            daemon.output()
        );
    }
}

#[test]
fn a_stop_during_a_back_off_ends_the_row_and_start_acts_at_once() {
    let project = Project::new("stop-row");
    let script = "test -e works && exec sleep 1000; exit 3";
    project.config(&format!("{LONG_WAITS}{}", shell("main", script)));
    let daemon = project.start();
    daemon.until_state("main", "backing_off");
    let stopped = daemon.call("stop", &json!({}));
    assert_eq!(stopped["isError"], false, "{stopped}");
    let main = daemon.process("main");
    assert_eq!(
        (
            &main["state"],
            &main["next_attempt_in_seconds"],
            &main["crashes_in_a_row"]
        ),
        (&json!("stopped"), &Value::Null, &json!(0))
    );
    let crashed = daemon.call("start", &json!({}));
    assert_eq!(crashed["isError"], true);
    assert_eq!(crashed["structuredContent"]["outcome"], "crashed");
    daemon.until_state("main", "backing_off");
    project.file("works", "");
    // Also without a stop.
    let started = daemon.call("start", &json!({}));
    assert_eq!(
        started["structuredContent"]["outcome"], "started",
        "{started}"
    );
}

#[test]
fn a_stop_cancels_a_build_and_its_caller_learns_of_it() {
    let project = Project::new("stop-build");
    project.rust(&counted("old")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    project.main(&counted("new"));
    gate.close();
    let (restarted, stopped) = thread::scope(|scope| {
        let restart = scope.spawn(|| daemon.call("restart", &json!({})));
        gate.arrived();
        let stopped = daemon.call("stop", &json!({}));
        (restart.join().unwrap(), stopped)
    });
    assert_eq!(stopped["structuredContent"]["outcome"], "stopped");
    assert_eq!(restarted["isError"], true);
    assert_eq!(restarted["structuredContent"]["outcome"], "stopped");
    let next = restarted["structuredContent"]["next"].as_str().unwrap();
    assert!(next.contains("start or restart runs it again"), "{next}");
    assert!(!is_alive(pid_in(&old)));
    gate.leave_open();
    let started = daemon.call("start", &json!({}));
    assert_eq!(
        started["structuredContent"]["outcome"], "started",
        "{started}"
    );
    assert!(daemon.logs("main").contains("new"));
    assert_eq!(project.lines("starts"), 2);
}

#[test]
fn a_start_takes_back_a_stop_that_is_under_way_and_both_are_answered() {
    let project = Project::new("takes-back");
    let script = "trap 'echo asked > asked; until [ -e leave ]; do sleep 0.01; done; exit 0' TERM; \
                  echo up >> starts; while :; do sleep 0.01; done";
    let entry = shell("main", script);
    project.config(&format!("{entry}stop_grace_seconds = 600\n"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let (stopped, started) = thread::scope(|scope| {
        let stop = scope.spawn(|| daemon.call("stop", &json!({})));
        eventually("asked to leave", || {
            if project.lines("asked") == 1 {
                Ok(())
            } else {
                Err(daemon.output())
            }
        });
        let start = scope.spawn(|| daemon.call("start", &json!({})));
        let stopped = stop.join().unwrap();
        project.file("leave", "");
        (stopped, start.join().unwrap())
    });
    assert_eq!(stopped["structuredContent"]["outcome"], "superseded");
    assert_eq!(stopped["isError"], true);
    assert_eq!(
        started["structuredContent"]["outcome"], "started",
        "{started}"
    );
    assert_eq!(project.lines("starts"), 2);
}

#[track_caller]
fn until_release(daemon: &Daemon) -> Value {
    daemon.until("main", "release", |main| main["mode"] == "release")
}

#[test]
fn a_stopped_process_stays_stopped_when_dev_mode_ends_and_starts_in_release() {
    let project = Project::new("stop-idle");
    // 0.72 s
    let config = format!("dev_timeout_hours = 0.0002\n{SHORT_WAITS}");
    project
        .rust(&counted("up"))
        .config(&format!("{config}{RUST}settle_seconds = 0\n"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let dev = daemon.restart("main");
    assert_eq!((&dev["ok"], &dev["mode"]), (&json!(true), &json!("dev")));
    let stopped = daemon.call("stop", &json!({}));
    assert_eq!(stopped["structuredContent"]["outcome"], "stopped");
    let then = daemon.process("main");
    let main = until_release(&daemon);
    assert_eq!(
        (&main["state"], &main["last_build"]["id"]),
        (&json!("stopped"), &then["last_build"]["id"])
    );
    assert_eq!(marked(&project.dir()), [0; 0]);
    let started = daemon.call("start", &json!({}));
    let started = &started["structuredContent"];
    assert_eq!(
        (&started["outcome"], &started["mode"]),
        (&json!("started"), &json!("release")),
        "{started}"
    );
    // Nothing was started meanwhile: runs are numbered.
    let before = then["last_exit"]["run"].as_u64().unwrap();
    assert_eq!(started["run"], before + 1);
}
