//! `search_logs` and `search_build_log`.

use std::time::{Duration, SystemTime};

use bpm_actors::{
    logs::{Stream, level::Level},
    search::{
        Collapse, Detail, Extent, Found, LogKind, Matching, NoSuchLog, Query, Search, Which,
        bound::Bound,
    },
};
use serde_json::json;

use crate::{
    doubles::{Cast, Script, lines, main_process, web_process},
    support::{one, run, two},
};

#[actix_web::test]
async fn lines_come_as_text_only_under_a_first_line_that_counts_them() {
    let server = one();
    let answer = server
        .call("search_logs", json!({"pattern": "00$", "tail": 2}))
        .await;
    assert_eq!(answer.json()["result"]["structuredContent"], json!(null));
    assert_eq!(
        answer.text(),
        "main run 7 (running, dev) in /home/u/ganbot: 33 of 3,400 lines matched, showing the last \
         2; 0 evicted\ncursor 7:3400\n * line 3200\n * line 3300\n"
    );
    let answer = server.call("search_build_log", json!({"head": 1})).await;
    assert_eq!(
        answer.text(),
        "main build 9 (building, dev) in /home/u/ganbot: 3,400 lines, showing the first 1; 0 \
         evicted\ncursor 7:3400\n * line 0\n"
    );
}

#[actix_web::test]
async fn arguments_reach_the_log_store_and_tail_wins_over_head() {
    let server = one();
    let arguments = json!({
        "process": "main", "pattern": "x", "ignore_case": true, "invert": true, "level": "warn",
        "context_lines": 3, "head": 5, "tail": 7.0, "index": -2, "stream": "stderr",
        "since": "5m", "until": "2100-01-01T00:00:00Z", "after_cursor": "7:1042",
        "collapse": "similar", "detail": true, "max_bytes": 20_000,
    });
    server.call("search_logs", arguments).await;
    let asked = server.doubles.asked.lock().unwrap();
    let [
        Search {
            processes,
            kind,
            which,
            query,
        },
    ] = asked.as_slice()
    else {
        panic!("asked {} times", asked.len());
    };
    assert_eq!(processes.as_slice(), ["main".parse().unwrap()]);
    assert_eq!((*kind, *which), (LogKind::Runs, Which::Index(-2)));
    let Query {
        pattern,
        matching,
        level,
        context,
        extent,
        stream,
        since,
        until,
        after,
        collapse,
        detail,
        budget,
    } = query;
    assert!(
        pattern
            .as_ref()
            .is_some_and(|it| it.matches(b"x") && it.matches(b"X"))
    );
    assert_eq!(
        (*matching, *level, *collapse, *detail),
        (
            Matching::OtherLines,
            Some(Level::Warn),
            Collapse::Similar,
            Detail::Place
        )
    );
    let Some(Bound::Time(since)) = since else {
        panic!("{since:?}");
    };
    let age = SystemTime::now().duration_since(*since).unwrap();
    assert!((Duration::from_mins(5)..Duration::from_mins(6)).contains(&age));
    assert!(matches!(until, Some(Bound::Time(until)) if *until > *since));
    assert_eq!(*after, Some("7:1042".parse().unwrap()));
    assert_eq!(
        (*context, *extent, *stream),
        (3, Extent::Tail(7), Some(Stream::Stderr))
    );
    assert!((18_000..20_000).contains(budget));
}

#[actix_web::test]
async fn null_is_the_same_as_absent() {
    let server = one();
    let nothing = json!({
        "process": null, "processes": null, "pattern": null, "ignore_case": null, "invert": null,
        "level": null, "context_lines": null, "head": null, "tail": null, "index": null, "run": null,
        "since": null, "until": null, "after_cursor": null, "stream": null, "collapse": null,
        "detail": null, "max_bytes": null,
    });
    let given = server.call("search_logs", nothing).await;
    let absent = server.call("search_logs", json!({})).await;
    assert!(!given.is_error());
    assert_eq!(given.text(), absent.text());
    let asked = server.doubles.asked.lock().unwrap();
    assert_eq!(
        (asked[0].which, asked[0].query.extent),
        (Which::Index(-1), Extent::All)
    );
}

#[actix_web::test]
async fn an_answer_is_bounded_and_says_what_it_left_out() {
    let server = one();
    for most in [500, 5_000, 40_000] {
        let arguments = json!({"max_bytes": most, "tail": 100_000});
        let text = server.call("search_logs", arguments).await.text();
        assert!((most / 3..=most).contains(&text.len()), "{}", text.len());
    }
    let text = server.call("search_logs", json!({})).await.text();
    assert!((12_000..=16_000).contains(&text.len()), "{}", text.len());
    let mut top = text.lines();
    assert!(
        top.next()
            .unwrap()
            .contains(": 3,400 lines, showing the last ")
    );
    assert_eq!(top.next(), Some("cursor 7:3400"));
    let ten = server.call("search_logs", json!({"tail": 10})).await.text();
    assert_eq!(
        ten.lines().count(),
        12,
        "what was asked for is there: {ten}"
    );
}

#[actix_web::test]
async fn wrong_types_are_refused_and_not_ignored() {
    let server = one();
    for (arguments, message) in [
        (
            json!({"index": "-2"}),
            "`index` is \"-2\", but must be an integer such as -1",
        ),
        (
            json!({"head": -1}),
            "`head` is -1, but must be an integer, 0 or more",
        ),
        (
            json!({"tail": 1.5}),
            "`tail` is 1.5, but must be an integer, 0 or more",
        ),
        (
            json!({"pattern": 5}),
            "`pattern` is 5, but must be a string",
        ),
        (
            json!({"stream": "both"}),
            "`stream` is \"both\", but must be \"stdout\" or \"stderr\"",
        ),
        (
            json!({"tial": 5}),
            "this tool has no parameter `tial` (did you mean `tail`?); it takes process, processes, \
             pattern, ignore_case, invert, level, context_lines, head, tail, index, RUN, since, \
             until, after_cursor, stream, collapse, detail, max_bytes",
        ),
        (
            json!({"process": ["main", 5]}),
            "`process` is [\"main\",5], but must be a string, or a list of strings",
        ),
        (
            json!({"process": "main", "processes": ["main"]}),
            "`process` and `processes` both name processes; give one of them",
        ),
        (
            json!({"index": -1, "RUN": 7}),
            "`index` and `RUN` both say which RUN; give one of them",
        ),
        (
            json!({"RUN": 0}),
            "`RUN` is 0, but must be an integer, 1 or more",
        ),
        (
            json!({"since": "yesterday"}),
            "`since` is \"yesterday\", but must be an age such as \"90s\", \"5m\", \"2h\" or \
             \"1d\", a time such as \"2026-11-23T10:00:00Z\", or a cursor such as \"7:1042\"",
        ),
        (
            json!({"after_cursor": "5m"}),
            "`after_cursor` is \"5m\", but must be a cursor such as \"7:1042\", as an answer gives it",
        ),
        (
            json!({"invert": true}),
            "`invert` needs a `pattern`: it shows the lines that do not match",
        ),
        (
            json!({"level": "bad"}),
            "`level` is \"bad\", but must be \"fatal\" or \"error\" or \"warn\" or \"info\" or \
             \"debug\" or \"trace\"",
        ),
        (
            json!({"max_bytes": 100_000}),
            "`max_bytes` is 100000, but must be an integer from 500 to 40000",
        ),
    ] {
        for (tool, number) in [("search_logs", "run"), ("search_build_log", "build")] {
            let arguments = arguments.to_string().replace("RUN", number);
            let arguments = serde_json::from_str(&arguments).unwrap();
            let answer = server.call(tool, arguments).await;
            assert!(answer.is_error());
            // Only one of them takes it.
            assert_eq!(
                answer.text().replace("diagnostics, ", ""),
                message.replace("RUN", number)
            );
        }
    }
    assert!(server.doubles.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_bad_pattern_is_refused_with_the_place_of_the_mistake() {
    let server = one();
    let answer = server.call("search_logs", json!({"pattern": "a(b"})).await;
    assert!(answer.is_error());
    let text = answer.text();
    assert!(
        text.starts_with("`pattern` is no valid regex: regex parse error:\n"),
        "{text}"
    );
    assert!(
        text.contains("\n    a(b\n     ^\nerror: unclosed group"),
        "{text}"
    );
}

#[actix_web::test]
async fn an_unknown_process_is_answered_with_the_known_ones() {
    let server = two();
    for tool in ["search_logs", "search_build_log", "restart"] {
        let answer = server.call(tool, json!({"process": "mian"})).await;
        assert!(answer.is_error());
        assert_eq!(
            answer.text(),
            "there is no process `mian` (did you mean `main`?); known: main, web"
        );
        let answer = server.call(tool, json!({"process": "zzz"})).await;
        assert_eq!(answer.text(), "there is no process `zzz`; known: main, web");
    }
    let answer = server.call("restart", json!({})).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.text(),
        "there are several processes, so say which: main, web"
    );
}

#[actix_web::test]
async fn several_processes_are_searched_together_where_none_is_named() {
    let server = two();
    for (tool, arguments, asked) in [
        ("search_logs", json!({}), &["main", "web"][..]),
        (
            "search_logs",
            json!({"processes": ["web", "main", "web"]}),
            &["main", "web"],
        ),
        ("search_logs", json!({"process": ["web"]}), &["web"]),
        ("search_build_log", json!({}), &["main"]),
    ] {
        let answer = server.call(tool, arguments).await;
        assert!(!answer.is_error());
        let asked: Vec<_> = asked.iter().map(|it| it.parse().unwrap()).collect();
        let last = server.doubles.asked.lock().unwrap().pop().unwrap();
        assert_eq!(last.processes, asked);
    }
    let text = server.call("search_logs", json!({"tail": 0})).await.text();
    assert!(
        text.starts_with("main run 7 (running, dev), web run 7 (running, dev) in /home/u/ganbot: "),
        "{text}"
    );
    let cursor = json!({"after_cursor": "7:1042"});
    let answer = server.call("search_logs", cursor).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.text(),
        "several processes are asked about (main, web), so a cursor must name them \
         (\"NAME=7:1042,OTHER=8:3\"); or say which process"
    );
    let cursor = json!({"after_cursor": "main=7:1042,web=7:3"});
    assert!(!server.call("search_logs", cursor).await.is_error());
}

#[actix_web::test]
async fn bounds_search_all_runs_unless_one_is_named() {
    let server = one();
    for (arguments, which) in [
        (json!({"since": "5m"}), Which::All),
        (json!({"until": "7:3"}), Which::All),
        (json!({"after_cursor": "7:3"}), Which::All),
        (json!({"since": "5m", "index": -2}), Which::Index(-2)),
        (json!({"since": "5m", "run": 7}), Which::Number(7)),
        (json!({"run": 7}), Which::Number(7)),
    ] {
        server.call("search_logs", arguments).await;
        let last = server.doubles.asked.lock().unwrap().pop().unwrap();
        assert_eq!(last.which, which);
    }
}

#[actix_web::test]
async fn nothing_is_built_for_npm() {
    let server = two();
    let answer = server
        .call("search_build_log", json!({"process": "web"}))
        .await;
    assert!(!answer.is_error());
    assert!(
        answer
            .text()
            .contains("nothing is built for a process of type npm")
    );
    assert!(server.doubles.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_run_that_is_not_kept_is_an_error_that_says_which_are() {
    let missing = |search: &Search| {
        Err(match search.which {
            Which::Index(index) => NoSuchLog::Index {
                index,
                kept: 3,
                removed: None,
            },
            Which::Number(number) => NoSuchLog::Number {
                number,
                kept: 3,
                oldest: 5,
                newest: 7,
                removed: None,
            },
            Which::All => NoSuchLog::Ahead {
                number: 9,
                newest: 7,
            },
        })
    };
    let server = run(Cast::new().with(main_process(), Script::Hold).logs(missing));
    let answer = server.call("search_logs", json!({"index": 12})).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.text(),
        "main: index 12 does not exist: 3 are kept, so -3 to -1 and 0 to 2 do"
    );
    let answer = server.call("search_logs", json!({"run": 4})).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.text(),
        "main: number 4 is not kept: 3 are, from 5 to 7"
    );
    let answer = server.call("search_logs", json!({"since": "9:1"})).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.text(),
        "main: the cursor names number 9, but the newest is 7"
    );
}

#[actix_web::test]
async fn a_process_that_never_ran_says_so_and_what_it_does() {
    let nothing = |_: &Search| Err(NoSuchLog::None);
    let server = run(Cast::new().with(web_process(), Script::Hold).logs(nothing));
    let answer = server.call("search_logs", json!({})).await;
    assert!(!answer.is_error());
    assert_eq!(
        answer.text(),
        "web in /home/u/ganbot: has not run yet, so it printed nothing; it is running"
    );
}

#[actix_web::test]
async fn a_stream_without_lines_says_how_many_the_other_has() {
    let on_stdout = |search: &Search| {
        let found = lines(search);
        Ok(match search.query.stream {
            Some(Stream::Stderr) => Found {
                kept: 0,
                matched: 0,
                chosen: 0,
                shown_last: 0,
                hidden: 3_400,
                text: String::new(),
                ..found
            },
            _ => found,
        })
    };
    let server = run(Cast::new()
        .with(main_process(), Script::Hold)
        .logs(on_stdout));
    let answer = server
        .call("search_logs", json!({"stream": "stderr", "pattern": "x"}))
        .await;
    assert_eq!(
        answer.text(),
        "main run 7 (running, dev) in /home/u/ganbot: 0 of 0 lines of stderr matched, showing the \
         last 0; 0 evicted\nnothing was printed on this stream; 3,400 lines are on stdout\ncursor \
         7:3400\n"
    );
}

#[actix_web::test]
async fn none_at_all_only_counts() {
    let server = one();
    let text = server
        .call("search_logs", json!({"pattern": "00$", "tail": 0}))
        .await
        .text();
    assert_eq!(
        text,
        "main run 7 (running, dev) in /home/u/ganbot: 33 of 3,400 lines matched, showing the last \
         0; 0 evicted\ncursor 7:3400\n"
    );
}
