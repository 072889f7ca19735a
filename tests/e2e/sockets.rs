//! Sockets that the daemon binds and hands down.

use std::{
    fs,
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::Path,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::support::{
    Daemon, LIMIT, Project, eventually, free, is_alive, marked, pid_in, project::shell,
};

/// The entry of a process with this `listen` and this command.
fn listens(name: &str, listen: &str, command: &[&str]) -> String {
    format!("[process.{name}]\ntype = \"command\"\nlisten = {listen}\ncommand = {command:?}\n")
}

/// Everything that a connection says until it ends.
fn answer(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn kill_9(pid: u32) {
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
}

fn call_at(path: &Path) -> String {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    answer(stream)
}

fn call(address: SocketAddr) -> String {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    answer(stream)
}

/// Answers every connection with its pid and what it was told about its sockets.
const PYTHON: &str = "\
import os, socket
told = ' '.join(os.environ[name] for name in ('LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'))
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    connection.sendall(f'{os.getpid()} {told}'.encode())
    connection.close()
";

const NODE: &str = "\
const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env;
const told = [process.pid, LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES].join(' ');
require('net').createServer(socket => socket.end(told)).listen({ fd: 3 });
";

#[test]
fn a_python_server_accepts_at_its_descriptor_and_knows_that_it_is_meant() {
    let (project, address) = (Project::new("python"), free());
    project.file("server.py", PYTHON);
    let listen = format!("{{ http = \"{address}\", admin = \"{}\" }}", free());
    project.config(&listens("main", &listen, &["python3", "server.py"]));
    let daemon = project.start();
    let pid = pid_in(&daemon.until_state("main", "running"));
    let said = call(address);
    // The names of a table come in one order or the other.
    let names = said.rsplit(' ').next().unwrap().to_owned();
    assert_eq!(said, format!("{pid} {pid} 2 {names}"));
    let mut names: Vec<_> = names.split(':').collect();
    names.sort_unstable();
    assert_eq!(names, ["admin", "http"]);
}

#[test]
fn a_node_server_accepts_at_its_descriptor() {
    let (project, address) = (Project::new("node"), free());
    project.file("server.js", NODE);
    let listen = format!("[\"{address}\"]");
    project.config(&listens("main", &listen, &["node", "server.js"]));
    let daemon = project.start();
    let pid = pid_in(&daemon.until_state("main", "running"));
    let said = call(address);
    assert!(said.starts_with(&format!("{pid} {pid} 1 ")), "{said}");
}

#[test]
fn a_child_has_its_sockets_and_no_other_descriptor() {
    let project = Project::new("descriptors");
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{}\", \"{}\"]", free(), path.display());
    project.config(&format!(
        "{}{}",
        listens("main", &listen, &["sleep", "1000"]),
        shell("side", "exec sleep 1000")
    ));
    let daemon = project.start();
    let open = |name| {
        let pid = pid_in(&daemon.until_state(name, "running"));
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(open("main"), ["0", "1", "2", "3", "4"]);
    assert_eq!(open("side"), ["0", "1", "2"]);
}

#[test]
fn connections_wait_while_nobody_runs_and_the_next_child_answers_them() {
    let (project, address) = (Project::new("waits"), free());
    project.file("server.py", PYTHON);
    let script = "until [ -e open ]; do sleep 0.01; done; exec python3 server.py";
    let entry = listens("main", &format!("[\"{address}\"]"), &["sh", "-c", script]);
    project.config(&entry);
    let daemon = project.start();
    let first = pid_in(&daemon.until_state("main", "running"));
    let waiting: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    kill_9(first);
    project.file("open", "");
    for stream in waiting {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let said = answer(stream);
        assert!(!said.starts_with(&format!("{first} ")), "{said}");
        assert!(said.contains(" 1 "), "{said}");
    }
}

#[test]
fn a_program_that_cannot_be_executed_did_not_crash() {
    let project = Project::new("missing");
    project.executable("server", "#!/no/such/shell\n");
    let listen = format!("[\"{}\"]", free());
    project.config(&listens("main", &listen, &["./server"]));
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    let events = main["events"].to_string();
    assert!(events.contains("cannot run "), "{events}");
    assert!(events.contains("No such file or directory"), "{events}");
    assert!(main["last_exit"].is_null(), "{main}");
}

#[test]
fn a_unix_socket_is_private_and_gone_at_the_end() {
    let project = Project::new("unix");
    project.file("server.py", PYTHON);
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{}\"]", path.display());
    project.config(&listens("main", &listen, &["python3", "server.py"]));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let stream = UnixStream::connect(&path).unwrap();
    assert!(answer(stream).contains(" 1 "));
    daemon.stop();
    assert!(!path.exists());
}

#[test]
fn a_taken_port_names_its_owner_and_nothing_is_bound_or_started() {
    let (project, first) = (Project::new("taken"), free());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let last = taken.local_addr().unwrap();
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{first}\", \"{}\", \"{last}\"]", path.display());
    let script = "echo $$ >> starts; exec sleep 1000";
    project.config(&format!(
        "{}{}",
        shell("side", script),
        listens("main", &listen, &["sh", "-c", script])
    ));

    let (code, _, stderr) = Daemon::refuses(Daemon::command(&project));

    assert_eq!(code, Some(1), "{stderr}");
    assert!(!stderr.contains("serving"), "{stderr}");
    let me = std::process::id();
    let expected = format!("process main: listen {last} is taken by pid {me} (");
    assert!(stderr.contains(&expected), "{stderr}");
    let file = project.dir().join(".mcp-run");
    let expected = format!("change listen in {}", file.display());
    assert!(stderr.contains(&expected), "{stderr}");
    assert!(!path.exists());
    TcpListener::bind(first).unwrap();
    assert_eq!(
        (project.lines("starts"), marked(&project.dir())),
        (0, vec![])
    );
}

#[test]
fn after_kill_9_the_next_daemon_ends_what_is_left_and_holds_the_same_sockets() {
    let (project, address) = (Project::new("kill9"), free());
    project.file("server.py", PYTHON);
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{address}\", \"{}\"]", path.display());
    project.config(&listens("main", &listen, &["python3", "server.py"]));
    let mut daemon = project.start();
    let first = pid_in(&daemon.until_state("main", "running"));
    daemon.signal(Signal::SIGKILL);
    daemon.ends();
    assert!(is_alive(first) && path.exists());

    // Not the fixture's own end, which would end the child as well.
    std::mem::forget(daemon);
    let daemon = project.start();

    let second = pid_in(&daemon.until_state("main", "running"));
    assert!(!is_alive(first));
    let said = call(address);
    assert!(said.starts_with(&format!("{second} ")), "{said}");
    UnixStream::connect(&path).unwrap();
    daemon.stop();
    assert!(!path.exists());
}

/// Answers with how it got its socket, which it then uses without blocking.
const NON_BLOCKING: &str = "\
import os, select, socket
mode = 'blocking' if os.get_blocking(3) else 'non-blocking'
os.set_blocking(3, False)
listener = socket.socket(fileno=3)
while True:
    select.select([listener], [], [])
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        continue
    connection.sendall(mode.encode())
    connection.close()
";

#[test]
fn a_socket_arrives_in_blocking_mode_whatever_earlier_runs_did_to_it() {
    let (project, address) = (Project::new("blocking"), free());
    project.file("server.py", NON_BLOCKING);
    let entry = listens(
        "main",
        &format!("[\"{address}\"]"),
        &["python3", "server.py"],
    );
    let wait = "release_crash_backoff_initial_seconds = 0.05\ndev_crash_wait_seconds = 0.05\n";
    project.config(&format!("{wait}{entry}overlap = false\n"));
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    assert_eq!(call(address), "blocking");
    kill_9(pid_in(&first));
    assert_eq!(call(address), "blocking");
    daemon.until("main", "crashed and back", |it| {
        it["state"] == "running" && it["pid"] != first["pid"]
    });
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    assert_eq!(call(address), "blocking");
}

#[test]
fn a_swap_leaves_the_mode_of_a_socket_as_the_old_run_needs_it() {
    let (project, address) = (Project::new("shared-mode"), free());
    project.file("server.py", NON_BLOCKING);
    let entry = listens(
        "main",
        &format!("[\"{address}\"]"),
        &["python3", "server.py"],
    );
    project.config(&entry);
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    assert_eq!(call(address), "blocking");
    assert_eq!(daemon.restart("main")["outcome"], "swapped");
    daemon.until("main", "alone", |it| it["last_exit"]["run"] == first["run"]);
    assert_eq!(call(address), "non-blocking");
}

/// Closes its two sockets for all who have them at its end.
const SHUTS_DOWN: &str = "\
import os, select, signal, socket
listeners = [socket.socket(fileno=3), socket.socket(fileno=4)]
def end(*_):
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    for listener in select.select(listeners, [], [])[0]:
        connection, _ = listener.accept()
        connection.sendall(str(os.getpid()).encode())
        connection.close()
";

#[test]
fn sockets_that_a_run_shut_down_take_connections_again_at_its_end() {
    let (project, address) = (Project::new("shutdown"), free());
    project.file("server.py", SHUTS_DOWN);
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{address}\", \"{}\"]", path.display());
    let entry = listens("main", &listen, &["python3", "server.py"]);
    project.config(&format!("{entry}overlap = false\n"));
    let daemon = project.start();
    let first = pid_in(&daemon.until_state("main", "running"));
    assert_eq!(call_at(&path), first.to_string());

    daemon.call("stop", &json!({}));
    let waiting = UnixStream::connect(&path).unwrap();
    let also = TcpStream::connect(address).unwrap();
    daemon.prints("app.sock was shut down by a run: bound anew");
    daemon.prints(&format!(
        "{address} was shut down by a run: listening again"
    ));
    let started = daemon.call("start", &json!({}));

    let second = pid_in(&started["structuredContent"]).to_string();
    assert_eq!([answer(waiting), answer(also)], [&*second, &*second]);
    let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    daemon.stop();
    assert!(!path.exists());
}

#[test]
fn a_swap_from_a_run_that_shuts_its_sockets_down_recovers_by_itself() {
    let (project, address) = (Project::new("shutdown-swap"), free());
    project.file("server.py", SHUTS_DOWN);
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{address}\", \"{}\"]", path.display());
    let wait = "dev_crash_wait_seconds = 0.05\n";
    let entry = listens("main", &listen, &["python3", "server.py"]);
    project.config(&format!("{wait}{entry}"));
    let daemon = project.start();
    let first = pid_in(&daemon.until_state("main", "running"));

    daemon.restart("main");

    let second = eventually("answered by another run", || {
        let said = UnixStream::connect(&path).map(answer);
        said.map_err(|error| error.to_string())
            .and_then(|said| said.parse().map_err(|_| said))
            .and_then(|pid: u32| {
                if pid == first {
                    Err(pid.to_string())
                } else {
                    Ok(pid)
                }
            })
    });
    assert_eq!(call(address), second.to_string());
}

#[test]
fn a_unix_socket_whose_file_was_removed_is_bound_anew_for_the_next_run() {
    let project = Project::new("removed");
    project.file("server.py", PYTHON);
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{}\"]", path.display());
    project.config(&listens("main", &listen, &["python3", "server.py"]));
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    fs::remove_file(&path).unwrap();

    let second = pid_in(&daemon.restart("main"));

    daemon.prints("app.sock was removed: bound anew");
    assert_ne!(second, pid_in(&first));
    let said = call_at(&path);
    assert!(said.starts_with(&format!("{second} ")), "{said}");
    let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    daemon.stop();
    assert!(!path.exists());
}

#[test]
fn what_somebody_put_in_the_place_of_the_socket_stays() {
    let project = Project::new("replaced");
    let path = project.dir().join("app.sock");
    let listen = format!("[\"{}\"]", path.display());
    project.config(&listens("main", &listen, &["sleep", "1000"]));
    let daemon = project.start();
    daemon.until_state("main", "running");
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    assert_eq!(daemon.restart("main")["outcome"], "swapped");
    daemon.prints(&format!(
        "app.sock is taken by pid {} (",
        std::process::id()
    ));
    daemon.stop();
    UnixStream::connect(&path).unwrap();
}
