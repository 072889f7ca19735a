//! Children that must give signs of life.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::{
    Project, eventually, is_alive, pid_in,
    project::{RUST, shell},
};

const AT_ONCE: &str =
    "release_crash_backoff_initial_seconds = 0.05\ndev_crash_wait_seconds = 0.05\n";

/// Is ready, and then says `WATCHDOG=1` ten times faster than it must, until there is a file `hang`.
/// Each run adds a line to `starts`; a file `pings` counts.
const PINGS: &str = r#"
import os, socket, time
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to.connect(os.environ["NOTIFY_SOCKET"])
print("usec", os.environ["WATCHDOG_USEC"], flush=True)
with open("starts", "a") as file:
    print(os.getpid(), file=file)
to.send(b"READY=1")
if os.path.exists("trigger"):
    os.remove("trigger")
    to.send(b"WATCHDOG=trigger")
while not os.path.exists("hang"):
    to.send(b"WATCHDOG=1")
    with open("pings", "a") as file:
        print(file=file)
    time.sleep(int(os.environ["WATCHDOG_USEC"]) / 1e7)
time.sleep(1000)
"#;

fn pinging(name: &str) -> Project {
    let project = Project::new(name);
    project.file("pings.py", PINGS).config(&format!(
        "{AT_ONCE}[process.main]\ntype = \"command\"\ncommand = [\"python3\", \"pings.py\"]\n\
         watchdog_seconds = 2\nready = {{ notify = true }}\n"
    ));
    project
}

#[test]
fn who_pings_lives_and_who_stops_is_killed_which_is_a_crash_that_says_why() {
    let project = pinging("pings");
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    assert!(daemon.logs("main").contains("usec 2000000"));
    // Longer than silence may last.
    eventually("15 pings", || {
        let pings = project.lines("pings");
        if pings > 15 { Ok(()) } else { Err(pings) }
    });
    assert_eq!(
        (project.lines("starts"), &daemon.process("main")["pid"]),
        (1, &first["pid"]),
        "{}",
        daemon.output()
    );

    project.file("hang", "");
    let crashed = daemon.until("main", "crashed", |main| main["crashes"] == 1);
    assert!(!is_alive(pid_in(&first)));
    let exit = &crashed["last_exit"];
    assert_eq!((&exit["run"], &exit["signal"]), (&first["run"], &9.into()));
    let text = "signal 9 (SIGKILL): it gave no sign of life for 2 s";
    let events = crashed["events"].to_string();
    assert!(events.contains(text), "{events}");
    daemon.prints("main: run 1 is killed: it gave no sign of life for 2 s");
    std::fs::remove_file(project.dir().join("hang")).unwrap();
    daemon.until_state("main", "running");
}

#[test]
fn who_says_that_it_is_stuck_is_killed_at_once() {
    let project = pinging("trigger");
    project.file("trigger", "");
    let daemon = project.start();
    let crashed = daemon.until("main", "crashed", |main| main["crashes"] == 1);
    let events = crashed["events"].to_string();
    assert!(
        events.contains("it said itself that it is stuck"),
        "{events}"
    );
    daemon.until_state("main", "running");
}

#[test]
fn a_watchdog_needs_no_notify_and_begins_with_readiness() {
    let project = Project::new("settled");
    let entry = shell("main", "echo up >> starts; exec sleep 1000");
    project.config(&format!(
        "{AT_ONCE}{entry}watchdog_seconds = 0.3\nsettle_seconds = 0.6\n"
    ));
    let daemon = project.start();
    // Silent from the beginning, it lives until it is ready, and once the time after that.
    daemon.until_state("main", "running");
    daemon.until("main", "killed", |main| main["crashes"] == 1);
    daemon.prints("it gave no sign of life for 0.3 s");
    daemon.prints("main: crashed (signal 9 (SIGKILL)), again in 0.");
}

#[test]
fn a_build_that_hangs_right_after_the_swap_is_rolled_back() {
    let project = Project::new("hangs");
    let body = |ping: &str| {
        format!(
            r#"use std::os::unix::net::UnixDatagram;
            let socket = UnixDatagram::unbound().unwrap();
            socket.connect(std::env::var("NOTIFY_SOCKET").unwrap()).unwrap();
            socket.send(b"READY=1").unwrap();
            println!("pings: {ping}");
            loop {{
                if {ping} {{ socket.send(b"WATCHDOG=1").unwrap(); }}
                std::thread::sleep(std::time::Duration::from_millis(50));
            }}"#
        )
    };
    project.rust(&body("true")).config(&format!(
        "{AT_ONCE}{RUST}watchdog_seconds = 2\nready = {{ notify = true }}\n"
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&body("false"));
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    let now = daemon.until("main", "rolled back", |main| {
        main["behind"] == "rolled_back" && main["state"] == "running"
    });
    assert_eq!(now["crashes"], 1);
    let text = "signal 9 (SIGKILL): it gave no sign of life for 2 s; \
                the last good version is started again";
    let events = now["events"].to_string();
    assert!(events.contains(text), "{events}");
    // It is ready before it says that.
    eventually("the words of the last good version", || {
        let log = daemon.logs("main");
        if log.contains("pings: true") {
            Ok(())
        } else {
            Err(log)
        }
    });
}

#[test]
fn what_a_killed_daemon_left_to_be_notified_at_is_removed_by_the_next() {
    let project = pinging("notify-left");
    let mut daemon = project.start();
    daemon.until_state("main", "running");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    let projects = project.state_home().join("background-process-manager");
    let state = fs::read_dir(projects).unwrap().next().unwrap().unwrap();
    let left = || {
        let entries = fs::read_dir(state.path().join("notify")).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.collect::<Vec<_>>()
    };
    assert_eq!(left(), ["main-2"]);
    daemon.signal(Signal::SIGKILL);
    daemon.ends();

    // Not the fixture's own end, which would end the child as well.
    std::mem::forget(daemon);
    let daemon = project.start();

    daemon.until_state("main", "running");
    assert_eq!(left(), ["main-3"]);
}
