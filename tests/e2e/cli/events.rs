//! `bpm events`.

use serde_json::Value;

use super::restarted;
use crate::support::{Bpm, Project, eventually, pid_in, project::shell};

fn kinds(bpm: &Bpm) -> Vec<String> {
    let stdout = bpm.stdout();
    let lines = stdout
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn until_kind(bpm: &Bpm, kind: &str, count: usize) {
    eventually(&format!("{count} of {kind}"), || {
        let kinds = kinds(bpm);
        if kinds.iter().filter(|it| *it == kind).count() >= count {
            Ok(())
        } else {
            Err((kinds, bpm.stderr()))
        }
    });
}

#[test]
fn what_happened_last_is_shown_one_line_each() {
    let project = Project::new("cli-events");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let said = Bpm::says(&project, &["events"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.contains(" main started       "), "{said:?}");
    assert!(
        said.stdout.contains(" main state         running"),
        "{said:?}"
    );
    let said = Bpm::says(&project, &["events", "-n", "2", "--json"]);
    assert_eq!(said.stdout.lines().count(), 2, "{said:?}");
    assert!(said.stdout.starts_with("{\"id\":"), "{said:?}");
}

#[test]
fn who_follows_hears_of_crashes_and_of_the_next_daemon() {
    let project = Project::new("cli-follow");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    let main = daemon.until_state("main", "running");
    let events = Bpm::start(&project, &["events", "-f", "-n", "1", "--json"]);
    events.prints("\n");
    let pid = nix::unistd::Pid::from_raw(pid_in(&main).try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    until_kind(&events, "crashed", 1);
    let before = kinds(&events).iter().filter(|it| *it == "started").count();
    let daemon = restarted(&project, daemon);
    until_kind(&events, "started", before + 1);
    assert_eq!(events.stderr(), "reconnecting\n");
    drop(daemon);
}

#[test]
fn it_ends_when_nobody_reads_it_any_more_though_nothing_happens() {
    let project = Project::new("cli-reader");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let script = format!(
        "{} events -f -n 1 2>&1 | head -n 1; echo \"ended ${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_bpm")
    );
    let mut command = Bpm::command_of("bash".as_ref(), &project, &["-c", &script]);
    command.env("LC_ALL", "C");
    let said = Bpm::launch(command).ends();
    assert_eq!(said.stdout.lines().last(), Some("ended 0"), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 2, "{said:?}");
}
