//! `bpm service`, as far as it goes without systemd; with it, see
//! `.ci/systemd`.

use std::{fs, path::PathBuf, process::Command};

use crate::support::{Daemon, Project};

const SLEEPS: &str = "[process.main]\ntype = \"command\"\ncommand = [\"sleep\", \"1000\"]\nstop_grace_seconds = 20\n";

/// The command, with a home of its own and no systemd in reach.
fn service(project: &Project, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpm"));
    command
        .arg("service")
        .args(words)
        .current_dir(project.dir())
        .env("XDG_CONFIG_HOME", config_home(project))
        .env("PATH", "/nowhere");
    Daemon::refuses(command)
}

fn config_home(project: &Project) -> PathBuf {
    project.state_home().with_file_name("config")
}

/// The only unit that is installed.
fn installed(project: &Project) -> PathBuf {
    let folder = config_home(project).join("systemd/user");
    let mut files = fs::read_dir(folder).unwrap().flatten();
    let file = files.next().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[test]
fn print_shows_what_install_writes() {
    let project = Project::new("unit");
    project.config(SLEEPS);
    let (code, printed, stderr) = service(&project, &["print"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(!config_home(&project).exists());
    let dir = project.dir();
    let dir = dir.to_str().unwrap();
    let start = format!(
        "ExecStart=\"{}\" \"{dir}\"",
        env!("CARGO_BIN_EXE_background-process-manager")
    );
    for line in [
        start.as_str(),
        "Environment=\"PATH=/nowhere\"",
        "TimeoutStopSec=35",
        "WantedBy=default.target",
    ] {
        assert!(printed.lines().any(|it| it == line), "{line}: {printed}");
    }

    let (code, stdout, _) = service(&project, &["install", "--no-start", dir]);
    assert_eq!(code, Some(0));
    let file = installed(&project);
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    assert!(
        stdout.contains(&format!("wrote {}\n", file.display())),
        "{stdout}"
    );
    assert!(
        stdout.contains("systemctl --user enable --now bpm-project-"),
        "{stdout}"
    );
    // Again, because the configuration has changed.
    project.config("[process.main]\ntype = \"command\"\ncommand = [\"sleep\", \"1000\"]\nstop_grace_seconds = 60\n");
    service(&project, &["install", "--no-start", dir]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("TimeoutStopSec=75"), "{text}");
}

#[test]
fn a_directory_that_is_gone_may_still_have_a_unit() {
    let project = Project::new("unit-gone");
    let gone = project.dir().join("gone");
    let gone = gone.to_str().unwrap();
    for words in [["uninstall", gone, "--system"], ["uninstall", gone, "--"]] {
        let (code, stdout, stderr) = service(&project, &words);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert!(stdout.ends_with("is not installed\n"), "{stdout}");
    }
}

#[test]
fn nothing_is_written_for_a_configuration_that_is_wrong() {
    let project = Project::new("unit-wrong");
    let (code, _, stderr) = service(&project, &["install", "--no-start"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains(".mcp-run: no such file"), "{stderr}");
    assert!(!config_home(&project).exists());
}

#[test]
fn a_unit_of_somebody_else_is_neither_overwritten_nor_removed() {
    let project = Project::new("unit-foreign");
    project.config(SLEEPS);
    service(&project, &["install", "--no-start"]);
    let file = installed(&project);
    fs::write(&file, "[Service]\nExecStart=/bin/mine\n").unwrap();
    for words in [["install", "--no-start"].as_slice(), &["uninstall"]] {
        let (code, _, stderr) = service(&project, words);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("was not written by"), "{stderr}");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, "[Service]\nExecStart=/bin/mine\n");
    }
}

#[test]
fn without_systemd_the_unit_is_there_and_the_answer_says_what_failed() {
    let project = Project::new("unit-bare");
    project.config(SLEEPS);
    let (code, stdout, stderr) = service(&project, &["install"]);
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("wrote "), "{stdout}");
    assert!(
        stderr.starts_with("bpm: cannot run systemctl: "),
        "{stderr}"
    );
}

#[test]
fn a_system_unit_runs_as_a_user_who_exists() {
    let project = Project::new("unit-user");
    project.config(SLEEPS);
    let (_, printed, _) = service(&project, &["print", "--system", "--user", "nobody"]);
    assert!(printed.contains("\nUser=nobody\n"), "{printed}");
    let (code, _, stderr) = service(&project, &["print", "--system", "--user", "no such user"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "bpm: there is no user `no such user`\n");
    let (code, ..) = service(&project, &["print", "--user", "nobody"]);
    assert_eq!(code, Some(2), "a user unit is its own user's");
}

#[test]
fn the_project_is_the_one_that_we_are_in_or_that_is_named() {
    let project = Project::new("unit-where");
    project.config(SLEEPS);
    let (_, here, _) = service(&project, &["print"]);
    fs::create_dir_all(project.dir().join("src/deep")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpm"));
    command
        .args(["-C", "src/deep", "service", "print"])
        .current_dir(project.dir())
        .env("XDG_CONFIG_HOME", config_home(&project))
        .env("PATH", "/nowhere");
    let (code, below, stderr) = Daemon::refuses(command);
    assert_eq!((code, below), (Some(0), here), "{stderr}");
}
