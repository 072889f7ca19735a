//! The examples that ship with the project, and the daemon's command line as far as it starts
//! nothing.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use background_process_manager::config::{Config, EXAMPLE};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MINIMAL: &str = "mcp_port = 0\n[process.main]\ntype = \"rust\"\nargs = []\n";

#[expect(
    clippy::disallowed_methods,
    reason = "no reaper in a test: the daemon ends by itself here"
)]
fn daemon(cwd: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_background-process-manager"))
        .args(arguments)
        .current_dir(cwd)
        .output()
        .expect("cargo built the daemon for this test")
}

fn code_and_texts(output: &Output) -> (Option<i32>, String, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn every_example_loads() {
    let mut names = Vec::new();
    for entry in fs::read_dir(Path::new(ROOT).join("config-examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "service") {
            // One for systemd.
            continue;
        }
        if path.is_dir() {
            Config::load(&path).unwrap();
        } else {
            let project = tempfile::tempdir().unwrap();
            fs::create_dir(project.path().join("web")).unwrap();
            fs::copy(&path, project.path().join(".mcp-run")).unwrap();
            Config::load(project.path()).unwrap();
        }
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    for expected in [
        "all-keys.mcp-run",
        "command.mcp-run",
        "held-socket",
        "hello-server",
        "minimal-rust.mcp-run",
        "next.mcp-run",
        "rust-and-npm.mcp-run",
        "vite.mcp-run",
    ] {
        assert!(
            names.iter().any(|name| name == expected),
            "{names:?} lack {expected}"
        );
    }
}

#[test]
fn the_example_with_all_keys_gives_the_defaults() {
    let load = |text: &str| {
        let project = tempfile::tempdir().unwrap();
        fs::write(project.path().join(".mcp-run"), text).unwrap();
        let mut config = Config::load(project.path()).unwrap();
        for process in &mut config.processes {
            assert_eq!(process.cwd, config.project_dir);
            process.cwd = "/".into();
        }
        (config.dev_timeout, config.processes)
    };
    let all = fs::read_to_string(Path::new(ROOT).join("config-examples/all-keys.mcp-run")).unwrap();
    let few = "mcp_port = 3001\n[process.main]\ntype = \"rust\"\n\
               [process.web]\ntype = \"npm\"\ncommand = [\"npm\", \"run\", \"dev\"]\n";

    assert_eq!(load(&all), load(few));
}

#[test]
fn what_the_example_with_all_keys_only_shows_is_valid_too() {
    let all = fs::read_to_string(Path::new(ROOT).join("config-examples/all-keys.mcp-run")).unwrap();
    let (rust, _) = all.split_once("[process.web]").unwrap();
    let shown = |key: &str| rust.contains(&format!("\n# {key} = "));
    for key in [
        "listen",
        "port",
        "overlap",
        "drain_seconds",
        "ready",
        "watchdog_seconds",
    ] {
        assert!(shown(key), "{key}");
    }
    for (way, other) in [("listen", "port"), ("port", "listen")] {
        let lines = rust.lines().filter_map(|line| {
            let key = line.trim_start_matches("# ").split(" = ").next()?;
            let is_key = line.contains(" = ") && !key.contains([' ', '#']);
            // Beside `ready` there is no settling.
            (is_key || line.starts_with('['))
                .then_some(line.trim_start_matches("# "))
                .filter(|_| key != other && key != "settle_seconds")
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let project = tempfile::tempdir().unwrap();
        fs::write(project.path().join(".mcp-run"), &text).unwrap();
        let config = Config::load(project.path()).unwrap();
        assert!(config.processes[0].watchdog.is_some(), "{way}: {text}");
    }
}

#[test]
fn check_says_which_processes_there_are() {
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join(".mcp-run"), MINIMAL).unwrap();
    let file = project.path().canonicalize().unwrap().join(".mcp-run");
    let ok = (
        Some(0),
        format!("{}: ok, 1 process (main)\n", file.display()),
        String::new(),
    );

    assert_eq!(code_and_texts(&daemon(project.path(), &["--check"])), ok);
    let parent = project.path().parent().unwrap();
    let name = project.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(code_and_texts(&daemon(parent, &[name, "--check"])), ok);
}

#[test]
fn a_bad_file_is_exit_code_2_and_all_that_is_wrong_with_it() {
    let project = tempfile::tempdir().unwrap();
    fs::write(
        project.path().join(".mcp-run"),
        "mcp_port = 70000\n\n[process.main]\ntype = \"rust\"\narg = []\n",
    )
    .unwrap();
    let file = project.path().canonicalize().unwrap().join(".mcp-run");

    for arguments in [&["--check"][..], &[]] {
        let (code, stdout, stderr) = code_and_texts(&daemon(project.path(), arguments));
        assert_eq!((code, stdout.as_str()), (Some(2), ""));
        assert_eq!(
            stderr,
            format!(
                "{0}:1: mcp_port = 70000: must be a port from 1 to 65535, or 0 to let the system choose\n\
                 {0}:5: process.main.arg = []: unknown key, did you mean args? valid for type = \"rust\": \
                 type, cwd, env, listen, port, overlap, ready, settle_seconds, stable_seconds, \
                 watchdog_seconds, stop_grace_seconds, drain_seconds, in_place, target_dir, args, \
                 package, bin, features, cargo_args\n",
                file.display()
            )
        );
    }
}

#[test]
fn without_a_file_there_is_one_to_paste() {
    let project = tempfile::tempdir().unwrap();
    let file = project.path().canonicalize().unwrap().join(".mcp-run");

    let (code, stdout, stderr) = code_and_texts(&daemon(project.path(), &[]));

    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert_eq!(
        stderr,
        format!(
            "{}: no such file; one to begin with:\n\n{EXAMPLE}\n",
            file.display()
        )
    );
}

#[test]
fn bad_usage_is_exit_code_2() {
    let here = tempfile::tempdir().unwrap();
    for arguments in [&["missing"][..], &["--bogus"], &["a", "b"]] {
        let (code, stdout, stderr) = code_and_texts(&daemon(here.path(), arguments));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let here = tempfile::tempdir().unwrap();
    let (code, stdout, _) = code_and_texts(&daemon(here.path(), &["--help"]));
    assert_eq!(code, Some(0));
    for word in ["[DIR]", "--check", "--version", "Exit codes"] {
        assert!(stdout.contains(word), "{stdout}");
    }
    let (code, stdout, _) = code_and_texts(&daemon(here.path(), &["--version"]));
    assert_eq!(code, Some(0));
    assert_eq!(
        stdout,
        format!("background-process-manager {}\n", env!("CARGO_PKG_VERSION"))
    );
}
