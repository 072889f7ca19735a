//! Start and orderly end.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Project, children_of, is_alive, marked, pid_in, project::lives};

const TWO: &str = r#"
[process.main]
type = "rust"
args = []

[process.side]
type = "command"
command = ["sh", "-c", "echo side is up; exec sleep 1000"]
"#;

#[test]
fn a_project_is_built_in_release_and_runs_as_a_copy_that_cargo_does_not_overwrite() {
    let project = Project::new("start");
    project.rust(&lives("hello from main")).config(TWO);
    let daemon = project.start();
    let main = daemon.until_state("main", "running");
    assert_eq!(
        (&main["mode"], &main["run"], &main["health"]),
        (&json!("release"), &json!(2), &json!("ready"))
    );
    let exe = std::fs::read_link(format!("/proc/{}/exe", pid_in(&main))).unwrap();
    assert!(exe.starts_with(project.state_home()), "{}", exe.display());
    assert_eq!(exe.file_name().unwrap(), "app");
    assert!(daemon.logs("main").contains("hello from main"));
    assert!(daemon.logs("side").contains("side is up"));
    daemon.prints("[main] hello from main");
    daemon.prints("[build main] ");
}

#[test]
fn sigterm_ends_every_child_and_exits_with_0() {
    let project = Project::new("sigterm");
    project.rust(&lives("hello")).config(TWO);
    let mut daemon = project.start();
    let main = pid_in(&daemon.until_state("main", "running"));
    let side = pid_in(&daemon.until_state("side", "running"));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.output());
    assert!(!is_alive(main) && !is_alive(side));
    assert_eq!(marked(&project.dir()), [0; 0]);
    assert_eq!(children_of(daemon.pid()), [0; 0]);
}
