//! What a changed configuration does to a process.

use super::*;
use crate::{
    restart::{ConfigRejected, Remove, Replace, Stop},
    sockets::Doors,
    spec::CommandLine,
};

impl Scene {
    async fn replace(&self, edit: impl FnOnce(&mut ProcessSpec)) {
        let mut spec = spec();
        edit(&mut spec);
        let spec = Arc::new(spec);
        let doors = Doors::Own;
        self.actor.send(Replace { spec, doors }).await.unwrap();
    }

    /// The builder hands back what it was given.
    async fn reuses(&mut self) {
        let (job, work) = self.builds.recv().await.unwrap();
        let Work::Reuse(artifact) = work else {
            panic!("{work:?}");
        };
        let built = Built {
            artifact,
            report: None,
            said: bytes::Bytes::new(),
        };
        let outcome = Ok(built);
        self.actor.send(BuildDone { job, outcome }).await.unwrap();
    }

    fn texts(&self, kind: EventKind) -> Vec<String> {
        let events = self.report().events.into_iter();
        let events = events.filter(|event| event.kind == kind);
        events.map(|event| event.text).collect()
    }
}

fn featured(spec: &mut ProcessSpec) {
    if let Program::Rust(target) = &mut spec.program {
        target.features.push("nope".into());
    }
}

fn green(spec: &mut ProcessSpec) {
    spec.env.insert("COLOUR".into(), "green".into());
}

#[actix::test]
async fn a_changed_environment_is_what_the_next_child_of_the_same_program_gets() {
    let mut scene = Scene::running().await;
    scene.replace(green).await;
    assert_eq!(
        scene.texts(EventKind::Reloaded),
        ["env changed: a new run without a build"]
    );
    scene.reuses().await;
    scene.dies(1, Exit::Code(0)).await;
    let launches = scene.stage.launches.borrow();
    assert_eq!(launches[1].program, launches[0].program);
    let colour = ("COLOUR".into(), "green".into());
    assert!(launches[1].environment.contains(&colour));
}

#[actix::test]
async fn a_rollback_says_that_it_goes_back_to_the_configuration_before() {
    let mut scene = Scene::running().await;
    scene.replace(green).await;
    scene.reuses().await;
    scene.dies(1, Exit::Code(0)).await;
    scene.dies(2, Exit::Code(1)).await;
    assert_eq!(
        scene.texts(EventKind::RolledBack),
        [
            "run 2: exit code 1; the last good version is started again, as .mcp-run had it before the change"
        ]
    );
    let launches = scene.stage.launches.borrow();
    assert_eq!(launches[2].environment, launches[0].environment);
}

#[actix::test]
async fn an_edit_that_was_not_built_is_not_held_against_what_runs_once_it_is_undone() {
    let mut scene = Scene::running().await;
    scene.replace(featured).await;
    scene.build_fails(2).await;
    assert_eq!(scene.report().behind, Some(Behind::BuildFailed));
    scene.replace(|_| {}).await;
    assert_eq!(scene.report().behind, None);
    // Nor against what is started without a build later.
    scene.replace(green).await;
    scene.reuses().await;
    scene.dies(1, Exit::Code(0)).await;
    scene.passes(Duration::from_secs(1)).await;
    let now = scene.report();
    assert_eq!((now.run, now.behind), (Some(RunId(2)), None));
}

#[actix::test]
async fn an_edit_that_failed_before_cargo_is_not_held_against_what_runs_once_it_is_undone() {
    let mut scene = Scene::running().await;
    scene.replace(featured).await;
    let job = scene.job().await;
    let outcome = Err(BuildFailure {
        reason: "no feature nope".into(),
        report: None,
    });
    scene.actor.send(BuildDone { job, outcome }).await.unwrap();
    assert_eq!(scene.report().behind, Some(Behind::BuildFailed));
    scene.replace(|_| {}).await;
    assert_eq!(scene.report().behind, None);
    assert!(scene.board.borrow().unbuilt(Instant::now()).is_none());
}

#[actix::test]
async fn an_edit_that_was_built_and_failed_is_not_held_against_what_runs_once_it_is_undone() {
    let mut scene = Scene::running().await;
    scene.replace(featured).await;
    scene.builds(2, Mode::Release).await;
    scene.dies(1, Exit::Code(0)).await;
    scene.dies(2, Exit::Code(1)).await;
    scene.passes(Duration::from_secs(1)).await;
    assert_eq!(scene.report().behind, Some(Behind::RolledBack));
    scene.replace(|_| {}).await;
    assert_eq!(scene.report().behind, None);
}

#[actix::test]
async fn sources_that_were_not_built_stay_held_against_what_runs_when_an_edit_needs_no_build() {
    let mut scene = Scene::running().await;
    drop(scene.asks(Mode::Dev, Cause::Requested).await);
    scene.build_fails(2).await;
    scene.replace(green).await;
    scene.reuses().await;
    scene.dies(1, Exit::Code(0)).await;
    scene.passes(Duration::from_secs(1)).await;
    let now = scene.report();
    assert_eq!(
        (now.run, now.behind),
        (Some(RunId(2)), Some(Behind::BuildFailed))
    );
}

#[actix::test]
async fn an_edit_that_is_undone_while_it_is_built_says_that_what_runs_has_it() {
    let mut scene = Scene::running().await;
    scene.replace(featured).await;
    scene.job().await;
    scene.replace(|_| {}).await;
    scene.settles().await;
    assert!(scene.facts.borrow().contains(&"cancel".to_owned()));
    let texts = scene.texts(EventKind::Reloaded);
    assert_eq!(texts[0], "features changed: as what runs has it");
    let now = scene.report();
    assert_eq!((now.state, now.behind), (StateName::Running, None));
}

#[actix::test]
async fn a_rollback_to_an_entry_of_npm_has_its_colours() {
    let line = |program: &str| CommandLine {
        program: program.into(),
        args: Vec::new(),
    };
    let mut scene = Scene::of(ProcessSpec {
        program: Program::Npm(line("npm")),
        ..spec()
    });
    scene.asks(Mode::Release, Cause::Boot).await;
    scene.builds(1, Mode::Release).await;
    scene.passes(Duration::from_secs(1)).await;
    let other = line("serve");
    let replaced = scene.replace(|it| it.program = Program::Command(other));
    replaced.await;
    scene.builds(2, Mode::Release).await;
    scene.dies(1, Exit::Code(0)).await;
    scene.dies(2, Exit::Code(1)).await;
    let launches = scene.stage.launches.borrow();
    let coloured = |launch: &Launch| {
        let names = launch.environment.iter().map(|(name, _)| name);
        names.into_iter().any(|name| name == "FORCE_COLOR")
    };
    let coloured: Vec<bool> = launches.iter().map(coloured).collect();
    assert_eq!(coloured, [true, false, true]);
}

#[actix::test]
async fn the_same_entry_again_is_no_change() {
    let mut scene = Scene::running().await;
    scene.replace(|_| {}).await;
    assert!(scene.texts(EventKind::Reloaded).is_empty());
    assert!(scene.builds.try_recv().is_err());
}

#[actix::test]
async fn a_rejected_configuration_stands_in_the_history() {
    let scene = Scene::running().await;
    let why = "/p/.mcp-run:3: nonsense".to_owned();
    scene.actor.send(ConfigRejected { why }).await.unwrap();
    assert_eq!(
        scene.texts(EventKind::ConfigInvalid),
        ["/p/.mcp-run:3: nonsense"]
    );
}

#[actix::test]
async fn orders_for_a_removed_process_are_answered_with_stopped_and_why() {
    let scene = Scene::running().await;
    let waiting = scene.asks(Mode::Dev, Cause::Requested).await;
    let gone = scene.actor.send(Remove);
    let late = async {
        let by = crate::restart::Asker::Person;
        let stop = scene.actor.send(Stop { by }).await.unwrap().unwrap();
        (waiting.await.unwrap(), stop.await.unwrap())
    };
    let (gone, (restart, stop)) = tokio::join!(gone, async {
        let late = late.await;
        scene.dies(1, Exit::Code(0)).await;
        late
    });
    gone.unwrap();
    assert_eq!((restart.ok, restart.outcome), (false, Outcome::Stopped));
    assert!(restart.next.unwrap().contains("removed from .mcp-run"));
    assert_eq!((stop.ok, stop.outcome), (true, Outcome::Stopped));
    assert!(scene.board.borrow().is_removed());
    assert!(!scene.board.borrow().is_ending());
}
