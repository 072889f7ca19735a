//! Servers and daemons that are killed in the middle of everything.

use std::{fs, thread};

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::time::Instant;

use super::{
    ASKED,
    client::{Client, Loss, Request, Then},
    load::Load,
    server::Fate,
    stage::{Kind, LONG, Stage, Way, is_alone, restart},
    tally::{Lost, Tally},
};
use crate::support::{Daemon, LIMIT, eventually, is_alive, marked, pid_in, signal};

const SHORT_WAITS: &str = "release_crash_backoff_initial_seconds = 0.05
release_crash_backoff_max_seconds = 0.05";

/// The death of a server. What it had accepted may be lost, and nothing else.
///
/// Which connections those were nobody can ask it any more, so it is told by the time: whoever came
/// after it was dead cannot have been accepted by it. Behind the relay the kernel accepts for it until
/// its socket is closed, which is a moment before it is reaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// Nobody was lost before.
    from: Instant,
    /// It accepted nobody after this.
    until: Instant,
}

impl Death {
    /// Kills a server.
    #[track_caller]
    pub(super) fn of(pid: u32) -> Self {
        let from = Instant::now();
        signal(pid, Signal::SIGKILL);
        until_reaped(pid);
        Self {
            from,
            until: Instant::now(),
        }
    }

    /// Stops a server first, and kills it when there are many whom it has not accepted.
    #[track_caller]
    fn of_stopped(pid: u32, load: &Load) -> Self {
        let from = Instant::now();
        signal(pid, Signal::SIGSTOP);
        until_stopped(pid);
        let until = Instant::now();
        load.piles_up();
        signal(pid, Signal::SIGKILL);
        Self { from, until }
    }

    /// Whether it may have cost this connection.
    fn explains(&self, lost: &Lost) -> bool {
        matches!(lost.how, Loss::Reset | Loss::Cut)
            && lost.began <= self.until
            && lost.ended >= self.from
    }
}

/// Nobody was lost but by these deaths.
#[track_caller]
pub(super) fn only_these(deaths: &[Death], tally: &Tally) {
    let unexplained = |lost: &&Lost| !deaths.iter().any(|death| death.explains(lost));
    let others: Vec<_> = tally.losses.iter().filter(unexplained).collect();
    assert!(others.is_empty(), "{tally}\n{deaths:#?}\n{others:#?}");
    tally.was_heavy();
}

#[track_caller]
fn until_reaped(pid: u32) {
    at_once(&format!("{pid} reaped"), || {
        fs::exists(format!("/proc/{pid}")).is_ok_and(|there| !there)
    });
}

#[track_caller]
fn until_stopped(pid: u32) {
    let is_stopped = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    at_once(&format!("{pid} stopped"), || {
        let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.all(|task| is_stopped(task.unwrap()))
    });
}

/// Sees it as soon as it is so: to be late would excuse losses that the death did not cause.
#[track_caller]
fn at_once(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "never {what}");
        thread::yield_now();
    }
}

#[test]
fn when_a_server_dies_those_who_wait_at_its_sockets_are_answered_by_the_next() {
    deaths_lose_only_whom_the_dead_had(Way::Held, |round, pid, load| match round % 2 {
        0 => Death::of(pid),
        // None of those who wait is its own: they are in the queue of a socket that the daemon holds.
        _ => Death::of_stopped(pid, load),
    });
}

#[test]
fn when_a_server_dies_those_who_wait_at_the_relay_are_answered_by_the_next() {
    deaths_lose_only_whom_the_dead_had(Way::Relayed, |_, pid, _| Death::of(pid));
}

#[track_caller]
fn deaths_lose_only_whom_the_dead_had(way: Way, kill: impl Fn(u32, u32, &Load) -> Death) {
    let stage = Stage::new(way, Kind::Command, SHORT_WAITS, ASKED);
    let (daemon, load) = stage.open(LONG);
    let mut pid = pid_in(&daemon.process("main"));
    let mut deaths = Vec::new();
    for round in 0..8 {
        load.meets(pid);
        load.goes_on();
        deaths.push(kill(round, pid, &load));
        pid = next_server(&daemon, pid);
    }
    load.meets(pid);
    load.goes_on();
    only_these(&deaths, &load.end());
    is_alone(&daemon, pid);
}

/// Waits until another server is ready.
#[track_caller]
fn next_server(daemon: &Daemon, before: u32) -> u32 {
    let main = daemon.until("main", "another server", |main| {
        main["state"] == "running" && main["pid"] != json!(before)
    });
    pid_in(&main)
}

#[test]
fn after_kill_9_of_the_daemon_nothing_is_left_and_sockets_are_handed_down_again() {
    nothing_is_left_by_a_killed_daemon(Way::Held);
}

#[test]
fn after_kill_9_of_the_daemon_nothing_is_left_and_the_port_is_relayed_again() {
    nothing_is_left_by_a_killed_daemon(Way::Relayed);
}

#[track_caller]
fn nothing_is_left_by_a_killed_daemon(way: Way) {
    let entry = format!("{ASKED}\nstop_grace_seconds = 1");
    let stage = Stage::new(way, Kind::Command, "", &entry);
    let (mut daemon, load) = stage.open(LONG);
    // Three servers: one that serves whom it has, one that serves, one that is not ready.
    let leaves = pid_in(&daemon.process("main"));
    let mut stays = Client::connect(&stage.targets[0]).unwrap();
    assert_eq!(stays.ask(Request::Quick, Then::More).unwrap().pid, leaves);
    stage.write(2, Fate::Lives);
    let serves = pid_in(&restart(&daemon, "swapped"));
    load.meets(serves);
    stage.write(3, Fate::Hangs);
    let brief = json!({"process": "main", "timeout_seconds": 0.001});
    daemon.call("restart", &brief);
    daemon.until_state("main", "proving");
    let left = eventually("three servers", || match marked(&stage.project.dir()) {
        three if three.len() == 3 => Ok(three),
        others => Err(others),
    });
    assert!(left.contains(&leaves) && left.contains(&serves), "{left:?}");
    daemon.signal(Signal::SIGKILL);
    daemon.ends();

    stage.write(4, Fate::Lives);
    let next = stage.project.start();
    let fourth = pid_in(&next.until_state("main", "running"));
    for pid in left {
        assert!(!is_alive(pid), "{pid}");
    }
    load.meets(fourth);
    // The relay's connections were lost with it, and some were refused while nobody had the ports.
    load.end();

    let load = stage.load(LONG);
    stage.write(5, Fate::Lives);
    let fifth = pid_in(&restart(&next, "swapped"));
    assert_eq!(load.meets(fifth), 5);
    load.goes_on();
    load.end().lost_nobody();
    is_alone(&next, fifth);

    next.stop();
    assert_eq!(marked(&stage.project.dir()), [0; 0]);
    for target in &stage.targets {
        assert_eq!(Client::connect(target).err(), Some(Loss::Refused));
    }
}
