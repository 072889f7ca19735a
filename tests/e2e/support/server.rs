//! A small HTTP server in Python that a test holds up, sends ahead and asks: how it gets its
//! connections and what shows that it is ready are up to the configuration.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

use super::{LIMIT, Project, eventually};

/// How a process gets its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Own,
    Held,
    Relayed,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Own, Self::Held, Self::Relayed];

    /// As `get_status` says it, which also is a name for the process.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Held => "held",
            Self::Relayed => "relayed",
        }
    }

    /// The outcome of a restart that succeeds.
    pub(crate) fn outcome(self) -> &'static str {
        match self {
            Self::Own => "restarted",
            Self::Held | Self::Relayed => "swapped",
        }
    }
}

/// An address that is free now, of a port that the system chose.
pub(crate) fn free() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Asks for this path; the status and the body.
pub(crate) fn ask(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    // In one piece: who answers after his first read would reset the rest.
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let broken = || io::Error::other(format!("no answer: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.ok_or_else(broken)?, body.to_owned()))
}

/// One process that is such a server. Each of its runs adds a line to `NAME.starts`, waits while there
/// is a file `NAME.shut`, and is ready in every way that one can be.
pub(crate) struct Server<'a> {
    project: &'a Project,
    pub(crate) name: &'static str,
    pub(crate) way: Way,
    pub(crate) address: SocketAddr,
}

impl<'a> Server<'a> {
    pub(crate) fn new(project: &'a Project, name: &'static str, way: Way) -> Self {
        project.file("server.py", SERVER);
        Self {
            project,
            name,
            way,
            address: free(),
        }
    }

    /// The entry, with these further lines.
    pub(crate) fn entry(&self, more: &str) -> String {
        let Self { name, address, .. } = self;
        let (way, place) = match self.way {
            Way::Own => (String::new(), address.to_string()),
            Way::Held => (format!("listen = [\"{address}\"]\n"), "held".to_owned()),
            Way::Relayed => (
                format!("port = \"{address}\"\n"),
                "127.0.0.1:{port}".to_owned(),
            ),
        };
        format!(
            "[process.{name}]\ntype = \"command\"\n\
             command = [\"python3\", \"server.py\", \"{place}\"]\n{way}{more}\n"
        )
    }

    /// What a file of it says.
    pub(crate) fn read(&self, kind: &str) -> String {
        self.project.read(&format!("{}.{kind}", self.name))
    }

    /// How many lines a file of it has.
    pub(crate) fn lines(&self, kind: &str) -> usize {
        self.read(kind).lines().count()
    }

    /// Waits until so many runs have been started.
    #[track_caller]
    pub(crate) fn starts(&self, count: usize) {
        eventually(&format!("{count} starts of {}", self.name), || {
            let starts = self.lines("starts");
            if starts == count { Ok(()) } else { Err(starts) }
        });
    }

    /// New runs wait, and are not ready.
    pub(crate) fn shut(&self) {
        self.project.file(format!("{}.shut", self.name), "");
    }

    /// Lets those go that wait.
    pub(crate) fn open(&self) {
        let file = self.project.dir().join(format!("{}.shut", self.name));
        fs::remove_file(file).unwrap();
    }

    /// From now on each run answers `/health` with these, one after the other; the last one stays.
    pub(crate) fn health(&self, statuses: &[&str]) {
        self.project
            .file(format!("{}.health", self.name), &statuses.join("\n"));
    }

    /// The pid of the run that answers.
    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        let (status, body) = ask(self.address, "/").unwrap();
        assert_eq!(status, 200, "{body}");
        body.parse().unwrap()
    }
}

const SERVER: &str = r#"
import os, socket, sys, threading, time

name = os.environ["BPM_PROCESS"]

def note(kind, text):
    with open(f"{name}.{kind}", "a") as file:
        file.write(f"{text}\n")

def notify(text):
    if "NOTIFY_SOCKET" in os.environ:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])

def health():
    try:
        with open(f"{name}.health") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return ["200 OK"]

asked = 0

def serve(connection):
    global asked
    with connection, connection.makefile("rb") as request:
        words = request.readline().split()
        if len(words) < 2:
            return
        while request.readline().strip():
            pass
        path = words[1].decode()
        note("requests", f"{os.getpid()} {path}")
        status = "200 OK"
        if path == "/health":
            statuses = health()
            status = statuses[min(asked, len(statuses) - 1)]
            asked += 1
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n"
        connection.sendall(f"{head}{os.getpid()}".encode())

notify("STATUS=warming up")
note("starts", os.getpid())
while os.path.exists(f"{name}.shut"):
    time.sleep(0.005)

if sys.argv[1] == "held":
    listener = socket.socket(fileno=3)
else:
    host, _, port = sys.argv[1].rpartition(":")
    host = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    listener.listen(64)

def accept():
    while True:
        connection, _ = listener.accept()
        note("accepted", os.getpid())
        threading.Thread(target=serve, args=[connection], daemon=True).start()

threading.Thread(target=accept, daemon=True).start()
note("up", os.getpid())
print("listening", flush=True)
notify("READY=1\nSTATUS=serving")
threading.Event().wait()
"#;
