//! `wait_for`.

use std::{future::Future, pin::pin, time::Duration};

use background_process_manager::service::{
    Progress, ServiceError, Unheard, Unmet, Until, WaitReport, Wanted,
};
use bpm_actors::{
    ids::{BuildId, RunId},
    pattern::Pattern,
    report::{
        Behind, BuildOutcome, EventKind, EventReport, Health, LastBuild, LastExit, ProcessReport,
        StateName,
    },
    search::NoSuchLog,
};
use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    doubles::{Cast, Doubles, Script, Still, main_process, web_process},
    restarts::Listener,
    support::{arguments, one, run, two},
};

/// `main` in this state, with nobody who serves.
fn idle(state: StateName) -> ProcessReport {
    ProcessReport {
        state,
        serving: false,
        health: None,
        run: None,
        pid: None,
        uptime_seconds: None,
        ..main_process()
    }
}

/// `main`, whose run serves while it does this.
fn busy(state: StateName) -> ProcessReport {
    ProcessReport {
        state,
        ..main_process()
    }
}

fn backing_off(seconds: f64) -> ProcessReport {
    ProcessReport {
        next_attempt_in_seconds: Some(seconds),
        ..idle(StateName::BackingOff)
    }
}

/// `main` with its next run.
fn next_run() -> ProcessReport {
    ProcessReport {
        run: Some(RunId(8)),
        pid: Some(4800),
        ..main_process()
    }
}

fn exit_of(run: u64) -> Option<LastExit> {
    main_process().last_exit.map(|exit| LastExit {
        run: RunId(run),
        ..exit
    })
}

fn log(pattern: &str) -> Until {
    Until::Log(Pattern::parse(pattern).unwrap())
}

fn doubles(report: ProcessReport) -> Doubles {
    Cast::new().with(report, Script::Hold).start()
}

async fn wait(doubles: &Doubles, until: &Until, seconds: u64) -> WaitReport {
    let patience = Duration::from_secs(seconds);
    let mut nobody = Unheard;
    let wait = doubles.service.wait_for(None, until, patience, &mut nobody);
    wait.await.unwrap()
}

/// Waits while something happens. It must not be over before.
async fn wait_while(
    doubles: &Doubles,
    until: &Until,
    happens: impl Future<Output = ()>,
) -> WaitReport {
    let mut wait = pin!(wait(doubles, until, 30));
    tokio::select! {
        biased;
        report = &mut wait => panic!("it is over before anything happened: {report:?}"),
        () = happens => {}
    }
    wait.await
}

/// Nothing happens for a second.
async fn a_second() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[actix_web::test]
async fn what_is_so_already_is_answered_at_once() {
    tokio::time::pause();
    for (until, report) in [
        (Until::Ready, main_process()),
        (Until::Exit, idle(StateName::BackingOff)),
        (Until::Exit, idle(StateName::Stopped)),
        (Until::Build, main_process()),
        (Until::Build, busy(StateName::Proving)),
        (Until::Build, idle(StateName::Stopped)),
    ] {
        let doubles = doubles(report.clone());
        let began = Instant::now();
        let answer = wait(&doubles, &until, 30).await;
        assert!(answer.met, "{until:?} {answer:?}");
        assert_eq!(answer.reason, None);
        assert!(!answer.is_error());
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(answer.state, report.state);
        assert_eq!(answer.run, report.run);
        assert_eq!(answer.last_exit, report.last_exit);
        assert_eq!(answer.last_build, report.last_build);
    }
}

#[actix_web::test]
async fn what_is_not_so_yet_is_waited_for() {
    tokio::time::pause();
    let unready = ProcessReport {
        health: Some(Health::Unready),
        ..main_process()
    };
    let replaced = ProcessReport {
        last_exit: None,
        ..next_run()
    };
    let ended = ProcessReport {
        last_exit: exit_of(7),
        ..backing_off(120.0)
    };
    for (until, before, after) in [
        (Until::Ready, unready, main_process()),
        (Until::Ready, busy(StateName::Building), next_run()),
        (Until::Ready, busy(StateName::Proving), next_run()),
        (Until::Ready, idle(StateName::Stopping), next_run()),
        (Until::Ready, backing_off(20.0), next_run()),
        (Until::Exit, main_process(), ended),
        (Until::Exit, busy(StateName::Proving), replaced),
        (Until::Build, busy(StateName::Building), main_process()),
        (Until::Build, idle(StateName::Building), backing_off(120.0)),
    ] {
        let doubles = doubles(before.clone());
        let answer = wait_while(&doubles, &until, async {
            a_second().await;
            // Something else happens.
            doubles.post(Still::new(ProcessReport {
                restarts: 4,
                ..before
            }));
            a_second().await;
            doubles.post(Still::new(after));
        })
        .await;
        assert!(answer.met, "{until:?} {answer:?}");
        assert!((answer.waited_seconds - 2.0).abs() < 0.01, "{answer:?}");
    }
}

#[actix_web::test]
async fn that_time_runs_out_is_no_error() {
    tokio::time::pause();
    for (until, report) in [
        (Until::Ready, busy(StateName::Building)),
        (Until::Ready, backing_off(30.0)),
        (Until::Exit, main_process()),
        (log("listening"), main_process()),
        (Until::Build, busy(StateName::Building)),
    ] {
        for seconds in [0, 30] {
            let doubles = doubles(report.clone());
            let began = Instant::now();
            let answer = wait(&doubles, &until, seconds).await;
            assert!(!answer.met);
            assert_eq!(answer.reason, Some(Unmet::TimeUp), "{until:?}");
            assert!(!answer.is_error());
            assert_eq!(began.elapsed().as_secs(), seconds);
            let next = answer.next.unwrap();
            assert!(next.contains("call wait_for again"), "{next}");
        }
    }
}

#[actix_web::test]
async fn what_cannot_come_any_more_is_told_before_time_is_up() {
    tokio::time::pause();
    for (until, before) in [
        (Until::Ready, busy(StateName::Proving)),
        (Until::Ready, idle(StateName::Stopping)),
        (log("listening"), idle(StateName::BackingOff)),
    ] {
        let doubles = doubles(before);
        let answer = wait_while(&doubles, &until, async {
            a_second().await;
            doubles.post(Still::new(idle(StateName::Stopped)));
        })
        .await;
        assert!(!answer.met);
        assert_eq!(answer.reason, Some(Unmet::Stopped), "{until:?}");
        assert!(answer.is_error());
        assert!((answer.waited_seconds - 1.0).abs() < 0.01);
        assert!(answer.next.unwrap().contains("call start"));
    }
}

#[actix_web::test]
async fn an_attempt_that_comes_too_late_is_told_at_once() {
    tokio::time::pause();
    for until in [Until::Ready, log("listening")] {
        let doubles = doubles(backing_off(118.0));
        let answer = wait(&doubles, &until, 30).await;
        assert_eq!(answer.reason, Some(Unmet::TooLate));
        assert!(!answer.is_error());
        assert!(answer.waited_seconds < 0.01);
        let next = answer.next.unwrap();
        assert!(
            next.starts_with("next attempt in 118 s; restart acts at once"),
            "{next}"
        );
        let patient = wait(&doubles, &until, 118).await;
        assert_eq!(patient.reason, Some(Unmet::TimeUp), "it might have come");
    }
}

#[actix_web::test]
async fn a_daemon_that_ends_ends_all_waits() {
    tokio::time::pause();
    for until in [Until::Ready, Until::Build, log("listening")] {
        let doubles = doubles(busy(StateName::Building));
        doubles.printed.send_modify(|it| it.ended.push(RunId(7)));
        let answer = wait_while(&doubles, &until, async {
            a_second().await;
            doubles.post(Still::new(busy(StateName::Building)).ending());
        })
        .await;
        assert_eq!(answer.reason, Some(Unmet::ShuttingDown), "{until:?}");
        assert!(answer.is_error());
    }
    // An end is what this one waits for.
    let doubles = doubles(main_process());
    let answer = wait_while(&doubles, &Until::Exit, async {
        a_second().await;
        doubles.post(Still::new(main_process()).ending());
        a_second().await;
        let gone = ProcessReport {
            last_exit: exit_of(7),
            ..idle(StateName::Stopped)
        };
        doubles.post(Still::new(gone).ending());
    })
    .await;
    assert!(answer.met);
    assert_eq!(answer.last_exit.unwrap().run, RunId(7));
}

#[actix_web::test]
async fn a_process_whose_actor_has_gone_is_no_wait_for_ever() {
    tokio::time::pause();
    let mut doubles = doubles(busy(StateName::Building));
    doubles.boards.clear();
    let patience = Duration::from_secs(30);
    let mut nobody = Unheard;
    let wait = doubles
        .service
        .wait_for(None, &Until::Ready, patience, &mut nobody);
    let error = wait.await.unwrap_err();
    assert!(
        matches!(error, ServiceError::ProcessSilent { .. }),
        "{error}"
    );
}

#[actix_web::test]
async fn a_process_that_the_daemon_has_yet_to_start_is_not_taken_for_stopped() {
    tokio::time::pause();
    let new = ProcessReport {
        events: Vec::new(),
        last_exit: None,
        last_build: None,
        ..idle(StateName::Stopped)
    };
    for until in [Until::Ready, Until::Build, log("listening")] {
        let doubles = doubles(new.clone());
        doubles
            .printed
            .send_modify(|it| it.lines.push((RunId(7), "listening")));
        let answer = wait_while(&doubles, &until, async {
            a_second().await;
            doubles.post(Still::new(main_process()));
        })
        .await;
        assert!(answer.met, "{until:?}");
    }
}

#[actix_web::test]
async fn a_line_counts_whether_it_is_there_or_comes() {
    tokio::time::pause();
    let doubles = doubles(main_process());
    let listening = log("^listening on \\d+$");
    let print = |line| {
        doubles
            .printed
            .send_modify(|it| it.lines.push((RunId(7), line)));
    };
    let answer = wait_while(&doubles, &listening, async {
        a_second().await;
        print("starting");
        a_second().await;
        print("listening on 8080");
    })
    .await;
    assert!(answer.met);
    assert_eq!(answer.line.as_deref(), Some("listening on 8080"));
    assert!((answer.waited_seconds - 2.0).abs() < 0.01);

    let answer = wait(&doubles, &listening, 30).await;
    assert_eq!(answer.line.as_deref(), Some("listening on 8080"));
    assert!(answer.waited_seconds < 0.01);
    assert_eq!(answer.next, None);
}

#[actix_web::test]
async fn a_look_without_patience_finds_a_line_that_is_there() {
    tokio::time::pause();
    let newer = |index| ProcessReport {
        run: Some(RunId(index)),
        ..main_process()
    };
    // The log double keeps only run 7.
    for (report, met) in [(newer(7), true), (newer(6), false)] {
        let doubles = doubles(report);
        let answer = wait(&doubles, &log("^line 17$"), 0).await;
        assert_eq!(answer.met, met);
        assert_eq!(answer.line.as_deref(), met.then_some("line 17"));
        assert!(!answer.is_error());
    }
    let nothing = Cast::new()
        .with(main_process(), Script::Hold)
        .logs(|_| Err(NoSuchLog::None))
        .start();
    let answer = wait(&nothing, &log("^line 17$"), 0).await;
    assert_eq!(answer.reason, Some(Unmet::TimeUp));
}

#[actix_web::test]
async fn a_wait_for_a_line_goes_on_in_the_next_run() {
    tokio::time::pause();
    let doubles = doubles(main_process());
    let answer = wait_while(&doubles, &log("listening"), async {
        a_second().await;
        // It crashes, and another one takes its place.
        let crashed = ProcessReport {
            last_exit: exit_of(7),
            ..backing_off(1.0)
        };
        doubles.post(Still::new(crashed));
        doubles.printed.send_modify(|it| it.ended.push(RunId(7)));
        a_second().await;
        doubles.post(Still::new(next_run()));
        a_second().await;
        let line = (RunId(8), "listening");
        doubles.printed.send_modify(|it| it.lines.push(line));
    })
    .await;
    assert_eq!(answer.line.as_deref(), Some("listening"));
    assert_eq!(answer.run, Some(RunId(8)));
}

#[actix_web::test]
async fn the_last_words_of_a_run_count_and_those_of_one_that_was_replaced_do_not() {
    tokio::time::pause();
    let says = (RunId(7), "panicked at main.rs");
    let stopped = ProcessReport {
        last_exit: exit_of(7),
        ..idle(StateName::Stopped)
    };
    let crashed = ProcessReport {
        last_exit: exit_of(7),
        ..next_run()
    };
    for (after, met) in [(stopped, true), (crashed, true), (next_run(), false)] {
        let doubles = doubles(main_process());
        let answer = wait_while(&doubles, &log("panicked"), async {
            a_second().await;
            doubles.post(Still::new(after));
            a_second().await;
            doubles.printed.send_modify(|it| it.lines.push(says));
        })
        .await;
        assert_eq!(answer.met, met, "{answer:?}");
    }
}

#[actix_web::test]
async fn a_stopped_run_whose_log_has_ended_prints_nothing_more() {
    tokio::time::pause();
    let doubles = doubles(main_process());
    let answer = wait_while(&doubles, &log("listening"), async {
        a_second().await;
        doubles.post(Still::new(idle(StateName::Stopped)));
        a_second().await;
        doubles.printed.send_modify(|it| it.ended.push(RunId(7)));
    })
    .await;
    assert_eq!(answer.reason, Some(Unmet::Stopped));
}

#[actix_web::test]
async fn a_long_line_is_shortened() {
    tokio::time::pause();
    let long = "listening ".repeat(1_000).leak();
    let doubles = doubles(main_process());
    let line = (RunId(7), &*long);
    doubles.printed.send_modify(|it| it.lines.push(line));
    let line = wait(&doubles, &log("listening"), 30).await.line.unwrap();
    assert!(line.starts_with("listening ") && line.ends_with('…'));
    assert!(line.len() < 600);
}

#[actix_web::test]
async fn an_answer_says_what_to_do_about_what_it_found() {
    tokio::time::pause();
    let failed = |build: LastBuild| LastBuild {
        outcome: BuildOutcome::Failed,
        ..build
    };
    let after = async |report: ProcessReport, until: Until| {
        let answer = wait(&doubles(report), &until, 30).await;
        assert!(answer.met && !answer.is_error());
        answer.next.unwrap_or_default()
    };
    let behind = |behind| ProcessReport {
        behind: Some(behind),
        ..main_process()
    };
    for (why, words) in [
        (Behind::BuildFailed, "failed to build"),
        (Behind::RolledBack, "the last good version"),
        (Behind::SourcesChanged, "restart builds them"),
    ] {
        let next = after(behind(why), Until::Ready).await;
        assert!(next.contains(words), "{next}");
    }
    let broken = ProcessReport {
        last_build: main_process().last_build.map(failed),
        ..main_process()
    };
    assert!(
        after(broken, Until::Build)
            .await
            .contains("search_build_log")
    );
    assert_eq!(after(main_process(), Until::Build).await, "");
    let npm = ProcessReport {
        state: StateName::Building,
        ..web_process()
    };
    assert!(
        after(npm, Until::Build)
            .await
            .starts_with("nothing is built")
    );
    assert_eq!(
        after(idle(StateName::Stopped), Until::Exit).await,
        "search_logs has what it printed"
    );

    let doubles = doubles(main_process());
    let refused = EventReport {
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        age_seconds: 1.0,
        kind: EventKind::BuildFailed,
        text: "direnv refuses .envrc".to_owned(),
    };
    doubles.post(Still::new(main_process()).unbuilt(refused));
    let next = wait(&doubles, &Until::Build, 30).await.next.unwrap();
    assert!(
        next.contains("failed before cargo: direnv refuses .envrc"),
        "{next}"
    );
}

#[actix_web::test]
async fn the_build_that_is_answered_is_the_one_that_ended() {
    tokio::time::pause();
    let doubles = doubles(busy(StateName::Building));
    let answer = wait_while(&doubles, &Until::Build, async {
        a_second().await;
        doubles.post(Still::new(ProcessReport {
            last_build: main_process().last_build.map(|build| LastBuild {
                id: BuildId(10),
                ..build
            }),
            ..main_process()
        }));
    })
    .await;
    assert_eq!(answer.until, Wanted::Build);
    assert_eq!(answer.last_build.unwrap().id, BuildId(10));
}

/// Keeps what it is told, with the time.
struct Notes(Vec<(u64, String)>, Instant);

impl Progress for Notes {
    async fn tell(&mut self, note: String) {
        self.0.push((self.1.elapsed().as_secs(), note));
    }
}

#[actix_web::test]
async fn whoever_waits_hears_every_fifteen_seconds_how_it_stands() {
    tokio::time::pause();
    let doubles = doubles(busy(StateName::Building));
    let mut notes = Notes(Vec::new(), Instant::now());
    let patience = Duration::from_secs(40);
    let wait = doubles
        .service
        .wait_for(Some("main"), &Until::Ready, patience, &mut notes);
    assert_eq!(wait.await.unwrap().reason, Some(Unmet::TimeUp));
    let note = |seconds, text: &str| (seconds, text.to_owned());
    assert_eq!(
        notes.0,
        [
            note(0, "waiting until main is ready"),
            note(15, "building, 15 s"),
            note(30, "building, 30 s"),
        ]
    );
}

#[actix_web::test]
async fn a_wait_answers_with_its_fields_in_their_order_and_the_same_as_text() {
    let server = one();
    let answer = server.call("wait_for", json!({"until": "ready"})).await;
    assert!(!answer.is_error());
    let mut report = answer.json()["result"]["structuredContent"].clone();
    assert!(report["waited_seconds"].take().is_number());
    assert_eq!(
        report.to_string(),
        r#"{"process":"main","until":"ready","met":true,"reason":null,"waited_seconds":null,"state":"running","health":"ready","behind":null,"run":7,"pid":4711,"line":null,"last_exit":{"run":6,"code":null,"signal":9,"text":"signal 9 (SIGKILL)","at":"2026-11-23T10:00:00Z"},"last_build":{"id":9,"mode":"dev","outcome":"ok","seconds":4.1,"errors":0,"warnings":2,"at":"2026-11-23T09:59:58Z"},"next":null}"#
    );
    assert_eq!(
        answer.text(),
        "main: ready: it serves and is ready (met: true, waited 0 s). \
         It is running, run 7 serves (pid 4711, ready).\n\
         last exit: run 6, signal 9 (SIGKILL), at 2026-11-23T10:00:00Z\n\
         last build: 9 (dev), ok in 4.1 s, 0 errors, 2 warnings, at 2026-11-23T09:59:58Z"
    );
    // It counts as activity.
    let mut calls = server.doubles.calls.clone();
    calls.wait_for(|calls| *calls == 1).await.unwrap();
}

#[actix_web::test]
async fn what_cannot_come_is_an_error_whose_text_has_the_reason_and_the_next_step() {
    let report = ProcessReport {
        behind: Some(Behind::RolledBack),
        ..idle(StateName::Stopped)
    };
    let server = run(Cast::new().with(report, Script::Hold));
    let answer = server.call("wait_for", json!({"until": "ready"})).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.json()["result"]["structuredContent"]["reason"],
        "stopped"
    );
    let text = answer.text();
    for part in [
        "met: false, reason: stopped",
        "It is stopped, nothing serves",
        "rolled_back",
        "next: it stays stopped until somebody starts it: call start or restart",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[actix_web::test]
async fn arguments_that_make_no_sense_are_refused_with_what_would() {
    let server = two();
    let refused = async |given: Value| {
        let answer = server.call("wait_for", given).await;
        assert!(answer.is_error(), "{answer:?}");
        assert!(answer.json()["error"].is_null(), "it is a result");
        answer.text()
    };
    let choice = "\"ready\" or \"exit\" or \"log\" or \"build\"";
    for (given, words) in [
        (
            json!({"process": "main"}),
            format!("`until` is missing, but must be {choice}"),
        ),
        (
            json!({"until": "running"}),
            format!("`until` is \"running\", but must be {choice}"),
        ),
        (json!({"until": "log"}), "`pattern` is missing".to_owned()),
        (
            json!({"until": "log", "pattern": null}),
            "`pattern` is missing".to_owned(),
        ),
        (
            json!({"until": "ready", "pattern": "up"}),
            "`pattern` is only for until \"log\"".to_owned(),
        ),
        (
            json!({"until": "log", "pattern": "(", "process": "main"}),
            "`pattern` is no valid regex".to_owned(),
        ),
        (
            json!({"until": "ready", "timeout_seconds": 3_601}),
            "a number of seconds from 0 to 3600".to_owned(),
        ),
        (
            json!({"until": "ready", "timeout": 3}),
            "did you mean `timeout_seconds`?".to_owned(),
        ),
        (
            json!({"until": "ready", "process": "mian"}),
            "did you mean `main`?".to_owned(),
        ),
        (
            json!({"until": "ready"}),
            "there are several processes, so say which: main, web".to_owned(),
        ),
    ] {
        let text = refused(given.clone()).await;
        assert!(text.contains(&words), "{given}: {text}");
    }
    let right = json!({"until": "exit", "pattern": null, "process": "main", "timeout_seconds": 0});
    assert!(!server.call("wait_for", right).await.is_error());
}

#[actix_web::test]
async fn a_client_that_hangs_up_ends_its_wait() {
    let server = one();
    let mut reading = server.doubles.reading.clone();
    for meta in [json!({}), json!({"progressToken": "a"})] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "wait_for", "_meta": meta,
            "arguments": {"until": "log", "pattern": "listening", "timeout_seconds": 3_600},
        }});
        let body = body.to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let client = server.send(head.as_bytes()).await;
        reading.wait_for(|count| *count == 1).await.unwrap();
        drop(client);
        reading.wait_for(|count| *count == 0).await.unwrap();
    }
}

#[actix_web::test]
async fn a_client_that_asks_for_progress_of_a_wait_hears_of_it_at_once() {
    let server = run(Cast::new().with(busy(StateName::Building), Script::Hold));
    let (tell, mut told) = mpsc::unbounded_channel();
    let client = server.newer(Listener(tell)).await;
    let given = arguments(json!({"until": "build"}));
    let call = CallToolRequestParams::new("wait_for").with_arguments(given);
    let (result, ()) = tokio::join!(client.call_tool(call), async {
        let note = told.recv().await.unwrap();
        let words = "waiting until the build of main ends";
        assert_eq!(note.message.as_deref(), Some(words));
        server.doubles.post(Still::new(main_process()));
    });
    let report = result.unwrap().structured_content.unwrap();
    assert_eq!(report["met"], true);
    client.cancel().await.unwrap();
}
