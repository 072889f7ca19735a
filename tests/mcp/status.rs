//! `get_status`.

use std::{sync::Arc, time::Duration};

use bpm_actors::{
    report::{ProcessReport, StateName},
    restart::Snapshot,
    spec::Mode,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    doubles::{Cast, Script, board, main_process, web_process},
    support::{run, two},
};

#[actix_web::test]
async fn status_has_the_shape_of_the_contract() {
    let server = two();
    let answer = server.call("get_status", json!({})).await;
    assert!(!answer.is_error());
    let mut status = answer.json()["result"]["structuredContent"].clone();
    let rough = |value: &mut Value, about: f64| {
        let number = value.as_f64().unwrap();
        assert!(
            (number - about).abs() < 20.0,
            "{number} is not about {about}"
        );
        *value = json!(about);
    };
    rough(&mut status["release_in_seconds"], 9_120.0);
    rough(&mut status["processes"][0]["uptime_seconds"], 81.2);
    rough(
        &mut status["processes"][0]["events"][0]["age_seconds"],
        81.2,
    );
    status["processes"].as_array_mut().unwrap().truncate(1);
    let expected = r#"{"project_dir":"/home/u/ganbot","version":"0.1.0","url":"http://localhost:3001/mcp","mode":"dev","release_in_seconds":9120.0,"config_error":null,"processes":[{"name":"main","type":"rust","state":"running","mode":"dev","serving":true,"health":"ready","behind":null,"run":7,"pid":4711,"uptime_seconds":81.2,"restarts":3,"crashes":1,"crashes_in_a_row":0,"next_attempt_in_seconds":null,"connections":"own","connections_wait":false,"status_text":null,"last_exit":{"run":6,"code":null,"signal":9,"text":"signal 9 (SIGKILL)","at":"2026-11-23T10:00:00Z"},"last_build":{"id":9,"mode":"dev","outcome":"ok","seconds":4.1,"errors":0,"warnings":2,"at":"2026-11-23T09:59:58Z"},"events":[{"at":"2026-11-23T10:00:01Z","age_seconds":81.2,"kind":"restarted","text":"up (run 7, pid 4711, dev)"}]}]}"#;
    assert_eq!(
        status.to_string(),
        expected,
        "fields are in the contract's order"
    );
    let text = answer.text();
    assert!(
        text.starts_with("/home/u/ganbot: dev, release in 2 h 3"),
        "{text}"
    );
    assert!(text.contains("web   npm   running  release"), "{text}");
}

#[actix_web::test]
async fn the_daemon_is_in_dev_while_any_process_is() {
    let of = |mode, state, serving| ProcessReport {
        mode,
        state,
        serving,
        ..main_process()
    };
    for (report, mode) in [
        (of(Mode::Dev, StateName::Running, true), "dev"),
        (of(Mode::Dev, StateName::BackingOff, false), "dev"),
        (of(Mode::Dev, StateName::Stopped, false), "release"),
        (of(Mode::Release, StateName::Building, true), "release"),
    ] {
        let server = run(Cast::new()
            .with(report, Script::Hold)
            .with(web_process(), Script::Hold));
        let answer = server.call("get_status", json!({})).await.json();
        let status = &answer["result"]["structuredContent"];
        assert_eq!(status["mode"], mode);
        assert_eq!(status["release_in_seconds"].is_null(), mode == "release");
    }
}

#[actix_web::test]
async fn status_shows_what_the_process_published_last_and_asks_no_actor() {
    let server = two();
    let crashed = ProcessReport {
        state: StateName::BackingOff,
        serving: false,
        next_attempt_in_seconds: Some(3.0),
        ..main_process()
    };
    let state = async || {
        let answer = server.call("get_status", json!({})).await.json();
        answer["result"]["structuredContent"]["processes"][0]["state"].clone()
    };
    assert_eq!(state().await, "running");
    let (_post, board) = board(crashed);
    let shown: Arc<dyn Snapshot> = Arc::clone(&board.borrow());
    server.doubles.boards[0].send_replace(shown);
    assert_eq!(state().await, "backing_off");
    let past = Instant::now() - Duration::from_secs(1);
    server.doubles.release_at.send_replace(Some(past));
    let answer = server.call("get_status", json!({})).await.json();
    let status = &answer["result"]["structuredContent"];
    assert_eq!(status["processes"][0]["state"], "backing_off");
    assert_eq!(status["release_in_seconds"], 0.0);
    assert!(server.doubles.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn status_takes_no_arguments() {
    let server = two();
    let answer = server.call("get_status", json!({"process": "main"})).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.text(),
        "this tool has no parameter `process`; it takes none"
    );
}

/// A process whose answers do not depend upon the time.
fn timeless() -> ProcessReport {
    ProcessReport {
        uptime_seconds: None,
        events: Vec::new(),
        ..main_process()
    }
}

#[actix_web::test]
async fn polls_are_answered_byte_for_byte_as_the_long_way_answers_them() {
    let server = run(Cast::new().with(timeless(), Script::Hold));
    server.doubles.release_at.send_replace(None);
    let call = |id: &str, more: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"get_status"{more}}}}}"#
        )
    };
    let ask = async |headers: &[&str], body: String| {
        let mut all = vec!["Host: localhost", "Content-Type: application/json"];
        all.extend(headers);
        let answer = server
            .request("POST /mcp HTTP/1.1", &all, body.as_bytes())
            .await;
        let mut head: Vec<&str> = answer.head.lines().collect();
        head.retain(|line| !line.starts_with("date:"));
        head.sort_unstable();
        (head.join("\n"), answer.body.clone())
    };
    for id in [
        "1",
        "-7",
        "\"a\"",
        "\"\\n\"",
        "\"\u{e4}\"",
        "9223372036854775807",
        "\"\"",
        "1.0",
        "1e2",
    ] {
        for headers in [
            &[][..],
            &["Accept: */*"],
            &["Accept: application/json, text/event-stream"],
            &[
                "Accept: application/json, text/event-stream",
                "MCP-Protocol-Version: 2025-11-25",
            ],
            &["MCP-Protocol-Version: 2025-06-18"],
            &["MCP-Protocol-Version: 2024-11-05"],
        ] {
            // rmcp answers what has a `_meta`; without one it may be a poll.
            let long = ask(headers, call(id, r#","_meta":{}"#)).await;
            assert!(long.1.contains("structuredContent"), "{id}: {long:?}");
            for more in ["", r#","arguments":{}"#, r#","arguments":null"#] {
                assert_eq!(
                    ask(headers, call(id, more)).await,
                    long,
                    "{id} {headers:?} {more}"
                );
            }
        }
    }
}

#[actix_web::test]
async fn what_only_looks_like_a_poll_is_treated_as_what_it_is() {
    let server = run(Cast::new().with(timeless(), Script::Hold));
    let json = "Content-Type: application/json";
    let ask = async |header: &str, body: &str| {
        let headers = ["Host: localhost", json, header];
        server
            .request("POST /mcp HTTP/1.1", &headers, body.as_bytes())
            .await
    };
    let poll = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_status"}}"#;
    assert_eq!(ask("X-Nothing: 1", poll).await.status, 200);
    assert_eq!(ask("Accept: text/html", poll).await.status, 406);
    assert_eq!(
        ask("MCP-Protocol-Version: 1999-01-01", poll).await.status,
        400
    );
    assert_eq!(
        ask("MCP-Protocol-Version: 2026-07-28", poll).await.status,
        400
    );
    for (body, code) in [
        (poll.replace("\"2.0\"", "\"2.1\""), -32_600),
        (poll.replace("\"id\":1", "\"id\":1,\"id\":1"), -32_600),
        (poll.replace("\"id\":1", "\"id\":null"), -32_600),
        (poll.replace("get_status", "get_state"), -32_602),
        (poll.replace("tools/call", "tools/cal"), -32_601),
    ] {
        assert_eq!(
            ask("X-Nothing: 1", &body).await.json()["error"]["code"],
            code,
            "{body}"
        );
    }
    let with = poll.replace("}}", r#","arguments":{"process":"main"}}}"#);
    assert!(ask("X-Nothing: 1", &with).await.is_error());
    let note = poll.replace("\"id\":1,", "");
    assert_eq!(ask("X-Nothing: 1", &note).await.status, 202);
}
