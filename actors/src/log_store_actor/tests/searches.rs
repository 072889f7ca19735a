//! Which logs a search is about, and what it finds.

use super::*;

#[actix::test]
async fn both_streams_are_kept_in_one_order_and_can_be_told_apart() {
    let (store, mut output) = store();
    let ((out_reader, mut out), (err_reader, mut err)) = (io::pipe().unwrap(), io::pipe().unwrap());
    let outputs = vec![
        (Stream::Stdout, out_reader.into()),
        (Stream::Stderr, err_reader.into()),
    ];
    open(&store, run(1), outputs).await;
    for n in 0..50 {
        writeln!(out, "alpha {n}").unwrap();
        output.shows(&format!("[main] alpha {n}\n")).await;
        writeln!(err, "beta {n}").unwrap();
        output.shows(&format!("[main] beta {n}\n")).await;
    }
    let expected: Vec<_> = (0..50)
        .map(|n| format!("   alpha {n}\n   stderr| beta {n}\n"))
        .collect();
    let expected = expected.concat();
    assert_eq!(found(&store, -1).await.text, expected);
    let pattern = Some(Pattern::parse("^beta 7$").unwrap());
    let stderr = Query {
        pattern,
        stream: Some(Stream::Stderr),
        ..everything()
    };
    let found = ask(&store, LogKind::Runs, -1, stderr).await.unwrap();
    assert_eq!((found.text.as_str(), found.kept), (" * beta 7\n", 50));
}

#[actix::test]
async fn ten_thousand_lines_and_more_are_kept_and_what_left_is_counted() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let child = tokio::task::spawn_blocking(move || {
        let lines: Vec<_> = (0..60_000).map(|n| format!("line {n}\n")).collect();
        stdout.write_all(lines.concat().as_bytes())
    });
    child.await.unwrap().unwrap();
    crash(&store, 1).await;
    last_lines(&store, run(1)).await;
    let found = found(&store, -1).await;
    assert_eq!((found.kept, found.evicted), (60_000, 0));
    assert!(found.text.len() <= 40_000 && found.text.ends_with("   line 59999\n"));
}

#[actix::test]
async fn a_retried_build_does_not_hide_the_log_of_the_one_that_failed() {
    let (store, mut output) = store();
    for (id, ending, text) in [
        (1, BuildEnding::Failed, "error: no\n"),
        (2, BuildEnding::Succeeded, "Finished\n"),
    ] {
        open(&store, build(id), vec![]).await;
        let bytes = Bytes::from(text);
        let stream = Stream::Stderr;
        store
            .send(Append {
                key: build(id),
                stream,
                bytes,
            })
            .await
            .unwrap();
        store
            .send(BuildEnded {
                process: main(),
                build: BuildId(id),
                ending,
            })
            .await
            .unwrap();
    }
    output
        .shows("[build main] error: no\n[build main] Finished\n")
        .await;
    for (index, text, ending) in [
        (-2, "   error: no\n", "failed"),
        (-1, "   Finished\n", "succeeded"),
    ] {
        let found = ask(&store, LogKind::Builds, index, everything())
            .await
            .unwrap();
        assert_eq!(
            (found.text.as_str(), found.logs[0].ending.as_deref()),
            (text, Some(ending))
        );
    }
    assert_eq!(
        ask(&store, LogKind::Runs, -1, everything()).await,
        Err(NoSuchLog::None)
    );
}

#[actix::test]
async fn the_last_ten_runs_are_kept_and_other_indexes_are_refused_with_words() {
    let store = silent_store();
    for n in 1..=12 {
        open(&store, run(n), vec![]).await;
    }
    assert_eq!(found(&store, 0).await.logs[0].source, Source::Run(RunId(3)));
    assert_eq!(
        found(&store, -1).await.logs[0].source,
        Source::Run(RunId(12))
    );
    for index in [10, -11, i64::MAX, i64::MIN] {
        let refused = ask(&store, LogKind::Runs, index, everything())
            .await
            .unwrap_err();
        let text = format!("index {index} does not exist: 10 are kept, so -10 to -1 and 0 to 9 do");
        assert_eq!(refused.to_string(), text);
    }
}

#[actix::test]
async fn what_is_new_since_a_cursor_comes_from_all_later_runs() {
    let (store, mut output) = store();
    let mut first = open_stdout(&store, run(3)).await;
    first.write_all(b"one\ntwo\n").unwrap();
    output.shows("two\n").await;
    let seen = found(&store, -1).await.cursor;
    assert_eq!(seen.to_string(), "3:2");
    let new = Query {
        after: Some(seen),
        ..everything()
    };
    let ask_all = async |query: &Query| {
        let search = Search {
            processes: vec![main()],
            kind: LogKind::Runs,
            which: Which::All,
            query: query.clone(),
        };
        store.send(search).await.unwrap()
    };
    assert_eq!(ask_all(&new).await.unwrap().kept, 0);
    first.write_all(b"three\n").unwrap();
    output.shows("three\n").await;
    crash(&store, 3).await;
    let mut second = open_stdout(&store, run(5)).await;
    second.write_all(b"four\n").unwrap();
    output.shows("four\n").await;
    let found = ask_all(&new).await.unwrap();
    assert_eq!(
        found.text,
        "--- run 3 (crashed: signal 9 (SIGKILL), dev)\n   three\n--- run 5 (running, dev)\n   four\n"
    );
    assert_eq!((found.gone, found.cursor.to_string().as_str()), (0, "5:1"));
    let ahead = Query {
        after: Some("6:1".parse().unwrap()),
        ..everything()
    };
    let refused = ask_all(&ahead).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the cursor names number 6, but the newest is 5"
    );
}

#[actix::test]
async fn a_run_is_found_by_its_number_among_several_processes() {
    let (store, mut output) = store();
    let web = LogKey {
        process: "web".parse().unwrap(),
        source: Source::Run(RunId(2)),
    };
    let mut one = open_stdout(&store, run(1)).await;
    let mut other = open_stdout(&store, web.clone()).await;
    one.write_all(b"of main\n").unwrap();
    output.shows("of main\n").await;
    other.write_all(b"of web\n").unwrap();
    output.shows("of web\n").await;
    let both = async |which| {
        let search = Search {
            processes: vec![main(), web.process.clone()],
            kind: LogKind::Runs,
            which,
            query: everything(),
        };
        store.send(search).await.unwrap()
    };
    let merged = both(Which::Index(-1)).await.unwrap();
    assert_eq!(merged.text, "   main| of main\n   web| of web\n");
    assert_eq!(merged.cursor.to_string(), "main=1:1,web=2:1");
    let found = both(Which::Number(2)).await.unwrap();
    assert_eq!(found.text, "   web| of web\n");
    assert_eq!(found.without, [main()]);
    assert_eq!(
        both(Which::Number(9)).await,
        Err(NoSuchLog::Number {
            number: 9,
            kept: 1,
            oldest: 1,
            newest: 1,
            removed: None
        })
    );
}

#[actix::test]
async fn whoever_leaves_before_his_answer_takes_no_place_from_others() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let child = tokio::task::spawn_blocking(move || {
        stdout.write_all(&b"aaaaaaaaaaaaaaaaaaaa\n".repeat(50_000))
    });
    child.await.unwrap().unwrap();
    crash(&store, 1).await;
    last_lines(&store, run(1)).await;
    let pattern = Some(Pattern::parse("b$").unwrap());
    let query = Query {
        pattern,
        ..everything()
    };
    for _ in 0..50 {
        let search = Search {
            processes: vec![main()],
            kind: LogKind::Runs,
            which: Which::Index(-1),
            query: query.clone(),
        };
        let asked = actix::spawn(store.send(search));
        tokio::task::yield_now().await;
        asked.abort();
    }
    assert_eq!(
        ask(&store, LogKind::Runs, -1, query).await.unwrap().matched,
        0
    );
}

#[actix::test]
async fn error_lines_of_a_run_that_goes_on_are_those_that_the_run_before_did_not_print() {
    let (store, mut output) = store();
    let mut old = open_stdout(&store, run(1)).await;
    old.write_all(b"12:00 ERROR old\nERROR older\n").unwrap();
    output.shows("ERROR older").await;
    let mut new = open_stdout(&store, run(2)).await;
    new.write_all(b"up\n12:01 ERROR old\n\x1b[31mERROR\x1b[0m new\nERROR last\n")
        .unwrap();
    output.shows("ERROR last").await;

    let ask = |key, unlike, count| store.send(DescribeErrorLines { key, unlike, count });
    let lines = ask(run(2), Some(run(1)), 5).await.unwrap();
    assert_eq!(lines, ["ERROR new", "ERROR last"]);
    let lines = ask(run(2), None, 2).await.unwrap();
    assert_eq!(lines, ["12:01 ERROR old", "ERROR new"]);
    let lines = ask(run(2), Some(run(7)), 1).await.unwrap();
    assert_eq!(lines, ["12:01 ERROR old"], "there is no run 7");
    assert!(ask(run(7), Some(run(1)), 5).await.unwrap().is_empty());
}
