//! What happens, as it happens.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Http, Lines, Project,
    project::{RUST, lives, shell},
};

fn follow(daemon: &Daemon, query: &str) -> Lines {
    let mut lines = Lines::ask(daemon.port(), &format!("GET /api/events{query}"), "");
    // It stands: from here on nothing is missed.
    assert_eq!(lines.line().unwrap(), ": events");
    lines
}

/// The kinds up to the state in which a process runs without a build under way.
fn until_running(events: &mut Lines) -> Vec<String> {
    let mut kinds = Vec::new();
    loop {
        let event = events.event();
        if event.data["process"] != "main" {
            continue;
        }
        let state = event.data["state"].as_str().unwrap_or_default();
        kinds.push(if state.is_empty() {
            event.kind
        } else {
            format!("state {state}")
        });
        if state == "running" {
            return kinds;
        }
    }
}

#[test]
fn the_events_of_a_restart_come_in_order() {
    let project = Project::new("api-events");
    project.rust(&lives("one")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let mut events = follow(&daemon, "");
    project.main(&lives("two"));
    assert_eq!(daemon.restart("main")["ok"], true);
    let kinds = until_running(&mut events);
    let place = |kind: &str| {
        let place = kinds.iter().position(|it| it == kind);
        place.unwrap_or_else(|| panic!("no {kind} in {kinds:?}"))
    };
    let order = [
        "state building",
        "build_started",
        "build_done",
        "stopped",
        "started",
        "state proving",
        "restarted",
        "state running",
    ];
    let places = order.map(place);
    assert!(places.is_sorted(), "{kinds:?}");
}

#[test]
fn events_say_what_they_are_about_and_their_ids_rise() {
    let project = Project::new("api-event");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    let process = daemon.until_state("main", "running");
    let mut events = follow(&daemon, "?last=1000");
    let mut last = 0;
    let mut seen = Vec::new();
    while seen.last() != Some(&json!(["state", "running", true, 1])) {
        let event = events.event();
        assert!(event.id > last, "{event:?} after {last}");
        last = event.id;
        assert_eq!(event.data["kind"], event.kind.as_str());
        assert_eq!(event.data["process"], "main");
        assert!(event.data["at"].as_str().unwrap().ends_with('Z'));
        let data = &event.data;
        seen.push(json!([
            event.kind,
            data["state"],
            data["serving"],
            data["run"]
        ]));
    }
    assert!(
        seen.contains(&json!(["started", null, null, null])),
        "{seen:?}"
    );
    let pid = nix::unistd::Pid::from_raw(process["pid"].as_i64().unwrap().try_into().unwrap());
    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    let crashed = events.event();
    assert_eq!(crashed.kind, "crashed");
    assert_eq!(crashed.data["text"], "run 1: signal 9 (SIGKILL)");
}

#[test]
fn the_daemon_as_a_whole_says_its_mode() {
    let project = Project::new("api-mode");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let mut events = follow(&daemon, "");
    daemon.restart("main");
    let whole = loop {
        let event = events.event();
        if event.data["process"] == Value::Null {
            break event;
        }
    };
    assert_eq!(
        (whole.kind.as_str(), &whole.data["mode"]),
        ("mode", &json!("dev"))
    );
}

#[test]
fn who_does_not_follow_gets_what_has_happened() {
    let project = Project::new("api-past");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let mut past = follow(&daemon, "?last=2&follow=false");
    let (first, second) = (past.event(), past.event());
    assert!(first.id < second.id);
    assert_eq!(past.line(), None);
    let mut later = follow(&daemon, &format!("?after={}&follow=false", second.id));
    assert_eq!(later.line().as_deref(), Some(""));
    assert_eq!(later.line(), None);
}

#[test]
fn a_reader_goes_on_behind_the_last_event_that_he_has() {
    let project = Project::new("api-resume");
    project.config(&shell("main", "exec sleep 1000"));
    let mut daemon = project.start();
    daemon.until_state("main", "running");
    let mut all = follow(&daemon, "?last=1000");
    let (first, second) = (all.event(), all.event());
    let mut resumed = follow(&daemon, &format!("?after={}", first.id));
    assert_eq!(resumed.event(), second);
    // What a browser does by itself wins over the address that it was given.
    let header = format!("Last-Event-ID: {}\r\n", first.id);
    let mut resumed = Lines::ask(daemon.port(), "GET /api/events?after=1", &header);
    assert_eq!(resumed.event(), second);
    drop(resumed);
    let mut old = follow(&daemon, "?after=1");
    assert_eq!(old.event().kind, "gap");
    assert_eq!(old.event(), first);

    daemon.signal(Signal::SIGTERM);
    daemon.ends();
    while all.line().is_some() {}
    let daemon = project.start();
    daemon.until_state("main", "running");
    let mut later = follow(&daemon, &format!("?after={}", second.id));
    let gap = later.event();
    assert_eq!(gap.kind, "gap");
    let event = later.event();
    assert!(event.id > second.id && event.kind != "gap", "{event:?}");
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let project = Project::new("api-events-wrong");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    let http = Http::new(daemon.port());
    for query in [
        "after=x",
        "after=-1",
        "last=1001",
        "last=",
        "after=1&last=1",
        "since=1",
    ] {
        let answer = http.ask(&format!("GET /api/events?{query}"));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
    let head = "Host: localhost\r\nConnection: close\r\nLast-Event-ID: x\r\n\r\n";
    let answer = http.raw(format!("GET /api/events HTTP/1.1\r\n{head}").as_bytes());
    assert_eq!(answer.status, 400, "{answer:?}");
}
