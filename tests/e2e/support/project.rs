//! A project in a folder of its own.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;

use super::{Daemon, eventually};

/// Removed when it is dropped.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// An empty one; the name helps to find it among the processes of the machine.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("bpm-{name}-"))
            .tempdir()
            .unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        Self { folder }
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("project").canonicalize().unwrap()
    }

    /// Where its daemon keeps state (`XDG_STATE_HOME`).
    pub(crate) fn state_home(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Writes a file, with the folders that it needs.
    pub(crate) fn file(&self, path: impl AsRef<Path>, text: &str) -> &Self {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // At once, so that nobody ever reads half of it.
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
        self
    }

    /// Puts a text behind what a file holds.
    pub(crate) fn append(&self, path: &str, text: &str) -> &Self {
        let file = fs::OpenOptions::new()
            .append(true)
            .open(self.dir().join(path));
        file.unwrap().write_all(text.as_bytes()).unwrap();
        self
    }

    /// Writes an executable shell script.
    pub(crate) fn script(&self, path: &str, text: &str) -> &Self {
        self.executable(path, &format!("#!/bin/sh\n{text}\n"))
    }

    /// Writes an executable file.
    pub(crate) fn executable(&self, path: &str, text: &str) -> &Self {
        self.file(path, text);
        fs::set_permissions(self.dir().join(path), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Writes `.mcp-run`, with a port that the system chooses.
    pub(crate) fn config(&self, text: &str) -> &Self {
        self.file(".mcp-run", &format!("mcp_port = 0\n{text}\n"))
    }

    /// Writes a cargo package named `app` without dependencies, whose `main` has this body.
    pub(crate) fn rust(&self, body: &str) -> &Self {
        let manifest =
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
        self.file("Cargo.toml", manifest).main(body)
    }

    /// Writes a cargo package into a folder of its name; gives the entry of its process.
    pub(crate) fn package(&self, name: &str, body: &str) -> String {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n"
        );
        self.file(format!("{name}/Cargo.toml"), &manifest);
        self.file(
            format!("{name}/src/main.rs"),
            &format!("fn main() {{ {body} }}"),
        );
        format!("[process.{name}]\ntype = \"rust\"\nargs = []\ncwd = \"{name}\"\n")
    }

    /// Rewrites the body of `main`.
    pub(crate) fn main(&self, body: &str) -> &Self {
        self.file("src/main.rs", &format!("fn main() {{\n{body}\n}}\n"))
    }

    /// What a file says now; empty if there is none.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.dir().join(path)).unwrap_or_default()
    }

    /// How many lines a file has; children of the tests add one to `starts` when they start.
    pub(crate) fn lines(&self, path: &str) -> usize {
        self.read(path).lines().count()
    }

    /// Waits until a file holds a pid, which it gives.
    #[track_caller]
    pub(crate) fn pid_from(&self, path: &str) -> u32 {
        eventually(&format!("a pid in {path}"), || {
            let text = self.read(path);
            text.trim().parse().map_err(|_| text)
        })
    }

    /// The port in the state folder that a daemon has written.
    pub(crate) fn port(&self) -> Option<u16> {
        let daemon = self.daemon_file()?;
        let (_, port) = daemon["url"].as_str()?.rsplit_once(':')?;
        port.split('/').next()?.parse().ok()
    }

    /// What a daemon has written into the state folder for those who look for it.
    pub(crate) fn daemon_file(&self) -> Option<serde_json::Value> {
        let folder = self.state_home().join("background-process-manager");
        let projects = fs::read_dir(folder).ok()?.flatten();
        let mut files = projects.map(|project| project.path().join("daemon.json"));
        let text = files.find_map(|file| fs::read_to_string(file).ok())?;
        serde_json::from_str(&text).ok()
    }

    /// Starts a daemon and waits until it serves.
    #[track_caller]
    pub(crate) fn start(&self) -> Daemon {
        Daemon::start(self, &[])
    }

    /// Like [`Project::start`], for children that print more than the test wants to see.
    #[track_caller]
    pub(crate) fn start_quiet(&self) -> Daemon {
        Daemon::launch_into(self, Daemon::command(self), Stdio::null())
    }

    /// Like [`Project::start`], with more environment.
    #[track_caller]
    pub(crate) fn start_with(&self, environment: &[(&str, &str)]) -> Daemon {
        Daemon::start(self, environment)
    }
}

/// The body of a `main` that prints a line and lives on.
pub(crate) fn lives(line: &str) -> String {
    format!("println!(\"{line}\"); loop {{ std::thread::park(); }}")
}

/// The body of a `main` that adds a line to `starts`, prints one and lives on.
pub(crate) fn counted(line: &str) -> String {
    format!("{COUNT} {}", lives(line))
}

/// What adds a line to `starts` in a `main`.
pub(crate) const COUNT: &str = r#"{
    use std::io::Write;
    let starts = std::fs::OpenOptions::new().create(true).append(true).open("starts");
    writeln!(starts.unwrap(), "{}", std::process::id()).unwrap();
}"#;

/// The entry of a process that is a shell script.
pub(crate) fn shell(name: &str, script: &str) -> String {
    format!(
        "[process.{name}]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", \'\'\'{script}\'\'\']\n"
    )
}

/// The entry of a process that cargo builds.
pub(crate) const RUST: &str = "[process.main]\ntype = \"rust\"\nargs = []\n";
