//! An edit that is undone, before or after it came to something.

use super::{coloured, events};
use crate::support::{
    Daemon, Project,
    project::{RUST, lives, shell},
};

/// Puts the entry back, after which what runs is the newest again and was not touched.
fn put_back(project: &Project, daemon: &Daemon, entry: &str) {
    let before = daemon.process("main");
    project.config(entry);
    let now = daemon.until("main", "up to date", |now| {
        now["behind"].is_null() && now["state"] == "running"
    });
    assert_eq!(now["pid"], before["pid"]);
    let said = &events(&now, "reloaded")[0];
    assert!(said.ends_with("changed: as what runs has it"), "{said}");
}

#[test]
fn a_feature_that_there_is_not_is_forgotten() {
    let project = Project::new("undone-feature");
    project.rust(&lives("up"));
    project.config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.config(&format!("{RUST}features = [\"nope\"]\n"));
    daemon.until("main", "no build", |now| now["behind"] == "build_failed");
    put_back(&project, &daemon, RUST);
    // A swap without a build does not bring it back.
    let run = daemon.process("main");
    project.config(&format!("{RUST}env = {{ COLOUR = \"red\" }}\n"));
    let now = daemon.until_newer("main", &run);
    assert!(now["behind"].is_null(), "{now:#}");
}

#[test]
fn a_program_that_there_is_not_is_forgotten() {
    let project = Project::new("undone-command");
    let entry = shell("main", "exec sleep 1000");
    project.config(&entry);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.config(&entry.replace("\"sh\"", "\"no-such-program\""));
    daemon.until("main", "no program", |now| now["behind"] == "build_failed");
    put_back(&project, &daemon, &entry);
}

#[test]
fn a_run_that_proves_itself_beside_the_old_one_leaves() {
    let project = Project::new("undone-proof");
    let held = |colour: &str, ready: &str| {
        let ready = format!("ready = {{ log = \"{ready}\" }}");
        let listen = "listen = [\"./main.sock\"]";
        format!("{}{listen}\n{ready}\n", coloured("main", colour))
    };
    project.config(&held("red", "I am red"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.config(&held("blue", "never"));
    daemon.until_state("main", "proving");
    put_back(&project, &daemon, &held("red", "I am red"));
    let left = daemon.until("main", "the end of the new run", |now| {
        !now["last_exit"].is_null()
    });
    assert_eq!(left["last_exit"]["run"], 2, "nobody else: {left:#}");
    assert_eq!(left["crashes"], 0);
}
