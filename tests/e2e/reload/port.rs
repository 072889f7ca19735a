//! The port of MCP may change.

use std::{
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
};

use serde_json::{Value, json};

use crate::support::{Http, Project, eventually, free_port, project::shell};

fn config(project: &Project, port: u16, script: &str) {
    let text = format!("mcp_port = {port}\n{}", shell("main", script));
    project.file(".mcp-run", &text);
}

fn status(port: u16) -> Value {
    let params = json!({"name": "get_status", "arguments": {}});
    Http::new(port).rpc("tools/call", &params)["result"]["structuredContent"].clone()
}

/// What is answered at the unix socket, which no reload moves.
fn over_unix_socket(project: &Project) -> String {
    let state = project.state_home().join("background-process-manager");
    let key = std::fs::read_dir(state).unwrap().next().unwrap().unwrap();
    let file = std::fs::read_to_string(key.path().join("daemon.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let mut stream = UnixStream::connect(file["socket"].as_str().unwrap()).unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_new_port_serves_before_the_old_one_is_free_and_open_requests_there_are_answered() {
    let project = Project::new("reload-port");
    let (old, new) = (free_port(), free_port());
    config(&project, old, "exec sleep 1000");
    let daemon = project.start();
    let pid = daemon.until_state("main", "running")["pid"].clone();
    std::thread::scope(|scope| {
        let wait = json!({"name": "wait_for", "arguments": {
            "process": "main", "until": "log", "pattern": "moved", "timeout_seconds": 50
        }});
        let waits = scope.spawn(move || Http::new(old).rpc("tools/call", &wait));
        // The request is there when the daemon has counted it as activity and waits.
        eventually("a connection", || {
            let open = std::fs::read_to_string("/proc/net/tcp").unwrap();
            let local = format!("0100007F:{old:04X}");
            let established = |line: &str| {
                let mut fields = line.split_whitespace().skip(1);
                fields.next() == Some(&local) && fields.nth(1) == Some("01")
            };
            if open.lines().any(established) {
                Ok(())
            } else {
                Err(())
            }
        });
        config(&project, new, "exec sleep 1000");
        eventually("the new port in the state folder", || {
            match project.port() {
                Some(port) if port == new => Ok(()),
                other => Err(other),
            }
        });
        let now = status(new);
        assert_eq!(now["url"], format!("http://localhost:{new}/mcp"));
        assert_eq!(now["processes"][0]["pid"], pid, "nothing else changed");
        eventually("the old port free", || {
            TcpListener::bind(("127.0.0.1", old))
        });
        assert!(!waits.is_finished());
        assert!(over_unix_socket(&project).contains("200 OK"));
        // Another run, so that the wait has something to say.
        config(&project, new, "echo moved; exec sleep 1000");
        let answer = waits.join().unwrap();
        assert_eq!(
            answer["result"]["structuredContent"]["met"], true,
            "{answer:#}"
        );
    });
    daemon.prints(&format!("serving http://localhost:{new}/mcp"));
    daemon.stop();
}

#[test]
fn a_port_that_cannot_be_had_changes_nothing_at_all() {
    let project = Project::new("reload-taken");
    let old = free_port();
    config(&project, old, "exec sleep 1000");
    let daemon = project.start();
    let pid = daemon.until_state("main", "running")["pid"].clone();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    config(&project, port, "echo other; exec sleep 1000");
    let error = daemon.until_error("an error", Value::is_string);
    let text = error.as_str().unwrap();
    assert!(
        text.contains(&format!("port {port} is taken by pid")),
        "{text}"
    );
    let now = daemon.status();
    assert_eq!(now["url"], format!("http://localhost:{old}/mcp"));
    assert_eq!(now["processes"][0]["pid"], pid);
    assert_eq!(project.port(), Some(old));
}

#[test]
fn the_port_that_the_system_chose_may_be_written_down() {
    let project = Project::new("reload-chosen");
    config(&project, 0, "exec sleep 1000");
    let daemon = project.start();
    daemon.until_state("main", "running");
    config(&project, daemon.port(), "exec sleep 1000");
    daemon.prints("reloaded: mcp_port");
    assert_eq!(daemon.status()["config_error"], json!(null));
}
