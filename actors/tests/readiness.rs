//! Readiness among real processes: who accepted is seen from outside. One process can have only one
//! reaper, so the tests take turns.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    cell::RefCell,
    io::Read,
    net::TcpListener,
    os::fd::OwnedFd,
    rc::Rc,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::prelude::*;
use bpm_actors::{
    children::{Children, Launch, Marker, Owner, SharedChildren, SpawnError, Spawned, TreeId},
    ids::RunId,
    logs::{AwaitLine, LogKey, Source},
    proc_table::{self, Identity},
    readiness::{Findings, Ports, Subject, watch},
    reaper::{Reaper, ledger::Ledger},
    sockets::{HeldSocket, HeldSockets},
    spec::{CommandLine, ListenAddress, Probe, Target, TargetPort},
};
use rustix::process::Signal;
use tokio::task::JoinHandle;

static TURN: Mutex<()> = Mutex::new(());

/// The reaper; but a tree can be said to consist of one process only, as if its old and its new half
/// were two trees.
struct Kin {
    reaper: Reaper,
    only: RefCell<Option<u32>>,
}

impl Children for Kin {
    fn spawn(&self, launch: &Launch, owner: Owner) -> Result<Spawned, SpawnError> {
        self.reaper.spawn(launch, owner)
    }

    fn terminate(&self, tree: TreeId) {
        self.reaper.terminate(tree);
    }

    fn kill(&self, tree: TreeId) {
        self.reaper.kill(tree);
    }

    fn members(&self, tree: TreeId) -> Vec<u32> {
        match *self.only.borrow() {
            Some(pid) => vec![pid],
            None => self.reaper.members(tree),
        }
    }
}

struct NoLines;

impl Actor for NoLines {
    type Context = Context<Self>;
}

impl Handler<AwaitLine> for NoLines {
    type Result = Option<String>;

    fn handle(&mut self, _: AwaitLine, _: &mut Self::Context) -> Self::Result {
        None
    }
}

struct Scene {
    kin: Rc<Kin>,
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// A run, killed when it is dropped.
struct Run {
    spawned: Spawned,
    launch: Launch,
    kin: Rc<Kin>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kin.kill(self.spawned.tree);
    }
}

struct Watch {
    ready: JoinHandle<()>,
    findings: Findings,
}

impl Scene {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().join("children.json"));
        let reaper = Reaper::start(folder.path().to_owned(), ledger).unwrap();
        let only = RefCell::default();
        Self {
            kin: Rc::new(Kin { reaper, only }),
            folder,
            _turn: turn,
        }
    }

    fn run(&self, program: &str, args: &[&str]) -> Run {
        let path = std::env::var_os("PATH").unwrap();
        let launch = Launch {
            sockets: HeldSockets::default(),
            program: program.into(),
            args: args.iter().map(Into::into).collect(),
            cwd: self.folder.path().to_owned(),
            environment: vec![
                ("PATH".into(), path),
                ("NOTIFY_SOCKET".into(), "/run/its/own".into()),
                ("COLOUR".into(), "blue".into()),
            ],
            marker: Marker {
                process: "main".parse().unwrap(),
                run: "1".into(),
            },
        };
        let spawned = self.kin.spawn(&launch, Box::new(|_| ())).unwrap();
        let kin = Rc::clone(&self.kin);
        Run {
            spawned,
            launch,
            kin,
        }
    }

    fn watch(&self, run: &Run, probe: Probe) -> Watch {
        let findings = Findings::default();
        let children: SharedChildren = Rc::clone(&self.kin) as _;
        let subject = Subject {
            tree: run.spawned.tree,
            log: LogKey {
                process: run.launch.marker.process.clone(),
                source: Source::Run(RunId(1)),
            },
            port: None,
            launch: run.launch.clone(),
        };
        let ports = Ports {
            children,
            lines: NoLines.start().recipient(),
        };
        let ready = actix::spawn(watch(probe, subject, ports, findings.clone()));
        Watch { ready, findings }
    }

    fn exec(&self, script: &str) -> Probe {
        use std::os::unix::fs::PermissionsExt;
        let check = self.folder.path().join("check");
        std::fs::write(&check, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&check, PermissionsExt::from_mode(0o755)).unwrap();
        Probe::Exec(CommandLine {
            program: "./check".into(),
            args: vec!["an argument".into()],
        })
    }
}

impl Run {
    /// With a socket that an old child may have as well.
    fn held(mut self) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ListenAddress::Tcp(socket.local_addr().unwrap());
        self.launch.sockets = HeldSockets::new(vec![HeldSocket {
            name: "http".into(),
            address,
            descriptor: OwnedFd::from(socket).into(),
            place: None,
        }]);
        self
    }

    /// Reads the numbers of the line that it prints.
    async fn prints(&self) -> Vec<u32> {
        let pipe: OwnedFd = self.spawned.stdout.try_clone().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut pipe = std::fs::File::from(pipe);
            rustix::io::ioctl_fionbio(&pipe, false).unwrap();
            let mut text = String::new();
            let mut byte = [0];
            while !text.ends_with('\n') {
                assert_eq!(pipe.read(&mut byte).unwrap(), 1, "ended after {text:?}");
                text.push(byte[0].into());
            }
            text
        });
        let text = read.await.unwrap();
        let numbers = text.split_ascii_whitespace();
        numbers.map(|number| number.parse().unwrap()).collect()
    }
}

impl Watch {
    async fn says(&mut self, expected: &str) {
        let said = eventually(|| self.ready.is_finished() || self.findings.why_not() == expected);
        said.await;
        assert_eq!(self.findings.why_not(), expected);
        assert!(!self.ready.is_finished(), "it is ready");
    }

    async fn becomes_ready(self) {
        let ready = tokio::time::timeout(Duration::from_secs(20), self.ready).await;
        assert!(ready.is_ok(), "not ready: {}", self.findings.why_not());
    }
}

/// Returns when it is so, or after a long time.
async fn eventually(mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // What was expected is asserted by the caller, who can say what there is instead.
    let _ = tokio::time::timeout(Duration::from_secs(20), so).await;
}

fn target(port: u32) -> Target {
    Target {
        host: "127.0.0.1".into(),
        port: TargetPort::Fixed(port.try_into().unwrap()),
    }
}

fn http(port: u32) -> Probe {
    Probe::Http {
        target: target(port),
        path: "/".into(),
    }
}

/// Two processes with one listening socket, which both begin to accept on SIGUSR1. They answer
/// whoever asks, and keep whom they accepted.
const TWO: &str = r#"
import os, signal, socket, threading
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
listener = socket.create_server(("127.0.0.1", 0))
child = os.fork()
if child:
    print(listener.getsockname()[1], os.getpid(), child, flush=True)
signal.sigwait([signal.SIGUSR1])
def serve(connection):
    while connection.recv(1000):
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
"#;

fn begin(pid: u32) {
    Identity::of(pid).unwrap().signal(Signal::USR1);
}

#[actix::test]
async fn of_two_that_share_a_queue_only_the_new_one_makes_ready() {
    let scene = Scene::new();
    for probe in [|port| Probe::Tcp(target(port)), http] {
        let run = scene.run("python3", &["-c", TWO]).held();
        let numbers = run.prints().await;
        let [port, old, new] = numbers[..] else {
            panic!("{numbers:?}")
        };
        scene.kin.only.replace(Some(new));
        let mut watch = scene.watch(&run, probe(port));
        let queued = format!("127.0.0.1:{port} accepts no connection yet");
        watch.says(&queued).await;
        begin(old);
        let words = "the old process took every probe; use notify or log";
        watch.says(words).await;
        begin(new);
        watch.becomes_ready().await;
    }
}

#[actix::test]
async fn a_descendant_of_the_run_may_accept_for_it() {
    let scene = Scene::new();
    let run = scene.run("python3", &["-c", TWO]).held();
    let numbers = run.prints().await;
    let watch = scene.watch(&run, http(numbers[0]));
    begin(numbers[2]);
    watch.becomes_ready().await;
}

#[actix::test]
async fn another_process_at_the_port_is_named() {
    let scene = Scene::new();
    let run = scene.run("python3", &["-c", TWO]);
    let numbers = run.prints().await;
    let [port, old, new] = numbers[..] else {
        panic!("{numbers:?}")
    };
    scene.kin.only.replace(Some(new));
    let mut watch = scene.watch(&run, http(port));
    begin(old);
    let comm = std::fs::read_to_string(format!("/proc/{old}/comm")).unwrap();
    let words = format!(
        "127.0.0.1:{port} is served by another process (pid {old}, {})",
        comm.trim_end()
    );
    watch.says(&words).await;
}

#[actix::test]
async fn a_check_is_repeated_until_it_succeeds() {
    let scene = Scene::new();
    let run = scene.run("sleep", &["1000"]);
    let probe = scene.exec("[ -e done ] && exit 0; echo progress; echo \"$1 fails\" >&2; exit 3");
    let mut watch = scene.watch(&run, probe);
    watch.says("./check: exit code 3: an argument fails").await;
    std::fs::write(scene.folder.path().join("done"), "").unwrap();
    watch.becomes_ready().await;
}

#[actix::test]
async fn a_check_runs_as_the_run_does_knows_its_pid_and_cannot_speak_for_it() {
    let scene = Scene::new();
    let run = scene.run("sleep", &["1000"]);
    let probe = scene.exec("echo $PWD $COLOUR $BPM_PID $BPM_PROCESS ${NOTIFY_SOCKET-none}; exit 1");
    let mut watch = scene.watch(&run, probe);
    let folder = scene.folder.path().display();
    let pid = run.spawned.pid;
    watch
        .says(&format!(
            "./check: exit code 1: {folder} blue {pid} main none"
        ))
        .await;
}

#[actix::test]
async fn a_check_that_prints_much_is_neither_slowed_nor_killed_by_its_pipes() {
    let scene = Scene::new();
    let run = scene.run("sleep", &["1000"]);
    let probe = scene.exec("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2");
    scene.watch(&run, probe).becomes_ready().await;
}

#[actix::test]
async fn a_check_that_cannot_be_run_says_so() {
    let scene = Scene::new();
    let run = scene.run("sleep", &["1000"]);
    let probe = Probe::Exec(CommandLine {
        program: "./missing".into(),
        args: vec![],
    });
    let words = "cannot run ./missing: No such file or directory (os error 2)";
    scene.watch(&run, probe).says(words).await;
}

#[actix::test]
async fn a_check_and_what_it_started_end_with_the_watch() {
    let scene = Scene::new();
    let run = scene.run("sleep", &["1000"]);
    let probe = scene.exec("sleep 1000 & echo $$ $! > pids.new; mv pids.new pids; wait");
    let watch = scene.watch(&run, probe);
    let file = scene.folder.path().join("pids");
    eventually(|| file.exists()).await;
    let pids = std::fs::read_to_string(&file).unwrap();
    let pids = pids.split_ascii_whitespace();
    let pids: Vec<u32> = pids.map(|pid| pid.parse().unwrap()).collect();
    let is_there = |pid: &u32| proc_table::Stat::of(*pid).is_some_and(|stat| stat.is_alive());
    assert!(pids.len() == 2 && pids.iter().all(is_there), "{pids:?}");
    watch.ready.abort();
    eventually(|| !pids.iter().any(is_there)).await;
    assert!(!pids.iter().any(is_there), "something is left of the check");
    assert!(is_there(&run.spawned.pid), "the run itself was ended");
}
