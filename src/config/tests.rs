use std::{fmt::Write, fs, path::PathBuf};

use bpm_actors::spec::{CargoTarget, CommandLine, Program};
use proptest::prelude::*;

use super::{load::EXAMPLE, *};

const MINIMAL: &str = "mcp_port = 3001\n[process.main]\ntype = \"rust\"\nargs = []\n";

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("/")).unwrap()
}

/// What is wrong with `text`, in a project at `/`, without the file's name.
fn wrong(text: &str) -> Vec<String> {
    let invalid = Config::parse(text, Path::new("/")).unwrap_err();
    let message = invalid.to_string();
    let lines = message
        .lines()
        .map(|line| line.strip_prefix("/.mcp-run:").unwrap());
    lines.map(|line| line.trim_start().to_owned()).collect()
}

/// What is wrong with a line of the file itself.
fn wrong_at_the_top(line: &str) -> Vec<String> {
    wrong(&format!("{line}\n{MINIMAL}"))
}

/// What is wrong with a line of a rust process.
fn wrong_in_rust(line: &str) -> Vec<String> {
    wrong(&format!("{MINIMAL}{line}\n"))
}

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
    assert_eq!(main.settle, Duration::from_secs(1));
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
    assert_eq!(
        parse(MINIMAL).summary().to_string(),
        "/.mcp-run: ok, 1 process (main)"
    );
    let two = format!("{MINIMAL}[process.web]\ntype = \"npm\"\ncommand = [\"npm\"]\n");
    assert_eq!(
        parse(&two).summary().to_string(),
        "/.mcp-run: ok, 2 processes (main, web)"
    );
}

#[test]
fn a_misspelt_key_names_the_nearest_valid_one() {
    assert_eq!(
        wrong("mcp_prt = 3001\n[process.main]\ntype = \"rust\"\nstop_grace_second = 1\n"),
        [
            "1: mcp_prt = 3001: unknown key, did you mean mcp_port? valid here: mcp_port, \
             dev_timeout_hours, dev_crash_wait_seconds, release_crash_backoff_initial_seconds, \
             release_crash_backoff_max_seconds, process",
            "4: process.main.stop_grace_second = 1: unknown key, did you mean stop_grace_seconds? \
             valid for type = \"rust\": type, cwd, env, stop_grace_seconds, in_place, target_dir, \
             args, package, bin, features, cargo_args",
        ]
    );
    for (wrong, right) in [
        ("port", "mcp_port"),
        ("mcp-port", "mcp_port"),
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
        ("cmd", "command"),
        ("commands", "command"),
        ("environment", "env"),
        ("stop_grace", "stop_grace_seconds"),
        ("feature", "features"),
        ("inplace", "in_place"),
        ("Cwd", "cwd"),
        ("typ", "type"),
        ("targetdir", "target_dir"),
        ("cargo-args", "cargo_args"),
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
        wrong_in_rust("command = [\"x\"]"),
        [
            "5: process.main.command = [\"x\"]: belongs to type = \"npm\" and type = \"command\"; valid \
             for type = \"rust\": type, cwd, env, stop_grace_seconds, in_place, target_dir, args, \
             package, bin, features, cargo_args"
        ]
    );
    assert_eq!(
        wrong("mcp_port = 1\n[process.web]\ntype = \"npm\"\ncommand = [\"npm\"]\nbin = \"x\"\n"),
        [
            "5: process.web.bin = \"x\": belongs to type = \"rust\"; valid for type = \"npm\": type, \
             cwd, env, stop_grace_seconds, in_place, target_dir, command"
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
fn a_syntax_error_is_reported_alone_with_its_line() {
    assert_eq!(
        wrong("mcp_prt = 1\n\nmcp_port 3001\nx = 1"),
        ["3: mcp_port 3001: key with no value, expected `=`"]
    );
    assert_eq!(
        wrong("mcp_port = 1\nmcp_port = 2\n"),
        ["2: mcp_port = 2: duplicate key"]
    );
    assert_eq!(wrong("a = \"\u{1b}[31m\n").len(), 1);
    assert!(!wrong("a = \"\u{1b}[31m\n")[0].contains('\u{1b}'));
}

#[test]
fn long_values_are_shortened() {
    let long = "x".repeat(200);
    assert_eq!(
        wrong_in_rust(&format!("in_place = \"{long}\"")),
        [format!(
            "5: process.main.in_place = \"{}…: must be true or false",
            "x".repeat(79)
        )]
    );
    assert_eq!(
        wrong_in_rust("in_place = [\n1,\n2]"),
        ["5: process.main.in_place = […: must be true or false"]
    );
}

#[test]
fn all_independent_errors_are_reported_together() {
    let text = "mcp_port = \"x\"\ndev_timeout_hours = 0\n[process.a]\ntype = \"rust\"\nargs = 3\nbogus = 1\n[process.b]\n";
    let lines: Vec<_> = wrong(text);
    let numbers: Vec<_> = lines
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(numbers, ["1", "2", "5", "6", "7"]);
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path().canonicalize().unwrap();
    let file = dir.join(".mcp-run");
    let refused = || Config::load(&dir).unwrap_err().to_string();

    assert_eq!(
        refused(),
        format!(
            "{}: no such file; one to begin with:\n\n{EXAMPLE}",
            file.display()
        )
    );
    fs::create_dir(&file).unwrap();
    assert_eq!(refused(), format!("{}: not a regular file", file.display()));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"mcp_port = 1\n# caf\xe9\n").unwrap();
    assert_eq!(
        refused(),
        format!("{}:2: not UTF-8 text: byte 0xe9", file.display())
    );
    fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    assert_eq!(
        refused(),
        format!("{}: larger than 1048576 bytes", file.display())
    );
    fs::write(&file, MINIMAL).unwrap();
    assert_eq!(Config::load(&dir).unwrap().project_dir, dir);

    assert_eq!(
        Config::load(&file).unwrap_err().to_string(),
        format!(
            "{}: not a directory: name the one that contains .mcp-run",
            file.display()
        )
    );
    let missing = PathBuf::from("/nowhere/at/all");
    assert_eq!(
        Config::load(&missing).unwrap_err().to_string(),
        "/nowhere/at/all: cannot use it as the project's directory: No such file or directory (os error 2)"
    );
}

#[test]
fn the_readme_and_the_example_with_all_keys_name_every_key() {
    for file in ["README.md", "config-examples/all-keys.mcp-run"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        for key in keys::TOP.into_iter().chain(keys::of_process(None)) {
            assert!(text.contains(key), "{file} lacks {key}");
        }
    }
}

fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<String>().prop_map(|text| format!("{text:?}")),
        Just("nan".to_owned()),
        Just("2026-11-23T10:00:00Z".to_owned()),
        Just("\"rust\"".to_owned()),
        Just("\"npm\"".to_owned()),
        Just("{ PORT = 1 }".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        proptest::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(", ")))
    })
}

fn any_lines(keys: Vec<&'static str>) -> impl Strategy<Value = String> {
    let line = (proptest::sample::select(keys), any_value());
    proptest::collection::hash_map(line.0, line.1, 0..6).prop_map(|lines| {
        lines.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key} = {value}");
            text
        })
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = Config::parse(&text, Path::new("/")).map_err(|invalid| invalid.to_string());
    }

    #[test]
    fn no_toml_makes_the_reader_panic_and_every_refusal_says_something(
        top in any_lines(keys::TOP.to_vec()),
        main in any_lines(keys::of_process(None)),
        name in "[a-z\"= ]{0,8}",
    ) {
        let text = format!("{top}\n[process.{name}]\n{main}");
        match Config::parse(&text, Path::new("/")) {
            Ok(config) => prop_assert!(!config.processes.is_empty()),
            Err(invalid) => prop_assert!(!invalid.problems.is_empty()),
        }
    }
}
