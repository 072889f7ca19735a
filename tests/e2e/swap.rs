//! Swaps while a crowd keeps coming: nobody is refused, nobody is cut off, every answer is whole.

mod client;
mod deaths;
mod failures;
mod load;
mod server;
mod stage;
mod tally;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use crate::support::{Daemon, Project, eventually, free_port, is_alive, pid_in};
use client::{Client, Request, Then};
use server::{Fate, Role, VERSION_FILE};
use stage::{BRIEF, Kind, LONG, Stage, Way, is_alone, restart};

/// The daemon asks over HTTP whether a version is ready, while the crowd asks the same sockets.
const ASKED: &str = "ready = { http = \"{health}\" }";
/// A version counts as ready as soon as it is started.
const TOO_EARLY: &str = "settle_seconds = 0";

#[test]
fn fifty_swaps_lose_nobody_who_comes_to_handed_sockets() {
    swaps_lose_nobody(Way::Held, Kind::Command, ASKED, 50);
}

#[test]
fn fifty_swaps_lose_nobody_who_comes_to_the_relay() {
    swaps_lose_nobody(Way::Relayed, Kind::Command, ASKED, 50);
}

#[test]
fn swaps_to_what_cargo_builds_lose_nobody_who_comes_to_handed_sockets() {
    swaps_lose_nobody(Way::Held, Kind::Rust, ASKED, 5);
}

#[test]
fn swaps_to_what_cargo_builds_lose_nobody_who_comes_to_the_relay() {
    swaps_lose_nobody(Way::Relayed, Kind::Rust, ASKED, 5);
}

#[test]
fn swaps_to_a_server_that_does_not_accept_yet_lose_nobody_who_comes_to_handed_sockets() {
    swaps_lose_nobody(Way::Held, Kind::Command, TOO_EARLY, 10);
}

#[test]
fn swaps_to_a_server_that_does_not_listen_yet_lose_nobody_who_comes_to_the_relay() {
    swaps_lose_nobody(Way::Relayed, Kind::Command, TOO_EARLY, 10);
}

#[track_caller]
fn swaps_lose_nobody(way: Way, kind: Kind, ready: &str, count: u32) {
    let stage = Stage::new(way, kind, "", ready);
    let daemon = stage.project.start();
    let first = daemon.until_state("main", "running");
    let before = descriptors(&daemon);
    let load = stage.load(LONG);
    let mut runs = BTreeSet::from([first["run"].as_u64().unwrap()]);
    let mut pids = BTreeSet::from([pid_in(&first)]);
    for version in 2..=count + 1 {
        stage.write(version, Fate::Lives);
        let answer = restart(&daemon, "swapped");
        assert!(runs.insert(answer["run"].as_u64().unwrap()), "{answer}");
        let pid = pid_in(&answer);
        assert!(pids.insert(pid), "{answer}");
        assert_eq!(answer["pause_ms"], json!(0.0), "{answer}");
        if way == Way::Relayed {
            // Who is handed sockets still accepts until it has heard the signal.
            let mut next = Client::connect(&stage.targets[0]).unwrap();
            assert_eq!(next.ask(Request::Quick, Then::Close).unwrap().pid, pid);
        }
        assert_eq!(load.meets(pid), version);
        load.goes_on();
    }
    let tally = load.end();
    tally.lost_nobody();
    tally.has_survivors();
    let last = daemon.process("main");
    assert_eq!(last["crashes"], 0, "{last}");
    is_alone(&daemon, pid_in(&last));
    eventually("no descriptor more", || match descriptors(&daemon) {
        now if now <= before => Ok(()),
        now => Err((before, now)),
    });
}

#[test]
fn changed_environments_lose_nobody_who_comes_to_handed_sockets_and_nothing_is_built() {
    changed_environments_lose_nobody(Way::Held);
}

#[test]
fn changed_environments_lose_nobody_who_comes_to_the_relay_and_nothing_is_built() {
    changed_environments_lose_nobody(Way::Relayed);
}

#[track_caller]
fn changed_environments_lose_nobody(way: Way) {
    let stage = Stage::new(way, Kind::Rust, "", ASKED);
    let (daemon, load) = stage.open(LONG);
    let first = daemon.process("main");
    let config = stage.project.read(".mcp-run");
    let mut before = first["run"].clone();
    for round in 0..10 {
        let changed = config.replace("env = {", &format!("env = {{ ROUND = \"{round}\","));
        stage.project.file(".mcp-run", &changed);
        let now = daemon.until("main", "a newer run", |now| {
            now["run"].as_u64() > before.as_u64() && now["state"] == "running"
        });
        before = now["run"].clone();
        load.meets(pid_in(&now));
        load.goes_on();
    }
    let tally = load.end();
    tally.lost_nobody();
    tally.has_survivors();
    let last = daemon.process("main");
    assert_eq!(last["crashes"], 0, "{last}");
    assert_eq!(last["last_build"], first["last_build"], "{last}");
    is_alone(&daemon, pid_in(&last));
}

/// How many descriptors the daemon has open.
fn descriptors(daemon: &Daemon) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid()));
    open.unwrap().count()
}

#[test]
fn restarts_that_overtake_each_other_lose_nobody_who_comes_to_handed_sockets() {
    overtaken_restarts_lose_nobody(Way::Held);
}

#[test]
fn restarts_that_overtake_each_other_lose_nobody_who_comes_to_the_relay() {
    overtaken_restarts_lose_nobody(Way::Relayed);
}

#[track_caller]
fn overtaken_restarts_lose_nobody(way: Way) {
    let stage = Stage::new(way, Kind::Command, "", ASKED);
    let (daemon, load) = stage.open(LONG);
    for version in 2..=11 {
        stage.write(version, Fate::Lives);
        // The next one comes as soon as a server of this one runs, ready or not.
        let brief = json!({"process": "main", "timeout_seconds": 0.001});
        for _ in 0..4 {
            daemon.call("restart", &brief);
        }
        let pid = pid_in(&restart(&daemon, "swapped"));
        assert_eq!(load.meets(pid), version);
        load.goes_on();
    }
    load.end().lost_nobody();
    let last = daemon.process("main");
    assert_eq!(last["crashes"], 0, "{last}");
    is_alone(&daemon, pid_in(&last));
}

#[test]
fn who_comes_to_handed_sockets_while_the_server_is_stopped_waits_for_it_to_be_started() {
    a_stop_makes_visitors_wait(Way::Held);
}

#[test]
fn who_comes_to_the_relay_while_the_server_is_stopped_waits_for_it_to_be_started() {
    a_stop_makes_visitors_wait(Way::Relayed);
}

#[track_caller]
fn a_stop_makes_visitors_wait(way: Way) {
    let stage = Stage::new(way, Kind::Command, "", ASKED);
    let daemon = stage.project.start();
    daemon.until_state("main", "running");
    let main = json!({"process": "main"});
    daemon.call("stop", &main);
    let load = stage.load(BRIEF);
    load.piles_up();
    let stopped = daemon.process("main");
    assert_eq!(
        (&stopped["state"], &stopped["connections_wait"]),
        (&json!("stopped"), &json!(true))
    );
    daemon.call("start", &main);
    let pid = pid_in(&daemon.until_state("main", "running"));
    assert_eq!(load.meets(pid), 1);
    load.goes_on();
    load.end().lost_nobody();
}

#[test]
fn the_change_to_release_loses_nobody_who_comes_to_handed_sockets() {
    idleness_loses_nobody(Way::Held);
}

#[test]
fn the_change_to_release_loses_nobody_who_comes_to_the_relay() {
    idleness_loses_nobody(Way::Relayed);
}

#[track_caller]
fn idleness_loses_nobody(way: Way) {
    let soon = "dev_timeout_hours = 0.0003\n";
    let stage = Stage::new(way, Kind::Rust, soon, ASKED);
    let (daemon, load) = stage.open(LONG);
    for version in 2..=3 {
        stage.write(version, Fate::Lives);
        let dev = restart(&daemon, "swapped");
        assert_eq!(dev["mode"], "dev", "{dev}");
        assert_eq!(load.meets(pid_in(&dev)), version);
        let release = daemon.until("main", "in release", |main| {
            main["mode"] == "release" && main["state"] == "running"
        });
        assert_ne!(release["pid"], dev["pid"]);
        assert_eq!(load.meets(pid_in(&release)), version);
    }
    load.goes_on();
    load.end().lost_nobody();
    let last = daemon.process("main");
    assert_eq!(last["crashes"], 0, "{last}");
    is_alone(&daemon, pid_in(&last));
}

#[test]
fn a_server_that_runs_alone_loses_nobody_who_comes_to_handed_sockets() {
    restarts_without_overlap_lose_nobody(Way::Held);
}

#[test]
fn a_server_that_runs_alone_loses_nobody_who_comes_to_the_relay() {
    restarts_without_overlap_lose_nobody(Way::Relayed);
}

#[track_caller]
fn restarts_without_overlap_lose_nobody(way: Way) {
    let entry = format!("{ASKED}\noverlap = false");
    let stage = Stage::new(way, Kind::Command, "", &entry);
    let (daemon, load) = stage.open(BRIEF);
    let mut before = pid_in(&daemon.process("main"));
    for version in 2..=11 {
        stage.write(version, Fate::Lives);
        let answer = restart(&daemon, "restarted");
        assert!(!is_alive(before));
        before = pid_in(&answer);
        assert_eq!(load.meets(before), version);
        load.goes_on();
    }
    load.end().lost_nobody();
    is_alone(&daemon, before);
}

#[test]
fn the_pause_of_a_server_that_runs_alone_behind_the_relay_includes_its_drain() {
    const DRAIN: f64 = 0.5;
    let project = Project::new("drain-pause");
    let (port, command) = (free_port(), server::command());
    let environment = server::environment(Role::Plain);
    project.file(VERSION_FILE, "1 lives").config(&format!(
        "[process.main]\ntype = \"command\"\ncommand = {command:?}\n{environment}\n\
         port = {port}\noverlap = false\ndrain_seconds = {DRAIN}\n"
    ));
    let daemon = project.start();
    let first = pid_in(&daemon.until_state("main", "running"));
    // It stays as long as it may.
    let mut regular = TcpStream::connect(("127.0.0.1", port)).unwrap();
    regular.write_all(b"GET /quick/1 HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    regular.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let answer = restart(&daemon, "restarted");
    assert!(!is_alive(first));
    let pause = answer["pause_ms"].as_f64().unwrap();
    assert!(pause >= DRAIN * 1000.0, "{answer:#}");
}
