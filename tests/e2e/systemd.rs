//! What the daemon tells systemd and takes from it. The test plays systemd; the real one is in
//! `.ci/systemd`.

use std::{
    fs,
    io::{PipeReader, Read, pipe},
    net::TcpListener,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use nix::sys::{signal::Signal, stat::fstat};

use crate::support::{
    Daemon, Http, Project, eventually, free_port, is_alive, marked, pid_in, project::shell, signal,
};

/// systemd's end of `NOTIFY_SOCKET`.
struct Ear {
    socket: UnixDatagram,
    path: PathBuf,
    /// What was heard, in the order in which it was said.
    heard: Vec<String>,
}

impl Ear {
    fn new(project: &Project) -> Self {
        let path = project.state_home().with_file_name("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            path,
            heard: Vec::new(),
        }
    }

    fn variable(&self) -> (&str, &str) {
        ("NOTIFY_SOCKET", self.path.to_str().unwrap())
    }

    /// Everything so far.
    fn listen(&mut self) -> &[String] {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            self.heard.push(text.trim_end().to_owned());
        }
        &self.heard
    }

    /// Waits for a message, which may have come already, and gives its place.
    #[track_caller]
    fn hears(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> usize {
        eventually(&format!("heard {what}"), || {
            let heard = self.listen();
            let place = heard.iter().position(|message| wanted(message));
            place.ok_or_else(|| heard.to_vec())
        })
    }

    fn beats(&mut self) -> usize {
        let heard = self.listen().iter();
        heard.filter(|message| *message == "WATCHDOG=1").count()
    }
}

const SLEEPS: &str = "[process.main]\ntype = \"command\"\ncommand = [\"sleep\", \"1000\"]\n";

#[test]
fn systemd_hears_that_the_daemon_is_ready_what_it_does_and_that_it_stops() {
    let project = Project::new("notify");
    project.config(&format!(
        "{SLEEPS}settle_seconds = 0.1\n[process.web]\ntype = \"command\"\ncommand = [\"sleep\", \"1000\"]\nsettle_seconds = 0.1\n"
    ));
    let mut ear = Ear::new(&project);
    let daemon = project.start_with(&[ear.variable()]);
    let ready = ear.hears("ready", |message| message == "READY=1");
    let running = ear.hears("that all run", |message| {
        message == "STATUS=2 running · release"
    });
    assert!(ready < running, "{:?}", ear.heard);

    daemon.call("stop", &serde_json::json!({"process": "web"}));
    ear.hears("that one is stopped", |message| {
        message == "STATUS=1 running, 1 stopped · release"
    });
    daemon.restart("main");
    ear.hears("of the dev mode", |message| {
        message == "STATUS=1 running, 1 stopped · dev, 3 h to release"
    });

    daemon.stop();
    // The grace of 5 s, and what the daemon itself may take.
    let stopping = ear.hears("stopping", |message| {
        message == "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000"
    });
    assert!(running < stopping);
    let heard = ear.listen();
    let repeated = heard.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(repeated, None, "{heard:?}");
    assert_eq!(ear.beats(), 0, "nobody asked for a heartbeat");
}

#[test]
fn signs_of_life_are_given_to_the_watchdog_of_this_process_alone() {
    let project = Project::new("heart");
    project.config(SLEEPS);
    let mut ear = Ear::new(&project);
    let watchdog = ("WATCHDOG_USEC", "200000");
    let daemon = project.start_with(&[ear.variable(), watchdog]);
    eventually("five beats", || match ear.beats() {
        0..5 => Err(ear.heard.clone()),
        _ => Ok(()),
    });
    daemon.stop();

    let other = Project::new("no-heart");
    other.config(SLEEPS);
    let mut ear = Ear::new(&other);
    let daemon = other.start_with(&[ear.variable(), watchdog, ("WATCHDOG_PID", "1")]);
    daemon.until_state("main", "running");
    daemon.stop();
    ear.hears("stopping", |message| message.starts_with("STOPPING=1"));
    assert_eq!(ear.beats(), 0);
}

#[test]
fn systemd_hears_of_a_reload_that_it_ordered_or_that_changes_something_and_when_it_is_over() {
    let project = Project::new("notify-reload");
    project.config(SLEEPS);
    let mut ear = Ear::new(&project);
    let daemon = project.start_with(&[ear.variable()]);
    daemon.until_state("main", "running");
    let is_reloading = |message: &str| {
        let time = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        time.is_some_and(|time| time.parse::<u64>().is_ok())
    };
    let of_readiness = |ear: &mut Ear| -> Vec<String> {
        let heard = ear.listen().iter();
        let said = heard.filter(|it| it.contains("READY") || it.contains("RELOADING"));
        said.cloned().collect()
    };
    assert_eq!(of_readiness(&mut ear), ["READY=1"]);

    daemon.signal(Signal::SIGHUP);
    let ordered = eventually("the end of the reload", || match of_readiness(&mut ear) {
        said if said.len() < 3 => Err(said),
        said => Ok(said),
    });
    assert!(is_reloading(&ordered[1]), "{ordered:?}");
    assert_eq!(ordered[2], "READY=1");
    project.config(&format!("{SLEEPS}stop_grace_seconds = 6\n"));
    let changed = eventually("another one", || match of_readiness(&mut ear) {
        said if said.len() < 5 => Err(said),
        said => Ok(said),
    });
    assert!(is_reloading(&changed[3]), "{changed:?}");
    assert_eq!(changed[4..], ["READY=1"]);
    daemon.stop();
    ear.hears("stopping", |message| {
        message == "STOPPING=1\nEXTEND_TIMEOUT_USEC=21000000"
    });
}

/// A daemon with a watchdog in which a test can cause a fault.
fn faulty(project: &Project, ear: &Ear) -> (Daemon, PathBuf) {
    let fault = project.state_home().with_file_name("fault");
    let daemon = project.start_with(&[
        ear.variable(),
        ("WATCHDOG_USEC", "300000"),
        ("BPM_TEST_FAULT", fault.to_str().unwrap()),
    ]);
    (daemon, fault)
}

#[test]
fn no_sign_of_life_is_given_while_the_log_store_hangs_and_it_is_named() {
    let project = Project::new("hangs");
    project.config(SLEEPS);
    let mut ear = Ear::new(&project);
    let (mut daemon, fault) = faulty(&project, &ear);
    ear.hears("a beat", |message| message == "WATCHDOG=1");
    let pid = pid_in(&daemon.until_state("main", "running"));
    fs::write(&fault, "log store hangs").unwrap();
    eventually("named", || {
        // A queue that is full would hold back what was said before.
        ear.listen();
        let output = daemon.output();
        let named = output.contains("no sign of life from log store: the watchdog will act");
        if named { Ok(()) } else { Err(output) }
    });
    // The rest of the daemon goes on.
    signal(pid, Signal::SIGKILL);
    let crash = ear.hears("of the crash", |message| {
        message == "STATUS=1 backing off · release"
    });
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0));
    let later = ear.listen().get(crash..).unwrap();
    assert!(!later.iter().any(|it| it == "WATCHDOG=1"), "{later:?}");
}

#[test]
fn an_actor_that_panicked_is_named_and_the_daemon_ends_with_all_children() {
    for victim in ["main", "builder", "idle clock", "log store"] {
        let project = Project::new("panics");
        project.config(SLEEPS);
        let ear = Ear::new(&project);
        let (mut daemon, fault) = faulty(&project, &ear);
        let pid = pid_in(&daemon.until_state("main", "running"));
        fs::write(&fault, format!("{victim} panics")).unwrap();
        assert_eq!(daemon.ends().code(), Some(1));
        daemon.prints(&format!("{victim} ended because of a fault in the daemon"));
        assert!(!is_alive(pid));
        assert_eq!(marked(&project.dir()), [0; 0]);
    }
}

#[test]
fn a_service_manager_that_does_not_read_stops_nothing() {
    let project = Project::new("deaf");
    project.config(SLEEPS);
    let ear = Ear::new(&project);
    // Its queue is full after a few messages.
    let mut daemon = project.start_with(&[ear.variable(), ("WATCHDOG_USEC", "3000")]);
    daemon.until_state("main", "running");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0));
}

/// Reads to the end, beside the test.
fn all_of(mut pipe: PipeReader) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

/// As systemd writes it.
fn journal_stream(of: impl AsFd) -> String {
    let stat = fstat(of).unwrap();
    format!("{}:{}", stat.st_dev, stat.st_ino)
}

#[test]
fn what_goes_to_the_journal_has_priorities_and_neither_times_nor_colours() {
    let project = Project::new("journal");
    project.config(&shell(
        "web",
        r"printf '\033[32mplain\033[0m\n'; echo 'ERROR out'; echo 'plain err' >&2; echo 'INFO err' >&2
          env > environment; exec sleep 1000",
    ));
    let (reader, writer) = pipe().unwrap();
    let text = all_of(reader);
    let mut command = Daemon::command(&project);
    command.env("JOURNAL_STREAM", journal_stream(&writer));
    let both = writer.try_clone().unwrap();
    let daemon = Daemon::launch_between(&project, command, writer.into(), both.into());
    daemon.until_state("web", "running");
    daemon.restart("web");
    daemon.stop();

    let text = text.join().unwrap();
    for line in [
        "<6>[web] plain",
        "<3>[web] ERROR out",
        "<3>[web] plain err",
        "<6>[web] INFO err",
        "<6>shutting down",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}:\n{text}");
    }
    for line in text.lines() {
        let priority = line.as_bytes();
        assert!(
            matches!(priority, [b'<', b'0'..=b'7', b'>', ..]),
            "{line:?}"
        );
        assert!(
            !line.contains('\x1b') && !line.contains("INFO ]"),
            "{line:?}"
        );
    }
    assert!(!project.read("environment").contains("JOURNAL_STREAM"));
}

#[test]
fn only_the_output_that_leads_to_the_journal_has_priorities() {
    let project = Project::new("half-journal");
    project.config(&shell("web", "echo out; echo err >&2; exec sleep 1000"));
    let (reader, writer) = pipe().unwrap();
    let (other_reader, other) = pipe().unwrap();
    let (out, err) = (all_of(reader), all_of(other_reader));
    let mut command = Daemon::command(&project);
    command.env("JOURNAL_STREAM", journal_stream(&other));
    let daemon = Daemon::launch_between(&project, command, writer.into(), other.into());
    daemon.until_state("web", "running");
    daemon.stop();
    assert_eq!(out.join().unwrap(), "[web] out\n");
    let err = err.join().unwrap();
    assert!(err.lines().any(|line| line == "<3>[web] err"), "{err}");
}

#[test]
fn a_configuration_that_is_refused_is_an_error_in_the_journal() {
    let project = Project::new("journal-refusal");
    project.config("nonsense = 1\nand = 2\n");
    let (reader, writer) = pipe().unwrap();
    let text = all_of(reader);
    let mut command = Daemon::command(&project);
    command.env("JOURNAL_STREAM", journal_stream(&writer));
    assert_eq!(ends_into(command, writer.into()), Some(2));
    let text = text.join().unwrap();
    assert!(text.contains("nonsense"), "{text}");
    for line in text.lines() {
        assert!(line.starts_with("<3>"), "{line:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the test starts the daemon")]
fn ends_into(mut command: Command, stderr: OwnedFd) -> Option<i32> {
    let mut child = command.stderr(Stdio::from(stderr)).spawn().unwrap();
    // It holds the pipe's end as well.
    drop(command);
    eventually("ended", || child.try_wait().unwrap().ok_or("lives")).code()
}

/// A daemon that is passed this socket, for the process with this pid: `$$` is its own.
fn activated(project: &Project, socket: impl Into<OwnedFd>, pid: &str) -> Command {
    let daemon = Daemon::command(project);
    let script = format!(
        "export LISTEN_FDS=1 LISTEN_FDNAMES=mcp.socket LISTEN_PID={pid}; exec \"$@\" 3<&0 0</dev/null"
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "sh"])
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .env("XDG_STATE_HOME", project.state_home())
        .stdin(Stdio::from(socket.into()));
    command
}

const TELLS: &str = "env > environment; ls -l /proc/self/fd > descriptors; exec sleep 1000";

fn inherits_nothing(project: &Project) {
    let environment = project.read("environment");
    assert!(environment.contains("PATH="));
    assert!(!environment.contains("LISTEN_"), "{environment}");
    let descriptors = project.read("descriptors");
    let sockets = descriptors.matches("socket:").count();
    assert_eq!(sockets, 0, "{descriptors}");
}

#[test]
fn mcp_is_served_at_the_socket_that_systemd_passes_and_no_child_inherits_it() {
    let project = Project::new("activated");
    project.config(&shell("main", TELLS));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let daemon = Daemon::launch(&project, activated(&project, socket, "$$"));
    assert_eq!(daemon.port(), port);
    daemon.until_state("main", "running");
    inherits_nothing(&project);
    daemon.stop();
}

#[test]
fn a_process_with_held_sockets_gets_its_own_and_not_those_of_the_daemon() {
    let project = Project::new("activated-held");
    let held = free_port();
    let script = "ls -l /proc/self/fd > descriptors; echo $LISTEN_FDS > count; exec sleep 1000";
    let entry = shell("main", script);
    project.config(&format!("{entry}listen = [\"127.0.0.1:{held}\"]\n"));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = Daemon::launch(&project, activated(&project, socket, "$$"));
    daemon.until_state("main", "running");
    assert_eq!(project.read("count"), "1\n");
    let descriptors = project.read("descriptors");
    assert_eq!(descriptors.matches("socket:").count(), 1, "{descriptors}");
    let status = Http::new(daemon.port()).rpc("ping", &serde_json::json!({}));
    assert!(status["error"].is_null(), "{status}");
    daemon.stop();
}

#[test]
fn sockets_that_are_meant_for_another_process_are_left_alone() {
    let project = Project::new("not-meant");
    project.config(&shell("main", TELLS));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let daemon = Daemon::launch(&project, activated(&project, socket, "1"));
    assert_ne!(daemon.port(), port);
    daemon.until_state("main", "running");
    inherits_nothing(&project);
    daemon.stop();
}

#[test]
fn a_passed_socket_that_is_no_good_is_a_configuration_error_that_says_what_to_do() {
    let project = Project::new("bad-sockets");
    let refused = |socket: OwnedFd| {
        let (code, _, stderr) = Daemon::refuses(activated(&project, socket, "$$"));
        assert_eq!(code, Some(2), "{stderr}");
        stderr
    };
    project.config(SLEEPS);
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let stderr = refused(everywhere.into());
    assert!(stderr.contains("write ListenStream=127.0.0.1:"), "{stderr}");
    let datagram = UnixDatagram::unbound().unwrap();
    let stderr = refused(datagram.into());
    assert!(
        stderr.contains("socket 1 that systemd passes is no TCP socket"),
        "{stderr}"
    );
    let file = fs::File::open(Path::new("/dev/null")).unwrap();
    refused(file.into());

    let port = free_port();
    project.file(".mcp-run", &format!("mcp_port = {port}\n{SLEEPS}"));
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let passed = other.local_addr().unwrap().port();
    let stderr = refused(other.into());
    let expected = format!("systemd passes a socket at port {passed}, but mcp_port is {port} in ");
    assert!(stderr.contains(&expected), "{stderr}");
}

#[test]
fn a_reload_cannot_move_mcp_away_from_the_socket_that_systemd_holds() {
    let project = Project::new("activated-reload");
    let config = |port: u16, note: &str| {
        let main = shell("main", &format!("echo {note}; exec sleep 1000"));
        project.file(".mcp-run", &format!("mcp_port = {port}\n{main}"));
    };
    config(0, "first");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let daemon = Daemon::launch(&project, activated(&project, socket, "$$"));
    let pid = daemon.until_state("main", "running")["pid"].clone();

    config(free_port(), "second");
    let expected = format!("systemd passes a socket at port {port}, but mcp_port is ");
    eventually("the refusal", || {
        let status = daemon.status();
        match status["config_error"].as_str() {
            Some(why) if why.contains(&expected) => Ok(()),
            _ => Err(status),
        }
    });
    assert_eq!(daemon.process("main")["pid"], pid, "nothing was changed");
    config(port, "third");
    eventually("the port that is passed", || {
        let status = daemon.status();
        let main = &status["processes"][0];
        if status["config_error"].is_null() && main["pid"] != pid {
            Ok(())
        } else {
            Err(status)
        }
    });
    // What the refusal offers as well.
    let pid = daemon.process("main")["pid"].clone();
    config(0, "fourth");
    eventually("any port", || {
        let main = daemon.process("main");
        if main["pid"] == pid {
            Err(main)
        } else {
            Ok(())
        }
    });
    assert_eq!(project.port(), Some(port));
    daemon.stop();
}

#[test]
fn no_child_hears_of_the_daemons_service_manager() {
    let project = Project::new("private");
    project.config(&shell("main", TELLS));
    let ear = Ear::new(&project);
    let daemon = project.start_with(&[
        ear.variable(),
        ("WATCHDOG_USEC", "60000000"),
        ("WATCHDOG_PID", "1"),
        ("JOURNAL_STREAM", "1:1"),
        ("LISTEN_PID", "1"),
        ("LISTEN_FDS", "1"),
        ("LISTEN_FDNAMES", "x"),
    ]);
    daemon.until_state("main", "running");
    let environment = project.read("environment");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_", "JOURNAL_STREAM", "LISTEN_"] {
        assert!(!environment.contains(name), "{environment}");
    }
    daemon.signal(Signal::SIGTERM);
}
