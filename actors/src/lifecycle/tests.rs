//! Single stories, told in words.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::*;
use crate::{
    artifact::{Environment, Sources, Work},
    exit::Exit,
    ids::{BuildId, JobId},
    spec::{
        CargoTarget, CommandLine, CrashPolicy, Listen, ListenAddress, Overlap, Probe, Program,
        Readiness, Sockets,
    },
};

pub(super) const SETTLE: Duration = Duration::from_secs(1);
/// How long a run must serve before it is good to go back to.
pub(super) const STABLE: Duration = Duration::from_secs(10);
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const DRAIN: Duration = Duration::from_secs(8);
pub(super) const GRACE: Duration = Duration::from_secs(5);

pub(super) fn spec(program: Program) -> Arc<ProcessSpec> {
    let crash_policy = CrashPolicy {
        dev_wait: Duration::from_mins(2),
        release_initial: Duration::from_secs(1),
        release_max: Duration::from_mins(5),
    };
    Arc::new(ProcessSpec {
        stop_grace: GRACE,
        ..ProcessSpec::new("main".parse().unwrap(), program, "/p".into(), crash_policy)
    })
}

pub(super) fn rust() -> Arc<ProcessSpec> {
    spec(Program::Rust(CargoTarget::default()))
}

/// One whose sockets are held and that says when it is ready.
pub(super) fn beside() -> Arc<ProcessSpec> {
    let http = Listen {
        name: "http".into(),
        address: ListenAddress::Tcp(([127, 0, 0, 1], 8080).into()),
    };
    probed(Sockets::Held {
        listen: vec![http],
        overlap: Overlap::Beside,
    })
}

/// One behind a relay that says when it is ready.
pub(super) fn relayed() -> Arc<ProcessSpec> {
    probed(Sockets::Relayed {
        public: vec![([127, 0, 0, 1], 8080).into()],
        overlap: Overlap::Beside,
    })
}

pub(super) fn probed(sockets: Sockets) -> Arc<ProcessSpec> {
    let usual = ProcessSpec::clone(&rust());
    Arc::new(ProcessSpec {
        sockets,
        readiness: Readiness::Probe {
            probe: Probe::Notify,
            timeout: TIMEOUT,
        },
        drain: DRAIN,
        ..usual
    })
}

fn npm() -> Arc<ProcessSpec> {
    spec(Program::Npm(CommandLine {
        program: "npm".into(),
        args: vec![],
    }))
}

pub(super) fn artifact(build: u64, mode: Mode) -> Artifact {
    Artifact {
        build: Some(BuildId(build)),
        mode,
        program: PathBuf::from(format!("/a/{build}")),
        environment: Arc::new(Environment::default()),
        sources: Sources::default(),
        spec: rust(),
    }
}

/// A machine with a clock, and what it did last.
pub(super) struct Life {
    pub(super) machine: Lifecycle,
    pub(super) now: Instant,
    pub(super) effects: Vec<Effect>,
}

impl Life {
    pub(super) fn new(spec: Arc<ProcessSpec>) -> Self {
        Self {
            machine: Lifecycle::new(spec, Sequence::new()),
            now: Instant::now(),
            effects: vec![],
        }
    }

    /// One that boots a release build and has proved itself: run 1.
    pub(super) fn running() -> Self {
        let mut life = Self::new(rust());
        life.happens(Event::Boot {
            mode: Mode::Release,
        });
        life.built(1, Mode::Release);
        life.passes(SETTLE);
        assert!(matches!(life.machine.state(), State::Running { .. }));
        life
    }

    pub(super) fn happens(&mut self, event: Event) -> &[Effect] {
        self.effects = self.machine.step(event, self.now);
        &self.effects
    }

    pub(super) fn passes(&mut self, time: Duration) -> &[Effect] {
        self.now += time;
        self.happens(Event::Deadline)
    }

    pub(super) fn job(&self) -> JobId {
        match self.machine.state() {
            State::Building { job, .. } => *job,
            other => panic!("nothing is built in {other:?}"),
        }
    }

    pub(super) fn restarts(&mut self, ticket: u64) -> &[Effect] {
        self.happens(Event::Restart {
            mode: Mode::Dev,
            ticket: Ticket(ticket),
        })
    }

    pub(super) fn built(&mut self, build: u64, mode: Mode) -> &[Effect] {
        let job = self.job();
        self.happens(Event::Built {
            job,
            artifact: artifact(build, mode),
        })
    }

    pub(super) fn build_fails(&mut self) -> &[Effect] {
        let job = self.job();
        self.happens(Event::BuildFailed { job })
    }

    pub(super) fn exits(&mut self, run: u64, exit: Exit) -> &[Effect] {
        self.happens(Event::Exited {
            run: RunId(run),
            exit,
        })
    }

    /// The run's leader and the rest of its tree end.
    pub(super) fn dies(&mut self, run: u64) -> Vec<Effect> {
        let mut effects = self.exits(run, Exit::Signal(9)).to_vec();
        effects.extend_from_slice(self.happens(Event::TreeGone { run: RunId(run) }));
        effects
    }

    pub(super) fn starts(effects: &[Effect]) -> Vec<(u64, u64)> {
        effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Start { run, artifact } => Some((run.0, artifact.build.map_or(0, |b| b.0))),
                _ => None,
            })
            .collect()
    }

    pub(super) fn answers(effects: &[Effect]) -> Vec<(u64, Verdict)> {
        effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Answer { ticket, verdict } => Some((ticket.0, *verdict)),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn serves(life: &Life) -> Option<u64> {
    life.machine.serving().map(|run| run.id.0)
}

#[test]
fn the_first_start_builds_release_and_runs_it() {
    let mut life = Life::new(rust());
    let effects = life.happens(Event::Boot {
        mode: Mode::Release,
    });
    assert!(matches!(
        effects,
        [Effect::Build {
            work: Work::Compile(Mode::Release),
            ..
        }]
    ));
    assert_eq!(Life::starts(life.built(1, Mode::Release)), [(1, 1)]);
    assert!(matches!(life.machine.state(), State::Proving { .. }));
    assert_eq!(
        life.passes(SETTLE),
        [Effect::Ready {
            run: RunId(1),
            debut: Debut::Fresh
        }]
    );
}

#[test]
fn a_restart_builds_while_the_old_child_serves_and_stops_it_only_then() {
    let mut life = Life::running();
    life.restarts(1);
    assert_eq!(serves(&life), Some(1));
    assert_eq!(
        life.built(2, Mode::Dev),
        [Effect::Terminate { run: RunId(1) }]
    );
    assert!(
        Life::starts(life.exits(1, Exit::Code(0))).is_empty(),
        "the place is not free yet"
    );
    assert_eq!(
        Life::starts(life.happens(Event::TreeGone { run: RunId(1) })),
        [(2, 2)]
    );
    assert_eq!(
        Life::answers(life.passes(SETTLE)),
        [(1, Verdict::Restarted)]
    );
    assert_eq!(life.machine.mode(), Mode::Dev);
}

#[test]
fn a_failed_build_leaves_the_old_child_alone_and_its_crash_policy_too() {
    let mut life = Life::running();
    life.restarts(1);
    assert_eq!(
        Life::answers(life.build_fails()),
        [(1, Verdict::BuildFailed)]
    );
    assert_eq!(
        (serves(&life), life.machine.mode()),
        (Some(1), Mode::Release)
    );
    life.dies(1);
    life.passes(Duration::from_secs(1));
    assert!(matches!(
        life.machine.state(),
        State::Building {
            work: Work::Reuse(_),
            ..
        }
    ));
}

#[test]
fn a_crash_in_release_starts_the_last_good_artifact_after_its_wait() {
    let mut life = Life::running();
    let effects = life.dies(1);
    assert!(matches!(
        effects[0],
        Effect::Crashed {
            run: RunId(1),
            exit: Exit::Signal(9)
        }
    ));
    assert_eq!(
        life.machine.deadline(),
        Some(life.now + Duration::from_secs(1))
    );
    assert!(life.passes(Duration::from_millis(999)).is_empty());
    life.passes(Duration::from_millis(1));
    assert_eq!(Life::starts(life.built(1, Mode::Release)), [(2, 1)]);
}

#[test]
fn exit_code_0_that_nobody_asked_for_is_a_crash() {
    let mut life = Life::running();
    life.exits(1, Exit::Code(0));
    assert!(matches!(life.machine.state(), State::BackingOff { .. }));
}

#[test]
fn a_crash_in_dev_waits_then_builds_and_a_failed_build_brings_the_last_good_artifact_back() {
    let mut life = Life::running();
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    life.passes(SETTLE);
    life.passes(STABLE);
    life.dies(2);
    assert_eq!(
        life.machine.deadline(),
        Some(life.now + Duration::from_mins(2))
    );
    life.passes(Duration::from_mins(2));
    assert!(matches!(
        life.machine.state(),
        State::Building {
            work: Work::Compile(Mode::Dev),
            ..
        }
    ));
    assert_eq!(Life::starts(life.build_fails()), [(3, 2)]);
}

#[test]
fn a_crash_during_the_build_of_a_restart_brings_the_last_good_artifact_back_once() {
    let mut life = Life::running();
    life.restarts(1);
    assert_eq!(Life::starts(&life.dies(1)), [(2, 1)]);
    assert!(Life::starts(&life.dies(2)).is_empty(), "once per build");
    assert_eq!(serves(&life), None);
    assert_eq!(Life::starts(life.built(2, Mode::Dev)), [(3, 2)]);
}

#[test]
fn a_new_child_that_dies_at_once_answers_crashed_and_backs_off_where_nothing_was_good_before() {
    let mut life = Life::new(rust());
    life.happens(Event::Boot {
        mode: Mode::Release,
    });
    life.restarts(1);
    life.built(1, Mode::Dev);
    let effects = life.exits(1, Exit::Code(101)).to_vec();
    let failure = Failure {
        run: RunId(1),
        cause: FailureCause::Exited(Exit::Code(101)),
    };
    assert_eq!(Life::answers(&effects), [(1, Verdict::Failed(failure))]);
    assert!(matches!(life.machine.state(), State::BackingOff { .. }));
}

#[test]
fn a_spawn_that_fails_backs_off_like_a_crash() {
    let mut life = Life::new(rust());
    life.happens(Event::Boot {
        mode: Mode::Release,
    });
    life.built(1, Mode::Release);
    life.happens(Event::SpawnFailed { run: RunId(1) });
    assert_eq!(
        life.machine.deadline(),
        Some(life.now + Duration::from_secs(1))
    );
    life.passes(Duration::from_secs(1));
    life.built(1, Mode::Release);
    life.happens(Event::SpawnFailed { run: RunId(2) });
    assert_eq!(
        life.machine.deadline(),
        Some(life.now + Duration::from_millis(1500))
    );
}

#[test]
fn a_failed_first_build_backs_off_and_tries_again() {
    let mut life = Life::new(rust());
    life.happens(Event::Boot {
        mode: Mode::Release,
    });
    life.build_fails();
    life.passes(Duration::from_secs(1));
    assert!(matches!(
        life.machine.state(),
        State::Building {
            work: Work::Compile(Mode::Release),
            ..
        }
    ));
}

#[test]
fn a_restart_during_a_wait_acts_at_once_and_ends_the_row_of_crashes() {
    let mut life = Life::running();
    life.dies(1);
    assert_eq!(life.machine.crashes_in_a_row(), 1);
    assert!(matches!(
        life.restarts(1),
        [Effect::Build {
            work: Work::Compile(Mode::Dev),
            ..
        }]
    ));
    assert_eq!(life.machine.crashes_in_a_row(), 0);
    assert_eq!(
        life.machine.deadline(),
        None,
        "no second start is left over from the wait"
    );
}

#[test]
fn two_restarts_at_once_build_the_newest_sources_and_both_are_answered() {
    let mut life = Life::running();
    life.restarts(1);
    let old = life.job();
    life.restarts(2);
    assert!(
        life.happens(Event::Built {
            job: old,
            artifact: artifact(2, Mode::Dev)
        })
        .is_empty()
    );
    life.built(3, Mode::Dev);
    life.dies(1);
    assert_eq!(
        Life::answers(life.passes(SETTLE)),
        [(1, Verdict::Restarted), (2, Verdict::Restarted)]
    );
}

#[test]
fn a_restart_during_the_swap_starts_the_artifact_in_hand_and_builds_again() {
    let mut life = Life::running();
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.restarts(2);
    assert_eq!(Life::starts(&life.dies(1)), [(2, 2)]);
    assert_eq!(serves(&life), Some(2));
    assert!(matches!(life.machine.state(), State::Building { .. }));
}

#[test]
fn a_child_that_does_not_leave_is_killed_after_its_grace() {
    let mut life = Life::running();
    life.restarts(1);
    life.built(2, Mode::Dev);
    let kill = Effect::Kill {
        run: RunId(1),
        why: KillReason::Overdue,
    };
    assert_eq!(life.passes(GRACE), [kill]);
    assert_eq!(life.machine.deadline(), None);
    assert_eq!(Life::starts(&life.dies(1)), [(2, 2)]);
}

#[test]
fn a_late_exit_of_an_earlier_run_does_not_touch_what_replaced_it() {
    let mut life = Life::running();
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    assert!(life.exits(1, Exit::Signal(9)).is_empty());
    assert_eq!(serves(&life), Some(2));
}

#[test]
fn idleness_builds_release_first_and_a_failed_release_build_leaves_dev_running() {
    let mut life = Life::running();
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    life.passes(SETTLE);
    life.happens(Event::Idle {
        mode: Mode::Release,
    });
    assert_eq!(serves(&life), Some(2));
    assert!(matches!(
        life.machine.state(),
        State::Building {
            work: Work::Compile(Mode::Release),
            ..
        }
    ));
    life.build_fails();
    assert_eq!((serves(&life), life.machine.mode()), (Some(2), Mode::Dev));
    assert_eq!(life.machine.crashes_in_a_row(), 0);
}

#[test]
fn a_restart_before_the_daemon_may_start_anything_waits_and_then_builds_in_its_mode() {
    let mut life = Life::new(rust());
    assert!(life.restarts(1).is_empty());
    let effects = life.happens(Event::Boot {
        mode: Mode::Release,
    });
    assert!(matches!(
        effects,
        [Effect::Build {
            work: Work::Compile(Mode::Dev),
            ..
        }]
    ));
    life.built(1, Mode::Dev);
    assert_eq!(
        Life::answers(life.passes(SETTLE)),
        [(1, Verdict::Restarted)]
    );
}

#[test]
fn a_run_that_a_restart_met_in_its_first_second_proves_itself_while_the_build_goes_on() {
    let mut life = Life::new(rust());
    life.happens(Event::Boot {
        mode: Mode::Release,
    });
    life.built(1, Mode::Release);
    life.restarts(1);
    assert_eq!(life.machine.deadline(), Some(life.now + SETTLE));
    life.passes(SETTLE);
    life.built(2, Mode::Dev);
    life.dies(1);
    assert_eq!(
        Life::starts(&life.dies(2)),
        [(3, 1)],
        "it is good to go back to"
    );
}

#[test]
fn an_artifact_in_hand_that_crashes_during_the_next_build_is_replaced_by_the_last_good_one() {
    let mut life = Life::running();
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.restarts(2);
    assert_eq!(Life::starts(&life.dies(1)), [(2, 2)]);
    assert_eq!(Life::starts(&life.dies(2)), [(3, 1)]);
    assert_eq!(serves(&life), Some(3));
}

#[test]
fn idleness_does_not_touch_a_restart_whose_caller_still_waits() {
    let mut life = Life::running();
    life.restarts(1);
    let idle = Event::Idle {
        mode: Mode::Release,
    };
    assert_eq!(life.happens(idle.clone()), []);
    life.built(2, Mode::Dev);
    life.happens(Event::TreeGone { run: RunId(1) });
    assert!(matches!(life.machine.state(), State::Proving { .. }));
    assert_eq!(life.happens(idle), []);
    let answer = answer(Ticket(1), Verdict::Restarted);
    assert!(life.passes(SETTLE).contains(&answer));
    assert_eq!(life.machine.mode(), Mode::Dev);
}

#[test]
fn idleness_changes_only_the_crash_policy_where_nothing_is_built() {
    let mut life = Life::new(npm());
    life.happens(Event::Boot { mode: Mode::Dev });
    life.built(0, Mode::Dev);
    life.passes(SETTLE);
    assert!(
        life.happens(Event::Idle {
            mode: Mode::Release
        })
        .is_empty()
    );
    assert_eq!(
        (serves(&life), life.machine.mode()),
        (Some(1), Mode::Release)
    );
}

#[test]
fn idleness_starts_nothing_that_waits_but_sets_the_mode_of_the_next_attempt() {
    let mut life = Life::running();
    life.restarts(1);
    life.built(2, Mode::Dev);
    life.dies(1);
    life.passes(SETTLE);
    life.passes(STABLE);
    life.dies(2);
    let wait = life.machine.deadline();
    assert!(
        life.happens(Event::Idle {
            mode: Mode::Release
        })
        .is_empty()
    );
    assert_eq!(life.machine.deadline(), wait);
    life.passes(Duration::from_mins(2));
    assert!(matches!(
        life.machine.state(),
        State::Building {
            work: Work::Compile(Mode::Release),
            ..
        }
    ));
}

#[test]
fn shutdown_cancels_the_build_ends_what_runs_and_answers_who_waits() {
    let mut life = Life::running();
    life.restarts(1);
    let effects = life.happens(Event::Shutdown).to_vec();
    assert!(matches!(effects[0], Effect::CancelBuild { .. }));
    assert_eq!(effects[1], Effect::Terminate { run: RunId(1) });
    assert_eq!(Life::answers(&effects), [(1, Verdict::ShuttingDown)]);
    assert_eq!(life.dies(1).last(), Some(&Effect::Gone));
    assert_eq!(
        Life::answers(life.restarts(2)),
        [(2, Verdict::ShuttingDown)]
    );
}
