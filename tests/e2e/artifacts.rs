//! Which file is run, wherever cargo put it.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{
    Project, pid_in,
    project::{RUST, counted, lives},
    signal,
};

/// A package with a main that says its name.
fn package(project: &Project, folder: &str, manifest: &str, main: &str) {
    project.file(format!("{folder}/Cargo.toml"), manifest);
    project.file(
        format!("{folder}/{main}"),
        &format!("fn main() {{ {} }}", lives(folder)),
    );
}

fn manifest(name: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
}

/// The name of the file that runs, and whether it lies in the state folder.
fn runs(project: &Project, environment: &[(&str, &str)]) -> (String, bool) {
    let daemon = project.start_with(environment);
    let main = daemon.until_state("main", "running");
    let exe = std::fs::read_link(format!("/proc/{}/exe", pid_in(&main))).unwrap();
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    let name = exe.file_name().unwrap().to_str().unwrap().to_owned();
    (name, exe.starts_with(project.state_home()))
}

#[test]
fn a_member_of_a_workspace_is_found() {
    let project = Project::new("member");
    project.file(
        "Cargo.toml",
        "[workspace]\nmembers = [\"one\", \"two\"]\nresolver = \"2\"\n",
    );
    for name in ["one", "two"] {
        package(&project, name, &manifest(name), "src/main.rs");
    }
    project.config("[process.main]\ntype = \"rust\"\nargs = []\npackage = \"two\"\n");
    assert_eq!(runs(&project, &[]), ("two".to_owned(), true));
    project.config("[process.main]\ntype = \"rust\"\nargs = []\ncwd = \"one\"\n");
    assert_eq!(runs(&project, &[]), ("one".to_owned(), true));
}

#[test]
fn a_binary_with_another_name_than_its_package_is_found() {
    let project = Project::new("named");
    let bin = "[[bin]]\nname = \"other-name\"\npath = \"src/odd.rs\"\n[workspace]\n";
    package(
        &project,
        ".",
        &format!("{}{bin}", manifest("app")),
        "src/odd.rs",
    );
    project.config(RUST);
    assert_eq!(runs(&project, &[]), ("other-name".to_owned(), true));
}

#[test]
fn of_several_binaries_the_named_one_runs_and_without_a_name_the_choice_is_asked_for() {
    let project = Project::new("several");
    project.rust(&lives("app"));
    project.file(
        "src/bin/second.rs",
        &format!("fn main() {{ {} }}", lives("second")),
    );
    project.config(RUST);
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    let said = main["events"].to_string();
    assert!(said.contains("second") && said.contains("bin"), "{said}");
    daemon.stop();
    project.config(&format!("{RUST}bin = \"second\"\n"));
    assert_eq!(runs(&project, &[]), ("second".to_owned(), true));
}

#[test]
fn target_folders_elsewhere_are_found() {
    let project = Project::new("target-variable");
    project.rust(&lives("up")).config(RUST);
    let elsewhere = project.state_home().with_file_name("elsewhere");
    let variable = [("CARGO_TARGET_DIR", elsewhere.to_str().unwrap())];
    assert_eq!(runs(&project, &variable), ("app".to_owned(), true));
    assert!(elsewhere.join("release/app").exists() && elsewhere.join("debug/app").exists());
    assert!(!project.dir().join("target").exists());

    let project = Project::new("target-config");
    project.rust(&lives("up")).config(RUST);
    project.file(".cargo/config.toml", "[build]\ntarget-dir = \"out\"\n");
    assert_eq!(runs(&project, &[]), ("app".to_owned(), true));
    assert!(project.dir().join("out/release/app").exists());

    let project = Project::new("target-key");
    project
        .rust(&lives("up"))
        .config(&format!("{RUST}target_dir = \"mine\"\n"));
    assert_eq!(runs(&project, &[]), ("app".to_owned(), true));
    assert!(project.dir().join("mine/release/app").exists());
}

#[test]
fn in_place_runs_the_file_of_cargo_itself() {
    let project = Project::new("in-place");
    project
        .rust(&lives("up"))
        .config(&format!("{RUST}in_place = true\n"));
    let daemon = project.start();
    let exe = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let main = daemon.until_state("main", "running");
    assert_eq!(exe(pid_in(&main)), project.dir().join("target/release/app"));
    project.main(&counted("new"));
    let answer = daemon.restart("main");
    assert_eq!(exe(pid_in(&answer)), project.dir().join("target/debug/app"));
}

#[test]
fn the_running_copy_is_not_what_a_build_overwrites_and_copies_are_bounded() {
    let project = Project::new("copies");
    project.rust(&lives("0")).config(RUST);
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    let exe = format!("/proc/{}/exe", pid_in(&first));
    let before = std::fs::read(&exe).unwrap();
    project.main("broken");
    daemon.restart("main");
    assert_eq!(std::fs::read(&exe).unwrap(), before);
    for version in 1..=6 {
        project.main(&lives(&version.to_string()));
        assert_eq!(daemon.restart("main")["ok"], json!(true));
        assert!(daemon.logs("main").contains(&version.to_string()));
    }
    let state = project.state_home().join("background-process-manager");
    let key = std::fs::read_dir(state).unwrap().next().unwrap().unwrap();
    let copies = std::fs::read_dir(key.path().join("artifacts/main"))
        .unwrap()
        .count();
    assert!((1..=6).contains(&copies), "{copies} copies of seven builds");
}

#[test]
fn a_crash_after_somebody_emptied_the_state_folder_is_mended_by_a_build() {
    let project = Project::new("emptied");
    let waits = "release_crash_backoff_initial_seconds = 0.05\n";
    project
        .rust(&counted("up"))
        .config(&format!("{waits}{RUST}"));
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    std::fs::remove_dir_all(project.state_home()).unwrap();
    signal(pid_in(&old), Signal::SIGKILL);
    let new = daemon.until("main", "back", |main| {
        main["state"] == "running" && main["run"] != old["run"]
    });
    assert_eq!(
        (&new["mode"], project.lines("starts")),
        (&json!("release"), 2)
    );
    daemon.stop();
}
