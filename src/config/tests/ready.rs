//! `ready`, `settle_seconds`, `stable_seconds` and `watchdog_seconds`.

use std::time::Duration;

use bpm_actors::spec::{CommandLine, Probe, Readiness, Target, TargetPort};

use super::{in_rust, parse, wrong_in_rust};

fn target(host: &str, port: TargetPort) -> Target {
    Target {
        host: host.to_owned(),
        port,
    }
}

/// What `ready` means beside other keys of the process.
fn probe(beside: &str, ready: &str) -> Probe {
    match in_rust(&format!("{beside}\nready = {{ {ready} }}")).readiness {
        Readiness::Probe { probe, .. } => probe,
        Readiness::Settle(_) => panic!("{ready} is no probe"),
    }
}

/// What is said about a key of `ready` beside other keys of the process.
fn about(beside: &str, ready: &str) -> String {
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
fn an_url_may_be_short() {
    for (url, host, port, path) in [
        ("http://localhost", "localhost", 80, "/"),
        ("HTTP://Example.org:81", "Example.org", 81, "/"),
        ("http://10.0.0.1?a=b", "10.0.0.1", 80, "/?a=b"),
        ("http://[::1]/x", "::1", 80, "/x"),
        ("http://[::1]:82//x/%20", "::1", 82, "//x/%20"),
    ] {
        assert_eq!(
            probe("", &format!("http = \"{url}\"")),
            Probe::Http {
                target: target(host, TargetPort::Fixed(port)),
                path: path.to_owned(),
            },
            "{url}"
        );
    }
}

#[test]
fn an_url_that_cannot_be_asked_says_why() {
    for (url, advice) in [
        (
            "https://localhost/",
            "must begin with http://: for https write tcp = \"HOST:PORT\", or exec with a program that \
             asks",
        ),
        ("ftp://localhost/", "must begin with http://"),
        (
            "/health",
            "must begin with http:// and a host, such as \"http://127.0.0.1:8080/health\"",
        ),
        (
            "localhost:80/x",
            "must begin with http://: write \"http://localhost:80/x\"",
        ),
        (
            "http://a b/",
            "must be ASCII without spaces: write other characters as %XX",
        ),
        (
            "http://localhost/ä",
            "must be ASCII without spaces: write other characters as %XX",
        ),
        (
            "http://localhost/a\\nb",
            "must be ASCII without spaces: write other characters as %XX",
        ),
        (
            "http://localhost/#top",
            "must not contain `#`, which is never sent",
        ),
        (
            "http://me:pw@localhost/",
            "must not contain a user or password, which are not sent",
        ),
        ("http:///x", "lacks a host, such as 127.0.0.1"),
        ("http://:80/x", "lacks a host, such as 127.0.0.1"),
        (
            "http://localhost:/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://localhost:0/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://localhost:+80/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://localhost:65536/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://::1/",
            "must have brackets around IPv6, such as \"[::1]:8080\"",
        ),
        (
            "http://[::1/",
            "must have both brackets around IPv6, such as \"[::1]:8080\"",
        ),
        (
            "http://[::1]80/",
            "must have both brackets around IPv6, such as \"[::1]:8080\"",
        ),
        (
            "http://[x]:80/",
            "must have an IPv6 address in the brackets, such as \"[::1]:8080\"",
        ),
        (
            "http://127.0.0.256/",
            "the host is no IP address, such as 127.0.0.1",
        ),
        (
            "http://a*b/",
            "the host must be an IP or a name, such as 127.0.0.1 or localhost",
        ),
    ] {
        assert_eq!(about("", &format!("http = \"{url}\"")), advice, "{url}");
    }
}

#[test]
fn a_tcp_target_that_is_none_says_what_to_write() {
    for (text, advice) in [
        ("8080", "must be HOST:PORT: write \"127.0.0.1:8080\""),
        ("localhost", "lacks a port, such as \"127.0.0.1:8080\""),
        (
            "http://localhost:80/",
            "must be HOST:PORT alone: write \"localhost:80\"",
        ),
        ("", "lacks a host, such as 127.0.0.1"),
        (":80", "lacks a host, such as 127.0.0.1"),
        ("a:b", "the port must be a number from 1 to 65535"),
        (
            "::1:80",
            "must have brackets around IPv6, such as \"[::1]:8080\"",
        ),
    ] {
        assert_eq!(about("", &format!("tcp = \"{text}\"")), advice, "{text}");
    }
    assert_eq!(about("", "tcp = 8080"), "must be a string in quotes");
}

#[test]
fn a_probe_of_the_public_port_goes_to_the_private_one() {
    for (port, text, host) in [
        ("8080", "127.0.0.1:8080", "127.0.0.1"),
        ("8080", "127.0.0.1:{port}", "127.0.0.1"),
        ("8080", "localhost:8080", "localhost"),
        ("8080", "[::1]:8080", "::1"),
        ("8080", "0.0.0.0:8080", "0.0.0.0"),
        ("8080", "[::]:{port}", "::"),
        ("\"192.168.1.5:8080\"", "192.168.1.5:8080", "192.168.1.5"),
        ("\"192.168.1.5:8080\"", "localhost:8080", "localhost"),
    ] {
        assert_eq!(
            probe(&format!("port = {port}"), &format!("tcp = \"{text}\"")),
            Probe::Tcp(target(host, TargetPort::Private)),
            "{text}"
        );
    }
    assert_eq!(
        probe("port = 80", "http = \"http://localhost\""),
        Probe::Http {
            target: target("localhost", TargetPort::Private),
            path: "/".to_owned(),
        }
    );
    assert_eq!(
        probe("port = 8080", "http = \"http://localhost:{port}/x\""),
        Probe::Http {
            target: target("localhost", TargetPort::Private),
            path: "/x".to_owned(),
        }
    );
    for (beside, text) in [
        ("port = 8080", "127.0.0.1:8081"),
        ("listen = [\"127.0.0.1:8081\"]", "127.0.0.1:8081"),
        ("port = 8080", "database:8081"),
    ] {
        let (host, _) = text.split_once(':').unwrap();
        assert_eq!(
            probe(beside, &format!("tcp = \"{text}\"")),
            Probe::Tcp(target(host, TargetPort::Fixed(8081)))
        );
    }
}

#[test]
fn the_private_port_is_asked_for_only_where_there_is_one() {
    let lacks = "{port} is the private port of a process with the key port, which this one lacks";
    assert_eq!(about("", "tcp = \"localhost:{port}\""), lacks);
    assert_eq!(
        about(
            "listen = [\"127.0.0.1:80\"]",
            "http = \"http://localhost:{port}/\""
        ),
        lacks
    );
    assert_eq!(
        about("port = 80", "tcp = \"example.org:{port}\""),
        "the private port is on this machine: write 127.0.0.1:{port}"
    );
    assert_eq!(
        about("port = 80", "tcp = \"example.org:80\""),
        "must not ask at the public port, where the old program answers too: write 127.0.0.1:{port}"
    );
    assert_eq!(
        about("port = 80", "http = \"http://localhost/{port}\""),
        "may have {port} only where the port stands, as in \"http://127.0.0.1:{port}/\""
    );
    assert_eq!(
        about("port = 80", "tcp = \"{port}\""),
        "must be HOST:PORT: write \"127.0.0.1:{port}\""
    );
    assert_eq!(
        wrong_in_rust("port = 0\nready = { tcp = \"localhost:{port}\" }").len(),
        1
    );
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
