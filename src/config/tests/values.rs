//! Values that a key may not have.

use std::fs;

use super::{MINIMAL, wrong, wrong_at_the_top, wrong_in_rust};
use crate::config::Config;

#[test]
fn numbers_out_of_range_say_the_range() {
    let seconds = "must be a number of seconds from 0 to 315360000";
    let hours = "must be a number of hours above 0 and up to 8760";
    let port = "must be a port from 1 to 65535, or 0 to let the system choose";
    for (key, values, advice) in [
        (
            "dev_timeout_hours",
            "0 0.0 -1 8760.1 8761 nan inf -inf 1e400 99999999999999999999999",
            hours,
        ),
        (
            "dev_crash_wait_seconds",
            "-1 -0.001 nan +inf 1e18 9223372036854775807 315360001",
            seconds,
        ),
        (
            "release_crash_backoff_initial_seconds",
            "-1 nan inf 18446744073709551616",
            seconds,
        ),
        (
            "release_crash_backoff_max_seconds",
            "-1 nan inf 1e300 0xffffffffffffffffff",
            seconds,
        ),
        (
            "dev_crash_wait_seconds",
            "true [] 2026-11-23 12:00:00",
            seconds,
        ),
    ] {
        for value in values.split(' ') {
            assert_eq!(
                wrong_at_the_top(&format!("{key} = {value}")),
                [format!("1: {key} = {value}: {advice}")]
            );
        }
    }
    for value in [
        "-1",
        "65536",
        "3001.0",
        "true",
        "[3001]",
        "99999999999999999999",
    ] {
        assert_eq!(
            wrong(&format!(
                "mcp_port = {value}\n[process.main]\ntype = \"rust\"\n"
            )),
            [format!("1: mcp_port = {value}: {port}")]
        );
    }
    assert_eq!(
        wrong_in_rust("stop_grace_seconds = -1"),
        ["5: process.main.stop_grace_seconds = -1: must be a number of seconds from 0 to 86400"]
    );
}

#[test]
fn quotes_around_a_number_are_pointed_out() {
    assert_eq!(
        wrong("mcp_port = \"3001\"\n[process.main]\ntype = \"rust\"\n"),
        [
            "1: mcp_port = \"3001\": must be a port from 1 to 65535, or 0 to let the system choose, without quotes"
        ]
    );
    assert_eq!(
        wrong_at_the_top("dev_timeout_hours = '3'"),
        [
            "1: dev_timeout_hours = '3': must be a number of hours above 0 and up to 8760, without quotes"
        ]
    );
    assert_eq!(
        wrong_in_rust("in_place = \"true\""),
        ["5: process.main.in_place = \"true\": must be true or false, without quotes"]
    );
    assert_eq!(
        wrong_in_rust("in_place = 1"),
        ["5: process.main.in_place = 1: must be true or false"]
    );
}

#[test]
fn a_first_wait_above_the_longest_names_both() {
    assert_eq!(
        wrong_at_the_top(
            "release_crash_backoff_max_seconds = 1\nrelease_crash_backoff_initial_seconds = 2"
        ),
        [
            "2: release_crash_backoff_initial_seconds = 2: must not be above \
             release_crash_backoff_max_seconds, which is 1"
        ]
    );
    assert_eq!(
        wrong_at_the_top("release_crash_backoff_initial_seconds = 600"),
        [
            "1: release_crash_backoff_initial_seconds = 600: must not be above \
             release_crash_backoff_max_seconds, which is 300 by default"
        ]
    );
    assert_eq!(
        wrong_at_the_top(
            "release_crash_backoff_initial_seconds = 600\nrelease_crash_backoff_max_seconds = -1"
        )
        .len(),
        1
    );
}

#[test]
fn lists_of_strings_are_lists_of_strings() {
    assert_eq!(
        wrong_in_rust("features = \"tls http2\""),
        [
            "5: process.main.features = \"tls http2\": must be a list of strings, such as [\"tls\", \"http2\"]"
        ]
    );
    assert_eq!(
        wrong_in_rust("features = { tls = true }\ncargo_args = [\"\", [1]]"),
        [
            "5: process.main.features: must be a list of strings",
            "6: process.main.cargo_args[0] = \"\": must not be empty; leave the key out for its default",
            "6: process.main.cargo_args[1] = [1]: must be a string",
        ]
    );
}

#[test]
fn a_command_is_a_list_that_begins_with_a_program() {
    let npm = |line: &str| {
        wrong(&format!(
            "mcp_port = 1\n[process.web]\ntype = \"npm\"\n{line}\n"
        ))
    };
    assert_eq!(
        npm("command = \"npm run dev\""),
        [
            "4: process.web.command = \"npm run dev\": must be a list of strings, such as \
             [\"npm\", \"run\", \"dev\"]"
        ]
    );
    let begin = "must begin with a program, such as [\"npm\", \"run\", \"dev\"]";
    assert_eq!(
        npm("command = []"),
        [format!("4: process.web.command = []: {begin}")]
    );
    assert_eq!(
        npm("command = [\"\"]"),
        [format!("4: process.web.command = [\"\"]: {begin}")]
    );
    assert_eq!(
        npm("command = [\n\"a\",\n3,\n\"b\\u0000\"]"),
        [
            "6: process.web.command[1] = 3: must be a string in quotes",
            "7: process.web.command[2] = \"b\\u0000\": must not contain NUL (\\u0000)",
        ]
    );
    assert_eq!(
        npm(""),
        ["2: process.web: lacks a command, such as command = [\"npm\", \"run\", \"dev\"]"]
    );
}

#[test]
fn variables_are_strings_with_possible_names() {
    let name = "the name of a variable must not be empty nor contain `=` or NUL";
    assert_eq!(
        wrong_in_rust(
            "[process.main.env]\nPORT = 8080\nDEBUG = true\n\"A=B\" = \"\"\n\"\" = \"\"\nBPM_RUN = \"1\"\nX = []"
        ),
        [
            "6: process.main.env.PORT = 8080: must be a string in quotes",
            "7: process.main.env.DEBUG = true: must be a string in quotes",
            &format!("8: process.main.env.\"A=B\" = \"\": {name}"),
            &format!("9: process.main.env.\"\" = \"\": {name}"),
            "10: process.main.env.BPM_RUN = \"1\": is set by the daemon, which recognises its children by it",
            "11: process.main.env.X = []: must be a string",
        ]
    );
    assert_eq!(
        wrong_in_rust("env = [\"PORT=1\"]"),
        [
            "5: process.main.env = [\"PORT=1\"]: must be a table of strings, such as { PORT = \"8080\" }"
        ]
    );
}

#[test]
fn a_working_directory_must_be_there() {
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("file"), "").unwrap();
    let dir = project.path().display();
    for (cwd, problem) in [
        (
            "web",
            format!("{dir}/web cannot be used: No such file or directory (os error 2)"),
        ),
        ("file", format!("{dir}/file is not a directory")),
        (
            "~/web",
            format!(
                "{dir}/~/web cannot be used: No such file or directory (os error 2) (`~` is not expanded here)"
            ),
        ),
    ] {
        let text = format!("{MINIMAL}cwd = \"{cwd}\"\n");
        assert_eq!(
            Config::parse(&text, project.path())
                .unwrap_err()
                .to_string(),
            format!(
                "{dir}/.mcp-run:5: process.main.cwd = \"{cwd}\": must be a directory, relative to \
                 the project's; {problem}"
            )
        );
    }
    assert_eq!(
        wrong_in_rust("cwd = \"\""),
        ["5: process.main.cwd = \"\": must not be empty; leave the key out for its default"]
    );
}

#[test]
fn arguments_that_the_daemon_gives_cargo_are_its_own() {
    assert_eq!(
        wrong_in_rust("cargo_args = [\"--locked\", \"--message-format=json\"]"),
        [
            "5: process.main.cargo_args = [\"--locked\", \"--message-format=json\"]: must not contain \
             --message-format, which the daemon decides"
        ]
    );
}

#[test]
fn a_token_is_wanted_or_not() {
    let with = |value| Config::parse(&format!("token = {value}\n{MINIMAL}"), "/".as_ref());
    assert!(with("true").unwrap().token);
    assert!(!with("false").unwrap().token);
    assert!(!super::parse(MINIMAL).token);
    for value in ["\"secret\"", "1", "[]"] {
        assert_eq!(
            wrong_at_the_top(&format!("token = {value}")),
            [format!("1: token = {value}: must be true or false")]
        );
    }
}
