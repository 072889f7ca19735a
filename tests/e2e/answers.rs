//! What a restart answers: its shape in every outcome, what it says of the build, of the new child's
//! first lines, and of what changed meanwhile.

use std::{fmt::Write as _, thread};

use serde_json::{Value, json};

use crate::support::{
    Daemon, Gate, Project, free,
    project::{RUST, counted, lives, shell},
    shape::{self, has_shape},
};

const LONG_WAITS: &str = "dev_crash_wait_seconds = 1000
release_crash_backoff_initial_seconds = 1000
release_crash_backoff_max_seconds = 1000
";

/// A restart that comes to this.
#[track_caller]
fn restart(daemon: &Daemon, name: &str, outcome: &str) -> (String, Value) {
    let answer = daemon.call("restart", &json!({"process": name}));
    checked(&answer, outcome)
}

#[track_caller]
fn checked(answer: &Value, outcome: &str) -> (String, Value) {
    let report = answer["structuredContent"].clone();
    has_shape(&report, &shape::restart());
    assert_eq!(report["outcome"], outcome, "{report}");
    let ok = matches!(outcome, "restarted" | "swapped");
    assert_eq!(report["ok"], ok);
    assert_eq!(answer["isError"], !ok && outcome != "building");
    let text = answer["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains(&format!("{outcome} (ok: {ok})")), "{text}");
    (text, report)
}

#[test]
fn an_answer_has_its_shape_in_every_outcome() {
    let project = Project::new("outcomes");
    project.rust("first_mistake();");
    let gate = Gate::new(&project);
    let late = |name: &str, way: &str| {
        let script = "echo up; test -e late || echo ready; exec sleep 1000";
        let ready = "ready = { log = \"ready\", timeout_seconds = 2 }";
        format!("{}{way}\n{ready}\n", shell(name, script))
    };
    let held = format!("listen = [\"{}\"]", free());
    let (own, beside) = (late("own", ""), late("beside", &held));
    project.config(&format!("{LONG_WAITS}{RUST}{own}{beside}"));
    let daemon = project.start();
    restart(&daemon, "main", "build_failed");
    project.main("std::process::exit(3);");
    let (_, report) = restart(&daemon, "main", "crashed");
    assert_eq!(
        (&report["ready_after_ms"], &report["error_count"]),
        (&Value::Null, &json!(0))
    );
    project.main(&lives("up"));
    restart(&daemon, "main", "restarted");
    project.main("std::process::exit(4);");
    restart(&daemon, "main", "rolled_back");

    // Its first start may have been too slow for so little time.
    restart(&daemon, "own", "restarted");
    let (_, swapped) = restart(&daemon, "beside", "swapped");
    assert_eq!(
        (&swapped["pause_ms"], &swapped["connections_refused"]),
        (&json!(0.0), &json!(0))
    );
    assert!(swapped["ready_after_ms"].is_number());
    project.file("late", "");
    restart(&daemon, "own", "not_ready");
    let (_, late) = restart(&daemon, "beside", "rolled_back");
    assert_eq!(late["run"], swapped["run"]);

    project.main(&lives("newer"));
    gate.close();
    let answer = daemon.call(
        "restart",
        &json!({"process": "main", "timeout_seconds": 0.01}),
    );
    checked(&answer, "building");
    let stopped = thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.call("restart", &json!({"process": "main"})));
        daemon.until("main", "asked again", |main| main["restarts"] == 6);
        let stopped = daemon.call("stop", &json!({"process": "main"}));
        has_shape(&stopped["structuredContent"], &shape::restart());
        waiting.join().unwrap()
    });
    checked(&stopped, "stopped");
    gate.leave_open();
}

/// The body of a `main` with so many errors and warnings.
fn with_mistakes(errors: usize, warnings: usize) -> String {
    let mut source = String::new();
    for number in 0..errors {
        _ = writeln!(source, "let _mistake_{number}: u8 = \"{number}\";");
    }
    for number in 0..warnings {
        _ = writeln!(source, "let unused_{number} = {number};");
    }
    source + &lives("up")
}

#[test]
fn at_most_ten_errors_are_shown_the_rest_is_counted_and_so_is_what_is_new_and_fixed() {
    let project = Project::new("counts");
    project.rust(&with_mistakes(0, 0)).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let counts = |report: &Value| {
        let counts = [
            "error_count",
            "warning_count",
            "new_count",
            "fixed_count",
            "omitted_count",
        ];
        counts.map(|count| report[count].as_u64().unwrap())
    };

    project.main(&with_mistakes(13, 0));
    let (text, report) = restart(&daemon, "main", "build_failed");
    assert_eq!(counts(&report), [13, 0, 13, 0, 3], "{report:#}");
    let errors = report["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 10);
    assert!(
        errors.iter().all(|error| error["new"] == true),
        "{errors:#?}"
    );
    for said in [
        "13 errors",
        "13 new",
        "3 more errors and warnings are not shown",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }

    project.main(&with_mistakes(2, 0));
    let (_, report) = restart(&daemon, "main", "build_failed");
    assert_eq!(counts(&report), [2, 0, 0, 11, 0], "{report:#}");
    let errors = report["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["new"] == false));

    project.main(&with_mistakes(0, 3));
    let (_, report) = restart(&daemon, "main", "restarted");
    assert_eq!(counts(&report), [0, 3, 3, 2, 0], "{report:#}");
    let shown = report["errors"].as_array().unwrap();
    let first = shown.iter().find(|it| {
        let message = it["message"].as_str().unwrap();
        message.contains("unused_0")
    });
    let first = first.unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(
        (&first["level"], &first["file"], &first["new"]),
        (&json!("warning"), &json!("src/main.rs"), &json!(true))
    );

    // The same again: nothing is new, and old warnings are only counted.
    project.main(&format!("\n{}", with_mistakes(0, 3)));
    let (_, report) = restart(&daemon, "main", "restarted");
    assert_eq!(counts(&report), [0, 3, 0, 0, 3], "{report:#}");
    assert_eq!(report["errors"], json!([]));
}

#[test]
fn lines_of_the_new_child_that_look_like_errors_are_shown_if_the_old_one_had_none_of_them() {
    let project = Project::new("error-lines");
    let body = |lines: &[&str]| {
        let lines = lines.iter().map(|line| format!("eprintln!(\"{line}\");"));
        lines.chain([lives("up")]).collect::<Vec<_>>().concat()
    };
    let usual = "ERROR cannot reach the mail server";
    project.rust(&body(&[usual])).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let new = "2026-11-23T10:00:00Z ERROR app: no such table: users";
    project.main(&body(&[usual, "INFO all is well", new]));
    let (text, report) = restart(&daemon, "main", "restarted");
    assert_eq!(report["error_lines"], json!([new]), "{report:#}");
    assert!(
        text.contains(new) && !text.contains("mail server"),
        "{text}"
    );
    // It is known now.
    let (_, report) = restart(&daemon, "main", "restarted");
    assert_eq!(report["error_lines"], json!([]), "{report:#}");
}

#[test]
fn sources_that_change_during_the_build_or_later_make_what_runs_behind_until_it_is_restarted() {
    let project = Project::new("changed");
    project.rust(&counted("one")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    let now = daemon.until_state("main", "running");
    assert_eq!(now["behind"], Value::Null);

    project.main(&counted("two"));
    daemon.until("main", "behind", |main| main["behind"] == "sources_changed");
    let text = daemon.text("get_status", &json!({}));
    assert!(text.contains("main: what runs is NOT the newest"), "{text}");
    gate.close();
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.call("restart", &json!({})));
        gate.arrived();
        project.main(&counted("three"));
        gate.open();
        waiting.join().unwrap()
    });
    let (text, report) = checked(&answer, "restarted");
    assert_eq!(report["behind"], "sources_changed", "{report}");
    assert!(
        text.contains("sources were changed since its build began"),
        "{text}"
    );
    let (_, report) = restart(&daemon, "main", "restarted");
    assert_eq!(report["behind"], Value::Null, "{report}");
    assert!(daemon.logs("main").contains("three"));
    assert_eq!(daemon.process("main")["behind"], Value::Null);

    project.main(&counted("four"));
    daemon.until("main", "behind again", |main| {
        main["behind"] == "sources_changed"
    });
    // A failed build says more than that.
    project.main("mistake();");
    let (_, report) = restart(&daemon, "main", "build_failed");
    assert_eq!(report["behind"], "build_failed");
}
