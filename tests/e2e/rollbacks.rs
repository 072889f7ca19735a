//! New builds that die, at once or soon: what serves instead, and what is said about it.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Project, eventually, free, is_alive, marked, pid_in,
    project::{RUST, counted, lives},
    shape::{self, has_shape},
    signal,
};

const LONG_WAITS: &str = "dev_crash_wait_seconds = 1000
release_crash_backoff_initial_seconds = 1000
release_crash_backoff_max_seconds = 1000
";
const SHORT_WAITS: &str =
    "dev_crash_wait_seconds = 0.05\nrelease_crash_backoff_initial_seconds = 0.05\n";

const DIES: &str = "println!(\"opening the database\"); \
                    eprintln!(\"no such table: users\"); std::process::exit(7);";

/// Ready with its first line.
const SPEAKS: &str = "ready = { log = '^(old|new)$' }\n";

/// The text of the newest event of this kind.
#[track_caller]
fn event(process: &Value, kind: &str) -> String {
    let events = process["events"].as_array().unwrap();
    let event = events.iter().find(|event| event["kind"] == kind);
    let event = event.unwrap_or_else(|| panic!("no {kind} in {process:#}"));
    event["text"].as_str().unwrap().to_owned()
}

/// The three ways, as lines of an entry.
fn ways() -> [(&'static str, String); 3] {
    [
        ("own", String::new()),
        ("held", format!("listen = [\"{}\"]\n", free())),
        ("relayed", format!("port = \"{}\"\n", free())),
    ]
}

#[test]
fn a_new_build_that_dies_is_rolled_back_and_a_later_good_one_makes_up_for_it() {
    for (way, lines) in ways() {
        let project = Project::new(way);
        project
            .rust(&lives("old"))
            .config(&format!("{LONG_WAITS}{RUST}{lines}"));
        let daemon = project.start();
        let old = daemon.until_state("main", "running");
        project.main(DIES);
        let answer = daemon.call("restart", &json!({"process": "main"}));
        dies(&daemon, way, &old, &answer);

        project.main(&lives("mended"));
        let answer = daemon.restart("main");
        assert_eq!(answer["ok"], true, "{answer}");
        let now = daemon.process("main");
        assert_eq!(
            (&answer["behind"], &now["behind"], &now["mode"]),
            (&Value::Null, &Value::Null, &json!("dev"))
        );
        // The old one may still be on its way.
        eventually("alone", || match &marked(&project.dir())[..] {
            [pid] if *pid == pid_in(&now) => Ok(()),
            more => Err(more.to_vec()),
        });
    }
}

#[track_caller]
fn dies(daemon: &Daemon, way: &str, old: &Value, answer: &Value) {
    assert_eq!(answer["isError"], true);
    let text = answer["content"][0]["text"].as_str().unwrap();
    for said in ["exit code 7", "no such table: users", "does not touch data"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let answer = &answer["structuredContent"];
    has_shape(answer, &shape::restart());
    assert_eq!(answer["outcome"], "rolled_back", "{answer}");
    let reason = "run 2 ended before it had proved itself (exit code 7)";
    assert_eq!(answer["reason"], reason);
    assert_eq!(
        (&answer["exit"]["run"], &answer["exit"]["code"]),
        (&json!(2), &json!(7))
    );
    let lines = answer["last_lines"].to_string();
    assert!(
        lines.contains("opening the database") && lines.contains("no such table"),
        "{lines}"
    );
    let next = answer["next"].as_str().unwrap();
    assert!(
        next.contains("does not touch data: what run 2 wrote is still there"),
        "{next}"
    );
    assert_eq!(answer["build"], 2);

    let now = daemon.process("main");
    assert_eq!(
        (&now["state"], &now["behind"], &now["mode"], &now["crashes"]),
        (
            &json!("running"),
            &json!("rolled_back"),
            &json!("release"),
            &json!(1)
        ),
        "{now:#}"
    );
    assert_eq!((&answer["run"], &answer["pid"]), (&now["run"], &now["pid"]));
    let instead = if way == "own" {
        assert!(!is_alive(pid_in(old)));
        assert_eq!(now["run"], 3);
        "the last good version is started again"
    } else {
        assert!(is_alive(pid_in(old)));
        assert_eq!(now["pid"], old["pid"]);
        assert_eq!(answer["connections_refused"], 0);
        "run 1 keeps serving"
    };
    let event = event(&now, "rolled_back");
    assert_eq!(event, format!("run 2: exit code 7; {instead}"));
    daemon.prints(&format!("main: rolled back: {event}"));
    assert!(
        daemon
            .logs("main")
            .contains(if way == "own" { "old" } else { "no such" })
    );
}

#[test]
fn a_crash_soon_after_the_swap_goes_back_to_the_last_good_build_by_itself_once() {
    for (way, lines) in ways() {
        let project = Project::new("soon");
        let config = format!("{SHORT_WAITS}{RUST}{lines}{SPEAKS}");
        project.rust(&counted("old")).config(&config);
        let daemon = project.start();
        daemon.until_state("main", "running");
        project.main(&counted("new"));
        let answer = daemon.restart("main");
        assert_eq!(answer["ok"], true, "{answer}");

        // Soon is 10 seconds by default.
        signal(pid_in(&answer), Signal::SIGABRT);
        let back = daemon.until("main", "rolled back", |main| {
            main["state"] == "running" && main["behind"] == "rolled_back"
        });
        assert_eq!(
            (&back["mode"], &back["crashes"], &back["run"]),
            (&json!("release"), &json!(1), &json!(3)),
            "{way}"
        );
        assert_eq!(
            event(&back, "rolled_back"),
            "run 2: signal 6 (SIGABRT); the last good version is started again"
        );
        assert!(daemon.logs("main").contains("old"));
        // At once: it did not wait, and nothing was built.
        assert_eq!(back["last_build"]["id"], 2);
        assert!(!back["events"].to_string().contains("backing_off"));

        // The next crash is one of the last good build itself.
        signal(pid_in(&back), Signal::SIGKILL);
        let again = daemon.until("main", "an ordinary crash", |main| {
            main["state"] == "running" && main["crashes"] == 2
        });
        assert_eq!(again["run"], 4, "{again:#}");
        assert!(again["events"].to_string().contains("backing_off"));
        assert_eq!(again["behind"], "rolled_back");
    }
}

#[test]
fn a_crash_after_stable_seconds_is_an_ordinary_one() {
    let project = Project::new("stable");
    let config = format!("{SHORT_WAITS}{RUST}{SPEAKS}stable_seconds = 0.2\n");
    project.rust(&counted("old")).config(&config);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&counted("new"));
    let answer = daemon.restart("main");
    assert_eq!(answer["ok"], true, "{answer}");
    daemon.until("main", "stable", |main| {
        main["uptime_seconds"].as_f64().unwrap() > 0.5
    });
    signal(pid_in(&answer), Signal::SIGKILL);
    let now = daemon.until("main", "another run", |main| {
        main["state"] == "running" && main["run"] != answer["run"]
    });
    // Dev: it waited, and built the newest sources.
    assert_eq!(
        (&now["mode"], &now["behind"], &now["last_build"]["id"]),
        (&json!("dev"), &Value::Null, &json!(3)),
        "{now:#}"
    );
    assert!(!now["events"].to_string().contains("rolled_back"));
    assert!(daemon.logs("main").contains("new"));
}

#[test]
fn a_roll_back_that_fails_too_says_how_the_new_build_failed_and_backs_off() {
    let project = Project::new("both");
    // The last good build dies as well, once there is that file.
    let old = "if std::path::Path::new(\"poison\").exists() { std::process::exit(9); }";
    project
        .rust(&format!("{old} {}", lives("old")))
        .config(&format!("{LONG_WAITS}{RUST}"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&format!(
        "std::fs::write(\"poison\", \"\").unwrap(); {DIES}"
    ));
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "crashed", "{answer}");
    assert_eq!(answer["exit"]["text"], "exit code 7");
    let lines = answer["last_lines"].to_string();
    assert!(lines.contains("no such table"), "{lines}");
    assert_eq!(answer["run"], Value::Null);
    let now = daemon.process("main");
    assert_eq!(
        (&now["state"], &now["crashes"]),
        (&json!("backing_off"), &json!(2)),
        "{now:#}"
    );
    assert_eq!(now["last_exit"]["text"], "exit code 9");
}

#[test]
fn the_old_child_may_die_while_the_new_one_proves_itself() {
    let project = Project::new("old-dies");
    let address = free();
    // The second run waits for a file.
    let body = format!(
        "if std::path::Path::new(\"starts\").exists() {{
            std::fs::write(\"came\", \"\").unwrap();
            while !std::path::Path::new(\"go\").exists() {{ std::thread::yield_now(); }}
        }}
        {}",
        counted("up")
    );
    project.rust(&body).config(&format!(
        "{LONG_WAITS}{RUST}listen = [\"{address}\"]\nready = {{ log = \"up\" }}\n"
    ));
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.restart("main"));
        eventually("the new one", || {
            let came = project.dir().join("came").exists();
            if came { Ok(()) } else { Err(daemon.output()) }
        });
        signal(pid_in(&old), Signal::SIGKILL);
        let now = daemon.until("main", "crashed", |main| main["crashes"] == 1);
        assert_eq!(
            (&now["state"], &now["serving"], &now["connections_wait"]),
            (&json!("proving"), &json!(false), &json!(true)),
            "{now:#}"
        );
        project.file("go", "");
        waiting.join().unwrap()
    });
    // It takes the place of nobody.
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert_eq!(answer["connections_refused"], 0);
    assert_eq!(daemon.process("main")["pid"], answer["pid"]);
}
