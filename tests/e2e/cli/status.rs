//! `bpm status`, and how a daemon is found.

use serde_json::{Value, json};

use super::restarted;
use crate::support::{Bpm, Project, project::shell};

const STAYS: &str = "exec sleep 1000";

fn started(name: &str) -> (Project, crate::support::Daemon) {
    let project = Project::new(name);
    project.config(&(shell("main", STAYS) + &shell("web", STAYS)));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.until_state("web", "running");
    (project, daemon)
}

#[test]
fn a_status_shows_every_process_from_anywhere_in_the_project() {
    let (project, daemon) = started("cli-status");
    project.file("src/deep/file", "");
    let said = Bpm::says(&project, &["-C", "src/deep", "status"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<_> = said.stdout.lines().collect();
    let head = format!(
        "{}: release, http://localhost:{}/mcp",
        project.dir().display(),
        daemon.port()
    );
    assert_eq!(lines[0], head);
    assert!(
        lines[1].starts_with("NAME    STATE    MODE     RUN"),
        "{said:?}"
    );
    assert!(
        lines[2].starts_with("▶ main  running  release  1 "),
        "{said:?}"
    );
    assert!(
        lines[3].starts_with("▶ web   running  release  2 "),
        "{said:?}"
    );
    assert_eq!((lines.len(), said.stderr.as_str()), (4, ""));
}

#[test]
fn as_json_it_is_what_agents_get() {
    let (project, daemon) = started("cli-json");
    let said = Bpm::says(&project, &["status", "--json"]);
    assert_eq!(said.stdout.lines().count(), 1);
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().unwrap();
        object.keys().cloned().collect()
    };
    let (ours, theirs) = (said.json(), daemon.status());
    assert_eq!(keys(&ours), keys(&theirs));
    let (ours, theirs) = (&ours["processes"][0], &theirs["processes"][0]);
    assert_eq!(keys(ours), keys(theirs));
    assert_eq!(
        (&ours["name"], &ours["pid"]),
        (&json!("main"), &theirs["pid"])
    );
}

#[test]
fn a_daemon_is_found_by_its_url_as_well() {
    let (project, daemon) = started("cli-url");
    let url = daemon.url();
    for url in [url.as_str(), url.trim_end_matches("/mcp")] {
        let said = Bpm::says(&project, &["-C", "/", "status", "--url", url]);
        assert_eq!(said.code, 0, "the directory does not matter then: {said:?}");
        let said = Bpm::says(&project, &["--url", url, "status", "--json"]);
        assert_eq!(said.json()["processes"][1]["name"], "web");
    }
}

#[test]
fn where_no_daemon_runs_it_is_said_with_the_command_that_starts_it() {
    let project = Project::new("cli-none");
    let dir = project.dir();
    let said = Bpm::says(&project, &["status"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("bpm: no project: neither"), "{said:?}");
    assert!(said.stderr.contains("bpm init"), "{said:?}");
    project.config(&shell("main", STAYS));
    for command in ["status", "logs", "restart", "events"] {
        let said = Bpm::says(&project, &[command]);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{command}");
        let text = format!(
            "bpm: {dir}: its daemon does not run; start it with: bpm run {dir}\n",
            dir = dir.display()
        );
        assert_eq!(said.stderr, text, "{command}");
    }
    let free = crate::support::free_port();
    let said = Bpm::says(&project, &["status", "--url", &format!("localhost:{free}")]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("start it in the project's directory"));
    // What a daemon leaves that was killed is no daemon.
    let daemon = project.start();
    daemon.signal(nix::sys::signal::Signal::SIGKILL);
    drop(daemon);
    assert_eq!(Bpm::says(&project, &["status"]).code, 3);
}

#[test]
fn who_watches_sees_every_change_also_of_the_next_daemon() {
    let (project, daemon) = started("cli-watch");
    let watch = Bpm::start(&project, &["status", "--watch", "--json"]);
    let last = |watch: &Bpm| -> Value {
        let stdout = watch.stdout();
        let whole = stdout.rfind('\n').map_or("", |end| &stdout[..end]);
        whole
            .lines()
            .last()
            .map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
    };
    let until = |watch: &Bpm, what: &str, state: &str| {
        crate::support::eventually(what, || {
            let report = last(watch);
            if report["processes"][0]["state"] == state {
                Ok(())
            } else {
                Err((report, watch.stderr()))
            }
        });
    };
    until(&watch, "the beginning", "running");
    assert_eq!(Bpm::says(&project, &["stop", "main"]).code, 0);
    until(&watch, "the stop", "stopped");
    let daemon = restarted(&project, daemon);
    until(&watch, "the next daemon", "running");
    assert_eq!(watch.stderr(), "reconnecting\n");
    drop(daemon);
}

#[test]
fn on_a_terminal_who_watches_sees_one_table_that_changes() {
    let (project, _daemon) = started("cli-watch-terminal");
    let watch = Bpm::in_terminal(Bpm::command(&project, &["status", "-w"]), 100);
    watch.prints("\x1b[32mrunning\x1b[0m");
    assert!(watch.stdout().starts_with("\x1b[H"), "{:?}", watch.stdout());
    assert_eq!(Bpm::says(&project, &["stop", "web"]).code, 0);
    watch.prints("\x1b[33mstopped\x1b[0m");
}

#[test]
fn on_a_terminal_there_are_colours_and_lines_fit() {
    let (project, _daemon) = started("cli-colours");
    let said = Bpm::in_terminal(Bpm::command(&project, &["status"]), 60).ends();
    assert!(said.stdout.contains("\x1b[32mrunning\x1b[0m"), "{said:?}");
    let plain = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    let plain = plain.replace_all(&said.stdout, "");
    let table = plain.lines().skip(1);
    assert!(
        table.clone().all(|line| line.chars().count() <= 60),
        "{plain}"
    );
    assert_eq!(table.count(), 3);
    let mut command = Bpm::command(&project, &["status"]);
    command.env("NO_COLOR", "1");
    let said = Bpm::in_terminal(command, 60).ends();
    assert!(!said.stdout.contains('\x1b'), "{said:?}");
}
