//! What a valid file means.

use std::{fs, path::Path, time::Duration};

use bpm_actors::spec::{CargoTarget, CommandLine, Program, Readiness, Sockets};

use super::{MINIMAL, parse};
use crate::config::{Config, EXAMPLE};

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let config = parse(MINIMAL);

    assert_eq!(config.file, Path::new("/.mcp-run"));
    assert_eq!(config.mcp_port, 3001);
    assert_eq!(config.dev_timeout, Duration::from_hours(3));
    let [main] = config.processes.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(main.name.as_str(), "main");
    assert_eq!(main.program, Program::Rust(CargoTarget::default()));
    assert_eq!(main.cwd, Path::new("/"));
    assert!(main.env.is_empty());
    assert_eq!(main.stop_grace, Duration::from_secs(5));
    assert_eq!(main.readiness, Readiness::Settle(Duration::from_secs(1)));
    assert_eq!(main.sockets, Sockets::Own);
    assert_eq!(main.drain, Duration::from_secs(5));
    assert_eq!(main.stable, Duration::from_secs(10));
    assert_eq!(main.watchdog, None);
    assert_eq!(main.crash_policy.dev_wait, Duration::from_mins(2));
    assert_eq!(main.crash_policy.release_initial, Duration::from_secs(1));
    assert_eq!(main.crash_policy.release_max, Duration::from_mins(5));
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let project = tempfile::tempdir().unwrap();
    fs::create_dir(project.path().join("web")).unwrap();
    let text = r#"
        mcp_port = 0
        dev_timeout_hours = 0.0005
        dev_crash_wait_seconds = 0.25
        release_crash_backoff_initial_seconds = 0
        release_crash_backoff_max_seconds = 1.5
        [process.main]
        type = "rust"
        args = ["--port", ""]
        package = "server"
        bin = "serve"
        features = ["tls"]
        cargo_args = ["--locked"]
        cwd = "./web/"
        env = { PORT = "8080", EMPTY = "" }
        stop_grace_seconds = 0.5
        in_place = true
        target_dir = "target/bpm"
        [process.web]
        type = "npm"
        command = ["npm", "run", "dev"]
        in_place = false
        target_dir = "/elsewhere"
        [process.tick]
        type = "command"
        command = ["./tick"]
    "#;

    let config = Config::parse(text, project.path()).unwrap();

    assert_eq!(config.dev_timeout, Duration::from_millis(1800));
    let [main, web, tick] = config.processes.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(main.crash_policy.dev_wait, Duration::from_millis(250));
    assert_eq!(main.crash_policy.release_initial, Duration::ZERO);
    assert_eq!(main.crash_policy.release_max, Duration::from_millis(1500));
    assert_eq!(main.cwd, project.path().join("web"));
    assert_eq!(main.env["PORT"], "8080");
    assert_eq!(main.stop_grace, Duration::from_millis(500));
    assert_eq!(
        main.program,
        Program::Rust(CargoTarget {
            package: Some("server".to_owned()),
            bin: Some("serve".to_owned()),
            features: vec!["tls".to_owned()],
            cargo_args: vec!["--locked".to_owned()],
            target_dir: Some(project.path().join("target/bpm")),
            in_place: true,
            args: vec!["--port".to_owned(), String::new()],
        })
    );
    assert_eq!(
        web.program,
        Program::Npm(CommandLine {
            program: "npm".to_owned(),
            args: vec!["run".to_owned(), "dev".to_owned()],
        })
    );
    assert_eq!(
        tick.program,
        Program::Command(CommandLine {
            program: "./tick".to_owned(),
            args: vec![],
        })
    );
}

#[test]
fn processes_keep_the_order_of_the_file() {
    let text = "[process.zeta]\ntype=\"rust\"\n[process.alpha]\ntype=\"rust\"\n[process.zeta.env]\nA=\"1\"\n\
                [process.mid]\ntype=\"rust\"\n[process.beta]\ntype=\"rust\"\nenv.A=\"1\"\n";
    let config = parse(&format!("mcp_port = 0\n{text}"));
    let names: Vec<_> = config
        .processes
        .iter()
        .map(|spec| spec.name.as_str())
        .collect();
    assert_eq!(names, ["zeta", "alpha", "mid", "beta"]);
}

#[test]
fn toml_may_be_written_in_every_way_that_toml_knows() {
    let config = parse("\u{feff}process = { main = { type = 'rust' } }\r\nmcp_port = 0x0b_b9\r\n");
    assert_eq!(config.mcp_port, 3001);
    let config =
        parse("process.main.type = \"rust\"\nmcp_port = 3_001\ndev_timeout_hours = 87_6e1\n");
    assert_eq!(config.dev_timeout, Duration::from_hours(8760));
}

#[test]
fn an_absurdly_small_idle_time_is_not_nothing() {
    let config = parse(&format!("dev_timeout_hours = 1e-300\n{MINIMAL}"));
    assert_eq!(config.dev_timeout, Duration::from_millis(1));
}

#[test]
fn a_short_longest_wait_caps_the_first_one() {
    let config = parse(&format!(
        "release_crash_backoff_max_seconds = 0.5\n{MINIMAL}"
    ));
    let policy = config.processes[0].crash_policy;
    assert_eq!(policy.release_initial, Duration::from_millis(500));
}

#[test]
fn the_example_for_beginners_is_valid_and_six_lines_long() {
    assert_eq!(EXAMPLE.lines().count(), 6);
    assert_eq!(parse(EXAMPLE).processes.len(), 1);
}

#[test]
fn the_summary_counts_and_names_the_processes() {
    assert_eq!(parse(MINIMAL).summary(), "/.mcp-run: ok, 1 process (main)");
    let two = format!("{MINIMAL}[process.web]\ntype = \"npm\"\ncommand = [\"npm\"]\n");
    assert_eq!(
        parse(&two).summary(),
        "/.mcp-run: ok, 2 processes (main, web)"
    );
}

#[test]
fn the_limits_themselves_are_permitted() {
    let config = parse(&format!(
        "dev_timeout_hours = 8760\ndev_crash_wait_seconds = 315360000\n\
         release_crash_backoff_initial_seconds = 300\n{MINIMAL}stop_grace_seconds = 86400.0\n"
    ));
    assert_eq!(config.dev_timeout, Duration::from_hours(8760));
    assert_eq!(config.processes[0].stop_grace, Duration::from_hours(24));
    parse(&format!(
        "dev_crash_wait_seconds = -0.0\n{MINIMAL}stop_grace_seconds = 0\n"
    ));
}
