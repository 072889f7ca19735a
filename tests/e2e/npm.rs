//! npm as it is used: `npm run dev` with a node server.

mod kit;
mod managers;
mod vite;

use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;

use crate::support::{
    Daemon, Project, children_of, descendants_of, eventually, is_alive, marked, pid_in, signal,
};

const SERVER: &str = r#"
const server = require("node:http").createServer((_, answer) => answer.end("hello"));
server.listen(Number(process.env.PORT), "127.0.0.1", () => {
    require("node:fs").appendFileSync("starts", process.pid + "\n");
    console.log("listening on", process.env.PORT);
});
"#;

/// A project whose `npm run dev` serves on the port that it gives.
fn with_server(name: &str) -> (Project, u16) {
    let project = Project::new(name);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    project
        .file(
            "package.json",
            r#"{"name":"web","version":"1.0.0","scripts":{"dev":"node server.js"}}"#,
        )
        .file("server.js", SERVER)
        .config(&format!(
            "release_crash_backoff_initial_seconds = 0.05
            dev_crash_wait_seconds = 0.05
            [process.web]
            type = \"npm\"
            command = [\"npm\", \"run\", \"dev\"]
            [process.web.env]
            PORT = \"{port}\"
            npm_config_update_notifier = \"false\""
        ));
    (project, port)
}

/// Waits until this many servers listened; the pid of the newest.
#[track_caller]
fn server(project: &Project, daemon: &Daemon, count: usize) -> u32 {
    eventually(&format!("{count} starts"), || {
        let starts = project.read("starts");
        let pids: Vec<&str> = starts.lines().collect();
        if pids.len() == count {
            Ok(pids[count - 1].parse().unwrap())
        } else {
            Err((starts, daemon.output()))
        }
    })
}

#[test]
fn a_restart_of_npm_run_dev_leaves_no_node_behind_and_the_port_is_free_for_the_new_one() {
    let (project, port) = with_server("npm-restart");
    let daemon = project.start();
    let old = daemon.until_state("web", "running");
    let old_node = server(&project, &daemon, 1);
    assert_ne!(old_node, pid_in(&old), "npm is a wrapper");
    for count in 2..=3 {
        let answer = daemon.restart("web");
        assert_eq!(answer["outcome"], "restarted", "{answer}");
        let node = server(&project, &daemon, count);
        assert!(!is_alive(old_node) && is_alive(node));
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(children_of(daemon.pid()), [pid_in(&answer)]);
        assert!(descendants_of(pid_in(&answer)).contains(&node));
        eventually("the line of the new server", || {
            let log = daemon.logs("web");
            assert!(!log.contains("EADDRINUSE"), "{log}");
            if log.contains("listening on") {
                Ok(())
            } else {
                Err(log)
            }
        });
    }
    assert_eq!(daemon.process("web")["crashes"], 0);
    daemon.stop();
    assert_eq!(marked(&project.dir()), [0; 0]);
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[test]
fn a_killed_npm_takes_its_server_along_and_a_killed_server_comes_back() {
    let (project, port) = with_server("npm-crash");
    let daemon = project.start();
    let npm = daemon.until_state("web", "running");
    let first = server(&project, &daemon, 1);
    signal(pid_in(&npm), Signal::SIGKILL);
    let second = server(&project, &daemon, 2);
    assert!(!is_alive(first));
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    signal(second, Signal::SIGKILL);
    let third = server(&project, &daemon, 3);
    assert!(is_alive(third));
    let log = daemon.logs("web");
    assert!(!log.contains("EADDRINUSE"), "{log}");
    daemon.until("web", "two crashes", |web| {
        web["crashes"] == 2 && web["state"] == "running"
    });
}

#[test]
fn after_a_killed_daemon_the_next_one_gets_the_port() {
    let (project, port) = with_server("npm-daemon");
    let mut first = project.start();
    first.until_state("web", "running");
    let old = server(&project, &first, 1);
    first.signal(Signal::SIGKILL);
    first.ends();
    assert!(is_alive(old), "else there is nothing to end");
    let second = project.start();
    server(&project, &second, 2);
    let web = second.until_state("web", "running");
    assert_eq!(web["crashes"], 0, "{}", second.output());
    assert!(!is_alive(old));
    TcpStream::connect(("127.0.0.1", port)).unwrap();
}
