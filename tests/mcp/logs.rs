//! `search_logs` and `search_build_log`.

use bpm_actors::{
    logs::Stream,
    search::{Extent, Found, LogKind, NoSuchLog, Query, Search},
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
         2; 0 evicted\n * line 3200\n * line 3300\n"
    );
    let answer = server.call("search_build_log", json!({"head": 1})).await;
    assert_eq!(
        answer.text(),
        "main build 9 (building, dev) in /home/u/ganbot: 3,400 lines, showing the first 1; 0 \
         evicted\n * line 0\n"
    );
}

#[actix_web::test]
async fn arguments_reach_the_log_store_and_tail_wins_over_head() {
    let server = one();
    let arguments = json!({
        "process": "main", "pattern": "x", "context_lines": 3, "head": 5, "tail": 7.0,
        "index": -2, "stream": "stderr",
    });
    server.call("search_logs", arguments).await;
    let asked = server.doubles.asked.lock().unwrap();
    let [
        Search {
            process,
            kind,
            index,
            query,
        },
    ] = asked.as_slice()
    else {
        panic!("asked {} times", asked.len());
    };
    assert_eq!(
        (process.as_str(), *kind, *index),
        ("main", LogKind::Runs, -2)
    );
    let Query {
        pattern,
        context,
        extent,
        stream,
        budget,
    } = query;
    assert!(
        pattern
            .as_ref()
            .is_some_and(|it| it.matches(b"x") && !it.matches(b"X"))
    );
    assert_eq!(
        (*context, *extent, *stream),
        (3, Extent::Tail(7), Some(Stream::Stderr))
    );
    assert!((30_000..40_000).contains(budget));
}

#[actix_web::test]
async fn null_is_the_same_as_absent() {
    let server = one();
    let nothing = json!({
        "process": null, "pattern": null, "context_lines": null, "head": null, "tail": null,
        "index": null, "stream": null,
    });
    let given = server.call("search_logs", nothing).await;
    let absent = server.call("search_logs", json!({})).await;
    assert!(!given.is_error());
    assert_eq!(given.text(), absent.text());
    let asked = server.doubles.asked.lock().unwrap();
    assert_eq!(
        (asked[0].index, asked[0].query.extent),
        (-1, Extent::Fitting)
    );
}

#[actix_web::test]
async fn an_answer_is_bounded_and_says_what_it_left_out() {
    let server = one();
    let most = json!({"tail": 100_000});
    let most = server.call("search_logs", most).await.text();
    assert!((30_000..=40_000).contains(&most.len()), "{}", most.len());
    let text = server.call("search_logs", json!({})).await.text();
    assert!((12_000..=16_000).contains(&text.len()), "{}", text.len());
    let mut top = text.lines();
    assert!(
        top.next()
            .unwrap()
            .contains(": 3,400 lines, showing the last ")
    );
    assert!(
        top.next()
            .unwrap()
            .contains("more lines do not fit into one answer")
    );
    let ten = server.call("search_logs", json!({"tail": 10})).await.text();
    assert_eq!(
        ten.lines().count(),
        11,
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
            "this tool has no parameter `tial` (did you mean `tail`?); it takes process, pattern, \
             context_lines, head, tail, index, stream",
        ),
    ] {
        for tool in ["search_logs", "search_build_log"] {
            let answer = server.call(tool, arguments.clone()).await;
            assert!(answer.is_error());
            // Only one of them takes it.
            assert_eq!(answer.text().replace("diagnostics, ", ""), message);
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
        let answer = server.call(tool, json!({})).await;
        assert!(answer.is_error());
        assert_eq!(
            answer.text(),
            "there are several processes, so say which: main, web"
        );
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
        Err(NoSuchLog::Index {
            index: search.index,
            kept: 3,
        })
    };
    let server = run(Cast::new().with(main_process(), Script::Hold).logs(missing));
    let answer = server.call("search_logs", json!({"index": 12})).await;
    assert!(answer.is_error());
    assert_eq!(
        answer.text(),
        "main: index 12 does not exist: 3 are kept, so -3 to -1 and 0 to 2 do"
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
                shown: 0,
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
         last 0; 0 evicted\nnothing was printed on this stream; 3,400 lines are on stdout\n"
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
         0; 0 evicted\n"
    );
}
