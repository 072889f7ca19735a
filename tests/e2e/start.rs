//! Start and orderly end.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use nix::{
    fcntl::{OFlag, open},
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::{signal::Signal, stat::Mode},
};
use serde_json::{Value, json};

use crate::support::{
    Daemon, Gate, Project, children_of, is_alive, marked, pid_in,
    project::{RUST, lives, shell},
};

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

#[test]
fn it_ends_with_the_terminal_that_it_was_started_in_and_sighup_alone_is_a_reload() {
    let project = Project::new("terminal");
    project.config(&shell("main", "exec sleep 1000"));
    // Nobody else inherits an end of it.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname_r(&master).unwrap();
    let slave = open(name.as_str(), flags, Mode::empty()).unwrap();
    let daemon = Daemon::command(&project);
    let mut command = Command::new("setsid");
    command
        .arg("--ctty")
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .stdin(slave);
    for (name, value) in daemon.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut daemon = Daemon::launch(&project, command);
    let pid = pid_in(&daemon.until_state("main", "running"));
    daemon.signal(Signal::SIGHUP);
    daemon.prints("reloaded: nothing changed");
    drop(master);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.output());
    assert!(!is_alive(pid));
}

#[test]
fn mcp_answers_while_the_first_build_still_runs_and_says_that_it_builds() {
    let project = Project::new("first");
    project.rust(&lives("up")).config(RUST);
    let gate = Gate::new(&project);
    gate.close();
    let daemon = project.start();
    gate.arrived();
    let main = daemon.until_state("main", "building");
    assert_eq!(
        (&main["serving"], &main["pid"], &main["uptime_seconds"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert_eq!(main["events"][0]["kind"], "build_started");
    let log = daemon.logs("main");
    assert!(log.contains("building"), "{log}");
    gate.open();
    daemon.until_state("main", "running");
}

#[test]
fn first_builds_wait_for_each_other_in_the_order_of_the_file() {
    let project = Project::new("order");
    let entries = ["zulu", "alpha", "mike"].map(|name| project.package(name, &lives(name)));
    project.config(&entries.concat());
    let gate = Gate::of_package(&project, "zulu");
    gate.close();
    let daemon = project.start();
    gate.arrived();
    for waiting in ["alpha", "mike"] {
        let process = daemon.until_state(waiting, "building");
        assert_eq!(process["events"], json!([]), "{process}");
    }
    gate.open();
    for (name, id) in [("zulu", 1), ("alpha", 2), ("mike", 3)] {
        let process = daemon.until_state(name, "running");
        assert_eq!(process["last_build"]["id"], id, "{process}");
    }
    let names: Vec<_> = daemon.status()["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["name"].clone())
        .collect();
    assert_eq!(names, ["zulu", "alpha", "mike"]);
}

#[test]
fn a_second_daemon_exits_with_1_names_the_pid_of_the_first_and_starts_nothing() {
    let project = Project::new("second");
    project.config(&shell("main", "echo up >> starts; exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    // Another state folder is no way around it.
    let mut second = Daemon::command(&project);
    second.env("XDG_STATE_HOME", project.dir().join("elsewhere"));
    let (code, _, stderr) = Daemon::refuses(second);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains(&format!("pid {}", daemon.pid())),
        "{stderr}"
    );
    assert_eq!(project.lines("starts"), 1);
    assert_eq!(daemon.process("main")["state"], "running");
}

#[test]
fn a_taken_port_is_found_before_anything_is_started_and_names_port_and_owner() {
    let project = Project::new("port");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = shell("main", "echo up >> starts; exec sleep 1000");
    project.file(".mcp-run", &format!("mcp_port = {port}\n{config}"));
    let (code, _, stderr) = Daemon::refuses(Daemon::command(&project));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("port {port}")), "{stderr}");
    let me = format!("pid {}", std::process::id());
    assert!(stderr.contains(&me), "{stderr}");
    assert_eq!(project.lines("starts"), 0);
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn the_port_of_another_daemon_is_named_with_its_pid() {
    let first = Project::new("port-first");
    first.config(&shell("main", "exec sleep 1000"));
    let daemon = first.start();
    let project = Project::new("port-second");
    let config = shell("main", "exec sleep 1000");
    project.file(
        ".mcp-run",
        &format!("mcp_port = {}\n{config}", daemon.port()),
    );
    let (code, _, stderr) = Daemon::refuses(Daemon::command(&project));
    assert_eq!(code, Some(1), "{stderr}");
    let owner = format!("pid {}", daemon.pid());
    assert!(stderr.contains(&owner), "{stderr}");
}

#[test]
fn a_relative_project_path_works() {
    let project = Project::new("relative");
    project.rust(&lives("up")).config(RUST);
    let name = project.dir().file_name().unwrap().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_background-process-manager"));
    command
        .arg(name)
        .current_dir(project.dir().parent().unwrap())
        .env("XDG_STATE_HOME", project.state_home())
        .stdin(Stdio::null());
    let daemon = Daemon::launch(&project, command);
    daemon.until_state("main", "running");
    assert_eq!(
        daemon.status()["project_dir"],
        project.dir().to_str().unwrap()
    );
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
}

#[test]
fn without_a_path_the_current_directory_is_served() {
    let project = Project::new("here");
    project.config(&shell("main", "exec sleep 1000"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_background-process-manager"));
    command
        .current_dir(project.dir())
        .env("XDG_STATE_HOME", project.state_home())
        .stdin(Stdio::null());
    let daemon = Daemon::launch(&project, command);
    daemon.until_state("main", "running");
}

#[test]
fn check_validates_and_starts_nothing() {
    let project = Project::new("check");
    project.config(&shell("main", "echo up >> starts; exec sleep 1000"));
    let check = || {
        let mut command = Daemon::command(&project);
        command.arg("--check");
        Daemon::refuses(command)
    };
    let (code, stdout, stderr) = check();
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    project.config("prot = 3");
    let (code, _, stderr) = check();
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("prot"), "{stderr}");
    assert_eq!(project.lines("starts"), 0);
    assert!(!project.state_home().exists());
}

#[test]
fn a_missing_file_exits_with_2_and_says_where_it_was_sought() {
    let project = Project::new("missing");
    let (code, _, stderr) = Daemon::refuses(Daemon::command(&project));
    assert_eq!(code, Some(2), "{stderr}");
    let sought = project.dir().join(".mcp-run");
    assert!(stderr.contains(sought.to_str().unwrap()), "{stderr}");
    assert!(stderr.contains("mcp_port"), "{stderr}");
}

#[test]
fn cargo_is_found_although_it_is_not_in_path() {
    let project = Project::new("path");
    project.rust(&lives("up")).config(RUST);
    let cargo = std::env::var_os("CARGO")
        .map(std::path::PathBuf::from)
        .unwrap();
    // Where rustup's proxies are, or the toolchain itself.
    let home = project.dir().join("cargo-home");
    std::fs::create_dir_all(&home).unwrap();
    std::os::unix::fs::symlink(cargo.parent().unwrap(), home.join("bin")).unwrap();
    let daemon = project.start_with(&[
        ("PATH", "/usr/bin:/bin"),
        ("CARGO_HOME", home.to_str().unwrap()),
    ]);
    daemon.until_state("main", "running");
}

#[test]
fn a_request_that_waits_is_answered_and_its_build_is_ended_when_the_daemon_ends() {
    let project = Project::new("open-request");
    project.rust(&lives("up")).config(RUST);
    let gate = Gate::new(&project);
    let mut daemon = project.start();
    daemon.until_state("main", "running");
    project.main(&lives("new"));
    gate.close();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.call("restart", &json!({"process": "main"})));
        gate.arrived();
        daemon.signal(Signal::SIGTERM);
        waiting.join().unwrap()
    });
    assert_eq!(answer["structuredContent"]["outcome"], "shutting_down");
    assert_eq!(answer["isError"], true);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.output());
    assert_eq!(marked(&project.dir()), [0; 0], "cargo and its build script");
}

#[test]
fn children_have_the_descriptor_limit_that_the_daemon_was_started_with() {
    let project = Project::new("limits");
    project.config(&shell("main", "exec sleep 1000"));
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -Sn 300; exec \"$0\" \"$1\""])
        .arg(env!("CARGO_BIN_EXE_background-process-manager"))
        .arg(project.dir())
        .env("XDG_STATE_HOME", project.state_home());
    let daemon = Daemon::launch(&project, command);
    let child = pid_in(&daemon.until_state("main", "running"));
    let soft = |pid: u32| {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let number = line.unwrap().split_ascii_whitespace().nth(3).unwrap();
        number.parse::<u64>().unwrap()
    };
    assert_eq!(soft(child), 300);
    assert!(soft(daemon.pid()) > 300);
}
