//! What callers are told when something happens in the first second of a run that a probe found ready
//! at once.

use super::*;
use crate::{
    pattern::Pattern,
    restart::{Asker, Stop},
    spec::{LinePattern, Probe, Readiness},
};

const HALF: Duration = Duration::from_millis(500);

fn probed() -> ProcessSpec {
    let up = LinePattern {
        text: "up".to_owned(),
        pattern: Pattern::parse("up").unwrap(),
    };
    ProcessSpec {
        readiness: Readiness::Probe {
            probe: Probe::Log(up),
            timeout: Duration::from_secs(30),
        },
        ..spec()
    }
}

/// Run 2, build 2 is ready, and who asked for it is not answered yet.
async fn just_swapped() -> (Scene, Pending) {
    let mut scene = Scene::of(probed());
    scene.asks(Mode::Release, Cause::Boot).await;
    scene.builds(1, Mode::Release).await;
    scene.passes(Duration::from_secs(20)).await;
    let pending = restarts(&mut scene, 1, 2).await;
    (scene, pending)
}

/// Asks for a restart; the child `old` leaves for that of `build`.
async fn restarts(scene: &mut Scene, old: usize, build: u64) -> Pending {
    let pending = scene.asks(Mode::Dev, Cause::Requested).await;
    scene.builds(build, Mode::Dev).await;
    scene.dies(old, Exit::Code(0)).await;
    scene.passes(Duration::from_millis(1)).await;
    assert_eq!(scene.report().state, StateName::Running);
    pending
}

#[actix::test]
async fn a_run_that_another_restart_replaces_was_a_success() {
    let (mut scene, first) = just_swapped().await;
    scene.passes(HALF).await;
    let second = restarts(&mut scene, 2, 3).await;
    scene.passes(HALF).await;
    let first = first.await.unwrap();
    assert_eq!((first.ok, first.outcome), (true, Outcome::Restarted));
    assert_eq!(first.run, Some(RunId(3)), "it serves now");
    assert_eq!(
        (first.build, first.exit, first.reason),
        (Some(BuildId(2)), None, None)
    );
    scene.passes(Duration::from_secs(1)).await;
    let second = second.await.unwrap();
    assert_eq!(
        (second.outcome, second.run),
        (Outcome::Restarted, Some(RunId(3)))
    );
}

#[actix::test]
async fn a_run_that_somebody_stops_is_stopped() {
    let (scene, mut pending) = just_swapped().await;
    scene.passes(HALF).await;
    let stopped = scene.actor.send(Stop { by: Asker::Agent });
    let stopped = stopped.await.unwrap().unwrap();
    let answer = pending.try_recv();
    let answer = match answer {
        Ok(answer) => answer,
        Err(_) => pending.await.unwrap(),
    };
    assert_eq!((answer.ok, answer.outcome), (false, Outcome::Stopped));
    scene.dies(2, Exit::Code(0)).await;
    assert_eq!(stopped.await.unwrap().outcome, Outcome::Stopped);
}

#[actix::test]
async fn a_crash_is_told_although_another_restart_follows() {
    let (mut scene, pending) = just_swapped().await;
    scene.passes(HALF).await;
    scene.dies(2, Exit::Code(3)).await;
    scene.asks(Mode::Dev, Cause::Requested).await;
    scene.passes(Duration::from_secs(1)).await;
    let answer = pending.await.unwrap();
    assert!(!answer.ok, "{answer:?}");
    assert_eq!(answer.outcome, Outcome::RolledBack);
    assert_eq!(
        answer.exit.map(|exit| (exit.run, exit.code)),
        Some((RunId(2), Some(3)))
    );
    let _ = scene.job().await;
}

#[actix::test]
async fn who_waits_for_less_than_a_second_is_told_of_the_success_in_time() {
    let mut scene = Scene::of(probed());
    let until = Some(Instant::now() + Duration::from_millis(600));
    let asked = scene.actor.send(Restart {
        mode: Mode::Dev,
        cause: Cause::Requested,
        until,
    });
    let mut pending = asked.await.unwrap().unwrap();
    scene.asks(Mode::Release, Cause::Boot).await;
    scene.builds(1, Mode::Dev).await;
    scene.passes(HALF).await;
    assert!(pending.try_recv().is_err(), "it has time left");
    scene.passes(Duration::from_millis(50)).await;
    assert_eq!(pending.await.unwrap().outcome, Outcome::Restarted);
}
