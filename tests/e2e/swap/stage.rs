//! A project with a server behind a socket that the daemon holds, and what is done to it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    client::Target,
    load::Load,
    server::{self, Fate, Role, VERSION, VERSION_FILE, Version},
};
use crate::support::{Daemon, Project, children_of, eventually, free_port, zombies_of};

/// How connections reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `listen`: a server that takes sockets and drains on SIGTERM.
    Held,
    /// `port`: a server that does neither.
    Relayed,
}

/// How a new version comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server reads when it starts what it is.
    Command,
    /// cargo builds a program that says what it is and becomes the server.
    Rust,
}

/// How long regulars stay: over many swaps,
pub(super) const LONG: Duration = Duration::from_secs(1);
/// or, where a server must be gone before the next one starts, no longer than others.
pub(super) const BRIEF: Duration = Duration::from_millis(50);

pub(super) struct Stage {
    pub(super) project: Project,
    kind: Kind,
    /// Where it is reached; the first over IPv4.
    pub(super) targets: Vec<Target>,
}

impl Stage {
    /// One with version 1. `top` goes to the top of the configuration, `entry` into the process's
    /// entry; in it, `{health}` is a page of the server.
    pub(super) fn new(way: Way, kind: Kind, top: &str, entry: &str) -> Self {
        let project = Project::new("swap");
        let port = free_port();
        let tcp = |ip: &str| Target::Tcp(format!("{ip}:{port}").parse().unwrap());
        let (doors, role, targets) = match way {
            Way::Held => {
                let path = project.dir().join("app.sock");
                let listen = format!("listen = [\"127.0.0.1:{port}\", \"./app.sock\"]");
                (
                    listen,
                    Role::Handed,
                    vec![tcp("127.0.0.1"), Target::Unix(path)],
                )
            }
            Way::Relayed => {
                let both = vec![tcp("127.0.0.1"), tcp("[::1]")];
                (format!("port = {port}"), Role::Plain, both)
            }
        };
        let program = match kind {
            Kind::Command => format!("type = \"command\"\ncommand = {:?}", server::command()),
            Kind::Rust => "type = \"rust\"".to_owned(),
        };
        let entry = entry.replace("{health}", &format!("http://127.0.0.1:{port}/health"));
        let environment = server::environment(role);
        project.config(&format!(
            "{top}\n[process.main]\n{program}\n{environment}\n{doors}\n{entry}\ndrain_seconds = 60"
        ));
        if kind == Kind::Rust {
            project.rust("");
        }
        let stage = Self {
            project,
            kind,
            targets,
        };
        stage.write(1, Fate::Lives);
        stage
    }

    /// Writes the sources of a version.
    pub(super) fn write(&self, number: u32, fate: Fate) {
        let version = Version { number, fate }.to_string();
        match self.kind {
            Kind::Command => self.project.file(VERSION_FILE, &version),
            Kind::Rust => self.project.main(&becomes_server(&version)),
        };
    }

    /// Starts the daemon, and a crowd once there is a server.
    #[track_caller]
    pub(super) fn open(&self, stay: Duration) -> (Daemon, Load) {
        let daemon = self.project.start();
        daemon.until_state("main", "running");
        (daemon, self.load(stay))
    }

    /// A crowd for it.
    pub(super) fn load(&self, stay: Duration) -> Load {
        Load::begin(&self.targets, stay)
    }
}

/// The body of a `main` that becomes the server: same pid, same descriptors.
fn becomes_server(version: &str) -> String {
    let command = server::command();
    let (program, args) = command.split_first().unwrap();
    format!(
        "use std::os::unix::process::CommandExt;
        let mut server = std::process::Command::new({program:?});
        server.args({args:?}).env({VERSION:?}, {version:?});
        panic!(\"{{}}\", server.exec());"
    )
}

/// A restart that must come to this; `ok` and what the daemon knows of refused connections included.
#[track_caller]
pub(super) fn restart(daemon: &Daemon, outcome: &str) -> Value {
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], outcome, "{answer:#}");
    let well = ["swapped", "restarted"].contains(&outcome);
    assert_eq!(answer["ok"], well, "{answer:#}");
    assert_eq!(answer["connections_refused"], json!(0), "{answer:#}");
    answer
}

/// Waits until nobody but this server is left of all that the daemon ever started.
#[track_caller]
pub(super) fn is_alone(daemon: &Daemon, pid: u32) {
    eventually("one child", || match children_of(daemon.pid()) {
        one if one == [pid] => Ok(()),
        more => Err((more, zombies_of(daemon.pid()))),
    });
}
