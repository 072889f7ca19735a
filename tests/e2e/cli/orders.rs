//! `bpm restart`, `bpm stop`, `bpm start`.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{
    Bpm, Gate, Project,
    project::{RUST, lives, shell},
};

#[test]
fn a_restart_tells_how_far_it_is_and_what_came_of_it() {
    let project = Project::new("cli-restart");
    project.rust(&lives("one")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&lives("two"));
    gate.close();
    let restart = Bpm::start(&project, &["restart"]);
    gate.arrived();
    restart.notes("main: building\n");
    gate.open();
    let said = restart.ends();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.starts_with("main: restarted, build "),
        "{said:?}"
    );
    assert!(said.stdout.contains(" serves (pid "), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 1);
    assert!(said.stderr.contains("main: proving\n"), "{said:?}");
    assert!(daemon.logs("main").contains("two"));
}

#[test]
fn a_failed_build_shows_the_compilers_errors_and_is_told_by_the_exit_code() {
    let project = Project::new("cli-broken");
    project.rust(&lives("one")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main("let x: u32 = \"text\";");
    let said = Bpm::says(&project, &["restart", "main"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stdout.starts_with("main: build failed, build "),
        "{said:?}"
    );
    assert!(
        said.stdout.contains("\nerror[E0308]: mismatched types\n"),
        "{said:?}"
    );
    assert!(said.stdout.contains("src/main.rs:2:14"), "{said:?}");
    assert!(said.stdout.contains("\nnext: "), "{said:?}");
    let said = Bpm::says(&project, &["restart", "main", "--json"]);
    assert_eq!(said.code, 1);
    let report = said.json();
    assert_eq!(
        (&report["outcome"], &report["errors"][0]["code"]),
        (&json!("build_failed"), &json!("E0308"))
    );
    let said = Bpm::says(&project, &["status"]);
    assert!(
        said.stdout
            .contains("failed, 1 error: bpm logs main --build"),
        "{said:?}"
    );
}

#[test]
fn when_time_runs_out_the_order_stands() {
    let project = Project::new("cli-time-up");
    project.rust(&lives("one")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&lives("two"));
    gate.close();
    let said = Bpm::says(&project, &["restart", "--timeout", "50ms"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.stdout.starts_with("main: building; run "), "{said:?}");
    gate.open();
    daemon.until("main", "run 2", |process| {
        process["run"] == 2 && process["state"] == "running"
    });
}

#[test]
fn orders_go_to_those_that_are_named() {
    let project = Project::new("cli-names");
    let stays = "exec sleep 1000";
    project.config(&(shell("main", stays) + &shell("web", stays) + &shell("db", stays)));
    let daemon = project.start();
    daemon.until_state("db", "running");
    let said = Bpm::says(&project, &["stop"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (2, "bpm: name one of: main, web, db\n")
    );
    let said = Bpm::says(&project, &["stop", "web", "mian"]);
    let text = "bpm: no process \"mian\" (did you mean main?); there are: main, web, db\n";
    assert_eq!((said.code, said.stderr.as_str()), (5, text));
    assert_eq!(
        daemon.process("web")["state"],
        "running",
        "nothing is done by halves"
    );

    let said = Bpm::says(&project, &["stop", "web", "main", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let mut stopped: Vec<_> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|report| (report["process"].to_string(), report["outcome"].to_string()))
        .collect();
    stopped.sort_unstable();
    let both = ["\"main\"", "\"web\""].map(|name| (name.to_owned(), "\"stopped\"".to_owned()));
    assert_eq!(stopped, both);
    assert_eq!(daemon.process("db")["state"], "running");

    let said = Bpm::says(&project, &["start", "web"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.starts_with("web: started; run "), "{said:?}");
    assert_eq!(daemon.process("main")["state"], "stopped");
}

#[test]
fn an_order_whose_connection_breaks_may_stand_and_the_daemon_does_not_run() {
    let project = Project::new("cli-order-broken");
    let never = "ready = { log = \"never\", timeout_seconds = 600 }\n";
    project.config(&(shell("main", "exec sleep 1000") + never));
    let mut daemon = project.start();
    daemon.until_state("main", "proving");
    let restart = Bpm::start(&project, &["restart"]);
    daemon.prints("main: up (run 2");
    daemon.signal(Signal::SIGKILL);
    daemon.ends();
    let said = restart.ends();
    assert_eq!(said.code, 3, "{said:?}");
    let hint = "; the order may be carried out all the same: see bpm status\n";
    assert!(said.stderr.ends_with(hint), "{said:?}");
}
