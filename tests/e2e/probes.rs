//! Whom a probe reaches, and where the private port stands.

use std::thread;

use serde_json::{Value, json};

use crate::support::{
    Daemon, Project, Server, Way, ask, eventually, free, pid_in,
    project::{COUNT, RUST},
};

/// A held server, and what it is probed with.
fn held<'a>(project: &'a Project, kind: &str, timeout: u32) -> (Server<'a>, String) {
    let name = if kind == "tcp" { "tcp" } else { "http" };
    let server = Server::new(project, name, Way::Held);
    let target = match kind {
        "tcp" => server.address.to_string(),
        _ => format!("http://{}/health", server.address),
    };
    let ready = format!("ready = {{ {kind} = \"{target}\", timeout_seconds = {timeout} }}");
    let entry = server.entry(&ready);
    (server, entry)
}

#[test]
fn a_probe_that_the_old_child_takes_proves_nothing_and_the_new_one_is_ready_when_it_accepts() {
    for kind in ["tcp", "http"] {
        let project = Project::new("proves-nothing");
        let (server, entry) = held(&project, kind, 60);
        project.config(&entry);
        let daemon = project.start();
        let old = daemon.until_state(kind, "running");
        server.shut();
        let answer = thread::scope(|scope| {
            let waiting = scope.spawn(|| daemon.restart(kind));
            server.starts(2);
            let taken = server.lines("accepted");
            eventually("the old one took five probes", || {
                let accepted = server.lines("accepted");
                if accepted >= taken + 5 {
                    Ok(())
                } else {
                    Err(accepted)
                }
            });
            // It serves others as well as before.
            assert_eq!(server.pid(), pid_in(&old));
            let now = daemon.process(kind);
            assert_eq!(
                (&now["state"], &now["pid"]),
                (&json!("proving"), &old["pid"])
            );
            server.open();
            waiting.join().unwrap()
        });
        assert_eq!(answer["outcome"], "swapped", "{answer}");
        assert_ne!(answer["pid"], old["pid"]);
        let accepted = server.read("accepted");
        let new = pid_in(&answer).to_string();
        assert!(accepted.lines().any(|pid| pid == new), "{accepted}");
        // The old one was asked nothing by the probe.
        let asked = format!("{} /health", pid_in(&old));
        let requests = server.read("requests");
        let asked = requests.lines().filter(|line| **line == asked).count();
        assert!(asked <= 1, "{requests}");
    }
}

#[test]
fn when_the_old_child_takes_every_probe_the_answer_names_what_to_use_instead() {
    for kind in ["tcp", "http"] {
        let project = Project::new("took-every");
        let (server, entry) = held(&project, kind, 3);
        let at_once = "release_crash_backoff_initial_seconds = 0.05\n";
        project.config(&format!("{at_once}{entry}"));
        let daemon = project.start();
        let old = daemon.until_state(kind, "running");
        server.shut();
        let answer = daemon.restart(kind);
        assert_eq!(answer["outcome"], "rolled_back", "{answer}");
        assert_eq!(
            answer["reason"],
            "not_ready: the old process took every probe; use notify or log"
        );
        assert_eq!(answer["pid"], old["pid"]);
        assert_eq!(server.pid(), pid_in(&old));
        let now = daemon.process(kind);
        assert_eq!(
            (&now["state"], &now["health"], &now["behind"]),
            (&json!("running"), &json!("ready"), &json!("rolled_back"))
        );
    }
}

/// What a run of `main` printed: the newest line that begins with `key`.
#[track_caller]
fn said(daemon: &Daemon, key: &str) -> String {
    eventually(&format!("a line {key}"), || {
        let log = daemon.logs("main");
        let mut lines = log.lines().rev();
        let line = lines.find_map(|line| line.trim().strip_prefix(key).map(str::to_owned));
        line.ok_or(log)
    })
}

#[test]
fn the_private_port_is_in_the_command_in_the_environment_and_in_the_program_of_the_probe() {
    let project = Project::new("everywhere");
    let public = free();
    let script = "echo args $1 $2 env $PORT $URL; exec sleep 1000";
    project
        .script("check", "echo $1 $PORT $URL > checked; test $1 = $PORT")
        .config(&format!(
            "[process.main]\ntype = \"command\"\n\
             command = [\"sh\", \"-c\", '{script}', \"sh\", \"{{port}}\", \"--at=[::1]:{{port}}\"]\n\
             port = \"{public}\"\nenv = {{ URL = \"http://{{port}}/{{port}}\" }}\n\
             ready = {{ exec = [\"./check\", \"{{port}}\"] }}\n"
        ));
    let daemon = project.start();
    let mut before = String::new();
    for _ in 0..2 {
        daemon.until_state("main", "running");
        let words = said(&daemon, "args ");
        let port = words.split(' ').next().unwrap().to_owned();
        assert!(port.parse::<u16>().is_ok(), "{words}");
        assert_ne!(port, public.port().to_string());
        assert_ne!(port, before, "each run has its own");
        let url = format!("http://{port}/{port}");
        assert_eq!(words, format!("{port} --at=[::1]:{port} env {port} {url}"));
        assert_eq!(project.read("checked"), format!("{port} {port} {url}\n"));
        before = port;
        assert_eq!(daemon.restart("main")["outcome"], "swapped");
    }
}

#[test]
fn a_program_that_cargo_built_gets_the_port_as_an_argument() {
    let project = Project::new("rust-port");
    let public = free();
    project
        .rust(&format!(
            r#"{COUNT}
            use std::io::{{Read, Write}};
            let mut args = std::env::args().skip(1);
            let at = args.next().unwrap();
            let listener = std::net::TcpListener::bind(&at).unwrap();
            println!("at {{at}} {{}}", std::env::var("PORT").unwrap());
            for stream in listener.incoming() {{
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n{{}}", std::process::id());
            }}"#
        ))
        .config(&format!(
            "{}port = \"{public}\"\nready = {{ tcp = \"localhost:{{port}}\" }}\n",
            RUST.replace("args = []", "args = [\"127.0.0.1:{port}\"]")
        ));
    let daemon = project.start();
    let now = daemon.until_state("main", "running");
    let words = said(&daemon, "at 127.0.0.1:");
    let (argument, variable) = words.split_once(' ').unwrap();
    assert_eq!(argument, variable);
    let (_, body) = ask(public, "/").unwrap();
    assert_eq!(body, pid_in(&now).to_string());
}

/// Listens on `::1` alone and prefers its argument, as Vite and Next do.
const LIKE_VITE: &str = r#"
const http = require("node:http");
const at = process.argv.indexOf("--port");
const port = Number(at > 0 ? process.argv[at + 1] : process.env.PORT);
http.createServer((_, answer) => answer.end(String(process.pid)))
    .listen({ host: "::1", port }, () => console.log("ready at", port));
"#;

#[test]
fn a_server_on_the_other_loopback_address_is_found_and_reached() {
    let project = Project::new("like-vite");
    project.file("dev.js", LIKE_VITE).file(
        "package.json",
        r#"{"name":"web","version":"1.0.0","scripts":{"dev":"node dev.js"}}"#,
    );
    let [vite, next, plain] = [(); 3].map(|()| free());
    let entry = |name: &str, command: &str, port: std::net::SocketAddr, more: &str| {
        format!(
            "[process.{name}]\ntype = \"npm\"\ncommand = {command}\nport = \"{port}\"\n{more}\n\
             env = {{ npm_config_update_notifier = \"false\" }}\n"
        )
    };
    project.config(&format!(
        "{}{}{}",
        entry(
            "vite",
            r#"["npm", "run", "dev", "--", "--port", "{port}"]"#,
            vite,
            "ready = { http = \"http://localhost:{port}/\" }"
        ),
        entry(
            "next",
            r#"["npm", "run", "dev"]"#,
            next,
            "overlap = false\nready = { tcp = \"localhost:{port}\" }"
        ),
        entry(
            "plain",
            r#"["node", "dev.js"]"#,
            plain,
            &format!("ready = {{ tcp = \"{plain}\" }}")
        ),
    ));
    let daemon = project.start();
    for (name, address, outcome) in [
        ("vite", vite, "swapped"),
        ("next", next, "restarted"),
        ("plain", plain, "swapped"),
    ] {
        daemon.until_state(name, "running");
        let (_, old) = ask(address, "/").unwrap();
        let answer = daemon.restart(name);
        assert_eq!(answer["outcome"], outcome, "{answer}");
        assert_eq!(answer["connections_refused"], 0);
        assert_ne!(answer["ready_after_ms"], Value::Null);
        let (_, new) = ask(address, "/").unwrap();
        assert_ne!(new, old);
    }
}
