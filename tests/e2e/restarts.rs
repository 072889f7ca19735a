//! What `restart` does and answers, and what it must leave alone.

use std::{io::Write, net::TcpStream, thread};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Gate, Project, children_of, eventually, is_alive, marked, pid_in,
    project::{COUNT, RUST, counted, lives, shell},
    signal, zombies_of,
};

/// A program that does not compile: the error is in line 2, column 14.
const BROKEN: &str = "let _x: u8 = \"text\";";

#[test]
fn a_restart_says_run_pid_mode_build_and_pause_and_the_old_child_serves_until_the_swap() {
    let project = Project::new("restart");
    project.rust(&counted("old")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    project.main(&counted("new"));
    gate.close();
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.restart("main"));
        gate.arrived();
        let meanwhile = daemon.process("main");
        assert_eq!(meanwhile["state"], "building");
        for unchanged in ["run", "pid", "mode", "health"] {
            assert_eq!(meanwhile[unchanged], old[unchanged], "{unchanged}");
        }
        assert_eq!(meanwhile["serving"], true);
        assert!(is_alive(pid_in(&old)));
        gate.open();
        waiting.join().unwrap()
    });
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert_eq!(
        (&answer["ok"], &answer["mode"]),
        (&json!(true), &json!("dev"))
    );
    assert_eq!((&answer["run"], &answer["build"]), (&json!(2), &json!(2)));
    let now = daemon.process("main");
    for same in ["run", "pid", "mode"] {
        assert_eq!(now[same], answer[same], "{same}");
    }
    assert_eq!(
        (
            &now["state"],
            &now["restarts"],
            &now["crashes"],
            &now["behind"]
        ),
        (&json!("running"), &json!(1), &json!(0), &Value::Null)
    );
    assert!(answer["pause_ms"].as_f64().unwrap() > 0.0, "{answer}");
    assert!(!is_alive(pid_in(&old)) && is_alive(pid_in(&answer)));
    assert!(daemon.logs("main").contains("new"));
    assert_eq!(project.lines("starts"), 2);
}

#[test]
fn a_failed_build_in_a_restart_changes_nothing_says_where_and_leaves_crash_recovery_on() {
    let project = Project::new("broken");
    let config = format!("release_crash_backoff_initial_seconds = 0.05\n{RUST}");
    project.rust(&counted("old")).config(&config);
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    project.main(BROKEN);
    let answer = daemon.call("restart", &json!({"process": "main"}));
    assert_eq!(answer["isError"], true);
    let answer = &answer["structuredContent"];
    assert_eq!(answer["outcome"], "build_failed", "{answer}");
    for unchanged in ["run", "pid", "mode"] {
        assert_eq!(answer[unchanged], old[unchanged], "{unchanged}");
    }
    let error = &answer["errors"][0];
    let place = ["file", "line", "column", "code"].map(|part| &error[part]);
    assert_eq!(
        place,
        [
            &json!("src/main.rs"),
            &json!(2),
            &json!(14),
            &json!("E0308")
        ]
    );
    assert_eq!(answer["behind"], "build_failed");
    assert!(is_alive(pid_in(&old)));

    signal(pid_in(&old), Signal::SIGKILL);
    let new = daemon.until("main", "another run", |main| {
        main["state"] == "running" && main["run"] != old["run"]
    });
    assert_eq!(
        (&new["mode"], &new["crashes"]),
        (&json!("release"), &json!(1))
    );
    assert_eq!(project.lines("starts"), 2, "{}", daemon.output());
}

#[test]
fn a_client_that_hangs_up_during_a_restart_changes_nothing() {
    let project = Project::new("hang-up");
    let config = format!("dev_crash_wait_seconds = 0.05\n{RUST}");
    project.rust(&counted("old")).config(&config);
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&counted("new"));
    gate.close();
    drop(asked(
        &daemon,
        "restart",
        &json!({"process": "main"}),
        &gate,
    ));
    gate.open();
    let new = daemon.until("main", "swapped", |main| {
        main["state"] == "running" && main["mode"] == "dev"
    });
    assert_eq!(new["crashes"], 0);
    assert_eq!(project.lines("starts"), 2);

    signal(pid_in(&new), Signal::SIGKILL);
    daemon.until("main", "recovered", |main| {
        main["state"] == "running" && main["run"] != new["run"]
    });
    assert_eq!(project.lines("starts"), 3, "{}", daemon.output());
}

/// Sends a call and waits until its build is under way.
fn asked(daemon: &Daemon, tool: &str, arguments: &Value, gate: &Gate) -> TcpStream {
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments}
    });
    let body = call.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port())).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    gate.arrived();
    stream
}

#[test]
fn two_restarts_at_once_are_both_answered_and_one_copy_runs() {
    let project = Project::new("two");
    project.rust(&counted("old")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&counted("new"));
    gate.close();
    let answers = thread::scope(|scope| {
        let first = scope.spawn(|| daemon.restart("main"));
        gate.arrived();
        let second = scope.spawn(|| daemon.restart("main"));
        daemon.until("main", "asked twice", |main| main["restarts"] == 2);
        gate.open();
        [first.join().unwrap(), second.join().unwrap()]
    });
    let now = daemon.process("main");
    for answer in &answers {
        assert_eq!(answer["outcome"], "restarted", "{answer}");
        assert_eq!(answer["pid"], now["pid"]);
    }
    assert_eq!(children_of(daemon.pid()), [pid_in(&now)]);
    assert_eq!(project.lines("starts"), 2);
}

#[test]
fn a_restart_during_a_back_off_acts_at_once_and_starts_one_copy() {
    let project = Project::new("back-off");
    let config =
        "release_crash_backoff_initial_seconds = 1000\nrelease_crash_backoff_max_seconds = 1000\n";
    let script = "echo up >> starts; test -e works || exit 3; exec sleep 1000";
    project.config(&format!("{config}{}", shell("main", script)));
    let daemon = project.start();
    daemon.until_state("main", "backing_off");
    project.file("works", "");
    let answers = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| daemon.restart("main")));
        both.map(|one| one.join().unwrap())
    });
    let now = daemon.until_state("main", "running");
    for answer in &answers {
        assert_eq!(answer["outcome"], "restarted", "{answer}");
    }
    assert_eq!(
        (&now["crashes"], &now["crashes_in_a_row"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(children_of(daemon.pid()), [pid_in(&now)]);
    assert_eq!(marked(&project.dir()), [pid_in(&now)]);
    // Whoever was superseded before he was ready was stopped first.
    assert!((2..=3).contains(&project.lines("starts")));
}

#[test]
fn a_restart_of_a_process_whose_first_build_still_runs_builds_the_newest_sources() {
    let project = Project::new("building");
    project.rust(&counted("old")).config(RUST);
    let gate = Gate::new(&project);
    gate.close();
    let daemon = project.start();
    gate.arrived();
    project.main(&counted("new"));
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.restart("main"));
        daemon.until("main", "asked", |main| main["restarts"] == 1);
        gate.open();
        waiting.join().unwrap()
    });
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert_eq!(answer["mode"], "dev");
    assert!(daemon.logs("main").contains("new"));
    assert_eq!(project.lines("starts"), 1);
}

#[test]
fn twenty_five_restarts_in_a_row_are_followed_by_no_spurious_start() {
    const RESTARTS: usize = 25;
    let project = Project::new("row");
    let config = "dev_crash_wait_seconds = 0.02\nrelease_crash_backoff_initial_seconds = 0.02\n";
    let script = "echo up >> starts; exec sleep 1000";
    project.config(&format!("{config}{}", shell("main", script)));
    let daemon = project.start();
    daemon.until_state("main", "running");
    for made in 1..=RESTARTS {
        // All but some are superseded or asked while the child still proves itself.
        if made % 5 == 0 {
            assert_eq!(daemon.restart("main")["outcome"], "restarted");
        } else {
            let run = daemon.process("main")["run"].clone();
            let arguments = json!({"process": "main", "timeout_seconds": 0.001});
            daemon.call("restart", &arguments);
            daemon.until("main", "another run", |main| {
                main["run"].is_u64() && main["run"] != run
            });
        }
        assert_eq!(children_of(daemon.pid()).len(), 1);
        // One that is stopped at once might not come to count itself.
        eventually("its line", || {
            let starts = project.lines("starts");
            if starts > made { Ok(()) } else { Err(starts) }
        });
    }
    // The last answer came a second after the start: fifty crash waits.
    let now = daemon.until_state("main", "running");
    assert_eq!(project.lines("starts"), RESTARTS + 1, "{}", daemon.output());
    assert_eq!(
        (&now["crashes"], &now["restarts"]),
        (&json!(0), &json!(RESTARTS))
    );
    assert_eq!(zombies_of(daemon.pid()), [0; 0]);
}

#[test]
fn no_poll_adds_to_the_pause_of_a_restart() {
    let project = Project::new("pause");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let pauses = (0..5).map(|_| daemon.restart("main")["pause_ms"].as_f64().unwrap());
    let quickest = pauses.fold(f64::INFINITY, f64::min);
    assert!(quickest < 50.0, "{quickest} ms");
}

#[test]
fn a_binary_that_panics_at_start_is_not_restarted_but_rolled_back() {
    let project = Project::new("panics");
    project.rust(&counted("old")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main("println!(\"about to\"); panic!(\"no such table\");");
    let answer = daemon.call("restart", &json!({"process": "main"}));
    assert_eq!(answer["isError"], true);
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("exit code 101") && text.contains("no such table"),
        "{text}"
    );
    let answer = &answer["structuredContent"];
    assert_eq!(
        (&answer["outcome"], &answer["ok"]),
        (&json!("rolled_back"), &json!(false))
    );
    assert_eq!(answer["exit"]["text"], "exit code 101");
    assert_eq!(answer["exit"]["code"], 101);
    let lines = answer["last_lines"].to_string();
    assert!(
        lines.contains("about to") && lines.contains("no such table"),
        "{lines}"
    );
    let now = daemon.process("main");
    assert_eq!(
        (&now["state"], &now["behind"], &now["mode"]),
        (&json!("running"), &json!("rolled_back"), &json!("release"))
    );
    assert_eq!((&answer["run"], &answer["pid"]), (&json!(3), &now["pid"]));
    assert!(daemon.logs("main").contains("old"));
    let next = answer["next"].as_str().unwrap();
    assert!(next.contains("does not touch data"), "{next}");
}

#[test]
fn a_child_that_ends_with_0_within_its_first_second_is_crashed_too() {
    let project = Project::new("ends");
    project.config(&shell("main", "test -e over && exit 0; exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.file("over", "");
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "crashed", "{answer}");
    assert_eq!(answer["exit"]["text"], "exit code 0");
}

#[test]
fn a_restart_whose_time_runs_out_answers_building_and_goes_on() {
    let project = Project::new("time");
    project.rust(&counted("old")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    project.main(&counted("new"));
    gate.close();
    let arguments = json!({"process": "main", "timeout_seconds": 0.01});
    let answer = daemon.call("restart", &arguments);
    assert_ne!(answer["isError"], true);
    let answer = &answer["structuredContent"];
    assert_eq!(
        (&answer["outcome"], &answer["ok"]),
        (&json!("building"), &json!(false))
    );
    assert_eq!(answer["pid"], old["pid"]);
    assert!(answer["next"].as_str().unwrap().contains("get_status"));
    gate.open();
    daemon.until("main", "swapped", |main| {
        main["state"] == "running" && main["mode"] == "dev"
    });
    assert_eq!(project.lines("starts"), 2);
}

#[test]
fn a_build_that_was_superseded_never_runs() {
    let project = Project::new("superseded");
    project.rust(&counted("old")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    // Compiles and would run, but is out of date before it can.
    project.main(&format!("{COUNT} panic!(\"out of date\");"));
    gate.close();
    let answers = thread::scope(|scope| {
        let first = scope.spawn(|| daemon.restart("main"));
        gate.arrived();
        project.main(&counted("new"));
        let second = scope.spawn(|| daemon.restart("main"));
        daemon.until("main", "asked twice", |main| main["restarts"] == 2);
        gate.open();
        [first.join().unwrap(), second.join().unwrap()]
    });
    for answer in answers {
        assert_eq!(answer["outcome"], "restarted", "{answer}");
    }
    assert!(daemon.logs("main").contains("new"));
    assert_eq!(
        (
            project.lines("starts"),
            daemon.process("main")["crashes"].as_u64()
        ),
        (2, Some(0))
    );
}

#[test]
fn a_restart_that_mends_a_failed_first_build_runs() {
    let project = Project::new("mends");
    let config = format!(
        "release_crash_backoff_initial_seconds = 1000\nrelease_crash_backoff_max_seconds = 1000\n{RUST}"
    );
    project.rust(BROKEN).config(&config);
    let daemon = project.start();
    let failed = daemon.until_state("main", "backing_off");
    assert_eq!(failed["last_build"]["outcome"], "failed");
    let again = daemon.restart("main");
    assert_eq!(
        (&again["outcome"], &again["run"]),
        (&json!("build_failed"), &Value::Null)
    );
    project.main(&lives("mended"));
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    assert!(daemon.logs("main").contains("mended"));
}

#[test]
fn no_restart_is_lost_however_soon_its_caller_leaves() {
    const CALLS: usize = 150;
    let project = Project::new("lost");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    for made in 1..=CALLS {
        let arguments = json!({"process": "main", "timeout_seconds": 0.0001});
        daemon.call("restart", &arguments);
        daemon.until("main", "asked", |main| main["restarts"] == made);
    }
}

#[test]
fn a_superseded_build_does_not_drop_the_queued_build_of_another_process() {
    let project = Project::new("queue");
    let names = ["one", "two"];
    project.config(
        &names
            .map(|name| project.package(name, &lives("old")))
            .concat(),
    );
    let gate = Gate::of_package(&project, "one");
    let daemon = project.start();
    for name in names {
        daemon.until_state(name, "running");
        project.package(name, &lives("new"));
    }
    gate.close();
    let answers = thread::scope(|scope| {
        let first = scope.spawn(|| daemon.restart("one"));
        gate.arrived();
        let other = scope.spawn(|| daemon.restart("two"));
        daemon.until("two", "asked", |two| two["restarts"] == 1);
        let second = scope.spawn(|| daemon.restart("one"));
        daemon.until("one", "asked twice", |one| one["restarts"] == 2);
        gate.open();
        [first, other, second].map(|answer| answer.join().unwrap())
    });
    for answer in answers {
        assert_eq!(answer["outcome"], "restarted", "{answer}");
    }
    for name in names {
        assert!(daemon.logs(name).contains("new"), "{name}");
    }
}
