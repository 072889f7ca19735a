//! What shows that a new run is ready, in every way in which a process gets its connections.

use std::{net::SocketAddr, thread};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    Daemon, Project, Server, Way, ask, eventually, free, pid_in,
    project::{RUST, shell},
    signal,
};

/// So that what must fail fails soon. A first start that the machine was too slow for is repeated.
const SOON: &str = "timeout_seconds = 2";
const AT_ONCE: &str =
    "release_crash_backoff_initial_seconds = 0.05\ndev_crash_wait_seconds = 0.05\n";
/// So long that nothing happens by itself while a test looks.
const LONG_WAITS: &str = "dev_crash_wait_seconds = 1000
release_crash_backoff_initial_seconds = 1000
release_crash_backoff_max_seconds = 1000
";

/// Starts and restarts one server of each way. Whatever shows that it is ready must not do so before
/// the server is let go.
fn shows(kind: &str, ready: impl Fn(&Server) -> String) {
    let project = Project::new(kind);
    let servers = Way::ALL.map(|way| Server::new(&project, way.word(), way));
    let entries = servers.each_ref().map(|server| {
        server.shut();
        server.entry(&format!("ready = {{ {} }}", ready(server)))
    });
    project.config(&entries.concat());
    let daemon = project.start();
    for server in &servers {
        starts(&daemon, server);
        restarts(&daemon, server);
    }
}

#[track_caller]
fn starts(daemon: &Daemon, server: &Server) {
    server.starts(1);
    let held = server.way != Way::Own;
    let now = daemon.until_state(server.name, "proving");
    let said = ["health", "serving", "connections_wait", "connections"].map(|it| &now[it]);
    let expected = json!(["unready", false, held, server.way.word()]);
    assert_eq!(json!(said), expected, "{now}");
    server.open();
    let now = daemon.until_state(server.name, "running");
    let said = ["health", "serving", "connections_wait"].map(|it| &now[it]);
    assert_eq!(json!(said), json!(["ready", true, false]), "{now}");
    assert_eq!(server.pid(), pid_in(&now));
}

#[track_caller]
fn restarts(daemon: &Daemon, server: &Server) {
    let (name, held) = (server.name, server.way != Way::Own);
    let old = daemon.process(name);
    server.shut();
    let asked = Instant::now();
    let (answer, waited) = thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.restart(name));
        server.starts(2);
        let seen = Instant::now();
        let now = daemon.until_state(name, "proving");
        assert_eq!(now["serving"], held, "{now}");
        if held {
            assert_eq!(server.pid(), pid_in(&old));
        }
        let waited = seen.elapsed();
        server.open();
        (waiting.join().unwrap(), waited)
    });
    assert_eq!(answer["outcome"], server.way.outcome(), "{answer}");
    let ready_after = answer["ready_after_ms"].as_f64().unwrap();
    let possible = waited.as_secs_f64() * 1000.0..asked.elapsed().as_secs_f64() * 1000.0;
    assert!(possible.contains(&ready_after), "{possible:?}: {answer}");
    let refused = if held { json!(0) } else { Value::Null };
    assert_eq!(answer["connections_refused"], refused);
    let now = daemon.process(name);
    assert_eq!(
        (&now["state"], &now["pid"]),
        (&json!("running"), &answer["pid"])
    );
    if server.way != Way::Held {
        assert_eq!(server.pid(), pid_in(&answer));
        return;
    }
    // Until it is gone the old one shares the queue, and this one does not drain.
    eventually("the new one answers", || {
        let (_, pid) = ask(server.address, "/").map_err(|error| error.to_string())?;
        if pid == pid_in(&answer).to_string() {
            Ok(())
        } else {
            Err(pid)
        }
    });
}

#[test]
fn who_answers_http_well_is_ready() {
    shows("http", |server| {
        format!("http = \"http://{}/health\"", server.address)
    });
}

#[test]
fn who_accepts_a_connection_is_ready() {
    shows("tcp", |server| format!("tcp = \"{}\"", server.address));
}

#[test]
fn who_prints_a_line_that_matches_is_ready() {
    shows("log", |_| "log = \"^listening$\"".to_owned());
}

#[test]
fn who_says_so_at_its_notify_socket_is_ready() {
    shows("notify", |_| "notify = true".to_owned());
}

#[test]
fn whom_a_program_finds_well_is_ready() {
    let check = "exec = [\"sh\", \"-c\", \"grep -qx $BPM_PID $BPM_PROCESS.up\"]";
    shows("exec", |_| check.to_owned());
}

#[test]
fn an_http_probe_asks_again_until_the_answer_is_good_and_a_redirect_is() {
    let project = Project::new("statuses");
    let server = Server::new(&project, "main", Way::Relayed);
    // The public address: the question goes to the private one all the same.
    let ready = format!("ready = {{ http = \"http://{}/health\" }}", server.address);
    project.config(&server.entry(&ready));
    let daemon = project.start();
    daemon.until_state("main", "running");
    for (statuses, least) in [
        (
            &["503 Busy", "503 Busy", "404 Not Yet", "204 No Content"][..],
            4,
        ),
        (&["302 Found"], 1),
        (&["500 Oh", "399 Odd"], 2),
    ] {
        server.health(statuses);
        let answer = daemon.restart("main");
        assert_eq!(answer["outcome"], "swapped", "{answer}");
        let asked = format!("{} /health", pid_in(&answer));
        let requests = server.read("requests");
        let count = requests.lines().filter(|line| **line == asked).count();
        assert!(count >= least, "{count} for {statuses:?}");
    }
}

#[test]
fn who_answers_badly_until_time_is_up_is_rolled_back_and_the_answer_says_what_it_said() {
    let project = Project::new("badly");
    let servers = [Way::Held, Way::Relayed].map(|way| Server::new(&project, way.word(), way));
    let entries = servers.each_ref().map(|server| {
        let address = server.address;
        server.entry(&format!(
            "ready = {{ http = \"http://{address}/health\", timeout_seconds = 4 }}"
        ))
    });
    project.config(&format!("{AT_ONCE}{}", entries.concat()));
    let daemon = project.start();
    let badly = |server: &Server| {
        let old = daemon.until_state(server.name, "running");
        server.health(&["404 Not Found"]);
        let answer = daemon.restart(server.name);
        assert_eq!(answer["outcome"], "rolled_back", "{answer}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("not_ready: http://127.0.0.1:")
                && reason.ends_with("/health answered 404"),
            "{reason}"
        );
        assert_eq!(
            (&answer["run"], &answer["pid"]),
            (&old["run"], &old["pid"]),
            "{answer}"
        );
        assert_eq!(answer["last_lines"], json!(["listening"]));
        let now = daemon.process(server.name);
        assert_eq!(
            (&now["state"], &now["behind"]),
            (&json!("running"), &json!("rolled_back"))
        );
        let events = now["events"].to_string();
        assert!(events.contains("/health answered 404"), "{events}");
        assert_eq!(server.pid(), pid_in(&old));
    };
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| badly(server));
        }
    });
}

/// The body of a `main` that answers every request at this address with this status.
fn answers(address: SocketAddr, status: &str) -> String {
    format!(
        r#"use std::io::{{Read, Write}};
        let listener = std::net::TcpListener::bind("{address}").unwrap();
        println!("answers {status}");
        for stream in listener.incoming() {{
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n{status}");
        }}"#
    )
}

#[test]
fn without_sockets_the_last_good_build_is_started_again_when_the_new_one_is_not_ready_in_time() {
    let (project, address) = (Project::new("own-late"), free());
    let ready = format!("ready = {{ http = \"http://{address}/\", {SOON} }}\n");
    project
        .rust(&answers(address, "200"))
        .config(&format!("{AT_ONCE}{RUST}{ready}"));
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    project.main(&answers(address, "503"));
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "rolled_back", "{answer}");
    let reason = format!("not_ready: http://{address}/ answered 503");
    assert_eq!(answer["reason"], reason);
    assert_eq!(answer["last_lines"], json!(["answers 503"]));
    assert_ne!(answer["run"], old["run"]);
    // It was told to end, which is known by now.
    assert_eq!(answer["exit"]["text"], "signal 15 (SIGTERM)", "{answer}");
    // Nobody served while the new one was given its time.
    assert!(answer["pause_ms"].as_f64().unwrap() >= 1000.0, "{answer}");
    let now = daemon.process("main");
    assert_eq!(
        (&now["state"], &now["behind"], &now["pid"]),
        (&json!("running"), &json!("rolled_back"), &answer["pid"])
    );
    assert_eq!(ask(address, "/").unwrap(), (200, "200".to_owned()));

    project.main(&answers(address, "201"));
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert_eq!(
        (&answer["behind"], &daemon.process("main")["behind"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn one_that_was_never_ready_backs_off_and_status_and_restart_say_why() {
    let project = Project::new("never");
    let ways = ["", "listen = [\"ADDRESS\"]", "port = \"ADDRESS\""];
    let names = ["own", "held", "relayed"];
    let entries = ways.iter().zip(names).map(|(way, name)| {
        let way = way.replace("ADDRESS", &free().to_string());
        let script = shell(name, "echo up; exec sleep 1000");
        format!("{script}{way}\nready = {{ log = \"never\", timeout_seconds = 1 }}\n")
    });
    let entries: String = entries.collect();
    project.config(&format!("{LONG_WAITS}{entries}"));
    let daemon = project.start();
    let why = "no line matched \"never\"";
    for name in names {
        let now = daemon.until_state(name, "backing_off");
        let events = now["events"].as_array().unwrap();
        let said = events
            .iter()
            .any(|event| event["text"].as_str().unwrap().contains(why));
        assert!(said, "{now:#}");
        assert_eq!(now["connections_wait"], name != "own");
        let answer = daemon.call("restart", &json!({"process": name}));
        assert_eq!(answer["isError"], true);
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(why), "{text}");
        let answer = &answer["structuredContent"];
        assert_eq!(answer["outcome"], "not_ready", "{answer}");
        assert_eq!(answer["reason"], format!("not_ready: {why}"));
        assert_eq!(answer["last_lines"], json!(["up"]));
        assert_eq!(
            (&answer["run"], &answer["ready_after_ms"]),
            (&Value::Null, &Value::Null)
        );
    }
}

#[test]
fn a_line_matches_without_its_colours() {
    let project = Project::new("colours");
    let script = r"printf '\033[1;32mlisten\033[0ming on \033[4m80\033[0m80\n'; exec sleep 1000";
    let ready = "ready = { log = '^listening on \\d+$' }\n";
    project.config(&format!("{}{ready}", shell("main", script)));
    let daemon = project.start();
    daemon.until_state("main", "running");
}

#[test]
fn a_line_of_the_run_before_does_not_count() {
    let project = Project::new("stale-line");
    let script = "test -e quiet || echo ready; exec sleep 1000";
    project.config(&format!(
        "{AT_ONCE}{}ready = {{ log = \"ready\", {SOON} }}\n",
        shell("main", script)
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.file("quiet", "");
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "not_ready", "{answer}");
}

#[test]
fn what_a_child_says_of_itself_is_shown_until_it_says_something_else() {
    let project = Project::new("status-text");
    let server = Server::new(&project, "main", Way::Held);
    server.shut();
    project.config(&server.entry("ready = { notify = true }"));
    let daemon = project.start();
    let says = |words: &str| {
        daemon.until("main", words, |main| main["status_text"] == words);
        let text = daemon.text("get_status", &json!({}));
        assert!(text.contains(&format!("main: says: {words}")), "{text}");
    };
    says("warming up");
    assert_eq!(daemon.process("main")["state"], "proving");
    server.open();
    daemon.until_state("main", "running");
    says("serving");
}

#[test]
fn settle_seconds_0_means_ready_as_soon_as_it_runs() {
    let project = Project::new("settle-0");
    let entry = shell("main", "exec sleep 1000");
    project.config(&format!("{entry}settle_seconds = 0\n"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let answers = (0..5).map(|_| {
        let asked = Instant::now();
        let answer = daemon.restart("main");
        assert_eq!(
            (&answer["outcome"], &answer["ready_after_ms"]),
            (&json!("restarted"), &Value::Null)
        );
        (asked.elapsed().as_millis(), answer)
    });
    let answers: Vec<_> = answers.collect();
    // Without a wait: it would be a second each time.
    let quickest = answers.iter().map(|(took, _)| *took).min();
    assert!(quickest < Some(900), "{answers:?}");
    signal(pid_in(&daemon.process("main")), Signal::SIGKILL);
    daemon.until_state("main", "backing_off");
}
