//! The command line, as a person or a script calls it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use serde_json::Value;

use super::{Project, eventually};

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Its stdout, which must be a line of JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A call that goes on; ended when it is dropped.
pub(crate) struct Bpm {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Bpm {
    /// The command that calls it from within a project.
    pub(crate) fn command(project: &Project, arguments: &[&str]) -> Command {
        Self::command_of(env!("CARGO_BIN_EXE_bpm").as_ref(), project, arguments)
    }

    /// Like [`Bpm::command`], with another copy of the program.
    pub(crate) fn command_of(program: &Path, project: &Project, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(project.dir())
            .env("XDG_STATE_HOME", project.state_home())
            .env("TERM", "xterm")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("NO_COLOR")
            .env_remove("BPM_TOKEN")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Calls it and waits for its end.
    #[track_caller]
    pub(crate) fn says(project: &Project, arguments: &[&str]) -> Said {
        Self::start(project, arguments).ends()
    }

    /// Calls it.
    #[track_caller]
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Self {
        Self::launch(Self::command(project, arguments))
    }

    /// Calls it by this command.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "the test calls it")]
    pub(crate) fn launch(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&stdout)),
            collect(child.stderr.take().unwrap(), Arc::clone(&stderr)),
        ];
        Self {
            child,
            stdout,
            stderr,
            readers,
        }
    }

    /// Calls it in a terminal of this size, which both of its outputs are.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "the test calls it")]
    pub(crate) fn in_terminal(mut command: Command, columns: u16) -> Self {
        let size = nix::pty::Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = nix::pty::openpty(&size, None).unwrap();
        let side = |end: &OwnedFd| Stdio::from(end.try_clone().unwrap());
        command.stdout(side(&terminal.slave));
        command.stderr(side(&terminal.slave));
        let child = command.spawn().unwrap();
        drop((terminal.slave, command));
        let stdout = Arc::default();
        let readers = vec![collect(File::from(terminal.master), Arc::clone(&stdout))];
        Self {
            child,
            stdout,
            stderr: Arc::default(),
            readers,
        }
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// What it has said beside it so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it has printed this.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) {
        eventually(&format!("printed {text:?}"), || {
            let stdout = self.stdout();
            if stdout.contains(text) {
                Ok(())
            } else {
                Err((stdout, self.stderr()))
            }
        });
    }

    /// Waits until it has said this beside what it prints.
    #[track_caller]
    pub(crate) fn notes(&self, text: &str) {
        eventually(&format!("said {text:?}"), || {
            let stderr = self.stderr();
            if stderr.contains(text) {
                Ok(())
            } else {
                Err((self.stdout(), stderr))
            }
        });
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Said {
        let status = eventually("ended", || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status),
            None => Err((self.stdout(), self.stderr())),
        });
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Said {
            code: status.code().unwrap_or(-1),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Bpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl Read + Send + 'static, text: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        loop {
            // A terminal that nobody writes to any more fails instead of ending.
            let length = match pipe.fill_buf() {
                Ok([]) | Err(_) => return,
                Ok(bytes) => {
                    text.lock()
                        .unwrap()
                        .push_str(&String::from_utf8_lossy(bytes));
                    bytes.len()
                }
            };
            pipe.consume(length);
        }
    })
}
