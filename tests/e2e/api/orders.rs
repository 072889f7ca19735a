//! Status and orders.

use serde_json::{Value, json};

use crate::support::{Daemon, Http, Project, project::shell};

fn one(name: &str) -> (Project, Daemon) {
    let project = Project::new(name);
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    (project, daemon)
}

/// A status without what passes by itself.
fn lasting(mut status: Value) -> Value {
    status["release_in_seconds"] = Value::Null;
    for process in status["processes"].as_array_mut().unwrap() {
        process["uptime_seconds"] = Value::Null;
        process["crashes_in_a_row"] = Value::Null;
        for event in process["events"].as_array_mut().unwrap() {
            event["age_seconds"] = Value::Null;
        }
    }
    status
}

#[test]
fn the_api_and_the_tool_give_the_same_status() {
    let (_project, daemon) = one("api-status");
    let answer = Http::new(daemon.port()).ask("GET /api/status");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(lasting(answer.json()), lasting(daemon.status()));
    assert!(answer.head.to_lowercase().contains("no-store"));
    let well = Http::new(daemon.port()).ask("GET /healthz");
    assert_eq!((well.status, well.body.as_str()), (200, "ok\n"));
}

#[test]
fn a_process_is_stopped_started_and_restarted_by_posts() {
    let (_project, daemon) = one("api-orders");
    let http = Http::new(daemon.port());
    let ordered = |order: &str| {
        let answer = http.ask(&format!("POST /api/processes/main/{order}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let stopped = ordered("stop");
    assert_eq!(
        (&stopped["ok"], &stopped["outcome"]),
        (&json!(true), &json!("stopped"))
    );
    let told = daemon.process("main")["events"].to_string();
    assert!(told.contains("a person stopped it"), "{told}");
    let started = ordered("start");
    assert_eq!(
        (&started["outcome"], &started["run"]),
        (&json!("started"), &json!(2))
    );
    let restarted = ordered("restart");
    assert_eq!(
        (&restarted["outcome"], &restarted["run"]),
        (&json!("restarted"), &json!(3))
    );
}

#[test]
fn an_order_that_takes_longer_than_its_patience_goes_on() {
    let project = Project::new("api-patience");
    project.config(&shell(
        "main",
        "trap '' TERM; echo up; sleep 1000 & wait; wait",
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let body = br#"{"timeout_seconds":0}"#;
    let head = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let line = "POST /api/processes/main/stop HTTP/1.1";
    let request = format!("{line}\r\n{head}\r\nContent-Length: {}\r\n\r\n", body.len());
    let http = Http::new(daemon.port());
    let answer = http.raw(&[request.as_bytes(), body].concat());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["outcome"], "stopping", "{answer:?}");
    daemon.until_state("main", "stopped");
}

#[test]
fn what_cannot_be_answered_is_refused_with_a_code_and_a_reason() {
    let (_project, daemon) = one("api-errors");
    let http = Http::new(daemon.port());
    for (line, status, code) in [
        ("POST /api/processes/mian/restart", 404, "unknown_process"),
        ("POST /api/processes/main/explode", 404, "not_found"),
        ("GET /api/processes/main/restart", 405, "method_not_allowed"),
        ("POST /api/status", 405, "method_not_allowed"),
        ("DELETE /healthz", 405, "method_not_allowed"),
        ("GET /api/status?verbose=1", 400, "bad_request"),
        ("POST /api/processes/main/stop?force=1", 400, "bad_request"),
        ("GET /api", 404, "not_found"),
    ] {
        let answer = http.ask(line);
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert_eq!(answer.json()["error"]["code"], code, "{line}: {answer:?}");
    }
    let unknown = http.ask("POST /api/processes/mian/restart").json();
    assert_eq!(unknown["error"]["known"], json!(["main"]));
    let message = unknown["error"]["message"].as_str().unwrap();
    assert!(message.contains("did you mean `main`?"), "{message}");
    let method = http.ask("POST /api/status");
    assert!(method.head.contains("allow: GET"), "{method:?}");
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", r#"{"timeout_seconds":-1}"#),
        ("application/json", r#"{"patience":1}"#),
        ("text/plain", "{}"),
    ] {
        let request = format!(
            "POST /api/processes/main/stop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = http.raw(request.as_bytes());
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert_eq!(answer.json()["error"]["code"], "bad_request");
    }
    assert_eq!(daemon.process("main")["state"], "running");
}

#[test]
fn polling_the_api_never_extends_dev_mode_and_an_order_does() {
    let (_project, daemon) = one("api-activity");
    let http = Http::new(daemon.port());
    let left = || http.ask("GET /api/status").json()["release_in_seconds"].clone();
    assert_eq!(left(), Value::Null);
    http.ask("POST /api/processes/main/restart");
    let full = left().as_f64().unwrap();
    // The tenth of a second that is shown passes while it is asked for.
    let lower = crate::support::eventually("less time left", || {
        let left = left().as_f64().unwrap();
        if left < full - 0.25 {
            Ok(left)
        } else {
            Err(left)
        }
    });
    assert!(lower < full);
    http.ask("POST /api/processes/main/start");
    let again = left().as_f64().unwrap();
    assert!(again > lower, "{again} after {lower}");
}
