//! `restart`, `start` and `stop`.

use std::{sync::Arc, time::Duration};

use background_process_manager::service::{Order, Progress, Unheard};
use bpm_actors::{
    artifact::Diagnostic,
    report::{Outcome, ProcessReport, RestartReport, StateName},
    restart::Asker,
};
use rmcp::{
    ClientHandler, RoleClient,
    model::{CallToolRequestParams, ProgressNotificationParam},
    service::NotificationContext,
};
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    doubles::{Cast, Script, main_process, restarted},
    support::{arguments, one, run, two},
};

#[actix_web::test]
async fn a_restart_answers_with_the_contracts_fields_in_their_order() {
    let server = one();
    let answer = server.call("restart", json!({})).await;
    assert!(!answer.is_error());
    let report = answer.json()["result"]["structuredContent"].to_string();
    assert_eq!(
        report,
        r#"{"process":"main","ok":true,"outcome":"restarted","reason":null,"mode":"dev","run":8,"pid":4800,"build":10,"build_seconds":2.3,"pause_ms":3.1,"ready_after_ms":null,"connections_refused":null,"error_count":0,"warning_count":0,"new_count":0,"fixed_count":0,"errors":[],"omitted_count":0,"error_lines":[],"exit":null,"last_lines":[],"behind":null,"next":null}"#
    );
    assert!(
        answer
            .text()
            .starts_with("main: restarted (ok: true), the change is live.")
    );
}

#[actix_web::test]
async fn a_failed_build_is_an_error_whose_text_has_everything() {
    let error = Diagnostic {
        new: true,
        level: "error".to_owned(),
        code: Some("E0308".to_owned()),
        file: Some("src/main.rs".to_owned()),
        line: Some(3),
        column: Some(5),
        message: "mismatched types".to_owned(),
        rendered: "error[E0308]: mismatched types\n --> src/main.rs:3:5".to_owned(),
    };
    let failed = RestartReport {
        ok: false,
        outcome: Outcome::BuildFailed,
        error_count: 1,
        errors: vec![error],
        next: Some("fix the error and restart again".to_owned()),
        ..restarted()
    };
    let server = run(Cast::new().with(main_process(), Script::Answer(Box::new(failed))));
    let answer = server.call("restart", json!({"process": "main"})).await;
    assert!(answer.is_error());
    let text = answer.text();
    for part in [
        "build_failed",
        "ok: false",
        "Build 10",
        "2.3 s",
        "1 error",
        "Run 8",
        "pid 4800",
        "3.1 ms",
        "E0308",
        "src/main.rs:3:5",
        "mismatched types",
        "fix the error and restart again",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert_eq!(
        answer.json()["result"]["structuredContent"]["errors"][0]["line"],
        3
    );
}

#[actix_web::test]
async fn when_time_runs_out_the_restart_goes_on_and_that_is_no_error() {
    let server = two();
    let arguments = json!({"process": "web", "timeout_seconds": 0.05});
    let answer = server.call("restart", arguments).await;
    assert!(!answer.is_error());
    let report = &answer.json()["result"]["structuredContent"];
    assert_eq!(report["outcome"], "building");
    assert_eq!(report["ok"], false);
    assert_eq!((&report["run"], &report["pid"]), (&json!(2), &json!(4720)));
    assert!(report["next"].as_str().unwrap().contains("call get_status"));
}

#[actix_web::test]
async fn a_timeout_out_of_range_is_refused() {
    let server = one();
    for wrong in [json!(-1), json!(3_600.5), json!("50"), json!(true)] {
        let answer = server
            .call("restart", json!({"timeout_seconds": wrong}))
            .await;
        assert!(answer.is_error());
        assert!(answer.text().contains("a number of seconds from 0 to 3600"));
    }
    for right in [json!(0), json!(0.5), json!(3_600), json!(null)] {
        let answer = server
            .call("restart", json!({"timeout_seconds": right}))
            .await;
        assert!(!answer.is_error());
    }
}

#[actix_web::test]
async fn a_daemon_that_ends_says_so() {
    let server = run(Cast::new().with(main_process(), Script::Refuse));
    let answer = server.call("restart", json!({})).await;
    assert!(answer.is_error());
    let report = &answer.json()["result"]["structuredContent"];
    assert_eq!(report["outcome"], "shutting_down");
}

#[actix_web::test]
async fn a_client_that_hangs_up_during_a_restart_ends_only_its_wait() {
    let server = two();
    let mut waiting = server.doubles.waiting.clone();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "restart", "arguments": {"process": "web"}, "_meta": {},
    }});
    let with_progress = {
        let mut body = body.clone();
        body["params"]["_meta"]["progressToken"] = json!("a");
        body
    };
    for body in [body, with_progress] {
        let body = body.to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let client = server.send(head.as_bytes()).await;
        waiting.wait_for(|count| *count == 1).await.unwrap();
        drop(client);
        waiting.wait_for(|count| *count == 0).await.unwrap();
    }
    let answer = server.call("restart", json!({"process": "main"})).await;
    assert!(!answer.is_error(), "the others are served as before");
}

#[actix_web::test]
async fn a_wait_does_not_hold_up_other_calls() {
    let server = two();
    let slow = server.call("restart", json!({"process": "web", "timeout_seconds": 5}));
    let mut slow = std::pin::pin!(slow);
    let mut waiting = server.doubles.waiting.clone();
    tokio::select! {
        _ = &mut slow => panic!("it never ends"),
        count = waiting.wait_for(|count| *count == 1) => { count.unwrap(); }
    }
    for tool in ["get_status", "restart", "search_logs"] {
        let arguments = match tool {
            "get_status" => json!({}),
            _ => json!({"process": "main"}),
        };
        let call = server.call(tool, arguments);
        tokio::select! {
            _ = &mut slow => panic!("it never ends"),
            answer = call => assert!(!answer.is_error()),
        }
    }
}

/// A client that passes on what it is told.
pub(crate) struct Listener(pub(crate) mpsc::UnboundedSender<ProgressNotificationParam>);

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        note: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        _ = self.0.send(note);
    }
}

#[actix_web::test]
async fn a_client_that_asks_for_progress_hears_of_it_at_once() {
    for era in ["older", "newer"] {
        let server = two();
        let (tell, mut told) = mpsc::unbounded_channel();
        let client = match era {
            "older" => server.older(Listener(tell)).await,
            _ => server.newer(Listener(tell)).await,
        };
        let given = arguments(json!({"process": "web", "timeout_seconds": 0.3}));
        // rmcp's client asks for progress with every request.
        let call = CallToolRequestParams::new("restart").with_arguments(given);
        let result = client.call_tool(call).await.unwrap();
        let report = result.structured_content.unwrap();
        assert_eq!(report["outcome"], "building", "{era}");
        let note = told.recv().await.unwrap();
        assert_eq!(note.message.as_deref(), Some("restarting web"), "{era}");
        client.cancel().await.unwrap();
    }
}

/// Keeps what it is told, with the time.
struct Notes(Vec<(u64, String)>, Instant);

impl Progress for Notes {
    async fn tell(&mut self, note: String) {
        self.0.push((self.1.elapsed().as_secs(), note));
    }
}

#[actix_web::test]
async fn whoever_waits_hears_every_ten_seconds_what_is_done() {
    tokio::time::pause();
    let building = ProcessReport {
        state: StateName::Building,
        ..main_process()
    };
    let doubles = Cast::new().with(building, Script::Hold).start();
    let mut notes = Notes(Vec::new(), Instant::now());
    let patience = Duration::from_secs(35);
    let restart = doubles
        .service
        .carry_out(Order::Restart, None, patience, &mut notes);
    let report = restart.await.unwrap();
    assert_eq!(report.outcome, Outcome::Building);
    let note = |seconds, text: &str| (seconds, text.to_owned());
    assert_eq!(
        notes.0,
        [
            note(0, "restarting main"),
            note(10, "building 10 s"),
            note(20, "building 20 s"),
            note(30, "building 30 s"),
        ]
    );
}

#[actix_web::test]
async fn a_wait_ends_when_its_time_is_over_and_not_later() {
    tokio::time::pause();
    let doubles = Cast::new().with(main_process(), Script::Hold).start();
    let began = Instant::now();
    let patience = Duration::from_secs(50);
    let mut nobody = Unheard;
    let main = Some("main");
    let restart = doubles
        .service
        .carry_out(Order::Restart, main, patience, &mut nobody);
    restart.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 50);
    assert_eq!(
        Arc::strong_count(&doubles.asked),
        2,
        "nobody else holds anything"
    );
}

#[actix_web::test]
async fn start_and_stop_are_orders_like_restart_and_say_on_whose_behalf() {
    for (tool, order, outcome) in [
        ("restart", Order::Restart, Outcome::Swapped),
        ("start", Order::Start, Outcome::Started),
        ("start", Order::Start, Outcome::Running),
        ("stop", Order::Stop(Asker::Agent), Outcome::Stopped),
    ] {
        let report = RestartReport {
            outcome,
            ..restarted()
        };
        let server = run(Cast::new().with(main_process(), Script::Answer(Box::new(report))));
        let answer = server.call(tool, json!({})).await;
        assert!(!answer.is_error(), "{tool}");
        let word = serde_json::to_value(outcome).unwrap();
        let report = &answer.json()["result"]["structuredContent"];
        assert_eq!(report["outcome"], word, "{tool}");
        assert_eq!(*server.doubles.told.lock().unwrap(), [order]);
        // It counts as activity.
        let mut calls = server.doubles.calls.clone();
        calls.wait_for(|calls| *calls == 1).await.unwrap();
    }
}

#[actix_web::test]
async fn when_time_runs_out_start_and_stop_go_on_and_that_is_no_error() {
    let server = two();
    for (tool, outcome) in [("start", "building"), ("stop", "stopping")] {
        let arguments = json!({"process": "web", "timeout_seconds": 0.05});
        let answer = server.call(tool, arguments).await;
        assert!(!answer.is_error(), "{tool}");
        let report = &answer.json()["result"]["structuredContent"];
        assert_eq!(report["outcome"], outcome);
        assert_eq!(report["ok"], false);
        let next = report["next"].as_str().unwrap();
        assert!(next.contains("goes on"), "{next}");
        assert!(next.contains("call get_status"), "{next}");
    }
}

#[actix_web::test]
async fn what_was_ordered_and_did_not_happen_is_an_error() {
    for outcome in [
        Outcome::RolledBack,
        Outcome::NotReady,
        Outcome::Superseded,
        Outcome::Stopped,
        Outcome::ShuttingDown,
    ] {
        let report = RestartReport {
            ok: false,
            outcome,
            reason: Some("it answered 503 for 30 s".to_owned()),
            ..restarted()
        };
        let server = run(Cast::new().with(main_process(), Script::Answer(Box::new(report))));
        for tool in ["restart", "start", "stop"] {
            let answer = server.call(tool, json!({})).await;
            assert!(answer.is_error(), "{tool} {outcome:?}");
            assert!(
                answer.text().contains("Reason: it answered 503 for 30 s."),
                "{}",
                answer.text()
            );
        }
    }
}

#[actix_web::test]
async fn start_and_stop_take_what_restart_takes() {
    let server = two();
    for tool in ["start", "stop"] {
        for (given, words) in [
            (json!({"process": "mian"}), "did you mean `main`?"),
            (json!({}), "there are several processes"),
            (
                json!({"timeout_seconds": -1}),
                "a number of seconds from 0 to 3600",
            ),
            (json!({"force": true}), "it takes process, timeout_seconds"),
        ] {
            let answer = server.call(tool, given).await;
            assert!(answer.is_error());
            assert!(answer.text().contains(words), "{}", answer.text());
        }
    }
    assert!(server.doubles.told.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn whoever_waits_for_a_stop_hears_of_it_in_its_words() {
    tokio::time::pause();
    let doubles = Cast::new().with(main_process(), Script::Hold).start();
    let mut notes = Notes(Vec::new(), Instant::now());
    let patience = Duration::from_secs(15);
    let order = Order::Stop(Asker::Person);
    let stop = doubles.service.carry_out(order, None, patience, &mut notes);
    assert_eq!(stop.await.unwrap().outcome, Outcome::Stopping);
    let note = |seconds, text: &str| (seconds, text.to_owned());
    assert_eq!(
        notes.0,
        [note(0, "stopping main"), note(10, "stopping 10 s")]
    );
}
