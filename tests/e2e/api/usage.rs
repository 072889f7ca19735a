//! What processes use.

use serde_json::{Value, json};

use crate::support::{Http, Project, eventually, project::shell};

#[test]
fn usage_is_that_of_the_whole_tree_and_null_while_nothing_runs() {
    let project = Project::new("api-usage");
    // A child of the shell works; the shell itself only waits. Another one hides behind its parent.
    let script = "(while :; do :; done) & (sleep 1000 & exit) ; wait";
    let idle = shell("idle", "exec sleep 1000");
    project.config(&format!("{}{idle}", shell("main", script)));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.until_state("idle", "running");
    let http = Http::new(daemon.port());
    let used = eventually("some CPU time", || {
        let usage = http.ask("GET /api/usage").json();
        let seconds = usage["processes"][0]["cpu_seconds"].as_f64();
        if seconds > Some(0.05) {
            Ok(usage)
        } else {
            Err(usage)
        }
    });
    assert!(used["at"].as_str().unwrap().ends_with('Z'));
    let [main, idle] = [&used["processes"][0], &used["processes"][1]];
    assert_eq!(
        (&main["process"], &main["tasks"]),
        (&json!("main"), &json!(3))
    );
    assert!(main["resident_bytes"].as_u64() > idle["resident_bytes"].as_u64());
    assert_eq!(idle["tasks"], 1);
    http.ask("POST /api/processes/main/stop");
    let stopped = http.ask("GET /api/usage").json()["processes"][0].clone();
    assert_eq!(
        stopped,
        json!({"process": "main", "cpu_seconds": Value::Null, "resident_bytes": null, "tasks": null})
    );
}

#[test]
fn the_metrics_say_the_same_as_the_status() {
    let project = Project::new("api-metrics");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let http = Http::new(daemon.port());
    http.ask("POST /api/processes/main/restart");
    let answer = http.ask("GET /metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.head.contains("text/plain; version=0.0.4"),
        "{answer:?}"
    );
    for line in [
        "bpm_dev_mode 1",
        "bpm_process_state{process=\"main\",state=\"running\"} 1",
        "bpm_process_state{process=\"main\",state=\"stopped\"} 0",
        "bpm_process_serving{process=\"main\"} 1",
        "bpm_process_run{process=\"main\"} 2",
        "bpm_process_restarts_total{process=\"main\"} 1",
        "bpm_process_crashes_total{process=\"main\"} 0",
        "bpm_process_tasks{process=\"main\"} 1",
    ] {
        assert!(
            answer.body.lines().any(|it| it == line),
            "{line}:\n{}",
            answer.body
        );
    }
}
