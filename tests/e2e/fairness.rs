//! One process, or its clients, must not keep the others from anything.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::json;

use crate::support::{Daemon, Project, eventually, free, pid_in, project::shell};

/// Says one thing after the other as fast as it can.
const TALKER: &str = r#"
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
s.send(b"READY=1")
open("talks", "w").close()
while True:
    s.send(b"\n".join(b"STATUS=%d\nWATCHDOG=1" % n for n in range(500)))
"#;

#[test]
fn a_child_that_talks_without_end_keeps_neither_the_other_processes_nor_the_daemon_from_work() {
    let project = Project::new("talker");
    project.file("talker.py", TALKER).config(&format!(
        "[process.talker]\ntype = \"command\"\ncommand = [\"python3\", \"talker.py\"]\n\
         ready = {{ notify = true }}\nwatchdog_seconds = 1\n{}settle_seconds = 0.05\n",
        shell("main", "exec sleep 1000")
    ));
    let mut daemon = project.start();
    eventually("talks", || {
        let talks = project.dir().join("talks").exists();
        if talks { Ok(()) } else { Err(daemon.output()) }
    });
    for _ in 0..3 {
        let answer = daemon.restart("main");
        assert_eq!(answer["outcome"], "restarted", "{answer}");
    }
    daemon.until("talker", "its last words are shown", |talker| {
        talker["status_text"] == "499" && talker["state"] == "running"
    });
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ends().success());
}

/// Listens with a short queue and accepts nobody.
const SHORT_QUEUE: &str = r#"
import socket, time
s = socket.socket(fileno=3)
s.listen(1)
open("listens", "w").close()
time.sleep(1000)
"#;

#[test]
fn a_child_that_cuts_the_queue_of_a_held_socket_does_not_cut_it_for_the_time_after() {
    const CLIENTS: usize = 200;
    let project = Project::new("queue");
    let address = free();
    project.file("server.py", SHORT_QUEUE).config(&format!(
        "[process.web]\ntype = \"command\"\ncommand = [\"python3\", \"server.py\"]\n\
         listen = [\"{address}\"]\nsettle_seconds = 0.05\n"
    ));
    let daemon = project.start();
    eventually("listens", || {
        let listens = project.dir().join("listens").exists();
        if listens {
            Ok(())
        } else {
            Err(daemon.output())
        }
    });
    daemon.call("stop", &json!({"process": "web"}));
    let connect = |address: &SocketAddr| {
        // With a queue that is cut, the kernel lets the client try again after a second.
        TcpStream::connect_timeout(address, Duration::from_millis(900))
    };
    let waiting: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(&address).unwrap()).collect();
    assert_eq!(waiting.len(), CLIENTS);
    assert_eq!(daemon.process("web")["connections_wait"], true);
}

/// Accepts whoever comes and keeps him.
const KEEPER: &str = r#"
import os, socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(os.environ["PORT"])))
s.listen(1000)
kept = []
while True:
    kept.append(s.accept())
"#;

#[test]
fn clients_of_a_relay_do_not_take_the_descriptors_that_everything_else_needs() {
    let project = Project::new("descriptors");
    let address = free();
    let port = address.port();
    project.file("keeper.py", KEEPER).config(&format!(
        "[process.web]\ntype = \"command\"\ncommand = [\"python3\", \"keeper.py\"]\nport = {port}\n{}\
         settle_seconds = 0.05\n",
        shell("main", "exec sleep 1000")
    ));
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n 300; exec \"$0\" \"$1\""])
        .arg(env!("CARGO_BIN_EXE_background-process-manager"))
        .arg(project.dir())
        .env("XDG_STATE_HOME", project.state_home());
    let daemon = Daemon::launch(&project, command);
    daemon.until_state("web", "running");
    // More than the daemon has descriptors for; those that it does not take wait in the backlog.
    let clients: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let open = || {
        let folder = format!("/proc/{}/fd", daemon.pid());
        fs::read_dir(folder).unwrap().count()
    };
    eventually("many are let in", || {
        let count = open();
        if count > 150 { Ok(()) } else { Err(count) }
    });
    for _ in 0..3 {
        let answer = daemon.restart("main");
        assert_eq!(answer["outcome"], "restarted", "{answer}");
    }
    assert!(open() < 290, "{}", open());
    assert!(pid_in(&daemon.process("web")) > 0);
    drop(clients);
}

#[test]
fn a_relayed_program_that_does_not_listen_is_told_so() {
    let project = Project::new("deaf");
    let port = free().port();
    project.config(&format!(
        "{}port = {port}\nsettle_seconds = 0.05\n",
        shell("main", "exec sleep 1000")
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let answer = daemon.restart("main");
    let next = answer["next"].as_str().unwrap();
    assert!(
        next.contains("nothing listens at the private port"),
        "{next}"
    );
    assert!(next.contains("PORT"), "{next}");
}
