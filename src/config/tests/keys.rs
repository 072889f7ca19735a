//! Keys that are unknown, misplaced or missing, and the names of processes.

use std::{fs, path::Path};

use super::{wrong, wrong_at_the_top, wrong_in_rust};
use crate::config::keys;

#[test]
fn a_misspelt_key_names_the_nearest_valid_one() {
    assert_eq!(
        wrong("mcp_prt = 3001\n[process.main]\ntype = \"rust\"\nstop_grace_second = 1\n"),
        [
            "1: mcp_prt = 3001: unknown key, did you mean mcp_port? valid here: mcp_port, token, \
             dev_timeout_hours, dev_crash_wait_seconds, release_crash_backoff_initial_seconds, \
             release_crash_backoff_max_seconds, reload, logs, process",
            "4: process.main.stop_grace_second = 1: unknown key, did you mean stop_grace_seconds? \
             valid for type = \"rust\": type, cwd, env, listen, port, overlap, ready, settle_seconds, stable_seconds, \
             watchdog_seconds, stop_grace_seconds, drain_seconds, in_place, target_dir, \
             args, package, bin, features, cargo_args",
        ]
    );
    for (wrong, right) in [
        ("port", "mcp_port"),
        ("mcp-port", "mcp_port"),
        ("tokens", "token"),
        ("dev_timeout", "dev_timeout_hours"),
        ("dev_timeout_seconds", "dev_timeout_hours"),
        ("dev_crash_wait", "dev_crash_wait_seconds"),
        (
            "release_crash_backoff_initial",
            "release_crash_backoff_initial_seconds",
        ),
        ("processes", "process"),
        ("proces", "process"),
    ] {
        assert_eq!(keys::nearest(wrong, &keys::TOP), Some(right), "{wrong}");
    }
    for (wrong, right) in [
        ("arg", "args"),
        ("arguments", "args"),
        ("commands", "command"),
        ("environment", "env"),
        ("stop_grace", "stop_grace_seconds"),
        ("feature", "features"),
        ("inplace", "in_place"),
        ("Cwd", "cwd"),
        ("typ", "type"),
        ("targetdir", "target_dir"),
        ("cargo-args", "cargo_args"),
        ("listens", "listen"),
        ("ports", "port"),
        ("readiness", "ready"),
        ("drain", "drain_seconds"),
        ("settle", "settle_seconds"),
        ("watchdog", "watchdog_seconds"),
    ] {
        assert_eq!(
            keys::nearest(wrong, &keys::of_process(None)),
            Some(right),
            "{wrong}"
        );
    }
    assert_eq!(keys::nearest("zzz", &keys::TOP), None);
}

#[test]
fn a_key_in_the_wrong_place_says_where_it_belongs() {
    assert_eq!(
        wrong_at_the_top("args = []"),
        ["1: args = []: belongs in a [process.NAME] table"]
    );
    assert_eq!(
        wrong("port = 3001\n[process.main]\ntype = \"rust\"\n"),
        ["1: port = 3001: belongs in a [process.NAME] table; the port for agents is mcp_port"]
    );
    assert_eq!(
        wrong_in_rust("http = \"http://localhost/\"\ntimeout_seconds = 3"),
        [
            "5: process.main.http = \"http://localhost/\": belongs to ready: write ready = { http = … }",
            "6: process.main.timeout_seconds = 3: belongs to ready: write ready = { http = … }",
        ]
    );
    assert_eq!(
        wrong("[process.main]\ntype = \"rust\"\nmcp_port = 3001\n"),
        [
            "3: process.main.mcp_port = 3001: belongs at the top of the file, above the first [process.NAME]"
        ]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[process]\ntype = \"rust\"\n"),
        [
            "3: process.type = \"rust\": belongs to a process with a name: write [process.NAME] above it"
        ]
    );
    assert_eq!(
        wrong_in_rust("[process.main.env]\nA = \"1\"\nfeatures = []"),
        [
            "7: process.main.env.features = []: must be a string; the process's own features goes above its env table"
        ]
    );
    assert_eq!(
        wrong_in_rust("command = [\"x\"]"),
        [
            "5: process.main.command = [\"x\"]: belongs to type = \"npm\" and type = \"command\"; valid \
             for type = \"rust\": type, cwd, env, listen, port, overlap, ready, settle_seconds, stable_seconds, \
             watchdog_seconds, stop_grace_seconds, drain_seconds, in_place, target_dir, args, \
             package, bin, features, cargo_args"
        ]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[process.web]\ntype = \"npm\"\ncommand = [\"npm\"]\nbin = \"x\"\n"),
        [
            "5: process.web.bin = \"x\": belongs to type = \"rust\"; valid for type = \"npm\": type, cwd, env, listen, port, overlap, ready, settle_seconds, stable_seconds, \
             watchdog_seconds, stop_grace_seconds, drain_seconds, in_place, target_dir, command"
        ]
    );
}

#[test]
fn a_type_that_is_missing_or_unknown_lists_the_three() {
    assert_eq!(
        wrong(
            "mcp_port = 1\n[process.a]\nargs = []\n[process.b]\ntype = \"rest\"\n[process.c]\ntype = 1\n"
        ),
        [
            "2: process.a: lacks a type: \"rust\", \"npm\" or \"command\"",
            "5: process.b.type = \"rest\": must be \"rust\", \"npm\" or \"command\", did you mean \"rust\"?",
            "7: process.c.type = 1: must be \"rust\", \"npm\" or \"command\"",
        ]
    );
}

#[test]
fn what_is_missing_is_said_once() {
    assert_eq!(
        wrong(""),
        [
            "lacks mcp_port: add mcp_port = 3001 as the first line, or 0 to let the system choose",
            "lacks a process: add a [process.NAME] table",
        ]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[process]\n"),
        ["2: process: lacks a process: add a [process.NAME] table"]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[processes.main]\ntype = \"rust\"\n").len(),
        1
    );
    assert_eq!(
        wrong("mcp_port = 1\n[process.main]\ntipe = \"rust\"\n").len(),
        1
    );
    assert_eq!(
        wrong("mcp_port = 1\n[process.main]\ntype = \"npm\"\ncomand = [\"x\"]\n").len(),
        1
    );
}

#[test]
fn names_of_processes_are_plain() {
    let rule = "a name consists of letters, digits, `_` and `-` ([A-Za-z0-9_-]+)";
    assert_eq!(
        wrong(
            "mcp_port = 1\n[process.\"my app\"]\ntype = \"rust\"\n[process.build]\ntype = \"rust\"\n[process.\"\"]\ntype = \"rust\"\n"
        ),
        [
            format!("2: process.\"my app\": {rule}"),
            "4: process.build: `build` marks build output and cannot name a process".to_owned(),
            format!("6: process.\"\": {rule}"),
        ]
    );
    let long = "x".repeat(101);
    assert_eq!(
        wrong(&format!(
            "mcp_port = 1\n[process.{long}]\ntype = \"rust\"\n"
        )),
        [format!(
            "2: process.{long}: a name has at most 100 characters"
        )]
    );
}

#[test]
fn processes_are_tables() {
    assert_eq!(
        wrong("mcp_port = 1\nprocess = 3\n"),
        ["2: process = 3: must be tables with a name each: write [process.NAME]"]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[process]\nmain = \"rust\"\n"),
        ["3: process.main = \"rust\": must be a table: write [process.main] with its keys below"]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[[process]]\ntype = \"rust\"\n"),
        ["2: process: must be tables with a name each: write [process.NAME]"]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[[process.main]]\ntype = \"rust\"\n"),
        ["2: process.main: must be a table: write [process.main] with its keys below"]
    );
}

#[test]
fn the_readme_and_the_example_with_all_keys_name_every_key() {
    for file in ["README.md", "config-examples/all-keys.mcp-run"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let keys = keys::TOP.into_iter().chain(keys::of_process(None));
        for key in keys
            .chain(keys::of_ready())
            .chain(keys::LOGS)
            .chain(["{port}", "PORT"])
        {
            assert!(text.contains(key), "{file} lacks {key}");
        }
    }
}
