//! `bpm wait`.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::support::{Bpm, Project, project::shell};

/// Ready when the test says so; then prints a line.
const SLOW: &str = "\
[process.main]
type = \"command\"
command = [\"sh\", \"-c\", \"until [ -e go ]; do sleep 0.01; done; echo ready now; until [ -e end ]; do sleep 0.01; done; exit 3\"]
ready = { log = \"^ready now$\", timeout_seconds = 600 }
";

#[test]
fn a_script_waits_until_a_process_is_ready_prints_and_ends() {
    let project = Project::new("cli-wait");
    project.config(SLOW);
    let _daemon = project.start();
    let ready = Bpm::start(&project, &["wait", "--for", "ready", "--timeout", "1m"]);
    let line = Bpm::start(
        &project,
        &["wait", "main", "--for", "log=^ready", "--timeout", "1m"],
    );
    let late = Bpm::says(&project, &["wait", "--for", "ready", "--timeout", "0"]);
    assert_eq!(late.code, 4, "{late:?}");
    let said = "main: waiting for ready\nbpm: main: ready did not come in time\n";
    assert_eq!(late.stderr, said);
    project.file("go", "");
    let ready = ready.ends();
    assert_eq!(ready.code, 0, "{ready:?}");
    assert!(
        ready.stdout.starts_with("main: ready (run 1, pid "),
        "{ready:?}"
    );
    for what in ["ready", "log=^ready"] {
        let look = Bpm::says(&project, &["wait", "--for", what, "--timeout", "0"]);
        assert_eq!((look.code, look.stderr.as_str()), (0, ""), "{look:?}");
    }
    let line = line.ends();
    assert_eq!(
        (line.code, line.stdout.as_str()),
        (0, "ready now\n"),
        "{line:?}"
    );

    let end = Bpm::start(&project, &["wait", "--for", "exit", "--timeout", "1m"]);
    let open = Bpm::says(&project, &["wait", "--for", "exit", "--timeout", "100ms"]);
    assert_eq!(open.code, 4, "{open:?}");
    project.file("end", "");
    let end = end.ends();
    assert_eq!(
        (end.code, end.stdout.as_str()),
        (0, "main: run 1 ended: exit code 3\n")
    );
}

#[test]
fn what_is_stopped_is_not_waited_for() {
    let project = Project::new("cli-wait-stopped");
    project.config(&shell("main", "echo hello; exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let never = Bpm::start(&project, &["wait", "--for", "log=never", "--timeout", "1m"]);
    never.notes("waiting for a line");
    assert_eq!(Bpm::says(&project, &["stop"]).code, 0);
    for said in [
        never.ends(),
        Bpm::says(&project, &["wait", "--for", "ready"]),
    ] {
        assert_eq!(said.code, 1, "{said:?}");
        let end = "bpm: main: stopped; bpm start main runs it again\n";
        assert!(said.stderr.ends_with(end), "{said:?}");
    }
    let said = Bpm::says(&project, &["wait", "--for", "log=hello"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "hello\n"),
        "{said:?}"
    );
    let said = Bpm::says(&project, &["wait", "--for", "log=[", "--timeout", "1m"]);
    assert_eq!(said.code, 2, "{said:?}");
    let said = Bpm::says(&project, &["wait", "--for", "rest"]);
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn a_wait_survives_the_daemon() {
    let project = Project::new("cli-wait-on");
    project.config(SLOW);
    let daemon = project.start();
    let ready = Bpm::start(&project, &["wait", "--for", "ready", "--timeout", "1m"]);
    ready.notes("main: waiting for ready\n");
    let daemon = super::restarted(&project, daemon);
    ready.notes("reconnecting");
    project.file("go", "");
    let ready = ready.ends();
    assert_eq!(ready.code, 0, "{ready:?}");
    drop(daemon);
}

#[test]
fn the_time_to_wait_is_not_exceeded_where_the_daemon_does_not_answer() {
    let project = Project::new("cli-wait-hung");
    project.config(SLOW);
    let daemon = project.start();
    daemon.signal(Signal::SIGSTOP);
    for words in [&["wait", "--for", "ready"][..], &["restart"], &["stop"]] {
        let begun = Instant::now();
        let said = Bpm::says(&project, &[words, &["--timeout", "300ms"]].concat());
        let took = begun.elapsed();
        assert_eq!(said.code, 4, "{said:?}");
        assert!(said.stderr.contains("did not answer in time"), "{said:?}");
        // Without the limit it is the 10 s that any question may take.
        assert!(took < Duration::from_secs(8), "{words:?} after {took:?}");
    }
    daemon.signal(Signal::SIGCONT);
}
