//! Whole trees: who is ended with whom, and what a child gets from the daemon.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{
    Daemon, Gate, Project, children_of, eventually, is_alive, marked, pid_in,
    project::{RUST, lives, shell},
    signal, until_gone, zombies_of,
};

/// A child with a grandchild in its group, and one that double-forked into a session of its own.
const FAMILY: &str = "sleep 1001 & echo $! > near.new; mv near.new near
(setsid sh -c 'echo $$ > far.new; mv far.new far; exec sleep 1002' &)
echo up >> starts
exec sleep 1000";
const AT_ONCE: &str =
    "release_crash_backoff_initial_seconds = 0.05\ndev_crash_wait_seconds = 0.05\n";

/// The two relatives of the newest child, which the next one will announce anew.
fn relatives(project: &Project) -> [u32; 2] {
    let pids = ["near", "far"].map(|file| project.pid_from(file));
    for file in ["near", "far"] {
        fs::remove_file(project.dir().join(file)).unwrap();
    }
    for pid in pids {
        assert!(is_alive(pid), "{pid}");
    }
    pids
}

/// Waits until those who carry the project's mark are one family: three.
#[track_caller]
fn until_one_family(project: &Project) {
    eventually("one family of three", || {
        let all = marked(&project.dir());
        if all.len() == 3 { Ok(()) } else { Err(all) }
    });
}

#[test]
fn descendants_do_not_survive_a_restart() {
    let project = Project::new("tree-restart");
    project.config(&shell("main", FAMILY));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let old = relatives(&project);
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    // Before the new one was started, not some time later.
    for pid in old {
        assert!(!is_alive(pid), "{pid}");
    }
    relatives(&project);
    until_one_family(&project);
    assert_eq!(zombies_of(daemon.pid()), [0; 0]);
}

#[test]
fn descendants_do_not_survive_a_crash_and_do_not_write_into_the_log_of_the_next_run() {
    let project = Project::new("tree-crash");
    let chatty = format!(
        "test -e starts || (setsid sh -c 'while :; do echo from the first; sleep 0.01; done' &)
        {FAMILY}"
    );
    project.config(&format!("{AT_ONCE}{}", shell("main", &chatty)));
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    let old = relatives(&project);
    assert!(daemon.logs("main").contains("from the first"));
    signal(pid_in(&first), Signal::SIGKILL);
    daemon.until("main", "back", |main| {
        main["state"] == "running" && main["run"] != first["run"]
    });
    for pid in old {
        assert!(!is_alive(pid), "{pid}");
    }
    relatives(&project);
    until_one_family(&project);
    let log = daemon.logs("main");
    assert!(!log.contains("from the first"), "{log}");
}

#[test]
fn descendants_do_not_survive_an_exit_with_0() {
    let project = Project::new("tree-exit");
    let waits =
        "release_crash_backoff_initial_seconds = 1000\nrelease_crash_backoff_max_seconds = 1000\n";
    let script = format!(
        "{}test -e far || sleep 0.01; while test ! -e over; do sleep 0.01; done; exit 0",
        FAMILY.replace("exec sleep 1000", "")
    );
    project.config(&format!("{waits}{}", shell("main", &script)));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let old = relatives(&project);
    project.file("over", "");
    daemon.until_state("main", "backing_off");
    for pid in old {
        until_gone(pid);
    }
    eventually("no child", || {
        let children = children_of(daemon.pid());
        if children.is_empty() {
            Ok(())
        } else {
            Err(children)
        }
    });
}

#[test]
fn descendants_do_not_survive_a_leader_that_died_while_it_proved_itself() {
    let project = Project::new("tree-proof");
    let script = format!(
        "{}while test ! -e far; do sleep 0.01; done; exit 1",
        FAMILY.replace("exec sleep 1000", "")
    );
    let waits =
        "release_crash_backoff_initial_seconds = 1000\nrelease_crash_backoff_max_seconds = 1000\n";
    project.config(&format!("{waits}{}", shell("main", &script)));
    let daemon = project.start();
    daemon.until_state("main", "backing_off");
    let old = ["near", "far"].map(|file| project.pid_from(file));
    for pid in old {
        until_gone(pid);
    }
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn every_signal_that_ends_the_daemon_ends_every_descendant_first() {
    for end in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let project = Project::new("tree-signal");
        project.config(&format!(
            "{}{}",
            shell("main", FAMILY),
            shell("side", "exec sleep 1000")
        ));
        let mut daemon = project.start();
        daemon.until_state("main", "running");
        daemon.until_state("side", "running");
        relatives(&project);
        daemon.signal(end);
        assert_eq!(daemon.ends().code(), Some(0), "{end}: {}", daemon.output());
        assert_eq!(marked(&project.dir()), [0; 0], "{end}");
    }
}

#[test]
fn what_a_killed_daemon_left_is_ended_by_the_next_before_it_starts_anything() {
    let project = Project::new("tree-kill");
    let stubborn = "trap '' TERM; echo up >> stubborns; while :; do sleep 1000; done";
    let side = format!("{}stop_grace_seconds = 0.2\n", shell("side", stubborn));
    // It would tell if the earlier one of it still lived.
    let watchful = format!(
        "if test -e mine && grep '^State:.[^ZX]' /proc/$(cat mine)/status; then
            echo two at once > fault
        fi
        echo $$ > mine
        {FAMILY}"
    );
    project.config(&format!(
        "{}stop_grace_seconds = 0.2\n{side}",
        shell("main", &watchful)
    ));
    let mut first = project.start();
    let old = ["main", "side"].map(|name| pid_in(&first.until_state(name, "running")));
    let old = [old, relatives(&project)].concat();
    first.signal(Signal::SIGKILL);
    first.ends();
    let survivors: Vec<_> = old.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(!survivors.is_empty(), "else there is nothing to end");

    let second = project.start();
    second.until_state("main", "running");
    second.until_state("side", "running");
    for pid in old {
        assert!(!is_alive(pid), "{pid}");
    }
    assert_eq!(project.read("fault"), "");
    assert_eq!(project.lines("starts"), 2);
    second.prints("that an earlier daemon left");
    second.stop();
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn a_build_that_a_killed_daemon_left_is_ended_by_the_next_and_does_not_hold_cargos_lock() {
    let project = Project::new("build-kill");
    project.rust(&lives("up")).config(RUST);
    let gate = Gate::new(&project);
    gate.close();
    let mut first = project.start();
    gate.arrived();
    let build = marked(&project.dir());
    assert!(!build.is_empty());
    first.signal(Signal::SIGKILL);
    first.ends();
    let second = project.start();
    for pid in build {
        until_gone(pid);
    }
    gate.open();
    second.until_state("main", "running");
}

#[test]
fn one_that_ignores_sigterm_is_killed_when_its_grace_is_over() {
    let project = Project::new("grace");
    let stubborn = "trap '' TERM; echo up >> starts; while :; do sleep 1000; done";
    project.config(&format!(
        "{}stop_grace_seconds = 0.2\n",
        shell("main", stubborn)
    ));
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert!(answer["pause_ms"].as_f64().unwrap() >= 200.0, "{answer}");
    assert!(!is_alive(pid_in(&old)));
    assert_eq!(
        daemon.process("main")["last_exit"]["text"],
        "signal 9 (SIGKILL)"
    );
    assert_eq!(daemon.process("main")["crashes"], 0);
    daemon.stop();
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn a_second_signal_kills_at_once_what_ignores_the_first() {
    let project = Project::new("second-signal");
    let stubborn = "trap '' TERM; while :; do sleep 1000; done";
    project.config(&format!(
        "{}stop_grace_seconds = 600\n",
        shell("main", stubborn)
    ));
    let mut daemon = project.start();
    daemon.until_state("main", "running");
    daemon.signal(Signal::SIGTERM);
    daemon.prints("shutting down");
    daemon.until_state("main", "stopping");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.output());
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn a_stopped_child_is_ended_as_well() {
    let project = Project::new("stopped");
    project.config(&format!(
        "{}stop_grace_seconds = 600\n",
        shell("main", "exec sleep 1000")
    ));
    let daemon = project.start();
    let main = daemon.until_state("main", "running");
    signal(pid_in(&main), Signal::SIGSTOP);
    daemon.stop();
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn a_child_leads_its_own_session_and_has_neither_stdin_nor_descriptors_of_the_daemon() {
    let project = Project::new("descriptors");
    let config = format!("{RUST}{}", shell("side", "exec sleep 1000"));
    project.rust(&lives("up")).config(&config);
    let plain = Daemon::command(&project);
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 7< \"$1\" 9> leak; shift; exec \"$@\"", "sh"])
        .arg(project.dir().join(".mcp-run"))
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(project.dir())
        .env("XDG_STATE_HOME", project.state_home())
        .stdin(Stdio::piped());
    let daemon = Daemon::launch(&project, command);
    let own = descriptors(daemon.pid());
    assert!(
        own.iter().any(|(fd, _)| fd == "7"),
        "the test itself: {own:?}"
    );
    for name in ["main", "side"] {
        let child = pid_in(&daemon.until_state(name, "running"));
        let mut open = descriptors(child);
        open.sort();
        let [stdin, stdout, stderr] = open.as_slice() else {
            panic!("{name}: {open:?}");
        };
        assert_eq!(stdin.1, PathBuf::from("/dev/null"));
        for pipe in [stdout, stderr] {
            assert!(pipe.1.to_str().unwrap().starts_with("pipe:"), "{pipe:?}");
        }
        assert_ne!(stdout.1, stderr.1);
        // Field 5 is the group, field 6 the session.
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let me = child.to_string();
        assert_eq!((fields[2], fields[3]), (me.as_str(), me.as_str()));
    }
}

fn descriptors(pid: u32) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    entries
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            Some((entry.file_name().into_string().unwrap(), target))
        })
        .collect()
}

#[test]
fn a_child_does_not_inherit_what_systemd_tells_the_daemon_but_everything_else() {
    let project = Project::new("environment");
    let own = "[process.main.env]\nOWN = \"of the entry\"\n";
    let command = shell("main", "env > seen.new; mv seen.new seen; exec sleep 1000");
    project.config(&format!("{command}{own}"));
    let private = [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "JOURNAL_STREAM",
    ];
    let mut environment: Vec<_> = private.iter().map(|name| (*name, "1")).collect();
    environment.push(("FOR_ALL", "yes"));
    let daemon = project.start_with(&environment);
    daemon.until_state("main", "running");
    let seen = project.read("seen");
    for name in private {
        assert!(!seen.contains(&format!("{name}=")), "{name}");
    }
    assert!(
        seen.contains("FOR_ALL=yes") && seen.contains("OWN=of the entry"),
        "{seen}"
    );
    assert!(seen.contains("PATH="), "{seen}");
}

#[test]
fn a_descendant_that_threw_its_environment_away_is_ended_with_the_daemon() {
    let project = Project::new("hidden");
    let script = "(env -i setsid sh -c 'echo $$ > far; exec sleep 1000' &)\nexec sleep 1000";
    project.config(&shell("main", script));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let far = project.pid_from("far");
    daemon.stop();
    assert!(!is_alive(far));
}

#[test]
fn builds_leave_no_zombie() {
    let project = Project::new("zombies");
    project.rust(&lives("up")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.main("broken");
    assert_eq!(daemon.restart("main")["outcome"], "build_failed");
    project.main(&lives("again"));
    let answer = daemon.restart("main");
    assert_eq!(answer["ok"], json!(true), "{answer}");
    assert_eq!(children_of(daemon.pid()), [pid_in(&answer)]);
}

#[test]
fn nothing_starts_before_a_descendant_that_ignores_sigterm_is_gone() {
    let project = Project::new("stubborn-descendant");
    // `before` is the stubborn one of the child before.
    let script = "cp far before 2> none
(trap '' TERM; setsid sh -c 'echo $$ > far.new; mv far.new far; while :; do sleep 1000; done' &)
if test -e before && grep '^State:.[^ZX]' /proc/$(cat before)/status; then echo > fault; fi
echo up >> starts
exec sleep 1000";
    project.config(&format!(
        "{}stop_grace_seconds = 0.2\n",
        shell("main", script)
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let far = project.pid_from("far");
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert!(!is_alive(far));
    assert_eq!(
        (project.read("fault").as_str(), project.lines("starts")),
        ("", 2)
    );
    assert!(answer["pause_ms"].as_f64().unwrap() >= 200.0, "{answer}");
}
