//! What helps to set a project up.

use std::{fs, path::Path};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{
    Bpm, Project, eventually,
    project::{lives, shell},
};

#[test]
fn init_writes_what_check_accepts_and_the_daemon_runs() {
    let project = Project::new("cli-init");
    project.rust(&lives("hello"));
    let file = project.dir().join(".mcp-run");
    let said = Bpm::says(&project, &["init"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.stdout, format!("wrote {}: app\n", file.display()));
    let said = Bpm::says(&project, &["check"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.stdout,
        format!("{}: ok, 1 process (app)\n", file.display())
    );
    let written = project.read(".mcp-run");
    let said = Bpm::says(&project, &["init"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    assert_eq!(project.read(".mcp-run"), written, "it overwrites nothing");

    project.file(
        ".mcp-run",
        &written.replace("mcp_port = 3001", "mcp_port = 0"),
    );
    let daemon = project.start();
    daemon.until_state("app", "running");
}

#[test]
fn init_says_what_it_left_out_and_that_there_is_a_project_above() {
    let project = Project::new("cli-init-nested");
    project.config(&shell("main", "exec sleep 1000"));
    project.file("below/Procfile", "web: sh serve.sh\nnonsense\n");
    project.file("below/package.json", "{");
    let below = project.dir().join("below");
    let said = Bpm::says(&project, &["init", "below"]);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in [
        format!("left out: {}/Procfile:2: no entry", below.display()),
        format!("{} is a project, too", project.dir().display()),
    ] {
        assert!(said.stderr.contains(&expected), "{said:?}");
    }
    let broken = Project::new("cli-init-broken");
    broken.file("package.json", "{");
    let said = Bpm::says(&broken, &["init"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("package.json: EOF while parsing"),
        "{said:?}"
    );
}

#[test]
fn what_is_wrong_with_a_configuration_is_said() {
    let project = Project::new("cli-check");
    let said = Bpm::says(&project, &["check"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("no such file"), "{said:?}");
    project.config("[process.main]\ntype = \"rusty\"");
    let said = Bpm::says(
        &project,
        &["-C", "/", "check", &project.dir().to_string_lossy()],
    );
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains(".mcp-run:3: "), "{said:?}");
    let empty = Project::new("cli-init-none");
    let said = Bpm::says(&empty, &["init"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("nothing to run was found"), "{said:?}");
    assert!(!empty.dir().join(".mcp-run").exists());
}

/// Runs the daemon by `bpm run`, which it becomes or is.
fn runs(program: &Path, project: &Project) {
    project.config(&shell("main", "echo hello; exec sleep 1000"));
    let run = Bpm::launch(Bpm::command_of(program, project, &["run"]));
    let daemon = eventually("found", || {
        let said = Bpm::says(project, &["status", "--json"]);
        if said.code == 0 {
            Ok(said)
        } else {
            Err((said, run.stderr()))
        }
    });
    assert_eq!(daemon.json()["processes"][0]["name"], "main");
    run.prints("[main] hello");
    kill(
        Pid::from_raw(run.pid().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    let said = run.ends();
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(Bpm::says(project, &["status"]).code, 3);
}

#[test]
fn run_becomes_the_daemon_that_is_installed_beside_it() {
    let project = Project::new("cli-run");
    runs(env!("CARGO_BIN_EXE_bpm").as_ref(), &project);
}

#[test]
fn installed_alone_it_is_the_daemon_itself() {
    let project = Project::new("cli-run-alone");
    let alone = project.state_home().with_file_name("bpm");
    fs::copy(env!("CARGO_BIN_EXE_bpm"), &alone).unwrap();
    runs(&alone, &project);
    // What systemd passes wrongly is for a person to change.
    let alone = alone.display();
    let script = format!("exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec {alone} run");
    let command = Bpm::command_of("sh".as_ref(), &project, &["-c", &script]);
    let said = Bpm::launch(command).ends();
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("socket 1 that systemd passes"),
        "{said:?}"
    );
}

#[test]
fn agents_are_connected_to_where_the_daemon_serves_or_will() {
    let project = Project::new("cli-mcp-config");
    project.config(&shell("main", "exec sleep 1000"));
    assert_eq!(
        Bpm::says(&project, &["mcp-config"]).code,
        3,
        "nobody knows the port"
    );
    let daemon = project.start();
    let said = Bpm::says(&project, &["mcp-config"]);
    let expected = format!(
        "claude mcp add --transport http bpm http://localhost:{}/mcp\n",
        daemon.port()
    );
    assert_eq!(said.stdout, expected);
    drop(daemon);
    let text = project
        .read(".mcp-run")
        .replace("mcp_port = 0", "mcp_port = 3017");
    project.file(".mcp-run", &text);
    let said = Bpm::says(&project, &["mcp-config", "cursor"]);
    let url = &said.json()["mcpServers"]["bpm"]["url"];
    assert_eq!(url, "http://localhost:3017/mcp");
}

#[test]
fn completions_and_man_pages_are_made_of_the_help() {
    let project = Project::new("cli-help");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = Bpm::says(&project, &["completions", shell]);
        assert!(
            said.code == 0 && said.stdout.contains("mcp-config"),
            "{shell}"
        );
    }
    let alone = project.state_home().with_file_name("bpm");
    fs::copy(env!("CARGO_BIN_EXE_bpm"), &alone).unwrap();
    let said = Bpm::launch(Bpm::command_of(&alone, &project, &["man"])).ends();
    assert_eq!(said.code, 0, "{said:?}");
    let pages = alone.with_file_name("man");
    assert!(
        pages.join("bpm-restart.1").is_file()
            && pages.join("background-process-manager.1").is_file()
    );
    let said = Bpm::says(&project, &["--help"]);
    for taught in ["bpm init", "Exit codes:", "bpm restart"] {
        assert!(said.stdout.contains(taught), "{said:?}");
    }
    let said = Bpm::launch({
        let mut command = Bpm::command_of(&alone, &project, &["tui"]);
        command.env("PATH", "/nowhere");
        command
    })
    .ends();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("cannot start bpm-tui"), "{said:?}");
}
