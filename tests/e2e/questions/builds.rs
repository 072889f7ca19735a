//! The same questions about builds, and what cargo found.

use serde_json::{Value, json};

use super::lines;
use crate::support::{Daemon, Project, project::RUST};

const STAYS: &str = "loop { std::thread::park(); }";

fn project(name: &str, body: &str) -> (Project, Daemon) {
    let project = Project::new(name);
    project.rust(&format!("{body} {STAYS}")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    (project, daemon)
}

#[track_caller]
fn build_log(daemon: &Daemon, arguments: &Value) -> String {
    let answer = daemon.call("search_build_log", arguments);
    assert_eq!(answer["isError"], false, "{arguments}: {answer}");
    answer["content"][0]["text"].as_str().unwrap().to_owned()
}

#[test]
fn diagnostics_are_given_once_with_place_and_whether_they_are_new() {
    let (project, daemon) = project("diagnostics", "let unused_here = 1;");
    let first = build_log(&daemon, &json!({"diagnostics": true}));
    assert!(first.contains("unused variable: `unused_here`"), "{first}");
    assert!(first.contains("src/main.rs:2"), "{first}");

    project.main(&format!(
        "let unused_here = 1;\nlet wrong: u32 = \"no number\";\n{STAYS}"
    ));
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "build_failed", "{answer}");
    let second = build_log(&daemon, &json!({"diagnostics": true}));
    let error = second.find("mismatched types");
    let error = error.unwrap_or_else(|| panic!("{second}"));
    assert!(
        second.contains("E0308") && second.contains("src/main.rs:3"),
        "{second}"
    );
    assert_eq!(
        second.matches("mismatched types").count(),
        1,
        "once: {second}"
    );
    assert!(second.contains("new"), "{second}");
    if let Some(warning) = second.find("unused variable") {
        assert!(error < warning, "errors first: {second}");
    }
    // The one before is still there.
    let before = build_log(&daemon, &json!({"diagnostics": true, "index": -2}));
    assert!(before.contains("unused_here"), "{before}");
    assert!(!before.contains("mismatched"), "{before}");
    let refused = daemon.call(
        "search_build_log",
        &json!({"diagnostics": true, "pattern": "x"}),
    );
    assert_eq!(refused["isError"], true, "{refused}");
    let small = build_log(&daemon, &json!({"diagnostics": true, "max_bytes": 500}));
    assert!(small.len() <= 500, "{small}");
}

#[test]
fn builds_are_asked_for_by_number_level_and_cursor_like_runs() {
    let (project, daemon) = project("build-questions", "let unused_here = 1;");
    let first = daemon.process("main")["last_build"]["id"].as_u64().unwrap();
    let text = build_log(&daemon, &json!({}));
    let at = super::cursor(&text);
    assert!(at.starts_with(&format!("{first}:")), "{at}");
    let warnings = build_log(&daemon, &json!({"level": "warn"}));
    assert!(
        lines(&warnings)
            .iter()
            .any(|line| line.contains("unused variable")),
        "{warnings}"
    );
    project.main(&format!("println!(\"hello\"); {STAYS}"));
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    let new = build_log(&daemon, &json!({"after_cursor": at}));
    assert!(!new.contains("unused variable"), "{new}");
    assert!(new.contains("Compiling app"), "{new}");
    let old = build_log(
        &daemon,
        &json!({"build": first, "ignore_case": true, "pattern": "COMPILING"}),
    );
    assert!(old.starts_with(&format!("main build {first} (")), "{old}");
    assert_eq!(lines(&old).len(), 1, "{old}");
}
