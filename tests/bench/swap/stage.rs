//! One daemon with every process that is measured, and the same program without the daemon.

use std::{
    fmt::Write as _,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{
    daemon,
    program::{ADDRESS, ASKED, DELAY, FILE, HEARER, LINE},
    support::{Daemon, LIMIT, Project, pid_in},
};

/// How a process gets its connections, and what becomes of the old run meanwhile.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Own,
    Held,
    HeldAlone,
    Relayed,
    RelayedAlone,
}

/// How it shows that it is ready.
#[derive(Clone, Copy)]
pub(crate) enum Probe {
    Http,
    Tcp,
    Log,
    Notify,
    Exec,
}

/// One `[process.NAME]`.
#[derive(Clone, Copy)]
pub(crate) struct Process {
    pub(crate) name: &'static str,
    pub(crate) way: Way,
    pub(crate) probe: Probe,
}

pub(crate) struct Stage {
    project: Project,
    daemon: Daemon,
    addresses: Vec<(&'static str, SocketAddr)>,
    heard: Receiver<(Vec<u8>, Instant)>,
}

impl Stage {
    /// Starts a daemon with these and waits until all of them serve.
    pub(crate) fn set(processes: &[Process]) -> Self {
        let project = Project::new("swap");
        project.file(DELAY, "0");
        let heard = hear(&project);
        let mut config = "release_crash_backoff_initial_seconds = 0\n".to_owned();
        let mut addresses = Vec::new();
        for process in processes {
            let address = free_address();
            addresses.push((process.name, address));
            config.push_str(&process.entry(address, &hearer(&project)));
        }
        project.config(&config);
        let daemon = Daemon::launch(&project, daemon::command(&project));
        for process in processes {
            daemon.until_state(process.name, "running");
        }
        Self {
            project,
            daemon,
            addresses,
            heard,
        }
    }

    /// Where it is reached.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let mut addresses = self.addresses.iter();
        addresses.find(|(of, _)| *of == name).unwrap().1
    }

    /// How long programs sleep from now on before they listen, in milliseconds.
    pub(crate) fn delays(&self, delay: u64) {
        self.project.file(DELAY, &delay.to_string());
    }

    /// The answer of `restart`, which must be a good one.
    pub(crate) fn restart(&self, name: &str) -> Value {
        let answer = self.daemon.call("restart", &json!({"process": name}));
        let answer = answer["structuredContent"].clone();
        assert_eq!(answer["ok"], true, "{answer}\n{}", self.daemon.output());
        answer
    }

    /// The leader of the run that serves.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        pid_in(&self.daemon.until_state(name, "running"))
    }

    /// Forgets what programs have said so far.
    pub(crate) fn nothing_heard(&self) {
        while self.heard.try_recv().is_ok() {}
    }

    /// When a program said this word.
    pub(crate) fn hears(&self, word: &[u8]) -> Instant {
        loop {
            let (said, at) = self.heard.recv_timeout(LIMIT).unwrap();
            if said == word {
                return at;
            }
        }
    }

    /// Starts the program without the daemon, in the same directory. It says what it does to `voice`.
    pub(crate) fn by_hand(&self, voice: &str, address: SocketAddr) -> ByHand {
        let child = Command::new(std::env::current_exe().unwrap())
            .arg(ASKED)
            .current_dir(self.project.dir())
            .env(voice, hearer(&self.project))
            .env(ADDRESS, address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        ByHand(child.unwrap())
    }
}

impl Process {
    fn entry(&self, address: SocketAddr, hearer: &Path) -> String {
        let Self { name, way, probe } = self;
        let program = std::env::current_exe().unwrap();
        let mut entry = format!(
            "[process.{name}]\ntype = \"command\"\ncommand = [\"{}\", \"{ASKED}\"]\n\
             env = {{ {HEARER} = \"{}\", {ADDRESS} = \"{address}\" }}\n",
            program.display(),
            hearer.display(),
        );
        let (key, overlap) = match way {
            Way::Own => ("", true),
            Way::Held => ("listen", true),
            Way::HeldAlone => ("listen", false),
            Way::Relayed => ("port", true),
            Way::RelayedAlone => ("port", false),
        };
        match key {
            "listen" => writeln!(entry, "listen = [\"{address}\"]").unwrap(),
            "port" => writeln!(entry, "port = \"{address}\"").unwrap(),
            _ => {}
        }
        if !overlap {
            entry.push_str("overlap = false\n");
        }
        let ready = match probe {
            Probe::Http => format!("http = \"http://{address}/\""),
            Probe::Tcp => format!("tcp = \"{address}\""),
            Probe::Log => format!("log = \"{LINE}\""),
            Probe::Notify => "notify = true".to_owned(),
            Probe::Exec => format!("exec = [\"sh\", \"-c\", \"test -e {FILE}$BPM_PID\"]"),
        };
        writeln!(entry, "ready = {{ {ready} }}").unwrap();
        entry
    }
}

/// A program without the daemon, killed when it is dropped.
pub(crate) struct ByHand(Child);

impl ByHand {
    /// Asks it to leave, and waits until it is gone.
    pub(crate) fn stop(mut self, signal: Signal) {
        signal_to(self.0.id(), signal);
        self.0.wait().unwrap();
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn signal_to(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

/// An address of a port that the system chose.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

fn hearer(project: &Project) -> PathBuf {
    project.dir().join("hearer")
}

/// Takes down what programs say, and when.
fn hear(project: &Project) -> Receiver<(Vec<u8>, Instant)> {
    let socket = UnixDatagram::bind(hearer(project)).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut word = [0; 64];
        while let Ok(length) = socket.recv(&mut word) {
            if sender
                .send((word[..length].to_vec(), Instant::now()))
                .is_err()
            {
                return;
            }
        }
    });
    receiver
}
