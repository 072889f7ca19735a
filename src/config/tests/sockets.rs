//! `port`, `overlap` and `drain_seconds`, and what they have in common with `listen`.

use std::time::Duration;

use bpm_actors::spec::{Overlap, Sockets};

use super::{in_rust, parse, wrong_in_rust};

/// What is said about `port`.
fn about_port(port: &str) -> String {
    let problems = wrong_in_rust(&format!("port = {port}"));
    let [problem] = problems.as_slice() else {
        panic!("{port}: {problems:?}");
    };
    let prefix = format!("5: process.main.port = {port}: ");
    problem.strip_prefix(&prefix).unwrap().to_owned()
}

#[test]
fn a_port_is_on_both_loopback_addresses_and_an_address_on_itself() {
    let relayed = |addresses: &[&str], overlap| Sockets::Relayed {
        public: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        overlap,
    };
    assert_eq!(
        in_rust("port = 8080").sockets,
        relayed(&["127.0.0.1:8080", "[::1]:8080"], Overlap::Beside)
    );
    assert_eq!(
        in_rust("port = \"0.0.0.0:80\"\noverlap = false").sockets,
        relayed(&["0.0.0.0:80"], Overlap::Alone)
    );
    let npm = "mcp_port = 1\n[process.web]\ntype = \"npm\"\ncommand = [\"npm\", \"--port={port}\"]\n\
               port = 5173\nenv = { PORT = \"{port}\", URL = \"http://x:{port}\" }\noverlap = true\n";
    let config = parse(npm);
    assert_eq!(config.processes[0].program.arguments(), ["--port={port}"]);
    assert_eq!(config.processes[0].env["PORT"], "{port}");
}

#[test]
fn a_port_that_is_none_says_what_would_be_one() {
    let must = "must be a port from 1 to 65535, or an address such as \"0.0.0.0:8080\"";
    for value in [
        "0",
        "-1",
        "65536",
        "1.5",
        "true",
        "[8080]",
        "\"x\"",
        "99999999999999999999",
    ] {
        assert_eq!(about_port(value), must, "{value}");
    }
    for (value, advice) in [
        (
            "\"8080\"",
            format!("{must}; a port alone goes without quotes"),
        ),
        (
            "\":80\"",
            format!("{must}: write port = 80, which is 127.0.0.1 and [::1]"),
        ),
        (
            "\"localhost:80\"",
            format!("{must}: write port = 80, which is 127.0.0.1 and [::1]"),
        ),
        (
            "\"./x.sock\"",
            format!("{must}: the relay takes TCP only, listen takes paths"),
        ),
        (
            "\"0.0.0.0\"",
            "lacks a port: write it as in \"0.0.0.0:8080\"".to_owned(),
        ),
        (
            "\"0.0.0.0:0\"",
            "the port must be a number from 1 to 65535: nobody would find port 0".to_owned(),
        ),
    ] {
        assert_eq!(about_port(value), advice, "{value}");
    }
}

#[test]
fn listen_and_port_exclude_each_other() {
    assert_eq!(
        wrong_in_rust("listen = [\"127.0.0.1:80\"]\nport = 80"),
        [
            "6: process.main.port = 80: cannot stand beside process.main.listen (line 5): listen hands \
             sockets to a program that takes them, port relays to one that opens its own"
        ]
    );
}

#[test]
fn variables_that_the_daemon_sets_are_not_set_here() {
    let advice = "is set by the daemon to the private port that it gives the program: leave it out, \
                  or write {port} where that port belongs";
    assert_eq!(
        wrong_in_rust("port = 80\nenv = { PORT = \"8080\" }"),
        [format!("6: process.main.env.PORT = \"8080\": {advice}")]
    );
    assert_eq!(
        wrong_in_rust("listen = [\"127.0.0.1:80\"]\nenv = { LISTEN_FDS = \"1\" }"),
        ["6: process.main.env.LISTEN_FDS = \"1\": is set by the daemon: leave it out"]
    );
    let spec = in_rust("listen = [\"127.0.0.1:80\"]\nenv = { PORT = \"80\" }");
    assert_eq!(spec.env["PORT"], "80");
    assert_eq!(
        in_rust("env = { LISTEN_FDS = \"1\" }").sockets,
        Sockets::Own
    );
}

#[test]
fn draining_lasts_as_long_as_the_grace_unless_the_file_says_more() {
    assert_eq!(in_rust("").drain, Duration::from_secs(5));
    assert_eq!(
        in_rust("stop_grace_seconds = 7\nport = 80").drain,
        Duration::from_secs(7)
    );
    let spec = in_rust("stop_grace_seconds = 7\nport = 80\ndrain_seconds = 0.5");
    assert_eq!(
        (spec.drain, spec.stop_grace),
        (Duration::from_millis(500), Duration::from_secs(7))
    );
    in_rust("listen = [\"127.0.0.1:80\"]\ndrain_seconds = 86400");
    assert_eq!(
        wrong_in_rust("port = 80\ndrain_seconds = 86401\noverlap = \"false\""),
        [
            "6: process.main.drain_seconds = 86401: must be a number of seconds from 0 to 86400",
            "7: process.main.overlap = \"false\": must be true or false, without quotes",
        ]
    );
}

#[test]
fn what_belongs_to_sockets_says_so_where_there_are_none() {
    let advice = "belongs to listen or port: without them the old program always ends before the new \
                  one starts";
    assert_eq!(
        wrong_in_rust("overlap = true\ndrain_seconds = 3"),
        [
            format!("5: process.main.overlap = true: {advice}"),
            format!("6: process.main.drain_seconds = 3: {advice}"),
        ]
    );
    assert_eq!(
        wrong_in_rust("lisen = [\"127.0.0.1:80\"]\noverlap = true").len(),
        1
    );
}
