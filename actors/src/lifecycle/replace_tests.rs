//! Single stories of changed configurations, told in words.

use std::{sync::Arc, time::Duration};

use super::{
    tests::{DRAIN, GRACE, Life, SETTLE, STABLE, TIMEOUT, beside, relayed, rust, serves},
    *,
};
use crate::{
    artifact::Work,
    exit::Exit,
    spec::{Program, Sockets},
};

fn edited(spec: &Arc<ProcessSpec>, edit: impl FnOnce(&mut ProcessSpec)) -> Arc<ProcessSpec> {
    let mut spec = ProcessSpec::clone(spec);
    edit(&mut spec);
    Arc::new(spec)
}

fn coloured(spec: &Arc<ProcessSpec>, colour: &str) -> Arc<ProcessSpec> {
    edited(spec, |it| {
        it.env.insert("COLOUR".into(), colour.into());
    })
}

/// One that takes a new build.
fn featured(spec: &Arc<ProcessSpec>) -> Arc<ProcessSpec> {
    edited(spec, |it| {
        if let Program::Rust(target) = &mut it.program {
            target.features.push("fast".into());
        }
    })
}

fn colour(spec: &ProcessSpec) -> Option<&str> {
    spec.env.get("COLOUR").map(String::as_str)
}

impl Life {
    fn of(spec: &Arc<ProcessSpec>) -> Self {
        let mut life = Self::new(spec.clone());
        life.happens(Event::Boot {
            mode: Mode::Release,
        });
        life.built(1, Mode::Release);
        life.happens(Event::Ready { run: RunId(1) });
        life.passes(SETTLE);
        assert!(matches!(life.machine.state(), State::Running { .. }));
        life
    }

    fn reloads(&mut self, spec: &Arc<ProcessSpec>) -> Vec<Effect> {
        let change = self.machine.spec.change_to(spec).unwrap();
        let spec = spec.clone();
        self.happens(Event::Replace { spec, change }).to_vec()
    }

    /// The builder hands back what it was given.
    fn reused(&mut self) -> Vec<Effect> {
        let State::Building {
            job,
            work: Work::Reuse(artifact),
            ..
        } = self.machine.state()
        else {
            panic!("{:?}", self.machine.state());
        };
        let (job, artifact) = (*job, artifact.clone());
        self.happens(Event::Built { job, artifact }).to_vec()
    }

    /// The colour of what runs.
    fn colour(&self) -> Option<String> {
        let run = self.machine.serving().unwrap();
        colour(&run.artifact.spec).map(str::to_owned)
    }
}

/// The run that is started, its build and its colour.
fn started(effects: &[Effect]) -> Option<(u64, u64, Option<&str>)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Start { run, artifact } => Some((run.0, artifact.build?.0, colour(&artifact.spec))),
        _ => None,
    })
}

#[test]
fn a_changed_environment_is_swapped_in_beside_the_old_child_and_nothing_is_built() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.reloads(&coloured(&spec, "blue"));
    let effects = life.reused();
    assert_eq!(started(&effects), Some((2, 1, Some("blue"))));
    assert_eq!(serves(&life), Some(1), "until the new one is ready");
    life.happens(Event::Ready { run: RunId(2) });
    assert_eq!(life.colour().as_deref(), Some("blue"));
}

#[test]
fn what_does_not_become_ready_is_rolled_back_to_the_entry_before() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.reloads(&coloured(&spec, "blue"));
    life.reused();
    let effects = life.passes(TIMEOUT).to_vec();
    let is_rollback =
        |it: &Effect| matches!(it, Effect::RolledBack { to: Instead::Old(run), .. } if run.0 == 1);
    assert!(effects.iter().any(is_rollback), "{effects:?}");
    assert_eq!(life.colour().as_deref(), Some("red"));
}

#[test]
fn without_sockets_a_new_entry_that_crashes_is_rolled_back_to_the_one_before_too() {
    let spec = coloured(&rust(), "red");
    let mut life = Life::of(&spec);
    life.reloads(&coloured(&spec, "blue"));
    life.reused();
    assert_eq!(started(&life.dies(1)), Some((2, 1, Some("blue"))));
    assert_eq!(started(&life.dies(2)), Some((3, 1, Some("red"))));
}

#[test]
fn a_change_back_to_what_runs_after_a_rollback_touches_nothing() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.reloads(&coloured(&spec, "blue"));
    life.reused();
    life.passes(TIMEOUT);
    assert!(life.reloads(&spec).is_empty());
    assert_eq!(serves(&life), Some(1));
}

#[test]
fn a_change_that_is_undone_while_its_run_proves_itself_leaves_the_old_run_alone() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.reloads(&coloured(&spec, "blue"));
    life.reused();
    assert_eq!(
        life.reloads(&spec),
        [Effect::Terminate { run: RunId(2) }],
        "nothing else is started"
    );
    assert!(matches!(life.machine.state(), State::Running { run } if run.id == RunId(1)));
}

#[test]
fn a_change_that_is_undone_while_it_is_built_is_not_built_to_its_end() {
    let spec = rust();
    let mut life = Life::of(&spec);
    life.reloads(&featured(&spec));
    let job = life.job();
    assert_eq!(life.reloads(&spec), [Effect::CancelBuild { job }]);
    assert!(matches!(life.machine.state(), State::Running { run } if run.id == RunId(1)));
}

#[test]
fn who_asked_for_the_newest_sources_gets_them_although_a_change_is_undone() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.reloads(&coloured(&spec, "blue"));
    life.reloads(&spec);
    let effects = life.reused();
    assert_eq!(started(&effects), Some((3, 2, Some("red"))));
    let effects = life.happens(Event::Ready { run: RunId(3) });
    assert_eq!(Life::answers(effects), [(1, Verdict::Swapped)]);
}

#[test]
fn a_build_that_fails_later_does_not_swap_what_a_change_was_undone_for() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.reloads(&coloured(&spec, "blue"));
    life.reused();
    life.reloads(&spec);
    life.restarts(1);
    let effects = life.build_fails();
    assert_eq!(effects.len(), 1, "the answer: {effects:?}");
    assert!(matches!(life.machine.state(), State::Running { run } if run.id == RunId(1)));
}

#[test]
fn a_build_under_way_goes_on_and_is_started_as_the_newest_entry_has_it() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.restarts(1);
    assert!(life.reloads(&coloured(&spec, "blue")).is_empty());
    let effects = life.built(2, Mode::Dev).to_vec();
    assert_eq!(started(&effects), Some((2, 2, Some("blue"))));
    let effects = life.happens(Event::Ready { run: RunId(2) });
    assert_eq!(Life::answers(effects), [(1, Verdict::Swapped)]);
}

#[test]
fn when_that_build_fails_what_runs_is_swapped_all_the_same() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.restarts(1);
    life.reloads(&coloured(&spec, "blue"));
    assert_eq!(
        Life::answers(life.build_fails()),
        [(1, Verdict::BuildFailed)]
    );
    let effects = life.reused();
    assert_eq!(started(&effects), Some((2, 1, Some("blue"))));
}

#[test]
fn a_new_build_is_asked_for_where_the_program_would_be_another_one() {
    let spec = beside();
    let mut life = Life::of(&spec);
    life.restarts(1);
    let effects = life.reloads(&featured(&spec));
    let is_dev = |it: &Effect| {
        matches!(
            it,
            Effect::Build {
                work: Work::Compile(Mode::Dev),
                ..
            }
        )
    };
    assert!(
        effects.iter().any(is_dev),
        "the restart's mode: {effects:?}"
    );
    assert!(Life::answers(&effects).is_empty(), "it goes on");
}

#[test]
fn a_process_that_backs_off_tries_the_new_entry_at_once() {
    let spec = coloured(&rust(), "red");
    let mut life = Life::of(&spec);
    life.dies(1);
    assert!(matches!(life.machine.state(), State::BackingOff { .. }));
    life.reloads(&coloured(&spec, "blue"));
    assert_eq!(started(&life.reused()), Some((2, 1, Some("blue"))));
}

#[test]
fn a_shorter_wait_holds_for_the_one_under_way() {
    let spec = rust();
    let mut life = Life::of(&spec);
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    life.passes(SETTLE);
    life.passes(Duration::from_mins(1));
    life.dies(2);
    let new = edited(&spec, |it| {
        it.crash_policy.dev_wait = Duration::from_secs(5);
    });
    let began = life.now;
    assert!(life.reloads(&new).is_empty());
    assert_eq!(
        life.machine.deadline(),
        Some(began + Duration::from_secs(5))
    );
}

#[test]
fn limits_hold_for_what_runs_without_touching_it() {
    let spec = rust();
    let mut life = Life::of(&spec);
    let new = edited(&spec, |it| it.stop_grace = GRACE * 3);
    assert!(life.reloads(&new).is_empty());
    life.happens(Event::Stop { ticket: Ticket(1) });
    assert_eq!(life.machine.deadline(), Some(life.now + GRACE * 3));
}

#[test]
fn a_stopped_process_stays_stopped() {
    let spec = rust();
    let mut life = Life::of(&spec);
    life.happens(Event::Stop { ticket: Ticket(1) });
    life.dies(1);
    assert!(life.reloads(&coloured(&spec, "blue")).is_empty());
    assert!(matches!(life.machine.state(), State::Stopped { .. }));
}

#[test]
fn a_child_that_binds_its_own_port_is_gone_before_one_with_held_sockets_starts() {
    let held = beside();
    let own = edited(&held, |it| it.sockets = Sockets::Own);
    let mut life = Life::of(&own);
    life.reloads(&held);
    assert_eq!(started(&life.reused()), None, "not beside the old one");
    assert_eq!(started(&life.dies(1)), Some((2, 1, None)));
}

#[test]
fn the_sockets_before_a_move_are_asked_for_until_the_new_run_is_good_to_go_back_to() {
    let (held, relayed) = (beside(), relayed());
    for (before, after) in [(&held, &relayed), (&relayed, &held)] {
        let mut life = Life::of(before);
        let asks = |life: &Life| {
            let machine = &life.machine;
            machine.concerns(|it| it.sockets.has_doors_of(&before.sockets))
        };
        life.reloads(after);
        life.reused();
        life.happens(Event::Ready { run: RunId(2) });
        life.happens(Event::Drained { run: RunId(1) });
        life.dies(1);
        assert!(asks(&life), "it may have to go back");
        let good_at = life.now + STABLE;
        assert_eq!(life.machine.deadline(), Some(good_at));
        life.passes(STABLE);
        assert!(!asks(&life));
        assert_eq!(life.machine.deadline(), None);
    }
}

#[test]
fn nobody_is_woken_to_find_a_run_good_whose_sockets_did_not_move() {
    let spec = coloured(&beside(), "red");
    let mut life = Life::of(&spec);
    life.reloads(&coloured(&spec, "blue"));
    life.reused();
    life.happens(Event::Ready { run: RunId(2) });
    assert_eq!(life.machine.deadline(), Some(life.now + DRAIN));
    life.dies(1);
    assert_eq!(life.machine.deadline(), None);
}

#[test]
fn a_removed_process_ends_for_good_and_everybody_who_waits_is_answered() {
    let mut life = Life::of(&rust());
    life.restarts(1);
    let removed = life.happens(Event::Remove).to_vec();
    assert_eq!(Life::answers(&removed), [(1, Verdict::Removed)]);
    let late = life.restarts(2);
    assert_eq!(Life::answers(late), [(2, Verdict::Removed)]);
    life.exits(1, Exit::Code(0));
    let effects = life.happens(Event::TreeGone { run: RunId(1) });
    assert_eq!(effects, [Effect::Gone]);
    assert!(matches!(life.machine.state(), State::Gone(End::Removed)));
}

#[test]
fn who_waits_for_a_stop_when_it_is_removed_learns_when_it_is_stopped() {
    let mut life = Life::of(&rust());
    life.happens(Event::Stop { ticket: Ticket(1) });
    assert!(Life::answers(life.happens(Event::Remove)).is_empty());
    let effects = life.dies(1);
    assert_eq!(Life::answers(&effects), [(1, Verdict::Stopped)]);
}
