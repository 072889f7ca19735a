//! Watches with real sockets. The servers live in this process: it belongs to the run, or it does
//! not, as the test says.

use std::{io::ErrorKind, net::Ipv6Addr, time::Duration};

use actix::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;
use crate::{
    children::{Children, Marker, Owner, SpawnError, Spawned},
    ids::RunId,
    logs::Source,
    pattern::Pattern,
    sockets::{HeldSocket, HeldSockets},
    spec::{ListenAddress, Target, TargetPort},
};

/// A tree of these processes.
struct Family(Vec<u32>);

impl Children for Family {
    fn spawn(&self, launch: &Launch, _: Owner) -> Result<Spawned, SpawnError> {
        Err(SpawnError {
            program: launch.program.clone(),
            cause: ErrorKind::Unsupported.into(),
        })
    }

    fn terminate(&self, _: TreeId) {}

    fn kill(&self, _: TreeId) {}

    fn members(&self, _: TreeId) -> Vec<u32> {
        self.0.clone()
    }
}

/// A log store that knows one answer.
struct Lines(Option<String>);

impl Actor for Lines {
    type Context = Context<Self>;
}

impl Handler<AwaitLine> for Lines {
    type Result = Option<String>;

    fn handle(&mut self, asked: AwaitLine, _: &mut Self::Context) -> Self::Result {
        self.0
            .clone()
            .filter(|line| asked.pattern.matches(line.as_bytes()))
    }
}

/// Whether the servers of this process belong to the run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Served {
    ByRun,
    ByOther,
}

struct Scene {
    subject: Subject,
    ports: Ports,
}

impl Scene {
    fn new(served: Served) -> Self {
        let marker = Marker {
            process: "main".parse().unwrap(),
            run: "1".into(),
        };
        let subject = Subject {
            tree: TreeId(1),
            log: LogKey {
                process: marker.process.clone(),
                source: Source::Run(RunId(1)),
            },
            port: None,
            launch: Launch {
                program: "server".into(),
                args: vec![],
                cwd: "/".into(),
                environment: vec![],
                marker,
                sockets: HeldSockets::default(),
            },
        };
        let members = match served {
            Served::ByRun => vec![std::process::id()],
            Served::ByOther => vec![],
        };
        let ports = Ports {
            children: Rc::new(Family(members)),
            lines: Lines(Some("listening on 80".into())).start().recipient(),
        };
        Self { subject, ports }
    }

    /// With a socket that an old child may have as well.
    fn held(mut self) -> Self {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ListenAddress::Tcp(socket.local_addr().unwrap());
        self.subject.launch.sockets = HeldSockets::new(vec![HeldSocket {
            name: "http".into(),
            address,
            descriptor: std::os::fd::OwnedFd::from(socket).into(),
            place: None,
        }]);
        self
    }

    fn watch(self, probe: Probe) -> Watch {
        let findings = Findings::default();
        let ready = watch(probe, self.subject, self.ports, findings.clone());
        Watch {
            ready: actix::spawn(ready),
            findings,
        }
    }
}

struct Watch {
    ready: JoinHandle<()>,
    findings: Findings,
}

impl Watch {
    /// Waits until the watch says this, and not that the run is ready.
    async fn says(&mut self, expected: &str) {
        let mut last = String::new();
        let said = async {
            while last != expected {
                last = self.findings.why_not();
                assert!(!self.ready.is_finished(), "ready after {last:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let said = tokio::time::timeout(Duration::from_secs(20), said).await;
        assert!(said.is_ok(), "it says {last:?} instead of {expected:?}");
    }

    async fn becomes_ready(mut self) {
        let ready = tokio::time::timeout(Duration::from_secs(20), &mut self.ready).await;
        assert!(ready.is_ok(), "not ready: {}", self.findings.why_not());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ready.abort();
    }
}

fn target(port: u16) -> Target {
    Target {
        host: "127.0.0.1".into(),
        port: TargetPort::Fixed(port),
    }
}

fn http(port: u16) -> Probe {
    Probe::Http {
        target: target(port),
        path: "/health".into(),
    }
}

async fn listen(at: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind(at).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// A port at which nobody listens.
async fn vacant() -> u16 {
    listen("127.0.0.1:0").await.1
}

async fn answer(stream: &mut TcpStream, status: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    assert!(request.starts_with(b"GET /health HTTP/1.1\r\n"));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

#[actix::test]
async fn a_run_that_listens_but_does_not_accept_is_not_ready_until_it_does() {
    for scene in [Scene::new(Served::ByRun), Scene::new(Served::ByRun).held()] {
        let (listener, port) = listen("127.0.0.1:0").await;
        let mut watch = scene.watch(Probe::Tcp(target(port)));
        let queued = format!("127.0.0.1:{port} accepts no connection yet");
        watch.says(&queued).await;
        let mut probe = accept(&listener).await;
        watch.becomes_ready().await;
        assert_eq!(probe.read(&mut [0]).await.unwrap(), 0, "a byte was sent");
        let more = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
        assert!(more.is_err(), "the queue held more than one connection");
    }
}

#[actix::test]
async fn what_the_old_process_accepts_does_not_count_and_stays_open_without_a_byte() {
    for probe in [|port| Probe::Tcp(target(port)), http] {
        let (listener, port) = listen("127.0.0.1:0").await;
        let mut watch = Scene::new(Served::ByOther).held().watch(probe(port));
        let mut taken = Vec::new();
        for _ in 0..20 {
            taken.push(accept(&listener).await);
        }
        let words = "the old process took every probe; use notify or log";
        watch.says(words).await;
        for stream in &taken {
            let nothing = stream.try_read(&mut [0]).unwrap_err();
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        }
        // The next one waits in the queue: still the same is true.
        assert_eq!(watch.findings.why_not(), words);
        drop(watch);
        for mut stream in taken {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        }
    }
}

#[actix::test]
async fn another_process_at_the_port_is_named_and_does_not_count() {
    let (listener, port) = listen("127.0.0.1:0").await;
    let mut watch = Scene::new(Served::ByOther).watch(http(port));
    let _accepted = accept(&listener).await;
    let me = std::process::id();
    let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
    let words = format!(
        "127.0.0.1:{port} is served by another process (pid {me}, {})",
        comm.trim_end()
    );
    watch.says(&words).await;
}

#[actix::test]
async fn a_port_at_which_nobody_listens_is_probed_until_somebody_does() {
    let port = vacant().await;
    let mut watch = Scene::new(Served::ByRun).watch(Probe::Tcp(target(port)));
    watch
        .says(&format!("127.0.0.1:{port} refuses connections"))
        .await;
    let (listener, _) = listen(&format!("127.0.0.1:{port}")).await;
    let _probe = accept(&listener).await;
    watch.becomes_ready().await;
}

#[actix::test]
async fn one_who_accepts_and_closes_at_once_is_ready_when_nobody_else_can_accept() {
    let (listener, port) = listen("127.0.0.1:0").await;
    let watch = Scene::new(Served::ByRun)
        .held()
        .watch(Probe::Tcp(target(port)));
    let server = actix::spawn(async move {
        loop {
            drop(accept(&listener).await);
        }
    });
    watch.becomes_ready().await;
    server.abort();
}

#[actix::test]
async fn a_dual_stack_listener_answers_for_ipv4_and_ipv6() {
    for host in ["127.0.0.1", "::1", "localhost"] {
        let (listener, port) = listen("[::]:0").await;
        let probe = Probe::Tcp(Target {
            host: host.into(),
            port: TargetPort::Fixed(port),
        });
        let watch = Scene::new(Served::ByRun).held().watch(probe);
        let _probe = accept(&listener).await;
        watch.becomes_ready().await;
    }
}

#[actix::test]
async fn a_private_port_is_sought_on_either_loopback_address() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (listener, port) = listen(at).await;
        let mut scene = Scene::new(Served::ByRun);
        scene.subject.port = Some(port);
        let watch = scene.watch(Probe::Tcp(Target {
            host: "example.invalid".into(),
            port: TargetPort::Private,
        }));
        let probe = accept(&listener).await;
        assert_eq!(probe.local_addr().unwrap().port(), port);
        watch.becomes_ready().await;
    }
}

#[actix::test]
async fn somebody_else_on_one_loopback_address_does_not_hide_the_run_on_the_other() {
    let (listener, port) = listen("[::1]:0").await;
    // Nobody accepts there.
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let probe = Probe::Tcp(Target {
        host: "localhost".into(),
        port: TargetPort::Fixed(port),
    });
    let watch = Scene::new(Served::ByRun).watch(probe);
    let probe = accept(&listener).await;
    assert_eq!(probe.local_addr().unwrap().ip(), Ipv6Addr::LOCALHOST);
    watch.becomes_ready().await;
}

#[actix::test]
async fn a_run_without_a_private_port_is_told_to_have_none() {
    let mut watch = Scene::new(Served::ByRun).watch(Probe::Tcp(Target {
        host: "127.0.0.1".into(),
        port: TargetPort::Private,
    }));
    watch
        .says("the run was given no private port to probe")
        .await;
}

#[actix::test]
async fn answers_count_only_when_they_are_good() {
    let (listener, port) = listen("127.0.0.1:0").await;
    let mut watch = Scene::new(Served::ByRun).held().watch(http(port));
    for status in ["503 Service Unavailable", "404 Not Found"] {
        answer(&mut accept(&listener).await, status).await;
        let code = &status[..3];
        watch
            .says(&format!("http://127.0.0.1:{port}/health answered {code}"))
            .await;
    }
    drop(accept(&listener).await);
    let mut third = accept(&listener).await;
    third.write_all(b"220 mail\r\n").await.unwrap();
    watch
        .says(&format!(
            "http://127.0.0.1:{port}/health did not answer in HTTP"
        ))
        .await;
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    let mut last = accept(&listener).await;
    last.write_all(interim).await.unwrap();
    answer(&mut last, "302 Found").await;
    watch.becomes_ready().await;
}

#[actix::test]
async fn a_slow_first_answer_counts_and_is_not_asked_for_many_times() {
    tokio::time::pause();
    let (listener, port) = listen("127.0.0.1:0").await;
    let mut watch = Scene::new(Served::ByRun).watch(http(port));
    let mut first = accept(&listener).await;
    let counts = actix::spawn(async move {
        let mut more = Vec::new();
        loop {
            more.push(accept(&listener).await);
            assert!(more.len() < 10);
        }
    });
    watch
        .says(&format!(
            "http://127.0.0.1:{port}/health has not answered yet"
        ))
        .await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!watch.ready.is_finished());
    answer(&mut first, "200 OK").await;
    watch.becomes_ready().await;
    assert!(!counts.is_finished(), "there were too many");
    counts.abort();
}

#[actix::test]
async fn a_matching_line_is_ready_and_a_log_that_ended_without_one_never() {
    let probe = |text: &str| {
        Probe::Log(LinePattern {
            text: text.into(),
            pattern: Pattern::parse(text).unwrap(),
        })
    };
    let watch = Scene::new(Served::ByRun).watch(probe("listening on"));
    watch.becomes_ready().await;
    let mut watch = Scene::new(Served::ByRun).watch(probe("serving"));
    watch.says("no line matched \"serving\"").await;
}
