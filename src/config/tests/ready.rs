//! `ready`, `settle_seconds`, `stable_seconds` and `watchdog_seconds`.

use std::time::Duration;

use bpm_actors::spec::{CommandLine, Probe, Readiness, Target, TargetPort};

use super::{in_rust, parse, wrong_in_rust};

pub(super) fn target(host: &str, port: TargetPort) -> Target {
    Target {
        host: host.to_owned(),
        port,
    }
}

/// What `ready` means beside other keys of the process.
pub(super) fn probe(beside: &str, ready: &str) -> Probe {
    match in_rust(&format!("{beside}\nready = {{ {ready} }}")).readiness {
        Readiness::Probe { probe, .. } => probe,
        Readiness::Settle(_) => panic!("{ready} is no probe"),
    }
}

/// What is said about a key of `ready` beside other keys of the process.
pub(super) fn about(beside: &str, ready: &str) -> String {
    let problems = wrong_in_rust(&format!("{beside}\nready = {{ {ready} }}"));
    let [problem] = problems.as_slice() else {
        panic!("{ready}: {problems:?}");
    };
    let prefix = format!("6: process.main.ready.{ready}: ");
    let advice = problem.strip_prefix(&prefix);
    advice.unwrap_or_else(|| panic!("{problem}")).to_owned()
}

#[test]
fn a_program_shows_in_one_of_five_ways_that_it_is_ready() {
    assert_eq!(
        probe("", "http = \"http://127.0.0.1:8080/health?deep=1\""),
        Probe::Http {
            target: target("127.0.0.1", TargetPort::Fixed(8080)),
            path: "/health?deep=1".to_owned(),
        }
    );
    assert_eq!(
        probe("", "tcp = \"[::1]:8080\""),
        Probe::Tcp(target("::1", TargetPort::Fixed(8080)))
    );
    assert_eq!(probe("", "notify = true"), Probe::Notify);
    assert_eq!(
        probe("", "exec = [\"./check\", \"--quick\"]"),
        Probe::Exec(CommandLine {
            program: "./check".to_owned(),
            args: vec!["--quick".to_owned()],
        })
    );
    let Probe::Log(log) = probe("", "log = '^listening on \\d+'") else {
        panic!("not a log probe");
    };
    assert_eq!(log.text, "^listening on \\d+");
    assert!(log.pattern.matches(b"listening on 80"));
}

#[test]
fn every_type_may_say_when_it_is_ready() {
    let config = parse(
        "mcp_port = 1\n[process.web]\ntype = \"npm\"\ncommand = [\"npm\"]\nready.notify = true\n\
         [process.tick]\ntype = \"command\"\ncommand = [\"x\"]\n[process.tick.ready]\nlog = \"up\"\n\
         timeout_seconds = 0.5\n",
    );
    let [web, tick] = config.processes.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(
        web.readiness,
        Readiness::Probe {
            probe: Probe::Notify,
            timeout: Duration::from_secs(30),
        }
    );
    assert!(matches!(
        &tick.readiness,
        Readiness::Probe { probe: Probe::Log(_), timeout } if *timeout == Duration::from_millis(500)
    ));
}

#[test]
fn ready_has_exactly_one_probe() {
    let one_of = "http, tcp, log, notify, exec";
    assert_eq!(
        wrong_in_rust("[process.main.ready]\nlog = \"up\"\ntcp = \"localhost:80\""),
        [format!(
            "7: process.main.ready.tcp = \"localhost:80\": cannot stand beside process.main.ready.log \
             (line 6): ready has exactly one of {one_of}"
        )]
    );
    let lacks =
        format!("lacks one of {one_of}, such as ready = {{ http = \"http://127.0.0.1:8080/\" }}");
    assert_eq!(
        wrong_in_rust("ready = {}"),
        [format!("5: process.main.ready: {lacks}")]
    );
    assert_eq!(
        wrong_in_rust("ready = { timeout_seconds = 3 }"),
        [format!("5: process.main.ready: {lacks}")]
    );
}

#[test]
fn keys_that_ready_does_not_know_are_told_where_they_belong() {
    assert_eq!(
        about("", "htp = \"http://localhost\""),
        "unknown key, did you mean http? valid in ready: http, tcp, log, notify, exec, timeout_seconds"
    );
    assert_eq!(
        wrong_in_rust("ready = { notify = true, timeout = 3 }"),
        [
            "5: process.main.ready.timeout = 3: unknown key, did you mean timeout_seconds? valid in \
             ready: http, tcp, log, notify, exec, timeout_seconds"
        ]
    );
    assert_eq!(
        wrong_in_rust("[process.main.ready]\nnotify = true\nfeatures = []"),
        [
            "7: process.main.ready.features = []: the process's own features goes above its ready table"
        ]
    );
}

#[test]
fn ready_that_is_no_table_is_shown_as_one() {
    for (value, table) in [
        ("\"http://localhost/\"", "http = \"http://localhost/\""),
        ("\"localhost:80\"", "tcp = \"localhost:80\""),
        ("\"notify\"", "notify = true"),
        ("true", "http = \"http://127.0.0.1:8080/\""),
        ("\"up\"", "http = \"http://127.0.0.1:8080/\""),
        ("[\"./check\"]", "exec = [\"./check\"]"),
    ] {
        assert_eq!(
            wrong_in_rust(&format!("ready = {value}")),
            [format!(
                "5: process.main.ready = {value}: must be a table: write ready = {{ {table} }}"
            )]
        );
    }
}

#[test]
fn values_of_probes_are_what_they_must_be() {
    for (ready, advice) in [
        ("notify = false", "must be true, or leave ready out"),
        ("notify = \"true\"", "must be true or false, without quotes"),
        (
            "log = \"a(b\"",
            "must be a regular expression: unclosed group",
        ),
        (
            "log = \"\"",
            "must be a regular expression that says something",
        ),
        ("log = 3", "must be a string in quotes"),
        (
            "exec = \"./check now\"",
            "must be a list of strings, such as [\"./check\", \"now\"]",
        ),
        (
            "exec = []",
            "must begin with a program, such as [\"./check\"]",
        ),
    ] {
        assert_eq!(about("", ready), advice, "{ready}");
    }
    let explodes = about("", "log = '(\\w{100}){100}'");
    assert!(explodes.contains("the pattern is too large"), "{explodes}");
}

#[test]
fn times_have_limits() {
    let above = "must be a number of seconds above 0 and up to 86400";
    for value in ["0", "-1", "86401", "nan", "true"] {
        assert_eq!(
            wrong_in_rust(&format!(
                "ready = {{ notify = true, timeout_seconds = {value} }}"
            )),
            [format!(
                "5: process.main.ready.timeout_seconds = {value}: {above}"
            )]
        );
        assert_eq!(
            wrong_in_rust(&format!("watchdog_seconds = {value}")),
            [format!(
                "5: process.main.watchdog_seconds = {value}: {above}"
            )]
        );
    }
    for key in ["settle_seconds", "stable_seconds"] {
        assert_eq!(
            wrong_in_rust(&format!("{key} = -1")),
            [format!(
                "5: process.main.{key} = -1: must be a number of seconds from 0 to 86400"
            )]
        );
    }
    let spec = in_rust("settle_seconds = 0\nstable_seconds = 86400\nwatchdog_seconds = 1e-300");
    assert_eq!(spec.readiness, Readiness::Settle(Duration::ZERO));
    assert_eq!(spec.stable, Duration::from_hours(24));
    assert_eq!(spec.watchdog, Some(Duration::from_millis(1)));
}

#[test]
fn settle_seconds_and_ready_exclude_each_other() {
    assert_eq!(
        wrong_in_rust("settle_seconds = 2\nready = { notify = true }"),
        [
            "5: process.main.settle_seconds = 2: has no effect beside process.main.ready (line 6), which \
             says when the program is ready"
        ]
    );
}

#[test]
fn a_watchdog_goes_with_any_readiness_and_has_the_socket_to_itself() {
    let spec = in_rust("watchdog_seconds = 2.5\nready = { log = \"up\" }");
    assert_eq!(spec.watchdog, Some(Duration::from_millis(2500)));
    let advice = "is set by the daemon: leave it out";
    for beside in [
        "watchdog_seconds = 1\nready.notify = true",
        "\nready.notify = true",
    ] {
        let problems = wrong_in_rust(&format!("{beside}\nenv = {{ NOTIFY_SOCKET = \"x\" }}"));
        assert!(
            problems.contains(&format!(
                "7: process.main.env.NOTIFY_SOCKET = \"x\": {advice}"
            )),
            "{problems:?}"
        );
    }
    in_rust("ready.log = \"up\"\nenv = { NOTIFY_SOCKET = \"x\" }");
}
