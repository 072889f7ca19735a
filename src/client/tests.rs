//! The client against a stand-in that answers what a test wants.

mod finding;
mod stand_in;

use bpm_actors::report::{Outcome, StateName};
use futures_util::StreamExt;
use tokio::time::Instant;

use self::stand_in::StandIn;
use super::*;

const STATUS: &str = r#"{"project_dir":"/home/u/ganbot","version":"0.1.0","url":"http://localhost:3001/mcp","mode":"dev","release_in_seconds":9120.0,
 "processes":[{"name":"main","type":"rust","state":"backing_off","mode":"dev","serving":true,"health":"ready","behind":null,
  "run":7,"pid":4711,"uptime_seconds":81.2,"restarts":3,"crashes":1,"crashes_in_a_row":0,"next_attempt_in_seconds":null,"connections":"own",
  "connections_wait":false,"status_text":null,
  "last_exit":{"run":6,"code":null,"signal":9,"text":"signal 9 (SIGKILL)","at":"2026-11-23T10:00:00Z"},
  "last_build":{"id":9,"mode":"dev","outcome":"ok","seconds":4.1,"errors":0,"warnings":2,"at":"2026-11-23T09:59:58Z"},
  "events":[{"at":"2026-11-23T10:00:01Z","age_seconds":81.2,"kind":"restarted","text":"up (run 7, pid 4711, dev)"}]}]}"#;

const OUTCOME: &str = r#"{"process":"main","ok":false,"outcome":"build_failed","reason":null,"mode":"dev","run":6,"pid":4650,"build":9,"build_seconds":2.3,
 "pause_ms":null,"ready_after_ms":null,"connections_refused":null,"error_count":1,"warning_count":0,"new_count":1,"fixed_count":0,
 "errors":[{"level":"error","code":"E0308","file":"src/main.rs","line":3,"column":5,"message":"mismatched types","rendered":"…","new":true}],
 "omitted_count":0,"error_lines":[],"exit":null,"last_lines":[],"behind":"build_failed","next":"fix it"}"#;

const LINE: &str = r#"{"process":"main","run":7,"seq":3,"at":"2026-11-23T10:00:00Z","stream":"stdout","text":"hello"}"#;

#[tokio::test]
async fn a_status_is_read_over_tcp_and_over_a_unix_socket() {
    for stand_in in [StandIn::tcp().await, StandIn::unix().await] {
        let client = stand_in.client(Some("secret"));
        let answer = stand_in.answers("200 OK", &[STATUS]);
        let (status, asked) = tokio::join!(client.status(), answer);
        assert_eq!(status.unwrap().processes[0].state, StateName::BackingOff);
        assert!(asked.starts_with("GET /api/status HTTP/1.1\r\n"), "{asked}");
        let authority = client.target().address.authority();
        assert!(asked.contains(&format!("host: {authority}\r\n")), "{asked}");
        assert!(
            asked.contains("authorization: Bearer secret\r\n"),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn an_order_says_how_long_to_wait_and_brings_what_came_of_it() {
    let stand_in = StandIn::tcp().await;
    let client = stand_in.client(None);
    let (report, asked) = tokio::join!(
        client.order(Order::Restart, "main", Some(1.5)),
        stand_in.answers("200 OK", &[OUTCOME])
    );
    assert_eq!(report.unwrap().outcome, Outcome::BuildFailed);
    assert!(asked.starts_with("POST /api/processes/main/restart HTTP/1.1\r\n"));
    assert!(
        asked.ends_with("\r\n\r\n{\"timeout_seconds\":1.5}"),
        "{asked}"
    );
    assert!(!asked.contains("authorization"), "{asked}");
}

#[tokio::test]
async fn a_refusal_is_told_from_an_answer_that_is_none() {
    let stand_in = StandIn::tcp().await;
    let client = stand_in.client(None);
    let body =
        [r#"{"error":{"code":"unknown_process","message":"no process x","known":["main"]}}"#];
    let (refused, _) = tokio::join!(
        client.order(Order::Stop, "x", None),
        stand_in.answers("404 Not Found", &body)
    );
    let refused = refused.unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused { status: 404, code, .. } if code == "unknown_process"),
        "{refused:?}"
    );
    let (nonsense, _) = tokio::join!(client.status(), stand_in.answers("200 OK", &["<html>"]));
    assert!(matches!(nonsense, Err(ClientError::Unintelligible(_))));
}

#[tokio::test]
async fn where_nobody_listens_no_daemon_runs() {
    let nobody = [StandIn::tcp().await, StandIn::unix().await].map(|it| it.client(None));
    for client in nobody {
        let error = client.status().await.unwrap_err();
        assert!(matches!(error, ClientError::NotRunning(_)), "{error:?}");
        assert!(error.may_pass());
    }
}

#[tokio::test]
async fn events_arrive_one_by_one_until_the_daemon_ends() {
    let stand_in = StandIn::unix().await;
    let client = stand_in.client(None);
    let hear = async {
        let events = client.events(Some(41), Some(5)).await.unwrap();
        events.map(Result::unwrap).collect::<Vec<_>>().await
    };
    let pieces = [
        ": here\n\nid: 42\nevent: cra",
        "shed\ndata: {\"process\":\"main\",\"at\":\"2026-11-23T10:00:00Z\",\"text\":\"a\"}\n",
        "\nid: 43\nevent: mode\ndata: {\"process\":null,\"mode\":\"dev\"}\n\nid: 44\n",
    ];
    let (events, asked) = tokio::join!(hear, stand_in.answers("200 OK", &pieces));
    let heard: Vec<_> = events.iter().map(|it| (it.id, it.kind.as_str())).collect();
    assert_eq!(heard, [(42, "crashed"), (43, "mode")]);
    assert!(
        asked.starts_with("GET /api/events?after=41 HTTP/1.1\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn lines_and_notices_arrive_and_what_broke_off_is_an_error() {
    let stand_in = StandIn::tcp().await;
    let client = stand_in.client(None);
    let filter = LogFilter {
        processes: vec!["main".to_owned()],
        ..LogFilter::default()
    };
    let read = async {
        let mut items = client.logs(&filter).await.unwrap();
        let (first, second) = (items.next().await, items.next().await);
        (first.unwrap().unwrap(), second.unwrap(), items.next().await)
    };
    let pieces = [LINE, "\n", &LINE[..10]];
    let ((line, broken, end), asked) = tokio::join!(read, stand_in.breaks_off(&pieces));
    assert!(matches!(line, LogItem::Line(line) if line.text == "hello"));
    assert!(matches!(broken, Err(ClientError::Broken(_))), "{broken:?}");
    assert!(end.is_none());
    assert!(
        asked.starts_with("GET /api/logs?process=main HTTP/1.1\r\n"),
        "{asked}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_breaks_when_there_is_no_sign_of_life_for_45_seconds() {
    let stand_in = StandIn::unix().await;
    let client = stand_in.client(None);
    let pause = Duration::from_secs(40);
    let hear = async {
        let mut events = client.events(None, None).await.unwrap();
        let begun = Instant::now();
        let broken = events.next().await.unwrap();
        (broken, begun.elapsed(), events.next().await.is_none())
    };
    let signs = [": events\n\n", ":\n\n", ":\n\n"];
    let ((broken, after, is_over), ()) = tokio::join!(hear, stand_in.falls_silent(&signs, pause));
    let error = broken.unwrap_err();
    assert!(error.may_pass() && is_over, "{error:?}");
    assert_eq!(after.as_secs(), 2 * 40 + 45);
    let read = async {
        let mut items = client.logs(&LogFilter::default()).await.unwrap();
        let line = items.next().await.unwrap();
        (line, items.next().await.unwrap())
    };
    let line = format!("{LINE}\n");
    let signs = ["\n", &line, "\n"];
    let ((line, broken), ()) = tokio::join!(read, stand_in.falls_silent(&signs, pause));
    assert!(matches!(line, Ok(LogItem::Line(_))), "{line:?}");
    assert!(matches!(broken, Err(ClientError::Broken(_))), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_accepts_and_says_nothing_is_given_up() {
    let stand_in = StandIn::unix().await;
    let client = stand_in.client(None);
    let error = client.status().await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut), "{error:?}");
}
