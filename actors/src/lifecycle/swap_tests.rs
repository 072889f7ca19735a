//! Single stories of swaps and rollbacks, told in words.

use std::{sync::Arc, time::Duration};

use super::{
    leave::MOST_DRAINING,
    tests::{DRAIN, GRACE, Life, STABLE, TIMEOUT, artifact, beside, probed, relayed, rust, serves},
    *,
};
use crate::{
    exit::Exit,
    spec::{Overlap, ProcessSpec, Sockets},
};

impl Life {
    /// One whose first run is ready: run 1 of build 1, in release.
    fn ready(spec: Arc<ProcessSpec>) -> Self {
        let mut life = Self::new(spec);
        life.happens(Event::Boot {
            mode: Mode::Release,
        });
        life.built(1, Mode::Release);
        life.finds_ready(1);
        life
    }

    fn finds_ready(&mut self, run: u64) -> &[Effect] {
        self.happens(Event::Ready { run: RunId(run) })
    }

    fn effects(&self, wanted: fn(&Effect) -> bool) -> bool {
        self.effects.iter().any(wanted)
    }
}

fn failed(run: u64, cause: FailureCause) -> Failure {
    Failure {
        run: RunId(run),
        cause,
    }
}

#[test]
fn a_new_child_starts_beside_the_old_one_which_leaves_when_the_new_one_is_ready() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    assert_eq!(Life::starts(life.built(2, Mode::Dev)), [(2, 2)]);
    assert_eq!(serves(&life), Some(1), "until the new one is ready");
    let effects = life.finds_ready(2).to_vec();
    let swapped = Debut::Swapped(RunId(1));
    assert_eq!(
        effects,
        [
            Effect::Ready {
                run: RunId(2),
                debut: swapped
            },
            Effect::Terminate { run: RunId(1) },
            answer(Ticket(1), Verdict::Swapped),
        ]
    );
    assert_eq!((serves(&life), life.machine.mode()), (Some(2), Mode::Dev));
    assert_eq!(
        life.machine.deadline(),
        Some(life.now + DRAIN),
        "the old one drains"
    );
    life.passes(DRAIN);
    assert!(life.effects(|it| matches!(it, Effect::Kill { run: RunId(1), .. })));
}

#[test]
fn a_new_child_has_company_until_the_old_one_is_killed_or_gone_and_a_dead_one_is_none() {
    let mut life = Life::ready(beside());
    let company = |life: &Life, run| life.machine.has_company(RunId(run));
    assert!(!company(&life, 1));
    life.restarts(1);
    life.built(2, Mode::Dev);
    assert!(company(&life, 2) && company(&life, 1));
    life.finds_ready(2);
    assert!(company(&life, 2), "the old one drains");
    life.passes(DRAIN);
    assert!(!company(&life, 2));
    life.exits(2, Exit::Signal(11));
    assert!(!company(&life, 3), "whose tree is not gone");
}

#[test]
fn behind_a_relay_the_old_child_is_told_to_end_when_its_last_connection_ended() {
    let mut life = Life::ready(relayed());
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.finds_ready(2);
    assert!(life.effects(|it| matches!(it, Effect::Drain { run: RunId(1) })));
    assert!(!life.effects(|it| matches!(it, Effect::Terminate { .. })));
    let ended = Event::Drained { run: RunId(1) };
    assert_eq!(
        life.happens(ended.clone()),
        [Effect::Terminate { run: RunId(1) }]
    );
    assert_eq!(life.happens(ended), [], "once");
    assert_eq!(life.machine.deadline(), Some(life.now + GRACE));
}

#[test]
fn behind_a_relay_the_old_child_is_told_to_end_when_it_had_time_enough() {
    let mut life = Life::ready(relayed());
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.finds_ready(2);
    assert_eq!(life.passes(DRAIN), [Effect::Terminate { run: RunId(1) }]);
    life.passes(GRACE);
    assert!(life.effects(|it| matches!(it, Effect::Kill { run: RunId(1), .. })));
}

#[test]
fn behind_a_relay_many_replaced_children_serve_side_by_side_before_the_oldest_must_go() {
    let mut life = Life::ready(relayed());
    let told = |it: &Effect| matches!(it, Effect::Terminate { .. });
    let most = MOST_DRAINING as u64;
    assert!(most >= 50, "fifty swaps in a row cut nobody off");
    for run in 2..=most + 1 {
        life.restarts(run);
        life.built(run, Mode::Dev);
        life.finds_ready(run);
        assert!(!life.effects(told), "{run} replaces one that serves on");
    }
    life.restarts(most + 2);
    life.built(most + 2, Mode::Dev);
    life.finds_ready(most + 2);
    assert!(life.effects(|it| matches!(it, Effect::Terminate { run: RunId(1) })));
    assert_eq!(life.effects.iter().filter(|it| told(it)).count(), 1);
}

#[test]
fn a_new_child_that_dies_leaves_the_old_one_alone() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    let effects = life.exits(2, Exit::Code(3)).to_vec();
    let failure = failed(2, FailureCause::Exited(Exit::Code(3)));
    assert_eq!(Life::answers(&effects), [(1, Verdict::RolledBack(failure))]);
    assert_eq!(
        (serves(&life), life.machine.mode(), Life::starts(&effects)),
        (Some(1), Mode::Release, vec![])
    );
    assert!(matches!(life.machine.state(), State::Running { .. }));
}

#[test]
fn a_new_child_that_is_not_ready_in_time_is_ended_and_the_old_one_goes_on() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    assert!(life.passes(TIMEOUT.mul_f64(0.9)).is_empty());
    let effects = life.passes(TIMEOUT.mul_f64(0.1)).to_vec();
    assert!(effects.contains(&Effect::NotReady { run: RunId(2) }));
    assert!(effects.contains(&Effect::Terminate { run: RunId(2) }));
    let failure = failed(2, FailureCause::NotReady);
    assert_eq!(Life::answers(&effects), [(1, Verdict::RolledBack(failure))]);
    assert_eq!(serves(&life), Some(1));
}

#[test]
fn a_child_that_cannot_be_started_leaves_the_old_one_alone() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    let effects = life.happens(Event::SpawnFailed { run: RunId(2) }).to_vec();
    let failure = failed(2, FailureCause::NotStarted);
    assert_eq!(Life::answers(&effects), [(1, Verdict::RolledBack(failure))]);
    assert_eq!(serves(&life), Some(1));
}

#[test]
fn the_old_child_may_die_while_the_new_one_proves_itself() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    assert_eq!(life.machine.accepting(), None, "connections wait");
    assert_eq!(
        Life::answers(life.finds_ready(2)),
        [(1, Verdict::Restarted)]
    );
}

#[test]
fn when_both_die_the_last_good_artifact_is_started_again() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    let effects = life.exits(2, Exit::Code(3)).to_vec();
    assert_eq!(Life::starts(&effects), [(3, 1)]);
    assert!(Life::answers(&effects).is_empty(), "nobody serves yet");
    let failure = failed(2, FailureCause::Exited(Exit::Code(3)));
    assert_eq!(
        Life::answers(life.finds_ready(3)),
        [(1, Verdict::RolledBack(failure))]
    );
}

#[test]
fn a_child_that_was_never_ready_leaves_for_the_next_one_and_is_not_gone_back_to() {
    let mut life = Life::new(beside());
    life.happens(Event::Boot {
        mode: Mode::Release,
    });
    life.built(1, Mode::Release);
    life.restarts(1);
    let effects = life.built(2, Mode::Dev).to_vec();
    assert!(effects.contains(&Effect::Terminate { run: RunId(1) }));
    assert_eq!(Life::starts(&effects), [(2, 2)]);
    let effects = life.passes(TIMEOUT).to_vec();
    let failure = failed(2, FailureCause::NotReady);
    assert_eq!(Life::answers(&effects), [(1, Verdict::Failed(failure))]);
    assert!(!life.effects(|it| matches!(it, Effect::RolledBack { .. })));
    assert_eq!(life.machine.mode(), Mode::Dev);
}

#[test]
fn a_restart_while_a_new_child_proves_itself_replaces_that_one_and_both_callers_learn_the_outcome()
{
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    assert!(
        life.restarts(2)
            .contains(&Effect::Terminate { run: RunId(2) })
    );
    assert_eq!(serves(&life), Some(1));
    assert_eq!(Life::starts(life.built(3, Mode::Dev)), [(3, 3)]);
    assert_eq!(
        Life::answers(life.finds_ready(3)),
        [(1, Verdict::Swapped), (2, Verdict::Swapped)]
    );
}

#[test]
fn without_overlap_the_old_child_serves_whom_it_has_and_is_gone_before_the_new_one_starts() {
    let spec = Arc::new(ProcessSpec {
        sockets: Sockets::Relayed {
            public: Vec::new(),
            overlap: Overlap::Alone,
        },
        ..ProcessSpec::clone(&relayed())
    });
    let mut life = Life::ready(spec);
    life.restarts(1);
    assert_eq!(life.built(2, Mode::Dev), [Effect::Drain { run: RunId(1) }]);
    assert_eq!(life.machine.accepting(), None, "connections wait");
    assert_eq!(life.machine.deadline(), Some(life.now + DRAIN));
    assert_eq!(
        life.happens(Event::Drained { run: RunId(1) }),
        [Effect::Terminate { run: RunId(1) }]
    );
    assert_eq!(Life::starts(&life.dies(1)), [(2, 2)]);
    assert_eq!(
        Life::answers(life.finds_ready(2)),
        [(1, Verdict::Restarted)]
    );
}

#[test]
fn without_overlap_a_child_that_is_handed_its_sockets_has_time_to_drain() {
    let spec = probed(Sockets::Held {
        listen: Vec::new(),
        overlap: Overlap::Alone,
    });
    let mut life = Life::ready(spec);
    life.restarts(1);
    assert_eq!(
        life.built(2, Mode::Dev),
        [Effect::Terminate { run: RunId(1) }]
    );
    assert_eq!(life.machine.deadline(), Some(life.now + DRAIN));
}

#[test]
fn without_sockets_a_new_child_that_dies_brings_the_last_good_artifact_back() {
    let mut life = Life::ready(probed(Sockets::Own));
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    let effects = life.dies(2);
    assert_eq!(Life::starts(&effects), [(3, 1)]);
    let failure = failed(2, FailureCause::Exited(Exit::Signal(9)));
    assert_eq!(
        Life::answers(life.finds_ready(3)),
        [(1, Verdict::RolledBack(failure))]
    );
    assert_eq!(life.machine.mode(), Mode::Release);
}

#[test]
fn a_fallback_that_fails_too_is_not_tried_again_at_once() {
    let mut life = Life::ready(probed(Sockets::Own));
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    life.dies(2);
    let effects = life.exits(3, Exit::Code(1)).to_vec();
    let failure = failed(2, FailureCause::Exited(Exit::Signal(9)));
    assert_eq!(Life::answers(&effects), [(1, Verdict::Failed(failure))]);
    assert!(matches!(life.machine.state(), State::BackingOff { .. }));
}

#[test]
fn a_crash_soon_after_the_swap_goes_back_to_the_last_good_artifact_once() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.finds_ready(2);
    life.dies(1);
    life.passes(STABLE.mul_f64(0.9));
    let effects = life.exits(2, Exit::Signal(11)).to_vec();
    assert_eq!(Life::starts(&effects), [(3, 1)]);
    assert!(
        effects
            .iter()
            .any(|it| matches!(it, Effect::RolledBack { .. }))
    );
    life.finds_ready(3);
    let effects = life.exits(3, Exit::Signal(11)).to_vec();
    assert!(Life::starts(&effects).is_empty(), "once");
    assert!(matches!(life.machine.state(), State::BackingOff { .. }));
}

#[test]
fn a_crash_of_a_child_that_was_stable_is_an_ordinary_one() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.finds_ready(2);
    life.now += STABLE;
    let effects = life.exits(2, Exit::Signal(11)).to_vec();
    assert!(Life::starts(&effects).is_empty());
    assert_eq!(
        life.machine.good().unwrap().build,
        artifact(2, Mode::Dev).build
    );
    assert!(matches!(life.machine.state(), State::BackingOff { .. }));
}

#[test]
fn the_same_program_again_is_nothing_to_go_back_to() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(1, Mode::Dev);
    life.finds_ready(2);
    let effects = life.exits(2, Exit::Signal(11)).to_vec();
    assert!(Life::starts(&effects).is_empty());
    assert!(matches!(life.machine.state(), State::BackingOff { .. }));
}

#[test]
fn a_stopped_process_stays_stopped_until_somebody_starts_it() {
    let mut life = Life::ready(beside());
    let stopped = life.happens(Event::Stop { ticket: Ticket(1) }).to_vec();
    assert_eq!(stopped, [Effect::Terminate { run: RunId(1) }]);
    assert_eq!(Life::answers(&life.dies(1)), [(1, Verdict::Stopped)]);
    let idle = Event::Idle { mode: Mode::Dev };
    assert_eq!(life.happens(idle), []);
    assert_eq!(life.machine.deadline(), None);
    life.happens(Event::Start { ticket: Ticket(2) });
    life.built(2, Mode::Dev);
    assert_eq!(
        Life::answers(life.finds_ready(2)),
        [(2, Verdict::Restarted)]
    );
}

#[test]
fn a_stop_during_a_restart_tells_its_caller_and_one_that_a_start_overtakes_is_superseded() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    let effects = life.happens(Event::Stop { ticket: Ticket(2) }).to_vec();
    assert_eq!(Life::answers(&effects), [(1, Verdict::Stopped)]);
    let effects = life.happens(Event::Start { ticket: Ticket(3) }).to_vec();
    assert_eq!(Life::answers(&effects), [(2, Verdict::Superseded)]);
    assert!(matches!(life.machine.state(), State::Building { .. }));
}

#[test]
fn what_was_stopped_before_the_boot_is_not_started_by_it() {
    let mut life = Life::new(rust());
    assert_eq!(
        Life::answers(life.happens(Event::Stop { ticket: Ticket(1) })),
        [(1, Verdict::Stopped)]
    );
    let boot = Event::Boot {
        mode: Mode::Release,
    };
    assert_eq!(life.happens(boot), []);
    assert!(matches!(life.machine.state(), State::Stopped { .. }));
}

#[test]
fn a_ready_child_that_gives_no_sign_of_life_is_killed_and_that_is_a_crash() {
    let watchdog = Some(Duration::from_secs(3));
    let spec = ProcessSpec::clone(&beside());
    let mut life = Life::ready(Arc::new(ProcessSpec { watchdog, ..spec }));
    life.passes(Duration::from_secs(2));
    life.happens(Event::Alive { run: RunId(1) });
    assert_eq!(life.passes(Duration::from_secs(2)), []);
    let kill = Effect::Kill {
        run: RunId(1),
        why: KillReason::Hung,
    };
    assert_eq!(life.passes(Duration::from_secs(1)), [kill]);
    assert_eq!(life.machine.deadline(), None, "once");
    life.exits(1, Exit::Signal(9));
    assert!(life.effects(|it| matches!(it, Effect::Crashed { .. })));
}

#[test]
fn what_served_before_the_change_comes_back_also_where_an_older_one_served_longer() {
    let mut life = Life::ready(probed(Sockets::Own));
    life.passes(STABLE);
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    life.finds_ready(2);
    life.restarts(2);
    life.built(3, Mode::Dev);
    life.dies(2);
    life.exits(3, Exit::Code(101));
    assert_eq!(Life::starts(&life.dies(3)), [(4, 2)], "build 2");
}

#[test]
fn the_idle_change_swaps_like_a_restart_and_a_failed_one_leaves_dev_running() {
    let mut life = Life::ready(beside());
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.finds_ready(2);
    life.dies(1);
    life.happens(Event::Idle {
        mode: Mode::Release,
    });
    assert_eq!(Life::starts(life.built(3, Mode::Release)), [(3, 3)]);
    life.exits(3, Exit::Code(1));
    assert_eq!((serves(&life), life.machine.mode()), (Some(2), Mode::Dev));
}
