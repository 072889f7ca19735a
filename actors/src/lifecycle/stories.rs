//! Every story of six events, and random longer ones, against what must always hold.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{
    tests::{SETTLE, artifact, rust},
    *,
};

/// Something that the world does. One that is impossible where it stands is left out of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Boot,
    Restart,
    Idle,
    BuildSucceeds,
    BuildFails,
    StaleBuildSucceeds,
    ServingDies,
    LeavingDies,
    TreeGoes,
    AlarmRings,
    NextSpawnFails,
    Shutdown,
}

const DEEDS: [Deed; 12] = [
    Deed::Boot,
    Deed::Restart,
    Deed::Idle,
    Deed::BuildSucceeds,
    Deed::BuildFails,
    Deed::StaleBuildSucceeds,
    Deed::ServingDies,
    Deed::LeavingDies,
    Deed::TreeGoes,
    Deed::AlarmRings,
    Deed::NextSpawnFails,
    Deed::Shutdown,
];

/// The builder, the children and the callers, as simple as can be.
#[derive(Clone)]
struct World {
    machine: Lifecycle,
    now: Instant,
    job: Option<(JobId, Mode)>,
    builds: u64,
    alive: BTreeSet<RunId>,
    /// Trees of which somebody is left, the leader or others.
    trees: BTreeSet<RunId>,
    told_to_leave: BTreeSet<RunId>,
    spawn_fails: bool,
    asked: u64,
    answered: BTreeSet<Ticket>,
    shut_down: bool,
    gone: bool,
}

impl World {
    fn new(now: Instant) -> Self {
        Self {
            // Ids are counted per world: clones of a world must not share a series.
            machine: Lifecycle::new(rust(), Sequence::new()),
            now,
            job: None,
            builds: 0,
            alive: BTreeSet::new(),
            trees: BTreeSet::new(),
            told_to_leave: BTreeSet::new(),
            spawn_fails: false,
            asked: 0,
            answered: BTreeSet::new(),
            shut_down: false,
            gone: false,
        }
    }

    /// The event that the deed brings, or `None` where it is impossible.
    fn event(&mut self, deed: Deed) -> Option<Event> {
        match deed {
            Deed::Boot => Some(Event::Boot {
                mode: Mode::Release,
            }),
            Deed::Restart => {
                self.asked += 1;
                Some(Event::Restart {
                    mode: Mode::Dev,
                    ticket: Ticket(self.asked),
                })
            }
            Deed::Idle => Some(Event::Idle {
                mode: Mode::Release,
            }),
            Deed::BuildSucceeds => {
                let (job, mode) = self.job.take()?;
                self.builds += 1;
                Some(Event::Built {
                    job,
                    artifact: artifact(self.builds, mode),
                })
            }
            Deed::BuildFails => {
                let (job, _) = self.job.take()?;
                Some(Event::BuildFailed { job })
            }
            Deed::StaleBuildSucceeds => Some(Event::Built {
                job: JobId(0),
                artifact: artifact(0, Mode::Dev),
            }),
            Deed::ServingDies => {
                let run = *self.alive.difference(&self.told_to_leave).next()?;
                self.alive.remove(&run);
                Some(Event::Exited {
                    run,
                    exit: Exit::Signal(9),
                })
            }
            Deed::LeavingDies => {
                let run = *self.alive.intersection(&self.told_to_leave).next()?;
                self.alive.remove(&run);
                Some(Event::Exited {
                    run,
                    exit: Exit::Code(0),
                })
            }
            Deed::TreeGoes => {
                let run = *self.trees.difference(&self.alive).next()?;
                self.trees.remove(&run);
                Some(Event::TreeGone { run })
            }
            Deed::AlarmRings => {
                self.now = self.now.max(self.machine.deadline()?);
                Some(Event::Deadline)
            }
            Deed::NextSpawnFails => {
                if self.spawn_fails {
                    return None;
                }
                self.spawn_fails = true;
                Some(Event::Deadline)
            }
            Deed::Shutdown => {
                self.shut_down = true;
                Some(Event::Shutdown)
            }
        }
    }

    /// Lets it happen and checks everything; false where it is impossible.
    fn happens(&mut self, deed: Deed) -> bool {
        let Some(event) = self.event(deed) else {
            return false;
        };
        self.now += Duration::from_millis(1);
        self.feed(event);
        self.check();
        true
    }

    fn feed(&mut self, event: Event) {
        for effect in self.machine.step(event, self.now) {
            assert!(
                !self.gone || matches!(effect, Effect::Answer { .. }),
                "{effect:?} after Gone"
            );
            match effect {
                Effect::Build { job, work } => {
                    assert!(!self.shut_down, "a build is asked for after shutdown");
                    self.job = Some((job, work.mode()));
                }
                Effect::CancelBuild { job } => {
                    if self.job.is_some_and(|(current, _)| current == job) {
                        self.job = None;
                    }
                }
                Effect::Start { run, .. } => {
                    assert!(!self.shut_down, "a start after shutdown");
                    assert!(
                        self.trees.is_empty(),
                        "{run} starts while {:?} are left",
                        self.trees
                    );
                    if self.spawn_fails {
                        self.spawn_fails = false;
                        self.feed(Event::SpawnFailed { run });
                    } else {
                        assert!(self.alive.insert(run), "{run} starts twice");
                        self.trees.insert(run);
                    }
                }
                Effect::Terminate { run } => {
                    assert!(self.alive.contains(&run), "the dead {run} is told to leave");
                    assert!(self.told_to_leave.insert(run), "{run} is told twice");
                }
                Effect::Kill { run } => {
                    assert!(self.trees.contains(&run), "{run} is killed when gone");
                }
                Effect::Crashed { run, .. } => assert!(!self.told_to_leave.contains(&run)),
                Effect::Stopped { run, .. } => assert!(self.told_to_leave.contains(&run)),
                Effect::Answer { ticket, .. } => {
                    assert!(self.answered.insert(ticket), "{ticket} is answered twice");
                }
                Effect::Gone => {
                    assert!(self.shut_down && self.trees.is_empty(), "gone too early");
                    self.gone = true;
                }
                Effect::Ready { .. } | Effect::BackingOff { .. } => {}
            }
        }
    }

    fn check(&self) {
        let staying: Vec<_> = self.alive.difference(&self.told_to_leave).collect();
        let serving: Vec<_> = self
            .machine
            .serving()
            .map(|run| run.id)
            .into_iter()
            .collect();
        assert_eq!(
            staying,
            serving.iter().collect::<Vec<_>>(),
            "in {:?}",
            self.machine.state()
        );

        let unanswered = u64::try_from(self.answered.len()).unwrap() < self.asked;
        match self.machine.state() {
            State::Idle { .. } => assert!(self.alive.is_empty() && self.job.is_none()),
            State::Building { .. } => assert!(self.job.is_some(), "nobody builds"),
            State::Stopping { .. } => assert!(!self.trees.is_empty(), "it waits for nobody"),
            State::Proving { .. } => assert!(self.machine.deadline().is_some()),
            State::Running { .. } => assert!(!unanswered, "a caller is forgotten"),
            State::BackingOff { .. } => {
                assert!(!unanswered, "a caller is forgotten");
                assert!(self.machine.deadline().is_some(), "no attempt is scheduled");
            }
            State::Gone => assert!(self.gone && !unanswered),
        }
        if let Some(run) = self.machine.serving()
            && self.now >= run.since + SETTLE
        {
            let good = self.machine.good();
            assert_eq!(good, Some(&run.artifact), "it lived and is not good");
        }
        assert!(
            !self.shut_down || self.job.is_none(),
            "a build goes on after shutdown"
        );
        for run in self.alive.intersection(&self.told_to_leave) {
            assert!(self.machine.is_leaving(*run), "{run} is forgotten");
        }
    }

    /// However the story went: the daemon can be ended, and nobody is left or unanswered.
    fn end(mut self) {
        self.happens(Deed::Shutdown);
        while self.happens(Deed::LeavingDies) || self.happens(Deed::TreeGoes) {}
        assert!(self.gone, "does not end: {:?}", self.machine.state());
        assert_eq!(u64::try_from(self.answered.len()).unwrap(), self.asked);
    }
}

impl Clone for Lifecycle {
    fn clone(&self) -> Self {
        Self {
            spec: self.spec.clone(),
            runs: self.runs.fork(),
            jobs: self.jobs.fork(),
            state: self.state.clone(),
            leaving: self.leaving.clone(),
            good: self.good.clone(),
            row: self.row,
            waiting: self.waiting.clone(),
        }
    }
}

fn every_story(world: &World, events: usize, stories: &mut u64) {
    for deed in DEEDS {
        let mut next = world.clone();
        if !next.happens(deed) {
            continue;
        }
        if events > 1 {
            every_story(&next, events - 1, stories);
        } else {
            *stories += 1;
            next.end();
        }
    }
}

#[test]
fn every_story_of_six_events_keeps_the_rules() {
    let mut stories = 0;
    every_story(&World::new(Instant::now()), 6, &mut stories);
    assert!(stories > 50_000, "only {stories} stories were possible");
}

#[test]
fn every_story_of_six_events_after_a_dev_run_proved_itself_keeps_the_rules() {
    let mut world = World::new(Instant::now());
    for deed in [
        Deed::Restart,
        Deed::Boot,
        Deed::BuildSucceeds,
        Deed::AlarmRings,
    ] {
        assert!(world.happens(deed));
    }
    assert!(matches!(world.machine.state(), State::Running { .. }));
    let mut stories = 0;
    every_story(&world, 6, &mut stories);
    assert!(stories > 100_000, "only {stories} stories were possible");
}

proptest! {
    #[test]
    fn random_long_stories_keep_the_rules(deeds in prop::collection::vec(prop::sample::select(&DEEDS[..11]), 1..200)) {
        let mut world = World::new(Instant::now());
        for deed in deeds {
            world.happens(deed);
        }
        world.end();
    }
}
