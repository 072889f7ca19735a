//! Who is let in: the door, the token, the unix socket.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::support::{Daemon, Http, LIMIT, Lines, Project, eventually, project::shell};

/// Every route, and one that is none.
const ROUTES: [&str; 12] = [
    "GET /healthz",
    "GET /metrics",
    "GET /api/status",
    "GET /api/usage",
    "GET /api/events",
    "GET /api/logs",
    "GET /api/logs?follow=true",
    "POST /api/processes/main/restart",
    "POST /api/processes/main/start",
    "POST /api/processes/main/stop",
    "POST /mcp",
    "GET /nothing",
];

fn project(name: &str, more: &str) -> Project {
    let project = Project::new(name);
    project.config(&format!("{more}\n{}", shell("main", "exec sleep 1000")));
    project
}

/// The status of an answer to a request with these headers; the rest of it is not read, since some
/// go on.
fn status(mut stream: impl Read + Write, line: &str, headers: &str) -> u16 {
    write!(
        stream,
        "{line} HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n"
    )
    .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

fn tcp(daemon: &Daemon) -> std::net::TcpStream {
    let stream = std::net::TcpStream::connect(("127.0.0.1", daemon.port())).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn socket(project: &Project) -> PathBuf {
    let file = project.daemon_file().unwrap();
    file["socket"].as_str().unwrap().into()
}

#[test]
fn pages_and_hosts_from_elsewhere_are_refused_on_every_route_and_nothing_is_done() {
    let project = project("api-door", "");
    let daemon = project.start();
    daemon.until_state("main", "running");
    let socket = socket(&project);
    for line in ROUTES {
        for headers in [
            "Host: evil.example\r\n",
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            "Host: localhost\r\nOrigin: null\r\n",
        ] {
            assert_eq!(status(tcp(&daemon), line, headers), 403, "{line} {headers}");
            assert_eq!(
                status(unix(&socket), line, headers),
                403,
                "{line} {headers}"
            );
        }
    }
    let main = daemon.process("main");
    assert_eq!(
        (&main["run"], &main["state"]),
        (&json!(1), &json!("running"))
    );
}

#[test]
fn with_a_token_every_route_wants_it() {
    let project = project("api-token", "token = true");
    let daemon = project.start();
    let socket = socket(&project);
    let folder = socket.parent().unwrap();
    let token = fs::read_to_string(folder.join("token")).unwrap();
    let token = token.trim();
    let mode = folder
        .join("token")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let with = |token: &str| format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
    for line in ROUTES {
        for headers in [
            "Host: localhost\r\n".to_owned(),
            with(&token.replace(&token[..1], "x")),
            with(&token[1..]),
            with(""),
        ] {
            assert_eq!(
                status(tcp(&daemon), line, &headers),
                401,
                "{line} {headers}"
            );
        }
        let allowed = status(tcp(&daemon), line, &with(token));
        assert!(![401, 403].contains(&allowed), "{line}: {allowed}");
    }
    let answer = Http::new(daemon.port()).ask("GET /api/status");
    assert!(
        answer
            .head
            .to_lowercase()
            .contains("www-authenticate: bearer"),
        "{answer:?}"
    );
    assert_eq!(answer.json()["error"]["code"], "unauthorized");
    // What is said tells where the token is, not the token.
    daemon.prints("--header \"Authorization: Bearer $(cat ");
    assert!(!daemon.output().contains(token));
    drop(daemon);
    let _again = project.start();
    assert_eq!(
        fs::read_to_string(folder.join("token")).unwrap().trim(),
        token
    );
}

#[test]
fn the_unix_socket_is_for_its_owner_alone_and_wants_no_token() {
    let project = project("api-unix", "token = true");
    let runtime = project.state_home().with_file_name("run");
    fs::create_dir(&runtime).unwrap();
    let mut daemon = project.start_with(&[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    let socket = socket(&project);
    assert!(socket.starts_with(&runtime), "{socket:?}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    for line in ROUTES {
        let allowed = status(unix(&socket), line, "Host: localhost\r\n");
        assert!(![401, 403].contains(&allowed), "{line}: {allowed}");
    }
    let mut events = Lines::over(unix(&socket), "GET /api/events", "");
    assert_eq!(events.line().unwrap(), ": events");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ends().success());
    assert!(!socket.exists());
}

#[test]
fn a_socket_that_a_killed_daemon_left_is_replaced() {
    let project = project("api-stale", "");
    let daemon = project.start();
    let path = socket(&project);
    // Killed, not stopped.
    drop(daemon);
    assert!(path.exists());
    UnixStream::connect(&path).unwrap_err();
    let _daemon = project.start();
    assert_eq!(socket(&project), path);
    assert_eq!(
        status(unix(&path), "GET /healthz", "Host: localhost\r\n"),
        200
    );
}

#[test]
fn without_a_place_for_the_socket_the_port_is_served_all_the_same() {
    let project = project("api-no-socket", "");
    let daemon = project.start();
    let path = socket(&project);
    drop(daemon);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "mine").unwrap();
    let daemon = project.start();
    daemon.prints("no unix socket for local tools");
    eventually("a null", || {
        let file = project.daemon_file();
        if file.as_ref().is_some_and(|it| it["socket"].is_null()) {
            Ok(())
        } else {
            Err(file)
        }
    });
    assert_eq!(Http::new(daemon.port()).ask("GET /healthz").status, 200);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_head_is_answered_like_a_get_without_its_body_and_unknown_parameters_are_refused() {
    let project = project("api-head", "");
    let daemon = project.start();
    let http = Http::new(daemon.port());
    for path in ["/healthz", "/metrics", "/api/status", "/api/usage"] {
        let answer = http.ask(&format!("HEAD {path}"));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, ""),
            "{path}: {answer:?}"
        );
        let kind = |head: &str| {
            head.lines()
                .find(|it| it.starts_with("content-type"))
                .map(str::to_owned)
        };
        let get = http.ask(&format!("GET {path}"));
        assert_eq!(kind(&answer.head), kind(&get.head), "{path}");
        let answer = http.ask(&format!("GET {path}?x=1"));
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        let answer = http.ask(&format!("PUT {path}"));
        assert_eq!(answer.status, 405, "{path}: {answer:?}");
        assert!(answer.head.contains("allow: GET, HEAD"), "{answer:?}");
    }
    // One that goes on has no end that could be told.
    assert_eq!(http.ask("HEAD /api/events").status, 405);
}
