//! A build that goes on only when the test lets it.

use std::{fs, os::unix::fs::OpenOptionsExt, path::PathBuf};

use nix::{
    sys::stat::Mode,
    unistd::{mkfifo, unlink},
};

use super::{Project, eventually};

/// A build script of the project that waits at a fifo while the gate is closed.
pub(crate) struct Gate {
    fifo: PathBuf,
    arrived: PathBuf,
}

impl Gate {
    /// An open one. The script runs again whenever the sources changed.
    pub(crate) fn new(project: &Project) -> Self {
        Self::of_package(project, ".")
    }

    /// Like [`Gate::new`], for the package in this folder.
    pub(crate) fn of_package(project: &Project, package: &str) -> Self {
        let beside = project.state_home();
        let gate = Self {
            fifo: beside.with_file_name("gate"),
            arrived: beside.with_file_name("arrived"),
        };
        let script = format!(
            "fn main() {{
                println!(\"cargo:rerun-if-changed=src\");
                println!(\"cargo:rerun-if-changed=build.rs\");
                if std::path::Path::new({fifo:?}).exists() {{
                    std::fs::write({arrived:?}, \"\").unwrap();
                    let _ = std::fs::read({fifo:?});
                }}
            }}",
            fifo = gate.fifo.to_str().unwrap(),
            arrived = gate.arrived.to_str().unwrap()
        );
        project.file(format!("{package}/build.rs"), &script);
        gate
    }

    /// From now on builds stop at it.
    pub(crate) fn close(&self) {
        mkfifo(&self.fifo, Mode::from_bits_truncate(0o600)).unwrap();
    }

    /// Waits until a build stands before it.
    #[track_caller]
    pub(crate) fn arrived(&self) {
        eventually("a build at the gate", || {
            if self.arrived.exists() {
                Ok(())
            } else {
                Err("nobody")
            }
        });
    }

    /// Lets the build go that stands before it, and all that follow.
    #[track_caller]
    pub(crate) fn open(&self) {
        self.arrived();
        let let_go = eventually("a build that reads the gate", || {
            let mut options = fs::OpenOptions::new();
            // Refused until somebody reads.
            let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
            options.write(true).custom_flags(flags).open(&self.fifo)
        });
        unlink(&self.fifo).unwrap();
        fs::remove_file(&self.arrived).unwrap();
        drop(let_go);
    }

    /// Lets every build go that stands before it, superseded ones included, and all that follow.
    pub(crate) fn leave_open(self) {
        // Who comes from now on finds no gate; who waits already sees its end.
        let aside = self.fifo.with_extension("open");
        fs::rename(&self.fifo, &aside).unwrap();
        let write = move || fs::OpenOptions::new().write(true).open(&aside);
        // Ends with the project's folder, or with the tests.
        std::thread::spawn(move || while write().is_ok() {});
    }
}
