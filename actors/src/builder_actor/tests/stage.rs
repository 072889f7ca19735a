//! What the builder's tests share: a project in a temporary folder, real children, and a recipient
//! that records.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::prelude::*;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::mkfifo,
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

use super::spawner::Spawner;
use crate::{
    artifact::{
        Artifact, Build, BuildDone, BuildFailure, BuildStarted, BuildWaits, BuilderClosed, Built,
        CancelBuild, DescribeKnown, Diagnosed, Known, Work,
    },
    build::environment::BaseEnvironment,
    builder_actor::{BuildLog, BuilderActor, Enlist},
    children::Children,
    ids::{BuildId, JobId, ProcessName, Sequence},
    logs::{Append, BuildEnded, BuildEnding, OpenLog, Source, Stream},
    spec::{CargoTarget, CommandLine, CrashPolicy, Mode, ProcessSpec, Program, Project},
};

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// What a recipient received.
#[derive(Debug)]
pub(super) enum Event {
    Opened(BuildId),
    Appended(Stream, String),
    Diagnosed(Diagnosed),
    Ended(BuildId, BuildEnding),
    Started(BuildStarted),
    Waits(BuildWaits),
    Done(Box<BuildDone>),
}

/// All recipients in one, so that the order between them is kept.
struct Recorder(mpsc::UnboundedSender<Event>);

impl Actor for Recorder {
    type Context = Context<Self>;
}

impl Handler<OpenLog> for Recorder {
    type Result = ();

    fn handle(&mut self, open: OpenLog, _: &mut Self::Context) {
        let Source::Build(build) = open.key.source else {
            panic!("{open:?}");
        };
        self.0.send(Event::Opened(build)).unwrap();
        let preface = String::from_utf8_lossy(&open.preface).into_owned();
        if !preface.is_empty() {
            let preface = Event::Appended(Stream::Stderr, preface);
            self.0.send(preface).unwrap();
        }
    }
}

impl Handler<Append> for Recorder {
    type Result = ();

    fn handle(&mut self, append: Append, _: &mut Self::Context) {
        let text = String::from_utf8_lossy(&append.bytes).into_owned();
        self.0.send(Event::Appended(append.stream, text)).unwrap();
    }
}

impl Handler<Diagnosed> for Recorder {
    type Result = ();

    fn handle(&mut self, diagnosed: Diagnosed, _: &mut Self::Context) {
        self.0.send(Event::Diagnosed(diagnosed)).unwrap();
    }
}

/// It remembers nothing.
impl Handler<DescribeKnown> for Recorder {
    type Result = Option<Arc<Known>>;

    fn handle(&mut self, _: DescribeKnown, _: &mut Self::Context) -> Self::Result {
        None
    }
}

impl Handler<BuildEnded> for Recorder {
    type Result = ();

    fn handle(&mut self, BuildEnded { build, ending, .. }: BuildEnded, _: &mut Self::Context) {
        self.0.send(Event::Ended(build, ending)).unwrap();
    }
}

impl Handler<BuildStarted> for Recorder {
    type Result = ();

    fn handle(&mut self, started: BuildStarted, _: &mut Self::Context) {
        self.0.send(Event::Started(started)).unwrap();
    }
}

impl Handler<BuildWaits> for Recorder {
    type Result = ();

    fn handle(&mut self, waits: BuildWaits, _: &mut Self::Context) {
        self.0.send(Event::Waits(waits)).unwrap();
    }
}

impl Handler<BuildDone> for Recorder {
    type Result = ();

    fn handle(&mut self, done: BuildDone, _: &mut Self::Context) {
        self.0.send(Event::Done(Box::new(done))).unwrap();
    }
}

/// Answered after everything that was sent before it.
#[derive(Message)]
#[rtype(result = "()")]
struct Settle;

impl Handler<Settle> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Settle, _: &mut Self::Context) {}
}

/// A project, its environment, and in the end a builder for it.
pub(super) struct Stage {
    pub(super) dir: TempDir,
    variables: BTreeMap<OsString, OsString>,
}

impl Stage {
    /// An empty project. cargo is the real one, offline, and nothing of the environment that the
    /// tests run in directs it elsewhere.
    pub(super) fn new() -> Self {
        let mut variables: BTreeMap<_, _> = std::env::vars_os().collect();
        variables.retain(|name, _| {
            let name = name.to_string_lossy();
            !name.starts_with("DIRENV_")
                && !name.starts_with("CARGO_BUILD_")
                && !name.starts_with("CARGO_PROFILE_")
                && name != "CARGO_TARGET_DIR"
        });
        let stage = Self {
            dir: TempDir::new().unwrap(),
            variables,
        };
        fs::create_dir(stage.project().dir).unwrap();
        stage.with("CARGO_NET_OFFLINE", "true")
    }

    pub(super) fn project(&self) -> Project {
        let root = self.dir.path().canonicalize().unwrap();
        Project {
            dir: root.join("project"),
            state_dir: root.join("state"),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.project().dir.join(name)
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// A script that stands before everything else in PATH.
    pub(super) fn script(self, name: &str, body: &str) -> Self {
        let bin = self.dir.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        let script = bin.join(name);
        fs::write(&script, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let path = &self.variables[OsStr::new("PATH")];
        let path = std::env::split_paths(path).filter(|folder| *folder != bin);
        let path = std::env::join_paths([bin.clone()].into_iter().chain(path)).unwrap();
        self.with("PATH", path)
    }

    pub(super) fn file(self, name: &str, content: &str) -> Self {
        write(&self.path(name), content);
        self
    }

    pub(super) fn fifo(self, name: &str) -> Self {
        mkfifo(&self.path(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        self
    }

    /// A package without dependencies, with `main.rs`, in a folder of the project.
    pub(super) fn package(self, folder: &str, name: &str, main: &str) -> Self {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        self.file(&format!("{folder}/Cargo.toml"), &manifest)
            .file(&format!("{folder}/src/main.rs"), main)
    }

    pub(super) fn spec(&self, name: &str, program: Program) -> ProcessSpec {
        let crash_policy = CrashPolicy {
            dev_wait: Duration::ZERO,
            release_initial: Duration::ZERO,
            release_max: Duration::ZERO,
        };
        let name = name.parse().unwrap();
        ProcessSpec::new(name, program, self.project().dir, crash_policy)
    }

    pub(super) fn rust(&self, name: &str, target: CargoTarget) -> ProcessSpec {
        self.spec(name, Program::Rust(target))
    }

    pub(super) fn command(&self, name: &str, program: &str) -> ProcessSpec {
        let line = CommandLine {
            program: program.to_owned(),
            args: Vec::new(),
        };
        self.spec(name, Program::Command(line))
    }

    /// A builder that works for these processes.
    pub(super) async fn build_for(self, specs: impl IntoIterator<Item = ProcessSpec>) -> Bench {
        let spawner = Rc::new(Spawner::default());
        let (tell, events) = mpsc::unbounded_channel();
        let recorder = Recorder(tell).start();
        let builder = BuilderActor::new(
            self.project(),
            BaseEnvironment::of_daemon(self.variables.clone()),
            Rc::clone(&spawner) as Rc<dyn Children>,
            Sequence::new(),
            BuildLog {
                open: recorder.clone().recipient(),
                append: recorder.clone().recipient(),
                diagnosed: recorder.clone().recipient(),
                known: recorder.clone().recipient(),
                ended: recorder.clone().recipient(),
            },
        );
        let bench = Bench {
            stage: self,
            builder: builder.start(),
            spawner,
            events,
            recorder,
            asked: Vec::new(),
            log: String::new(),
            foreign: String::new(),
            opened: Vec::new(),
            diagnosed: Vec::new(),
            ended: Vec::new(),
            started: Vec::new(),
        };
        for spec in specs {
            bench.enlist(spec).await;
        }
        bench
    }

    /// A builder for one process `main`.
    pub(super) async fn build_main(self, target: CargoTarget) -> Bench {
        let spec = self.rust("main", target);
        self.build_for([spec]).await
    }
}

pub(super) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A builder at work.
pub(super) struct Bench {
    pub(super) stage: Stage,
    pub(super) builder: Addr<BuilderActor>,
    pub(super) spawner: Rc<Spawner>,
    events: mpsc::UnboundedReceiver<Event>,
    recorder: Addr<Recorder>,
    /// Who asked for each job, from job 1 on.
    asked: Vec<ProcessName>,
    /// All that was appended to logs as stderr.
    pub(super) log: String,
    /// All that was appended to logs as stdout.
    pub(super) foreign: String,
    pub(super) opened: Vec<BuildId>,
    pub(super) diagnosed: Vec<Diagnosed>,
    pub(super) ended: Vec<(BuildId, BuildEnding)>,
    pub(super) started: Vec<BuildStarted>,
}

impl Bench {
    pub(super) async fn enlist(&self, spec: ProcessSpec) {
        let enlist = Enlist {
            spec: Arc::new(spec),
            started: self.recorder.clone().recipient(),
            waits: self.recorder.clone().recipient(),
            done: self.recorder.clone().recipient(),
        };
        self.builder.send(enlist).await.unwrap();
    }

    pub(super) async fn ask(&mut self, process: &str, work: Work) -> JobId {
        self.try_ask(process, work).await.unwrap()
    }

    pub(super) async fn try_ask(
        &mut self,
        process: &str,
        work: Work,
    ) -> Result<JobId, BuilderClosed> {
        let process: ProcessName = process.parse().unwrap();
        self.asked.push(process.clone());
        let job = JobId(self.asked.len() as u64);
        let build = Build {
            process,
            job,
            work,
            keep: Vec::new(),
        };
        self.builder.send(build).await.unwrap().map(|()| job)
    }

    pub(super) async fn cancel(&self, process: &str, job: JobId) {
        let process = process.parse().unwrap();
        let cancel = CancelBuild { process, job };
        self.builder.send(cancel).await.unwrap();
    }

    /// The next thing that happens.
    pub(super) async fn event(&mut self) -> Event {
        let event = timeout(LIMIT, self.events.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("nothing happens after:\n{}", self.log));
        let event = event.unwrap();
        self.note(&event);
        event
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Opened(build) => self.opened.push(*build),
            Event::Appended(Stream::Stderr, text) => self.log.push_str(text),
            Event::Appended(Stream::Stdout, text) => self.foreign.push_str(text),
            Event::Diagnosed(diagnosed) => self.diagnosed.push(diagnosed.clone()),
            Event::Ended(build, ending) => self.ended.push((*build, *ending)),
            Event::Started(started) => self.started.push(started.clone()),
            Event::Waits(_) | Event::Done(_) => {}
        }
    }

    /// What has happened already.
    pub(super) async fn so_far(&mut self) -> Vec<Event> {
        self.recorder.send(Settle).await.unwrap();
        let events: Vec<_> = std::iter::from_fn(|| self.events.try_recv().ok()).collect();
        for event in &events {
            self.note(event);
        }
        events
    }

    /// Waits until cargo is started.
    pub(super) async fn start(&mut self) -> ProcessName {
        loop {
            if let Event::Started(started) = self.event().await {
                let asked = usize::try_from(started.job.0).unwrap();
                return self.asked[asked - 1].clone();
            }
        }
    }

    /// Waits until cargo waits for another one.
    pub(super) async fn wait(&mut self) -> BuildWaits {
        loop {
            if let Event::Waits(waits) = self.event().await {
                return waits;
            }
        }
    }

    /// Waits for the next outcome.
    pub(super) async fn done(&mut self) -> (JobId, Result<Built, BuildFailure>) {
        loop {
            if let Event::Done(done) = self.event().await {
                return (done.job, done.outcome);
            }
        }
    }

    /// Asks for something and waits for what comes of it.
    pub(super) async fn built(&mut self, work: Work) -> Result<Built, BuildFailure> {
        let asked = self.ask("main", work).await;
        let (job, outcome) = self.done().await;
        assert_eq!(job, asked);
        outcome
    }

    pub(super) async fn compiled(&mut self) -> Built {
        match self.built(Work::Compile(Mode::Dev)).await {
            Ok(built) => built,
            Err(failure) => panic!("{failure:#?}\n{}", self.log),
        }
    }

    pub(super) async fn failed(&mut self) -> BuildFailure {
        self.built(Work::Compile(Mode::Dev)).await.unwrap_err()
    }

    /// The stdout of an artifact's run.
    #[expect(clippy::disallowed_methods, reason = "a test runs what was built")]
    pub(super) fn run(&self, artifact: &Artifact) -> String {
        let base = BaseEnvironment::of_daemon(self.stage.variables.clone());
        let output = Command::new(&artifact.program)
            .env_clear()
            .envs(base.of_run(&artifact.environment, &BTreeMap::new()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a script writes into this fifo.
    pub(super) async fn hear(&self, fifo: &str) -> String {
        let path = self.stage.path(fifo);
        let heard = tokio::task::spawn_blocking(move || fs::read_to_string(path).unwrap());
        timeout(LIMIT, heard).await.unwrap().unwrap()
    }

    /// Lets a script go on that reads this fifo.
    pub(super) async fn release(&self, fifo: &str) {
        let path = self.stage.path(fifo);
        let written = tokio::task::spawn_blocking(move || fs::write(path, "go\n").unwrap());
        timeout(LIMIT, written).await.unwrap().unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for group in self.spawner.groups() {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}
