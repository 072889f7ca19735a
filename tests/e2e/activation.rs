//! Programs that take sockets as systemd hands them, in several languages, and what an environment
//! may tell a child about sockets, notes and watchdogs.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
};

use serde_json::json;

use crate::support::{
    Project, Server, Way, ask, eventually, free, pid_in,
    project::{RUST, lives, shell},
};

/// `socket.fromfd`, as the documentation of Python has it; checks `LISTEN_PID`.
const PYTHON: &str = r#"
import http.server, os, signal, socket, socketserver, sys

if int(os.environ["LISTEN_PID"]) != os.getpid() or os.environ["LISTEN_FDS"] != "1":
    sys.exit("not meant for me")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.getpid()} {os.environ.get('FLAVOUR', 'plain')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = socketserver.ThreadingTCPServer(("", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.fromfd(3, socket.AF_INET, socket.SOCK_STREAM)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.serve_forever()
"#;

/// Drains on SIGTERM.
const NODE: &str = r#"
const http = require("node:http");
if (Number(process.env.LISTEN_PID) !== process.pid) process.exit(2);
const server = http.createServer((_, answer) => answer.end(`${process.pid} ${process.env.FLAVOUR ?? "plain"}`));
process.on("SIGTERM", () => server.close());
server.listen({ fd: 3 });
"#;

/// A process that is handed one socket.
fn handed(name: &str, command: &[&str], address: SocketAddr) -> String {
    format!(
        "[process.{name}]\ntype = \"command\"\ncommand = {command:?}\nlisten = [\"{address}\"]\n\
         ready = {{ http = \"http://{address}/\" }}\n"
    )
}

#[test]
fn servers_of_other_languages_are_swapped_unchanged() {
    let project = Project::new("languages");
    let (python, node) = (free(), free());
    project
        .file("server.py", PYTHON)
        .file("server.js", NODE)
        .config(&format!(
            "{}{}",
            handed("python", &["python3", "server.py"], python),
            handed("node", &["node", "server.js"], node)
        ));
    let daemon = project.start();
    for (name, address) in [("python", python), ("node", node)] {
        let mut now = daemon.until_state(name, "running");
        for _ in 0..2 {
            let (_, body) = ask(address, "/").unwrap();
            assert_eq!(body, format!("{} plain", pid_in(&now)));
            let answer = daemon.restart(name);
            assert_eq!(answer["outcome"], "swapped", "{answer}");
            assert_ne!(answer["pid"], now["pid"]);
            // The old one takes no more as soon as it is gone.
            daemon.until(name, "alone", |it| it["last_exit"]["run"] == now["run"]);
            now = answer;
        }
        let last = &daemon.process(name)["last_exit"];
        assert_eq!(last["text"], "exit code 0", "it drained");
    }
}

#[test]
fn under_direnv_it_is_the_pid_of_the_program_all_the_same() {
    let direnv = crate::direnv::Direnv::new("direnv-sockets");
    let (python, node) = (free(), free());
    // What the file says of sockets is not for the program.
    direnv.allowed(
        ".",
        "export FLAVOUR=vanilla LISTEN_PID=1 LISTEN_FDS=7 LISTEN_FDNAMES=wrong\n",
    );
    direnv
        .project
        .file("server.py", PYTHON)
        .file("server.js", NODE)
        .config(&format!(
            "{}{}",
            handed("python", &["python3", "server.py"], python),
            handed("node", &["node", "server.js"], node)
        ));
    let daemon = direnv.start();
    for (name, address) in [("python", python), ("node", node)] {
        let now = daemon.until_state(name, "running");
        let (_, body) = ask(address, "/").unwrap();
        assert_eq!(body, format!("{} vanilla", pid_in(&now)));
    }
}

#[test]
fn the_example_with_listenfd_is_swapped_and_connections_wait_while_it_is_built() {
    let project = Project::new("held-socket");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config-examples/held-socket");
    for file in ["Cargo.toml", "Cargo.lock", "src/main.rs"] {
        project.file(file, &fs::read_to_string(example.join(file)).unwrap());
    }
    let address = free();
    let config = fs::read_to_string(example.join(".mcp-run")).unwrap();
    let config = config
        .replace("127.0.0.1:8080", &address.to_string())
        .replace("mcp_port = 3001", "mcp_port = 0");
    project.file(".mcp-run", &config);
    let daemon = project.start();
    // It comes while the first build is under way.
    let early = eventually("bound", || TcpStream::connect(address));
    daemon.until_state("main", "running");
    drop(early);
    assert_eq!(
        ask(address, "/").unwrap(),
        (200, "Hello, world!\n".to_owned())
    );

    let source = project
        .read("src/main.rs")
        .replace("Hello, world!", "Hello!");
    project.file("src/main.rs", &source);
    let arguments = json!({"process": "main", "timeout_seconds": 600});
    let answer = daemon.call("restart", &arguments)["structuredContent"].clone();
    assert_eq!(answer["outcome"], "swapped", "{answer}");
    assert_eq!(
        (&answer["connections_refused"], &answer["pause_ms"]),
        (&json!(0), &json!(0.0))
    );
    eventually("the new greeting", || {
        let (_, body) = ask(address, "/").unwrap();
        if body == "Hello!\n" {
            Ok(())
        } else {
            Err(body)
        }
    });
    daemon.until("main", "drained", |main| {
        main["last_exit"]["text"] == "exit code 0"
    });
}

/// What systemd may have told the daemon about itself.
const OF_THE_DAEMON: [(&str, &str); 7] = [
    ("NOTIFY_SOCKET", "/nowhere/notify"),
    ("WATCHDOG_USEC", "1000"),
    ("WATCHDOG_PID", "1"),
    ("LISTEN_PID", "1"),
    ("LISTEN_FDS", "3"),
    ("LISTEN_FDNAMES", "a:b:c"),
    ("LISTEN_PIDFDID", "4"),
];

#[test]
fn what_systemd_told_the_daemon_reaches_neither_children_nor_builds_nor_probes() {
    let project = Project::new("inherited");
    let print = "env | grep -E '^(NOTIFY|WATCHDOG|LISTEN)_' | sort";
    let script =
        |name: &str| format!("{print} > {name}.env; echo done > {name}.done; exec sleep 1000");
    let address = free();
    project
        .rust(&lives("up"))
        .file(
            "build.rs",
            "fn main() {
                let told = std::env::vars().map(|(name, _)| name);
                let told = told.filter(|name| {
                    let private = [\"NOTIFY_\", \"WATCHDOG_\", \"LISTEN_\"];
                    private.iter().any(|it| name.starts_with(it))
                });
                let told: Vec<String> = told.collect();
                assert!(told.is_empty(), \"{told:?}\");
                println!(\"cargo:rerun-if-changed=build.rs\");
            }",
        )
        .config(&format!(
            "{RUST}listen = [\"{}\"]\n{}\n{}listen = {{ http = \"{address}\" }}\n{}watchdog_seconds = 1000\n",
            free(),
            format_args!(
                "{}ready = {{ exec = [\"sh\", \"-c\", \"{print} > probe.env; echo done > probe.done\"] }}",
                shell("plain", &script("plain"))
            ),
            shell("held", &script("held")),
            shell("watched", &script("watched")),
        ));
    let daemon = project.start_with(&OF_THE_DAEMON);
    for name in ["main", "plain", "held", "watched"] {
        daemon.until_state(name, "running");
    }
    for name in ["plain", "probe", "held", "watched"] {
        eventually(&format!("the environment of {name}"), || {
            if project.lines(&format!("{name}.done")) == 1 {
                Ok(())
            } else {
                Err(daemon.output())
            }
        });
    }
    assert_eq!(project.read("plain.env"), "");
    assert_eq!(project.read("probe.env"), "");
    let held = pid_in(&daemon.process("held"));
    assert_eq!(
        project.read("held.env"),
        format!("LISTEN_FDNAMES=http\nLISTEN_FDS=1\nLISTEN_PID={held}\n")
    );
    let watched = project.read("watched.env");
    let lines: Vec<_> = watched.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].starts_with("NOTIFY_SOCKET=/")
            && !lines[0].contains("nowhere")
            && lines[1] == "WATCHDOG_USEC=1000000000",
        "{watched}"
    );
    daemon.stop();
    // The socket of the run is gone with it.
    let socket = lines[0].strip_prefix("NOTIFY_SOCKET=").unwrap();
    assert!(!Path::new(socket).exists());
}

#[test]
fn a_program_that_is_handed_a_socket_may_bind_another_and_be_probed_there() {
    let project = Project::new("both");
    let held = free();
    let server = Server::new(&project, "main", Way::Own);
    let address = server.address;
    project.config(&server.entry(&format!(
        "listen = [\"{held}\"]\nready = {{ tcp = \"{address}\" }}"
    )));
    let daemon = project.start();
    daemon.until_state("main", "running");
    assert_eq!(server.pid(), pid_in(&daemon.process("main")));
    TcpStream::connect(held).unwrap();
}
