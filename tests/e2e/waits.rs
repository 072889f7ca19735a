//! Connections that wait, and callers who do.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Gate, LIMIT, Project, Server, Way, eventually, free, pid_in,
    project::{RUST, lives, shell},
    shape::{self, has_shape},
    signal,
};

const LONG_WAITS: &str = "dev_crash_wait_seconds = 1000
release_crash_backoff_initial_seconds = 1000
release_crash_backoff_max_seconds = 1000
";

/// Answers each connection with its pid: at the socket that it was handed, else at the port that it
/// was given.
const SERVES: &str = r#"
    use std::{io::Write, net::TcpListener, os::fd::FromRawFd};
    let listener = match std::env::var("PORT") {
        Ok(port) => TcpListener::bind(format!("127.0.0.1:{port}")).unwrap(),
        Err(_) => unsafe { TcpListener::from_raw_fd(3) },
    };
    println!("serves");
    for stream in listener.incoming() {
        write!(stream.unwrap(), "{}", std::process::id()).unwrap();
    }
"#;

/// Connects while nobody accepts, which must be shown.
#[track_caller]
fn comes(daemon: &Daemon, address: SocketAddr) -> TcpStream {
    let main = daemon.process("main");
    assert_eq!(main["connections_wait"], true, "{main:#}");
    let text = daemon.text("get_status", &json!({}));
    assert!(text.contains("connections wait"), "{text}");
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Who answered: all of them the one that serves now.
#[track_caller]
fn answered(daemon: &Daemon, waiting: impl IntoIterator<Item = TcpStream>) {
    let main = daemon.until_state("main", "running");
    assert_eq!(main["connections_wait"], false, "{main:#}");
    for mut stream in waiting {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, pid_in(&main).to_string());
    }
}

#[test]
fn connections_wait_through_the_first_build_a_back_off_and_a_stop_and_none_is_refused() {
    for key in ["listen = [\"ADDRESS\"]", "port = \"ADDRESS\""] {
        let (project, address) = (Project::new("wait"), free());
        let key = key.replace("ADDRESS", &address.to_string());
        let ready = "ready = { log = \"serves\" }";
        project
            .rust(SERVES)
            .config(&format!("{LONG_WAITS}{RUST}{key}\n{ready}\n"));
        let gate = Gate::new(&project);
        gate.close();
        let daemon = project.start();

        gate.arrived();
        let waiting = [(); 3].map(|()| comes(&daemon, address));
        gate.open();
        answered(&daemon, waiting);

        signal(pid_in(&daemon.process("main")), Signal::SIGKILL);
        daemon.until_state("main", "backing_off");
        let waiting = [(); 3].map(|()| comes(&daemon, address));
        let answer = daemon.restart("main");
        assert_eq!(answer["ok"], true, "{answer}");
        answered(&daemon, waiting);

        let stopped = daemon.call("stop", &json!({}));
        assert_eq!(stopped["isError"], false, "{stopped}");
        let waiting = [(); 3].map(|()| comes(&daemon, address));
        daemon.call("start", &json!({}));
        answered(&daemon, waiting);
    }
}

#[test]
fn whoever_binds_his_own_socket_has_nobody_who_waits() {
    let project = Project::new("own-wait");
    project.config(&format!("{LONG_WAITS}{}", shell("main", "exit 1")));
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    assert_eq!(
        (&main["connections"], &main["connections_wait"]),
        (&json!("own"), &json!(false))
    );
    let text = daemon.text("get_status", &json!({}));
    assert!(!text.contains("connections wait"), "{text}");
}

/// `wait_for`, whether it is an error, and the structured part.
#[track_caller]
fn wait_for(daemon: &Daemon, arguments: &Value) -> (bool, Value) {
    let answer = daemon.call("wait_for", arguments);
    let report = answer["structuredContent"].clone();
    has_shape(&report, &shape::wait());
    (answer["isError"] == true, report)
}

/// Whether it was met, and else why not.
fn verdict(report: &Value) -> (bool, Option<&str>) {
    (report["met"] == true, report["reason"].as_str())
}

#[test]
fn a_wait_until_ready_answers_when_it_is_when_it_cannot_be_and_when_time_is_up() {
    let project = Project::new("until-ready");
    let server = Server::new(&project, "main", Way::Held);
    server.shut();
    project.config(&format!(
        "{LONG_WAITS}{}",
        server.entry("ready = { notify = true }")
    ));
    let daemon = project.start();
    daemon.until_state("main", "proving");
    for patience in [0.0, 0.05] {
        let arguments = json!({"until": "ready", "timeout_seconds": patience});
        let (is_error, report) = wait_for(&daemon, &arguments);
        assert_eq!(
            (is_error, verdict(&report)),
            (false, (false, Some("time_up")))
        );
        assert_eq!(report["health"], "unready");
    }
    let (_, report) = thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&daemon, &json!({"until": "ready"})));
        server.open();
        waiting.join().unwrap()
    });
    assert_eq!(verdict(&report), (true, None), "{report}");
    let (_, report) = wait_for(&daemon, &json!({"until": "ready", "timeout_seconds": 0}));
    assert_eq!(verdict(&report), (true, None), "{report}");

    // Its next attempt is far later than anybody waits.
    signal(pid_in(&report), Signal::SIGKILL);
    daemon.until_state("main", "backing_off");
    let (is_error, report) = wait_for(&daemon, &json!({"until": "ready"}));
    assert_eq!(
        (is_error, verdict(&report)),
        (false, (false, Some("too_late"))),
        "{report}"
    );
    assert!(report["waited_seconds"].as_f64().unwrap() < 10.0);

    daemon.call("stop", &json!({}));
    for until in ["ready", "log"] {
        let arguments = json!({"until": until, "pattern": "x"});
        let arguments = if until == "log" {
            arguments
        } else {
            json!({"until": until})
        };
        let (is_error, report) = wait_for(&daemon, &arguments);
        assert_eq!(
            (is_error, verdict(&report)),
            (true, (false, Some("stopped"))),
            "{report}"
        );
    }
}

#[test]
fn a_wait_for_the_exit_ends_with_it_and_one_for_a_line_when_it_comes() {
    let project = Project::new("until-exit");
    let script = "echo one; until [ -e two ]; do sleep 0.01; done; echo two; exec sleep 1000";
    project.config(&format!("{LONG_WAITS}{}", shell("main", script)));
    let daemon = project.start();
    let main = daemon.until_state("main", "running");
    let line = |pattern: &str, patience: f64| {
        let arguments = json!({"until": "log", "pattern": pattern, "timeout_seconds": patience});
        wait_for(&daemon, &arguments).1
    };
    let report = line("^o.e$", 30.0);
    assert_eq!(
        (verdict(&report), &report["line"]),
        ((true, None), &json!("one"))
    );
    assert_eq!(verdict(&line("two", 0.0)), (false, Some("time_up")));
    assert_eq!(verdict(&line("two", 0.1)), (false, Some("time_up")));
    let report = thread::scope(|scope| {
        let waiting = scope.spawn(|| line("two", 30.0));
        project.file("two", "");
        waiting.join().unwrap()
    });
    assert_eq!(
        (verdict(&report), &report["line"]),
        ((true, None), &json!("two"))
    );

    let exit = json!({"until": "exit", "timeout_seconds": 0.05});
    assert_eq!(
        verdict(&wait_for(&daemon, &exit).1),
        (false, Some("time_up"))
    );
    let (is_error, report) = thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&daemon, &json!({"until": "exit"})));
        signal(pid_in(&main), Signal::SIGKILL);
        waiting.join().unwrap()
    });
    assert_eq!((is_error, verdict(&report)), (false, (true, None)));
    // Nobody serves: there is nothing to wait for.
    let (_, report) = wait_for(&daemon, &json!({"until": "exit"}));
    assert_eq!(verdict(&report), (true, None));
    assert_eq!(report["last_exit"]["text"], "signal 9 (SIGKILL)");
}

#[test]
fn a_wait_for_the_build_ends_with_it_whatever_comes_of_it() {
    let project = Project::new("until-build");
    project.rust(&lives("up")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let (_, report) = wait_for(&daemon, &json!({"until": "build"}));
    assert_eq!(verdict(&report), (true, None));
    project.main("mistake();");
    gate.close();
    let arguments = json!({"process": "main", "timeout_seconds": 0.01});
    daemon.call("restart", &arguments);
    gate.arrived();
    let (_, report) = wait_for(&daemon, &json!({"until": "build", "timeout_seconds": 0.05}));
    assert_eq!(verdict(&report), (false, Some("time_up")));
    let (is_error, report) = thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&daemon, &json!({"until": "build"})));
        gate.open();
        waiting.join().unwrap()
    });
    assert_eq!((is_error, verdict(&report)), (false, (true, None)));
    assert_eq!(report["last_build"]["outcome"], "failed", "{report}");
    let next = report["next"].as_str().unwrap();
    assert!(next.contains("search_build_log"), "{next}");
}

#[test]
fn clients_that_hang_up_leave_nothing_behind() {
    /// More than the daemon has open otherwise.
    const CLIENTS: usize = 100;
    let project = Project::new("hang-ups");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let open = || {
        let entries = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
        entries.count()
    };
    for _ in 0..3 {
        let clients: Vec<_> = (0..CLIENTS).map(|number| hears(&daemon, number)).collect();
        assert!(open() > CLIENTS);
        drop(clients);
        eventually("nobody is left", || {
            let now = open();
            if now < CLIENTS { Ok(()) } else { Err(now) }
        });
    }
    daemon.stop();
}

/// Sends a `wait_for` and waits until it is heard, but not for its answer.
fn hears(daemon: &Daemon, number: usize) -> TcpStream {
    let arguments = if number.is_multiple_of(2) {
        json!({"until": "exit", "timeout_seconds": 3600})
    } else {
        json!({"until": "log", "pattern": "never", "timeout_seconds": 3600})
    };
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "wait_for", "arguments": arguments, "_meta": {"progressToken": number}
        }
    });
    let body = call.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port())).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&said).contains("notifications/progress") {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&buffer[..count]);
    }
    stream
}
