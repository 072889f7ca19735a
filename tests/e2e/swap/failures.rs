//! Versions that do not compile, die, hang, or die a little later.

use std::thread;

use serde_json::{Value, json};

use super::{
    ASKED,
    client::{Client, Request, Then},
    deaths::{Death, only_these},
    server::Fate,
    stage::{Kind, LONG, Stage, Way, is_alone, restart},
};
use crate::support::{Gate, is_alive, pid_in, until_gone};

#[test]
fn versions_that_fail_lose_nobody_who_comes_to_handed_sockets() {
    failures_lose_nobody(Way::Held);
}

#[test]
fn versions_that_fail_lose_nobody_who_comes_to_the_relay() {
    failures_lose_nobody(Way::Relayed);
}

#[track_caller]
fn failures_lose_nobody(way: Way) {
    let entry = "ready = { http = \"{health}\", timeout_seconds = 3 }\nstable_seconds = 3600";
    let stage = Stage::new(way, Kind::Rust, "", entry);
    let (daemon, load) = stage.open(LONG);
    let first = daemon.process("main");
    let goes_on = |answer: &Value| {
        for unchanged in ["run", "pid", "mode"] {
            assert_eq!(answer[unchanged], first[unchanged], "{unchanged}: {answer}");
        }
        assert!(is_alive(pid_in(&first)));
    };

    stage.project.main("does not compile");
    goes_on(&restart(&daemon, "build_failed"));

    stage.write(2, Fate::DiesAtOnce);
    let answer = restart(&daemon, "rolled_back");
    goes_on(&answer);
    assert_eq!(answer["exit"]["code"], 3, "{answer}");

    stage.write(3, Fate::Hangs);
    let answer = restart(&daemon, "rolled_back");
    goes_on(&answer);
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.starts_with("not_ready: "), "{reason}");
    is_alone(&daemon, pid_in(&first));

    // Good at first, and dead soon after: the last good one takes its place by itself.
    let crashes = daemon.process("main")["crashes"].as_u64().unwrap();
    stage.write(4, Fate::Lives);
    let dies = pid_in(&restart(&daemon, "swapped"));
    assert_eq!(load.meets(dies), 4);
    let death = Death::of(dies);
    let back = daemon.until("main", "rolled back", |main| {
        main["behind"] == "rolled_back" && main["state"] == "running"
    });
    assert_eq!(load.meets(pid_in(&back)), 1);
    assert_eq!(back["crashes"], json!(crashes + 1), "{back}");

    stage.write(5, Fate::Lives);
    let last = pid_in(&restart(&daemon, "swapped"));
    assert_eq!(load.meets(last), 5);
    load.goes_on();
    only_these(&[death], &load.end());
    is_alone(&daemon, last);
}

#[test]
fn what_an_older_server_takes_to_leave_is_no_pause_of_a_restart_that_is_rolled_back() {
    let stage = Stage::new(Way::Relayed, Kind::Rust, "", ASKED);
    let gate = Gate::new(&stage.project);
    let daemon = stage.project.start();
    let oldest = pid_in(&daemon.until_state("main", "running"));
    let mut stays = Client::connect(&stage.targets[0]).unwrap();
    assert_eq!(stays.ask(Request::Quick, Then::More).unwrap().pid, oldest);
    stage.write(2, Fate::Lives);
    restart(&daemon, "swapped");

    stage.write(3, Fate::DiesAtOnce);
    gate.close();
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| restart(&daemon, "rolled_back"));
        gate.arrived();
        assert_eq!(stays.ask(Request::Quick, Then::Close).unwrap().pid, oldest);
        drop(stays);
        until_gone(oldest);
        gate.open();
        waiting.join().unwrap()
    });
    assert_eq!(answer["pause_ms"], Value::Null, "{answer}");
}
