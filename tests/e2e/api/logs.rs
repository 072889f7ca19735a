//! Lines, and those that follow.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Http, Lines, Project, eventually,
    project::{RUST, lives, shell},
};

fn follow(daemon: &Daemon, query: &str) -> Lines {
    Lines::ask(daemon.port(), &format!("GET /api/logs?{query}"), "")
}

/// All rows of an answer that ends.
#[track_caller]
fn rows(daemon: &Daemon, query: &str) -> Vec<Value> {
    let mut lines = follow(daemon, query);
    let mut rows = Vec::new();
    while let Some(line) = lines.line() {
        rows.push(serde_json::from_str(&line).unwrap());
    }
    rows
}

/// The texts of rows, and notices.
fn texts(rows: &[Value]) -> Vec<&str> {
    let text = |row: &'_ Value| -> &'static str {
        let text = row["text"].as_str().or(row["notice"].as_str());
        String::leak(text.unwrap().to_owned())
    };
    rows.iter().map(text).collect()
}

/// A process that prints the lines of a file, and then each line that is added.
fn tail(name: &str) -> String {
    shell(
        name,
        &format!("touch {name}.txt; exec tail -n +1 -F {name}.txt"),
    )
}

fn add(project: &Project, name: &str, text: &str) {
    use std::io::Write;
    let path = project.dir().join(format!("{name}.txt"));
    let mut file = std::fs::OpenOptions::new();
    let mut file = file.append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn lines_come_as_they_were_printed_with_their_places() {
    let project = Project::new("api-logs");
    let script = r"printf '\033[31mred\033[0m\nplain \377\n'; echo bad >&2; exec sleep 1000";
    project.config(&shell("main", script));
    let daemon = project.start();
    let rows = eventually("three lines", || {
        let rows = rows(&daemon, "process=main");
        if rows.len() == 3 { Ok(rows) } else { Err(rows) }
    });
    let seqs: Vec<_> = rows
        .iter()
        .map(|row| row["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
    let find = |text: &str| rows.iter().find(|row| row["text"] == text).unwrap();
    assert_eq!(find("\u{1b}[31mred\u{1b}[0m")["stream"], "stdout");
    assert_eq!(find("plain \u{fffd}")["run"], 1);
    let bad = find("bad");
    assert_eq!(bad["stream"], "stderr");
    assert!(bad["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(bad.as_object().unwrap().len(), 6, "{bad}");
}

#[test]
fn lines_are_filtered_as_in_a_search() {
    let project = Project::new("api-filter");
    let script =
        "for n in $(seq 100); do echo \"line $n\"; done; echo 'ERROR x' >&2; exec sleep 1000";
    project.config(&shell("main", script));
    let daemon = project.start();
    eventually("all lines", || {
        let rows = rows(&daemon, "");
        if rows.len() == 101 {
            Ok(())
        } else {
            Err(rows.len())
        }
    });
    let shown = |query: &str| -> Vec<String> {
        let rows = rows(&daemon, query);
        texts(&rows).iter().map(ToString::to_string).collect()
    };
    assert_eq!(shown("pattern=line+1%24"), ["line 1"]);
    assert_eq!(
        shown("pattern=LINE+1.%24&ignore_case=true&head=2"),
        ["line 10", "line 11"]
    );
    assert_eq!(shown("pattern=line+5.&tail=1"), ["line 59"]);
    assert_eq!(shown("level=error"), ["ERROR x"]);
    assert_eq!(shown("stream=stderr"), ["ERROR x"]);
    assert_eq!(shown("pattern=line&invert=true"), ["ERROR x"]);
    assert_eq!(shown("tail=2&stream=stdout"), ["line 99", "line 100"]);
    let around = rows(&daemon, "pattern=line+50&context_lines=1&stream=stdout");
    assert_eq!(texts(&around), ["line 49", "line 50", "line 51"]);
    let context: Vec<_> = around.iter().map(|row| &row["context"]).collect();
    assert_eq!(context, [&json!(true), &Value::Null, &json!(true)]);
}

#[test]
fn builds_have_lines_too() {
    let project = Project::new("api-builds");
    let web = shell("web", "exec sleep 1000");
    project.rust(&lives("up")).config(&format!("{RUST}{web}"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let built = rows(&daemon, "kind=build");
    assert!(
        texts(&built).iter().any(|it| it.contains("Compiling")),
        "{built:?}"
    );
    assert_eq!(
        (&built[0]["build"], &built[0]["run"]),
        (&json!(true), &json!(1))
    );
    let answer = Http::new(daemon.port()).ask("GET /api/logs?kind=build&process=web");
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "no_such_log");
}

#[test]
fn who_follows_gets_what_comes_and_goes_on_into_the_next_run() {
    let project = Project::new("api-follow");
    project.config(&tail("main"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let mut lines = follow(&daemon, "process=main&follow=true");
    for n in 0..50 {
        add(&project, "main", &format!("{n}\n"));
        assert_eq!(lines.json()["text"], n.to_string());
    }
    daemon.restart("main");
    assert_eq!(
        lines.json(),
        json!({"notice": "run_changed", "process": "main", "run": 2})
    );
    // `tail` prints the file anew.
    for n in 0..50 {
        let line = lines.json();
        assert_eq!(
            (&line["text"], &line["run"]),
            (&json!(n.to_string()), &json!(2))
        );
    }
    add(&project, "main", "more\n");
    assert_eq!(lines.json()["text"], "more");
}

#[test]
fn without_a_history_a_cursor_of_an_earlier_daemon_is_a_gap_and_the_reader_goes_on() {
    let project = Project::new("api-anew");
    project.config(&format!("[logs]\ndisk = false\n{}", tail("main")));
    let daemon = project.start();
    daemon.until_state("main", "running");
    add(&project, "main", "one\n");
    let mut lines = follow(&daemon, "process=main&follow=true&after_cursor=9:41");
    assert_eq!(
        lines.json(),
        json!({"notice": "gap", "process": "main", "lines": null})
    );
    assert_eq!(lines.json()["text"], "one");
    let answer = Http::new(daemon.port()).ask("GET /api/logs?process=main&after_cursor=9:41");
    assert_eq!(answer.status, 404, "{answer:?}");
}

#[test]
fn all_processes_are_followed_at_once() {
    let project = Project::new("api-all");
    project.config(&format!("{}{}", tail("one"), tail("two")));
    let daemon = project.start();
    daemon.until_state("one", "running");
    daemon.until_state("two", "running");
    let mut lines = follow(&daemon, "follow=true");
    for n in 0..10 {
        for name in ["one", "two"] {
            add(&project, name, &format!("{n}\n"));
            let line = lines.json();
            assert_eq!(
                (&line["process"], &line["text"]),
                (&json!(name), &json!(n.to_string()))
            );
        }
    }
}

#[test]
fn a_reader_who_was_cut_goes_on_where_he_was_also_over_a_restart_of_the_daemon() {
    let project = Project::new("api-again");
    project.config(&tail("main"));
    let mut daemon = project.start();
    daemon.until_state("main", "running");
    let numbers: Vec<String> = (1..=3_000).map(|n| n.to_string()).collect();
    add(&project, "main", &format!("{}\n", numbers.join("\n")));
    let mut lines = follow(&daemon, "process=main&follow=true&after_cursor=1:0");
    let mut last = Value::Null;
    for n in 1..=1_500 {
        last = lines.json();
        assert_eq!(last["text"], n.to_string());
    }
    drop(lines);
    let cursor = format!("{}:{}", last["run"], last["seq"]);
    let mut lines = follow(
        &daemon,
        &format!("process=main&follow=true&after_cursor={cursor}"),
    );
    for n in 1_501..=2_000 {
        assert_eq!(lines.json()["text"], n.to_string());
    }
    daemon.signal(Signal::SIGTERM);
    daemon.ends();
    // The answer ends with the daemon, it is not just cut.
    while lines.line().is_some() {}
    let daemon = project.start();
    let mut lines = follow(&daemon, "process=main&follow=true&after_cursor=1:2000");
    for n in 2_001..=3_000 {
        let line = lines.json();
        assert_eq!(
            (&line["text"], &line["run"]),
            (&json!(n.to_string()), &json!(1))
        );
    }
    assert_eq!(lines.json()["notice"], "run_changed");
    assert_eq!(lines.json()["text"], "1");
}

#[test]
fn a_reader_who_takes_nothing_slows_nobody_and_is_told_what_he_missed() {
    let project = Project::new("api-slow");
    let go = project.dir().join("go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = "read _ < go; seq 500000; echo done; exec sleep 1000";
    project.config(&shell("main", script));
    let daemon = project.start_quiet();
    daemon.until("main", "a run", |main| main["run"].is_u64());
    // They have nothing to read before the flood, and then do not read.
    let mut idle: Vec<Lines> = (0..3).map(|_| follow(&daemon, "follow=true")).collect();
    std::fs::write(&go, "\n").unwrap();
    let done = |daemon: &Daemon| {
        let last = rows(daemon, "tail=1");
        texts(&last) == ["done"]
    };
    eventually(
        "all printed",
        || if done(&daemon) { Ok(()) } else { Err(()) },
    );
    let status = daemon.status();
    assert_eq!(status["processes"][0]["crashes"], 0);
    let reader = &mut idle[0];
    let (mut next, mut dropped) = (1, 0);
    let mut notices = Vec::new();
    loop {
        let row = reader.json();
        if let Some(notice) = row["notice"].as_str() {
            let lines = row["lines"].as_u64().unwrap();
            dropped += if notice == "dropped" { lines } else { 0 };
            next += lines;
            notices.push(row);
            continue;
        }
        assert_eq!(row["seq"], next, "{notices:?}");
        next += 1;
        if row["text"] == "done" {
            break;
        }
    }
    assert!(dropped > 0, "{notices:?}");
    assert_eq!(next, 500_002);
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let project = Project::new("api-logs-wrong");
    project.config(&format!("{}{}", tail("one"), tail("two")));
    let daemon = project.start();
    daemon.until_state("one", "running");
    daemon.until_state("two", "running");
    let http = Http::new(daemon.port());
    for (query, status, code, said) in [
        ("process=three", 404, "unknown_process", "three"),
        ("tail=x", 400, "bad_request", "`tail`"),
        ("folow=true", 400, "bad_request", "did you mean `follow`?"),
        ("pattern=(", 400, "bad_request", "`pattern`"),
        ("after_cursor=1:5", 400, "bad_request", "cursor"),
        ("process=one&after_cursor=99:5", 404, "no_such_log", "99"),
        ("process=one&run=77", 404, "no_such_log", "77"),
        ("process=one&index=5", 404, "no_such_log", "5"),
    ] {
        let answer = http.ask(&format!("GET /api/logs?{query}"));
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], code, "{query}: {answer:?}");
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
}

#[test]
fn following_never_extends_dev_mode() {
    let project = Project::new("api-idle");
    project.config(&format!("dev_timeout_hours = 0.001\n{}", tail("main")));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.restart("main");
    let _lines = follow(&daemon, "follow=true");
    let _events = Lines::ask(daemon.port(), "GET /api/events", "");
    let http = Http::new(daemon.port());
    eventually("release", || {
        http.ask("GET /api/logs?tail=1");
        let status = http.ask("GET /api/status").json();
        if status["mode"] == "release" {
            Ok(())
        } else {
            Err(status["release_in_seconds"].clone())
        }
    });
}

#[test]
fn who_follows_all_gets_the_lines_of_a_process_that_is_added_later() {
    let project = Project::new("api-added");
    let manual = |text: &str| project.config(&format!("reload = \"manual\"\n{text}"));
    manual(&tail("main"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let mut lines = follow(&daemon, "follow=true");
    let mut only = follow(&daemon, "follow=true&process=main");
    add(&project, "main", "one\n");
    assert_eq!(lines.json()["text"], "one");
    manual(&(tail("main") + &tail("web")));
    let answer = Http::new(daemon.port()).ask("POST /api/reload");
    assert_eq!(answer.status, 200, "{answer:?}");
    for n in 0..3 {
        for name in ["web", "main"] {
            add(&project, name, &format!("{n}\n"));
            let line = lines.json();
            assert_eq!(
                (&line["process"], &line["text"]),
                (&json!(name), &json!(n.to_string()))
            );
        }
    }
    let texts = [only.json(), only.json()].map(|line| line["text"].clone());
    assert_eq!(texts, ["one", "0"], "who named one gets that one");
}
