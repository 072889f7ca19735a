//! One process actor among doubles: scripted children, a recording builder and log store, paused time.

mod first_second;
mod reload;

use std::{
    cell::RefCell,
    ffi::OsString,
    rc::Rc,
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;

use super::*;
use crate::{
    artifact::{
        Artifact, BuildDone, BuildStarted, BuilderClosed, Built, Diagnostic, Environment, Sources,
        Work,
    },
    children::{Children, Launch, Owner, SpawnError, Spawned, TreeEvent, TreeId},
    events::Events,
    ids::{BuildId, JobId},
    report::{Behind, Health, Outcome, ProcessReport, StateName},
    restart::{Cause, Pending, Restart, Shutdown},
    spec::{CargoTarget, CrashPolicy, Program},
};

/// Children that live and die as the test says.
#[derive(Default)]
struct Stage {
    owners: RefCell<Vec<Owner>>,
    launches: RefCell<Vec<Launch>>,
    calls: RefCell<Vec<(&'static str, u64)>>,
    refuses: RefCell<Option<std::io::ErrorKind>>,
}

impl Children for Stage {
    fn spawn(&self, launch: &Launch, owner: Owner) -> Result<Spawned, SpawnError> {
        if let Some(kind) = self.refuses.borrow_mut().take() {
            return Err(SpawnError {
                program: launch.program.clone(),
                cause: kind.into(),
            });
        }
        self.owners.borrow_mut().push(owner);
        self.launches.borrow_mut().push(launch.clone());
        let number = u64::try_from(self.owners.borrow().len()).unwrap();
        let (stdout, _) = std::io::pipe().unwrap();
        let (stderr, _) = std::io::pipe().unwrap();
        Ok(Spawned {
            tree: TreeId(number),
            pid: 4000 + u32::try_from(number).unwrap(),
            stdout: stdout.into(),
            stderr: stderr.into(),
        })
    }

    fn terminate(&self, tree: TreeId) {
        self.calls.borrow_mut().push(("terminate", tree.0));
    }

    fn members(&self, _: TreeId) -> Vec<u32> {
        Vec::new()
    }

    fn kill(&self, tree: TreeId) {
        self.calls.borrow_mut().push(("kill", tree.0));
    }
}

/// Stands for the builder, the log store and the idle clock: passes on what they would have got.
struct Others {
    builds: mpsc::UnboundedSender<(JobId, Work)>,
    facts: Rc<RefCell<Vec<String>>>,
}

impl Actor for Others {
    type Context = Context<Self>;
}

impl Handler<Build> for Others {
    type Result = Result<(), BuilderClosed>;

    fn handle(&mut self, build: Build, _: &mut Self::Context) -> Self::Result {
        let _ = self.builds.send((build.job, build.work));
        Ok(())
    }
}

impl Handler<DescribeLastLines> for Others {
    type Result = MessageResult<DescribeLastLines>;

    fn handle(&mut self, _: DescribeLastLines, _: &mut Self::Context) -> Self::Result {
        MessageResult(vec!["thread 'main' panicked".to_owned()])
    }
}

impl Handler<DescribeErrorLines> for Others {
    type Result = MessageResult<DescribeErrorLines>;

    fn handle(&mut self, question: DescribeErrorLines, _: &mut Self::Context) -> Self::Result {
        let unlike = question.unlike.map(|key| key.source);
        MessageResult(vec![format!("{:?} unlike {unlike:?}", question.key.source)])
    }
}

impl Handler<AwaitLine> for Others {
    type Result = Option<String>;

    /// What is asked for was printed already.
    fn handle(&mut self, _: AwaitLine, _: &mut Self::Context) -> Self::Result {
        Some("up".to_owned())
    }
}

macro_rules! recorded {
    ($($message:ty: $text:expr;)*) => {$(
        impl Handler<$message> for Others {
            type Result = ();

            fn handle(&mut self, message: $message, _: &mut Self::Context) {
                let text: fn(&$message) -> String = $text;
                self.facts.borrow_mut().push(text(&message));
            }
        }
    )*};
}

recorded! {
    CancelBuild: |_| "cancel".to_owned();
    OpenLog: |open| format!("open {:?} {:?}", open.key.source, open.preface);
    Crashed: |crashed| format!("crashed {} {}", crashed.run, crashed.exit);
    Stopped: |stopped| format!("stopped {} {}", stopped.run, stopped.exit);
    TreeEnded: |ended| format!("tree ended {}", ended.run);
    ModeChanged: |changed| format!("mode {}", changed.mode);
}

struct Scene {
    stage: Rc<Stage>,
    actor: Addr<ProcessActor>,
    board: Board,
    builds: mpsc::UnboundedReceiver<(JobId, Work)>,
    facts: Rc<RefCell<Vec<String>>>,
}

fn spec() -> ProcessSpec {
    let program = Program::Rust(CargoTarget {
        args: vec!["--port".into()],
        ..CargoTarget::default()
    });
    let crash_policy = CrashPolicy {
        dev_wait: Duration::from_mins(2),
        release_initial: Duration::from_secs(1),
        release_max: Duration::from_mins(5),
    };
    ProcessSpec {
        env: BTreeMap::from([("COLOUR".into(), "blue".into())]),
        ..ProcessSpec::new("main".parse().unwrap(), program, "/p".into(), crash_policy)
    }
}

fn report(id: u64) -> BuildReport {
    BuildReport {
        id: BuildId(id),
        mode: Mode::Dev,
        at: SystemTime::UNIX_EPOCH,
        took: Duration::from_secs(2),
        error_count: 0,
        warning_count: 1,
        new_count: 0,
        fixed_count: 0,
        errors: vec![],
        omitted_count: 1,
    }
}

impl Scene {
    fn new() -> Self {
        Self::of(spec())
    }

    fn of(spec: ProcessSpec) -> Self {
        tokio::time::pause();
        let stage = Rc::new(Stage::default());
        let (sender, builds) = mpsc::unbounded_channel();
        let facts = Rc::new(RefCell::new(Vec::new()));
        let others = Others {
            builds: sender,
            facts: facts.clone(),
        }
        .start();
        let ports = Ports {
            children: stage.clone(),
            build: others.clone().recipient(),
            cancel_build: others.clone().recipient(),
            open_log: others.clone().recipient(),
            crashed: others.clone().recipient(),
            stopped: others.clone().recipient(),
            tree_ended: others.clone().recipient(),
            last_lines: others.clone().recipient(),
            error_lines: others.clone().recipient(),
            lines: others.clone().recipient(),
            notify_folder: "/nowhere".into(),
            mode: others.recipient(),
            events: Events::new(),
            environment: BaseEnvironment::of_daemon([
                ("COLOUR".into(), "red".into()),
                ("A".into(), "1".into()),
            ]),
        };
        let (actor, board) = ProcessActor::new(Arc::new(spec), ports, Sequence::new());
        Self {
            stage,
            actor: actor.start(),
            board,
            builds,
            facts,
        }
    }

    /// One that runs in release: run 1, build 1.
    async fn running() -> Self {
        let mut scene = Self::new();
        scene.asks(Mode::Release, Cause::Boot).await;
        scene.builds(1, Mode::Release).await;
        scene.passes(Duration::from_secs(1)).await;
        assert_eq!(scene.report().state, StateName::Running);
        scene
    }

    async fn asks(&self, mode: Mode, cause: Cause) -> Pending {
        self.actor
            .send(Restart {
                mode,
                cause,
                until: None,
            })
            .await
            .unwrap()
            .unwrap()
    }

    async fn job(&mut self) -> JobId {
        self.builds.recv().await.unwrap().0
    }

    async fn builds(&mut self, build: u64, mode: Mode) {
        let job = self.job().await;
        let artifact = Artifact {
            build: Some(BuildId(build)),
            mode,
            program: format!("/a/{build}").into(),
            environment: Arc::new(Environment {
                changes: BTreeMap::from([("A".into(), None), ("B".into(), Some("2".into()))]),
                ..Environment::default()
            }),
            sources: Sources::default(),
            spec: Arc::new(spec()),
        };
        let done = Built {
            artifact,
            report: Some(report(build)),
            said: format!("direnv: loading {build}\n").into(),
        };
        self.actor
            .send(BuildDone {
                job,
                outcome: Ok(done),
            })
            .await
            .unwrap();
    }

    async fn build_fails(&mut self, build: u64) {
        let job = self.job().await;
        let error = Diagnostic {
            level: "error".into(),
            code: Some("E0308".into()),
            file: Some("src/main.rs".into()),
            line: Some(3),
            column: Some(5),
            message: "mismatched types".into(),
            rendered: "error[E0308]: mismatched types".into(),
            new: true,
        };
        let report = BuildReport {
            error_count: 1,
            errors: vec![error],
            ..report(build)
        };
        let failure = BuildFailure {
            reason: "1 error".into(),
            report: Some(Box::new(report)),
        };
        self.actor
            .send(BuildDone {
                job,
                outcome: Err(failure),
            })
            .await
            .unwrap();
    }

    async fn dies(&self, child: usize, exit: Exit) {
        self.stage.owners.borrow()[child - 1](TreeEvent::Exited(exit));
        self.stage.owners.borrow()[child - 1](TreeEvent::Gone);
        self.settles().await;
    }

    /// Every message that was sent before this has been handled after it.
    async fn settles(&self) {
        for _ in 0..3 {
            let unknown = TreeGone { run: RunId(0) };
            self.actor.send(unknown).await.unwrap();
        }
    }

    async fn passes(&self, time: Duration) {
        tokio::time::advance(time).await;
        self.settles().await;
    }

    fn report(&self) -> ProcessReport {
        self.board.borrow().report(Instant::now())
    }
}

#[actix::test]
async fn a_child_gets_the_daemons_environment_then_direnvs_then_its_own() {
    let scene = Scene::running().await;
    let launches = scene.stage.launches.borrow();
    let expected: Vec<(OsString, OsString)> =
        vec![("B".into(), "2".into()), ("COLOUR".into(), "blue".into())];
    assert_eq!(launches[0].environment, expected);
    assert_eq!(launches[0].args, ["--port"]);
    assert_eq!(launches[0].marker.run, "1");
}

#[actix::test]
async fn a_restart_answers_when_the_new_child_has_proved_itself() {
    let mut scene = Scene::running().await;
    let mut pending = scene.asks(Mode::Dev, Cause::Requested).await;
    scene.builds(2, Mode::Dev).await;
    assert_eq!(*scene.stage.calls.borrow(), [("terminate", 1)]);
    tokio::time::advance(Duration::from_millis(7)).await;
    scene.dies(1, Exit::Code(0)).await;
    assert!(
        pending.try_recv().is_err(),
        "the new child proves itself first"
    );
    assert_eq!(scene.report().state, StateName::Proving);
    scene.passes(Duration::from_secs(1)).await;
    let answer = pending.await.unwrap();
    assert_eq!((answer.ok, answer.outcome), (true, Outcome::Restarted));
    assert_eq!(
        (answer.run, answer.pid, answer.build),
        (Some(RunId(2)), Some(4002), Some(BuildId(2)))
    );
    assert_eq!(
        (answer.pause_ms, answer.warning_count, answer.next),
        (Some(7.0), 1, None)
    );
    assert_eq!(
        answer.error_lines,
        ["Run(RunId(2)) unlike Some(Run(RunId(1)))"]
    );
    let status = scene.report();
    assert_eq!(
        (status.restarts, status.crashes, status.health),
        (1, 0, Some(Health::Ready))
    );
    assert!(scene.facts.borrow().contains(&"mode dev".to_owned()));
}

#[actix::test]
async fn a_failed_build_answers_with_its_errors_and_the_old_child_keeps_serving() {
    let mut scene = Scene::running().await;
    let pending = scene.asks(Mode::Dev, Cause::Requested).await;
    scene.build_fails(2).await;
    let answer = pending.await.unwrap();
    assert_eq!(
        (answer.ok, answer.outcome, answer.error_count),
        (false, Outcome::BuildFailed, 1)
    );
    assert_eq!(
        (answer.run, answer.pid, answer.mode),
        (Some(RunId(1)), Some(4001), Mode::Release)
    );
    assert_eq!(answer.behind, Some(Behind::BuildFailed));
    assert_eq!(
        answer.next.as_deref(),
        Some("run 1 keeps serving; fix the error and restart again")
    );
    assert_eq!(scene.report().behind, Some(Behind::BuildFailed));
    assert!(
        scene.stage.calls.borrow().is_empty(),
        "nothing was told to leave"
    );
}

#[actix::test]
async fn a_new_child_that_dies_is_reported_when_the_last_good_one_runs_again() {
    let mut scene = Scene::running().await;
    let mut pending = scene.asks(Mode::Dev, Cause::Requested).await;
    scene.builds(2, Mode::Dev).await;
    scene.dies(1, Exit::Code(0)).await;
    scene.dies(2, Exit::Code(101)).await;
    assert!(pending.try_recv().is_err(), "nothing serves yet");
    scene.passes(Duration::from_secs(1)).await;
    let answer = pending.await.unwrap();
    assert_eq!((answer.ok, answer.outcome), (false, Outcome::RolledBack));
    assert_eq!(
        answer.reason.as_deref(),
        Some("run 2 ended before it had proved itself (exit code 101)")
    );
    assert_eq!(answer.exit.unwrap().text, "exit code 101");
    assert_eq!(answer.last_lines, ["thread 'main' panicked"]);
    assert_eq!(
        (answer.run, answer.build),
        (Some(RunId(3)), Some(BuildId(2)))
    );
    let next = answer.next.unwrap();
    assert!(next.contains("a rollback does not touch data"), "{next}");
    let status = scene.report();
    assert_eq!(
        (status.behind, status.mode, status.crashes),
        (Some(Behind::RolledBack), Mode::Release, 1)
    );
}

#[actix::test]
async fn a_first_child_that_dies_is_reported_with_its_exit_and_last_lines() {
    let mut scene = Scene::new();
    let pending = scene.asks(Mode::Dev, Cause::Requested).await;
    drop(scene.asks(Mode::Release, Cause::Boot).await);
    scene.builds(1, Mode::Dev).await;
    scene.dies(1, Exit::Code(101)).await;
    let answer = pending.await.unwrap();
    assert_eq!((answer.ok, answer.outcome), (false, Outcome::Crashed));
    assert_eq!(answer.exit.unwrap().text, "exit code 101");
    assert_eq!(answer.last_lines, ["thread 'main' panicked"]);
    assert_eq!((answer.run, answer.build), (None, Some(BuildId(1))));
    assert_eq!(scene.report().next_attempt_in_seconds, Some(120.0));
}

#[actix::test]
async fn a_program_that_cannot_be_executed_is_named_in_the_answer_and_in_the_status() {
    let mut scene = Scene::running().await;
    let pending = scene.asks(Mode::Dev, Cause::Requested).await;
    scene.builds(2, Mode::Dev).await;
    *scene.stage.refuses.borrow_mut() = Some(std::io::ErrorKind::PermissionDenied);
    scene.dies(1, Exit::Code(0)).await;
    scene.passes(Duration::from_secs(1)).await;
    let answer = pending.await.unwrap();
    assert_eq!(answer.outcome, Outcome::RolledBack);
    assert_eq!(
        answer.reason.as_deref(),
        Some("cannot run /a/2: permission denied")
    );
    let status = scene.report();
    assert_eq!(status.state, StateName::Running);
    assert!(
        status
            .events
            .iter()
            .any(|event| event.text.contains("cannot run /a/2"))
    );
}

#[actix::test]
async fn a_stopped_process_says_who_stopped_it_and_starts_again_in_its_mode() {
    let mut scene = Scene::running().await;
    let by = crate::restart::Asker::Agent;
    let stopping = scene.actor.send(crate::restart::Stop { by });
    let pending = stopping.await.unwrap().unwrap();
    assert_eq!(*scene.stage.calls.borrow(), [("terminate", 1)]);
    scene.dies(1, Exit::Signal(15)).await;
    let answer = pending.await.unwrap();
    assert_eq!((answer.ok, answer.outcome), (true, Outcome::Stopped));
    let status = scene.report();
    assert_eq!((status.state, status.crashes), (StateName::Stopped, 0));
    let by_whom = |it: &crate::report::EventReport| it.text.contains("an agent (MCP)");
    assert!(status.events.iter().any(by_whom), "{:?}", status.events);
    drop(scene.asks(Mode::Release, Cause::Idle).await);
    assert_eq!(scene.report().state, StateName::Stopped);

    let starting = scene.actor.send(crate::restart::Start { until: None });
    let pending = starting.await.unwrap().unwrap();
    scene.builds(1, Mode::Release).await;
    scene.passes(Duration::from_secs(1)).await;
    let answer = pending.await.unwrap();
    assert_eq!((answer.ok, answer.outcome), (true, Outcome::Started));
    let events = scene.report().events;
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds[0], EventKind::Started, "{events:?}");
    assert!(!kinds.contains(&EventKind::Restarted), "{events:?}");
    let again = scene.actor.send(crate::restart::Start { until: None });
    let answer = again.await.unwrap().unwrap().await.unwrap();
    assert_eq!((answer.ok, answer.outcome), (true, Outcome::Running));
}

#[actix::test]
async fn the_idle_clock_hears_when_the_way_to_release_is_at_its_end() {
    let mut scene = Scene::running().await;
    drop(scene.asks(Mode::Dev, Cause::Requested).await);
    scene.builds(1, Mode::Dev).await;
    scene.dies(1, Exit::Signal(15)).await;
    scene.passes(Duration::from_secs(1)).await;
    let is_open = |pending: &mut Pending| {
        matches!(pending.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    };
    let mut failing = scene.asks(Mode::Release, Cause::Idle).await;
    assert!(is_open(&mut failing));
    scene.build_fails(2).await;
    assert!(!is_open(&mut failing));
    let mut overtaken = scene.asks(Mode::Release, Cause::Idle).await;
    assert!(is_open(&mut overtaken));
    let _pending = scene.asks(Mode::Dev, Cause::Requested).await;
    assert!(!is_open(&mut overtaken));
}

#[actix::test]
async fn a_crash_is_told_to_the_log_store_and_the_rest_of_the_tree_is_killed() {
    let mut scene = Scene::running().await;
    scene.dies(1, Exit::Signal(9)).await;
    assert_eq!(*scene.stage.calls.borrow(), [("kill", 1)]);
    assert!(
        scene
            .facts
            .borrow()
            .contains(&"crashed 1 signal 9 (SIGKILL)".to_owned())
    );
    let status = scene.report();
    assert_eq!(
        (status.state, status.serving, status.uptime_seconds),
        (StateName::BackingOff, false, None)
    );
    assert_eq!(status.last_exit.unwrap().text, "signal 9 (SIGKILL)");
    scene.passes(Duration::from_secs(1)).await;
    scene.builds(1, Mode::Release).await;
    assert_eq!(scene.report().run, Some(RunId(2)));
}

#[actix::test]
async fn the_log_store_is_told_once_that_a_tree_ended_and_before_the_next_run_begins() {
    let mut scene = Scene::running().await;
    let _pending = scene.asks(Mode::Dev, Cause::Requested).await;
    scene.builds(2, Mode::Dev).await;
    scene.facts.borrow_mut().clear();
    scene.stage.owners.borrow()[0](TreeEvent::Exited(Exit::Code(0)));
    scene.settles().await;
    assert_eq!(
        *scene.facts.borrow(),
        ["stopped 1 exit code 0"],
        "others may print"
    );
    scene.stage.owners.borrow()[0](TreeEvent::Gone);
    scene.stage.owners.borrow()[0](TreeEvent::Gone);
    scene.settles().await;
    assert_eq!(
        scene.facts.borrow()[1..],
        [
            "tree ended 1",
            // First what direnv said for it.
            "open Run(RunId(2)) b\"direnv: loading 2\\n\""
        ]
    );
}

#[actix::test]
async fn a_caller_who_hung_up_changes_nothing() {
    let mut scene = Scene::running().await;
    drop(scene.asks(Mode::Dev, Cause::Requested).await);
    scene.builds(2, Mode::Dev).await;
    scene.dies(1, Exit::Code(0)).await;
    scene.passes(Duration::from_secs(1)).await;
    let status = scene.report();
    assert_eq!(
        (status.state, status.run, status.crashes),
        (StateName::Running, Some(RunId(2)), 0)
    );
}

#[actix::test]
async fn an_attempt_that_failed_before_cargo_is_known_until_a_newer_one_goes_further() {
    let mut scene = Scene::running().await;
    let unbuilt = |scene: &Scene| {
        let event = scene.board.borrow().unbuilt(Instant::now());
        event.map(|event| event.text)
    };
    let refused = |job| BuildDone {
        job,
        outcome: Err(BuildFailure {
            reason: "direnv is not installed".into(),
            report: None,
        }),
    };
    drop(scene.asks(Mode::Dev, Cause::Requested).await);
    scene.build_fails(2).await;
    assert_eq!(unbuilt(&scene), None);

    drop(scene.asks(Mode::Dev, Cause::Requested).await);
    let job = scene.job().await;
    scene.actor.send(refused(job)).await.unwrap();
    assert_eq!(unbuilt(&scene).as_deref(), Some("direnv is not installed"));

    drop(scene.asks(Mode::Dev, Cause::Requested).await);
    let (job, build, mode) = (scene.job().await, BuildId(3), Mode::Dev);
    assert!(unbuilt(&scene).is_some());
    let started = BuildStarted { job, build, mode };
    scene.actor.send(started).await.unwrap();
    assert_eq!(unbuilt(&scene), None);
}

#[actix::test]
async fn events_are_kept_newest_first_and_at_most_ten() {
    let mut scene = Scene::running().await;
    for build in 2..12 {
        let pending = scene.asks(Mode::Dev, Cause::Requested).await;
        scene.build_fails(build).await;
        assert_eq!(pending.await.unwrap().outcome, Outcome::BuildFailed);
    }
    let events = scene.report().events;
    assert_eq!(events.len(), 10);
    assert!(
        events
            .iter()
            .all(|event| event.kind == EventKind::BuildFailed)
    );
}

#[actix::test]
async fn shutdown_is_answered_when_nobody_is_left_and_waiting_callers_are_told() {
    let scene = Scene::running().await;
    let pending = scene.asks(Mode::Dev, Cause::Requested).await;
    let ending = scene.actor.send(Shutdown);
    let ended = actix::spawn(ending);
    assert_eq!(pending.await.unwrap().outcome, Outcome::ShuttingDown);
    assert!(scene.facts.borrow().contains(&"cancel".to_owned()));
    assert!(!ended.is_finished(), "the child lives");
    scene.dies(1, Exit::Signal(15)).await;
    ended.await.unwrap().unwrap();
    assert!(
        scene
            .actor
            .send(Restart {
                mode: Mode::Dev,
                cause: Cause::Requested,
                until: None,
            })
            .await
            .unwrap()
            .is_err()
    );
}
