//! What a new daemon knows of the builds of the one before.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use super::{folder, lines};
use crate::support::{Daemon, Project};

/// Starts a daemon and waits until it has made this build, the newest.
#[track_caller]
fn built(project: &Project, build: u64) -> Daemon {
    let daemon = project.start();
    let what = format!("build {build}");
    daemon.until("main", &what, |main| main["last_build"]["id"] == build);
    daemon
}

/// A project with one finding.
fn project(name: &str) -> Project {
    let project = Project::new(name);
    project
        .rust("let unused_here = 1; loop { std::thread::park(); }")
        .config("[process.main]\ntype = \"rust\"\n");
    project
}

/// The errors and warnings of one build.
#[track_caller]
fn diagnostics(daemon: &Daemon, build: u64) -> String {
    let arguments = json!({"build": build, "diagnostics": true});
    daemon.text("search_build_log", &arguments)
}

#[test]
fn the_log_of_a_build_is_found_after_the_daemons_end_and_builds_go_on_counting() {
    let project = project("old-build");
    let daemon = project.start();
    let main = daemon.until_state("main", "running");
    let build = main["last_build"]["id"].as_u64().unwrap();
    daemon.stop();

    let daemon = built(&project, build + 1);
    let old = daemon.text(
        "search_build_log",
        &json!({"build": build, "pattern": "unused_here"}),
    );
    assert!(old.starts_with(&format!("main build {build} (")), "{old}");
    assert!(!lines(&old).is_empty(), "{old}");
}

#[test]
fn what_a_build_found_is_known_and_compared_with_after_the_daemons_end() {
    let project = project("old-findings");
    let mut daemon = built(&project, 1);
    let first = diagnostics(&daemon, 1);
    assert!(
        first.contains("no build before it is remembered"),
        "{first}"
    );
    // As after a power cut.
    daemon.signal(nix::sys::signal::Signal::SIGKILL);
    daemon.ends();
    drop(daemon);
    let kept = folder(&project).join("main/build-000001.json");
    let mode = fs::metadata(&kept).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    project.main("let unused_here = 1; let young = 2; loop { std::thread::park(); }");
    let daemon = built(&project, 2);
    assert_eq!(diagnostics(&daemon, 1), first);
    let second = diagnostics(&daemon, 2);
    for part in [
        "2 warnings; 1 new since the build before",
        "(new): unused variable: `young`",
        "(already there): unused variable: `unused_here`",
    ] {
        assert!(second.contains(part), "{part}: {second}");
    }
    daemon.stop();

    // Whatever is in such a file, it only is not remembered.
    fs::write(&kept, "{\"version\":1,").unwrap();
    let newest = kept.with_file_name("build-000002.json");
    let text = fs::read_to_string(&newest).unwrap();
    let future = text.replacen("\"version\":1", "\"version\":7", 1);
    fs::write(&newest, future).unwrap();
    let daemon = built(&project, 3);
    for build in [1, 2] {
        let old = diagnostics(&daemon, build);
        assert!(old.contains("are not remembered"), "{old}");
    }
    let third = diagnostics(&daemon, 3);
    assert!(
        third.contains("no build before it is remembered"),
        "{third}"
    );
}
