//! A running daemon.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use super::{Http, LIMIT, Project, eventually, marked};

/// Ended with everything that it started when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    project: std::path::PathBuf,
    output: Arc<Mutex<String>>,
    port: u16,
}

impl Daemon {
    /// The command that starts a daemon for this project.
    pub(crate) fn command(project: &Project) -> Command {
        // As from a shell, also where the tests run under `nohup` or in the background of a script.
        let mut command = Command::new("/usr/bin/env");
        command
            .arg("--default-signal=HUP,INT,QUIT")
            .arg(env!("CARGO_BIN_EXE_background-process-manager"))
            .arg(project.dir())
            .env("XDG_STATE_HOME", project.state_home())
            // Where a test does not say otherwise, the socket is with the rest of the state.
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    pub(super) fn start(project: &Project, environment: &[(&str, &str)]) -> Self {
        let mut command = Self::command(project);
        command.envs(environment.iter().copied());
        Self::launch(project, command)
    }

    /// Starts it with a command that in the end becomes the daemon, and waits until it serves.
    #[track_caller]
    pub(crate) fn launch(project: &Project, command: Command) -> Self {
        Self::launch_into(project, command, Stdio::piped())
    }

    /// Like [`Daemon::launch`], with a stdout of the caller's choice.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "the test starts the daemon")]
    pub(crate) fn launch_into(project: &Project, mut command: Command, stdout: Stdio) -> Self {
        command.stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let (sender, served) = mpsc::channel();
        if let Some(pipe) = child.stdout.take() {
            follow(pipe, output.clone(), None);
        }
        follow(child.stderr.take().unwrap(), output.clone(), Some(sender));
        let port = served.recv_timeout(LIMIT);
        let port = port.unwrap_or_else(|_| panic!("does not serve:\n{}", output.lock().unwrap()));
        Self {
            child,
            project: project.dir(),
            output,
            port,
        }
    }

    /// Runs a daemon that is expected to end by itself: its exit code, stdout and stderr.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "the test starts the daemon")]
    pub(crate) fn refuses(mut command: Command) -> (Option<i32>, String, String) {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let status = eventually("ended by itself", || {
            child.try_wait().unwrap().ok_or_else(|| child.id())
        });
        let said = |pipe: Option<&mut dyn Read>| {
            let mut text = String::new();
            pipe.unwrap().read_to_string(&mut text).unwrap();
            text
        };
        let stdout = said(child.stdout.as_mut().map(|pipe| pipe as _));
        let stderr = said(child.stderr.as_mut().map(|pipe| pipe as _));
        (status.code(), stdout, stderr)
    }

    /// Starts one that prints to these; what is piped is collected. Its port is found in the state
    /// folder, because nobody may be able to read what it says.
    #[track_caller]
    pub(crate) fn start_into(project: &Project, stdout: Stdio, stderr: Stdio) -> Self {
        Self::launch_between(project, Self::command(project), stdout, stderr)
    }

    /// The same with a command that in the end becomes the daemon.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "the test starts the daemon")]
    pub(crate) fn launch_between(
        project: &Project,
        mut command: Command,
        stdout: Stdio,
        stderr: Stdio,
    ) -> Self {
        let mut child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
        // It holds ends of pipes as well.
        drop(command);
        let output = Arc::new(Mutex::new(String::new()));
        if let Some(pipe) = child.stdout.take() {
            follow(pipe, output.clone(), None);
        }
        if let Some(pipe) = child.stderr.take() {
            follow(pipe, output.clone(), None);
        }
        let port = eventually("served", || {
            let ended = child.try_wait().unwrap();
            project
                .port()
                .ok_or((ended, output.lock().unwrap().clone()))
        });
        Self {
            child,
            project: project.dir(),
            output,
            port,
        }
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port that it serves on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where MCP is served.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// Everything that it printed so far, stdout and stderr.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until it has printed this.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) {
        eventually(&format!("printed {text:?}"), || {
            let output = self.output();
            if output.contains(text) {
                Ok(())
            } else {
                Err(output)
            }
        });
    }

    /// Calls a tool as an agent does; the whole result.
    #[track_caller]
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let answer = Http::new(self.port).rpc("tools/call", &params);
        answer
            .get("result")
            .unwrap_or_else(|| panic!("{tool} {arguments}: {answer}"))
            .clone()
    }

    /// The text of a tool's answer.
    #[track_caller]
    pub(crate) fn text(&self, tool: &str, arguments: &Value) -> String {
        self.call(tool, arguments)["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// `get_status`, the structured part.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.call("get_status", &json!({}))["structuredContent"].clone()
    }

    /// One process in `get_status`.
    #[track_caller]
    pub(crate) fn process(&self, name: &str) -> Value {
        let status = self.status();
        let processes = status["processes"].as_array().unwrap();
        processes
            .iter()
            .find(|process| process["name"] == name)
            .unwrap()
            .clone()
    }

    /// Waits until one process is as the test wants it.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{name}: {what}"), || {
            let process = self.process(name);
            if wanted(&process) {
                Ok(process)
            } else {
                Err((process, self.output()))
            }
        })
    }

    /// Waits until a process is in this state.
    #[track_caller]
    pub(crate) fn until_state(&self, name: &str, state: &str) -> Value {
        self.until(name, state, |process| process["state"] == state)
    }

    /// `restart`, the structured part.
    #[track_caller]
    pub(crate) fn restart(&self, name: &str) -> Value {
        self.call("restart", &json!({"process": name}))["structuredContent"].clone()
    }

    /// `search_logs` of the newest run.
    #[track_caller]
    pub(crate) fn logs(&self, name: &str) -> String {
        self.text("search_logs", &json!({"process": name}))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> ExitStatus {
        eventually("ended", || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status),
            None => Err(self.output()),
        })
    }

    /// Ends it orderly and returns what it printed.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::SIGTERM);
        assert!(self.ends().success(), "{}", self.output());
        self.output()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for pid in marked(&self.project) {
            let _ = kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL);
        }
    }
}

/// Collects what is printed; tells the port once it is said.
fn follow(
    pipe: impl Read + Send + 'static,
    output: Arc<Mutex<String>>,
    serves: Option<mpsc::Sender<u16>>,
) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let port = line
                .split("serving http://localhost:")
                .nth(1)
                .and_then(|rest| rest.split('/').next());
            if let (Some(serves), Some(port)) = (&serves, port.and_then(|port| port.parse().ok())) {
                // The test may have given up.
                let _ = serves.send(port);
            }
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    });
}
