//! Every story of six events, and random longer ones, against what must always hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use proptest::prelude::*;

use super::{
    tests::{artifact, beside, relayed, rust},
    *,
};
use crate::{
    artifact::Work,
    exit::Exit,
    spec::{Overlap, Program, Sockets},
};

/// Something that the world does. One that is impossible where it stands is left out of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Boot,
    Restart,
    Start,
    Stop,
    Idle,
    BuildSucceeds,
    BuildFails,
    StaleBuildSucceeds,
    OldestDies,
    NewestDies,
    NewestIsReady,
    ConnectionsEnd,
    LeavingDies,
    TreeGoes,
    AlarmRings,
    NextSpawnFails,
    Shutdown,
    Settle,
    Swap,
    Rebuild,
    /// The daemon holds its sockets from now on, or does not any more.
    MoveSockets,
    /// The last change of its entry is undone.
    PutBack,
    Remove,
}

const DEEDS: [Deed; 17] = [
    Deed::Boot,
    Deed::Restart,
    Deed::Start,
    Deed::Stop,
    Deed::Idle,
    Deed::BuildSucceeds,
    Deed::BuildFails,
    Deed::StaleBuildSucceeds,
    Deed::OldestDies,
    Deed::NewestDies,
    Deed::NewestIsReady,
    Deed::ConnectionsEnd,
    Deed::LeavingDies,
    Deed::TreeGoes,
    Deed::AlarmRings,
    Deed::NextSpawnFails,
    Deed::Shutdown,
];

/// What a changed configuration does.
const RELOADS: [Deed; 6] = [
    Deed::Settle,
    Deed::Swap,
    Deed::Rebuild,
    Deed::MoveSockets,
    Deed::PutBack,
    Deed::Remove,
];

/// The builder, the children and the callers, as simple as can be.
#[derive(Clone)]
struct World {
    machine: Lifecycle,
    now: Instant,
    job: Option<(JobId, Work)>,
    spec: Arc<ProcessSpec>,
    /// Its entry before the last change.
    before: Arc<ProcessSpec>,
    builds: u64,
    alive: BTreeSet<RunId>,
    /// Trees of which somebody is left, the leader or others.
    trees: BTreeSet<RunId>,
    told_to_leave: BTreeSet<RunId>,
    /// Those that leave and still serve the connections that they have.
    draining: BTreeSet<RunId>,
    /// What each run was ready for; nobody accepts before.
    ready: BTreeSet<RunId>,
    /// Who may run beside whom.
    overlaps: BTreeMap<RunId, Overlap>,
    spawn_fails: bool,
    asked: u64,
    answered: BTreeSet<Ticket>,
    /// It was told to end for good.
    shut_down: bool,
    gone: bool,
}

impl World {
    fn new(spec: Arc<ProcessSpec>, now: Instant) -> Self {
        Self {
            overlaps: BTreeMap::new(),
            spec: Arc::clone(&spec),
            before: Arc::clone(&spec),
            // Ids are counted per world: clones of a world must not share a series.
            machine: Lifecycle::new(spec, Sequence::new()),
            now,
            job: None,
            builds: 0,
            alive: BTreeSet::new(),
            trees: BTreeSet::new(),
            told_to_leave: BTreeSet::new(),
            draining: BTreeSet::new(),
            ready: BTreeSet::new(),
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
            Deed::Restart | Deed::Start | Deed::Stop => Some(self.ordered(deed)),
            Deed::Idle => Some(Event::Idle {
                mode: Mode::Release,
            }),
            Deed::BuildSucceeds => {
                let (job, work) = self.job.take()?;
                let artifact = match work {
                    Work::Reuse(artifact) => artifact,
                    Work::Compile(mode) => {
                        self.builds += 1;
                        artifact(self.builds, mode)
                    }
                };
                Some(Event::Built { job, artifact })
            }
            Deed::BuildFails => {
                let (job, _) = self.job.take()?;
                Some(Event::BuildFailed { job })
            }
            Deed::StaleBuildSucceeds => Some(Event::Built {
                job: JobId(0),
                artifact: artifact(0, Mode::Dev),
            }),
            Deed::OldestDies => {
                let run = *self.alive.difference(&self.told_to_leave).next()?;
                self.alive.remove(&run);
                Some(Event::Exited {
                    run,
                    exit: Exit::Signal(9),
                })
            }
            Deed::NewestDies => {
                let staying: Vec<RunId> = self
                    .alive
                    .difference(&self.told_to_leave)
                    .copied()
                    .collect();
                // Where there is only one, that is the oldest.
                let run = *staying.get(1)?;
                self.alive.remove(&run);
                Some(Event::Exited {
                    run,
                    exit: Exit::Code(3),
                })
            }
            Deed::NewestIsReady => {
                let run = *self.alive.difference(&self.told_to_leave).last()?;
                Some(Event::Ready { run })
            }
            Deed::ConnectionsEnd => {
                let run = *self.draining.first()?;
                Some(Event::Drained { run })
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
            Deed::Remove => {
                self.shut_down = true;
                Some(Event::Remove)
            }
            Deed::Settle | Deed::Swap | Deed::Rebuild | Deed::MoveSockets => {
                Some(self.replaced(deed))
            }
            Deed::PutBack => {
                let change = self.spec.change_to(&self.before)?;
                mem::swap(&mut self.spec, &mut self.before);
                let spec = Arc::clone(&self.spec);
                Some(Event::Replace { spec, change })
            }
        }
    }

    /// Somebody wants something and waits for the outcome.
    fn ordered(&mut self, deed: Deed) -> Event {
        self.asked += 1;
        let ticket = Ticket(self.asked);
        match deed {
            Deed::Restart => Event::Restart {
                mode: Mode::Dev,
                ticket,
            },
            Deed::Start => Event::Start { ticket },
            _ => Event::Stop { ticket },
        }
    }

    /// Its entry is changed: each time in another way.
    fn replaced(&mut self, deed: Deed) -> Event {
        let mut spec = ProcessSpec::clone(&self.spec);
        match (deed, &mut spec.program) {
            (Deed::Settle, _) => spec.stop_grace += Duration::from_millis(1),
            (Deed::Rebuild, Program::Rust(target)) => target.features.push("more".into()),
            (Deed::MoveSockets, _) => {
                spec.sockets = match spec.sockets {
                    Sockets::Own => beside().sockets.clone(),
                    Sockets::Held { .. } | Sockets::Relayed { .. } => Sockets::Own,
                }
            }
            _ => {
                let more = format!("{}", spec.env.len());
                spec.env.insert(more, String::new());
            }
        }
        let spec = Arc::new(spec);
        let change = self.spec.change_to(&spec).unwrap();
        self.before = mem::replace(&mut self.spec, Arc::clone(&spec));
        Event::Replace { spec, change }
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
                    self.job = Some((job, work));
                }
                Effect::CancelBuild { job } => {
                    self.job.take_if(|(current, _)| *current == job);
                }
                Effect::Start { run, artifact } => {
                    assert!(!self.shut_down, "a start after shutdown");
                    let overlap = artifact.spec.sockets.overlap();
                    self.overlaps.insert(run, overlap);
                    let mut all = self.trees.iter().map(|it| self.overlaps[it]);
                    assert!(
                        self.trees.is_empty()
                            || overlap == Overlap::Beside && all.all(|it| it == Overlap::Beside),
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
                Effect::Drain { run } => {
                    assert!(self.alive.contains(&run), "the dead {run} is drained");
                    assert!(self.told_to_leave.insert(run), "{run} is drained twice");
                    assert!(self.draining.insert(run));
                }
                Effect::Terminate { run } => {
                    let drained = self.draining.remove(&run);
                    assert!(
                        drained || self.alive.contains(&run),
                        "the dead {run} is told to leave"
                    );
                    assert!(
                        drained || self.told_to_leave.insert(run),
                        "{run} is told twice"
                    );
                }
                Effect::Kill { run, .. } => {
                    assert!(self.trees.contains(&run), "{run} is killed when gone");
                }
                Effect::Crashed { run, .. } => assert!(!self.told_to_leave.contains(&run)),
                Effect::Stopped { run, .. } => assert!(self.told_to_leave.contains(&run)),
                Effect::Answer { ticket, verdict } => {
                    if let Verdict::Restarted | Verdict::Swapped | Verdict::Running = verdict {
                        assert!(!self.ready.is_empty(), "nobody was ever ready");
                    }
                    assert!(self.answered.insert(ticket), "{ticket} is answered twice");
                }
                Effect::Gone => {
                    assert!(self.shut_down && self.trees.is_empty(), "gone too early");
                    self.gone = true;
                }
                Effect::Ready { run, .. } => {
                    assert!(self.ready.insert(run), "{run} becomes ready twice");
                }
                Effect::NotReady { run } => {
                    assert!(!self.ready.contains(&run), "{run} was ready");
                }
                Effect::RolledBack { to, .. } => {
                    assert!(
                        matches!(to, Instead::Old(_)) || !self.ready.is_empty(),
                        "there is nothing to go back to"
                    );
                }
                Effect::BackingOff { .. } => {}
            }
        }
    }

    fn check(&self) {
        let staying: BTreeSet<RunId> = self
            .alive
            .difference(&self.told_to_leave)
            .copied()
            .collect();
        let held: BTreeSet<RunId> = self.machine.staying().map(|run| run.id).collect();
        assert_eq!(staying, held, "in {:?}", self.machine.state());
        let alone = |it: &RunId| self.overlaps[it] == Overlap::Alone;
        let most = if held.iter().any(alone) { 1 } else { 2 };
        assert!(held.len() <= most, "{held:?} are too many");
        if let Some(run) = self.machine.accepting() {
            assert!(self.ready.contains(&run.id), "{} is not ready", run.id);
        }

        let unanswered = u64::try_from(self.answered.len()).unwrap() < self.asked;
        match self.machine.state() {
            State::Idle { .. } => assert!(self.alive.is_empty() && self.job.is_none()),
            State::Stopped { .. } => {
                assert!(self.trees.is_empty() && self.job.is_none());
                assert!(!unanswered, "a caller is forgotten");
            }
            State::Building { .. } => assert!(self.job.is_some(), "nobody builds"),
            State::Stopping { .. } => assert!(!self.trees.is_empty(), "it waits for nobody"),
            State::Proving { .. } => assert!(self.machine.deadline().is_some()),
            State::Running { .. } => assert!(!unanswered, "a caller is forgotten"),
            State::BackingOff { .. } => {
                assert!(!unanswered, "a caller is forgotten");
                assert!(self.machine.deadline().is_some(), "no attempt is scheduled");
            }
            State::Gone(_) => assert!(self.gone && !unanswered),
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
            tried: self.tried.clone(),
            row: self.row,
            waiting: self.waiting.clone(),
            stopping: self.stopping.clone(),
        }
    }
}

fn every_story(world: &World, deeds: &[Deed], events: usize, stories: &mut u64) {
    for deed in deeds {
        let mut next = world.clone();
        if !next.happens(*deed) {
            continue;
        }
        if events > 1 {
            every_story(&next, deeds, events - 1, stories);
        } else {
            *stories += 1;
            next.end();
        }
    }
}

/// What goes on for ever.
fn endless() -> Vec<Deed> {
    let ends = |deed: &Deed| matches!(deed, Deed::Shutdown | Deed::Remove);
    let all = DEEDS.into_iter().chain(RELOADS);
    all.filter(|deed| !ends(deed)).collect()
}

/// The world after these deeds, all of which must be possible.
fn after(spec: Arc<ProcessSpec>, deeds: &[Deed]) -> World {
    let mut world = World::new(spec, Instant::now());
    for deed in deeds {
        assert!(world.happens(*deed), "{deed:?}");
    }
    world
}

/// A dev run that somebody asked for serves.
const RUNS: [Deed; 4] = [
    Deed::Restart,
    Deed::Boot,
    Deed::BuildSucceeds,
    Deed::AlarmRings,
];
/// A second one proves itself beside it.
const PROVES: [Deed; 6] = [
    Deed::Boot,
    Deed::BuildSucceeds,
    Deed::NewestIsReady,
    Deed::Restart,
    Deed::BuildSucceeds,
    Deed::NextSpawnFails,
];
/// A changed entry proves itself beside the one before.
const CHANGES: [Deed; 5] = [
    Deed::Boot,
    Deed::BuildSucceeds,
    Deed::NewestIsReady,
    Deed::Swap,
    Deed::BuildSucceeds,
];

fn stories(world: &World, events: usize, at_least: u64) {
    stories_of(world, &DEEDS, events, at_least);
}

fn stories_of(world: &World, deeds: &[Deed], events: usize, at_least: u64) {
    let mut stories = 0;
    every_story(world, deeds, events, &mut stories);
    assert!(stories > at_least, "only {stories} stories were possible");
}

#[test]
fn every_story_of_six_events_keeps_the_rules() {
    stories(&World::new(rust(), Instant::now()), 6, 200_000);
}

#[test]
fn every_story_of_five_events_keeps_the_rules_where_sockets_are_held() {
    stories(&World::new(beside(), Instant::now()), 5, 30_000);
}

#[test]
fn every_story_of_six_events_after_a_dev_run_proved_itself_keeps_the_rules() {
    let world = after(rust(), &RUNS);
    assert!(matches!(world.machine.state(), State::Running { .. }));
    stories(&world, 6, 1_000_000);
}

#[test]
fn every_story_of_five_events_keeps_the_rules_while_two_children_run() {
    for spec in [beside(), relayed()] {
        let world = after(spec, &PROVES);
        let State::Proving { old: Some(_), .. } = world.machine.state() else {
            panic!("{:?}", world.machine.state());
        };
        stories(&world, 5, 100_000);
    }
}

#[test]
fn every_story_of_four_events_with_changed_configurations_keeps_the_rules() {
    let deeds = [DEEDS.as_slice(), &RELOADS].concat();
    for spec in [rust(), beside(), relayed()] {
        stories_of(&World::new(spec, Instant::now()), &deeds, 4, 10_000);
    }
    for spec in [beside(), relayed()] {
        stories_of(&after(spec.clone(), &PROVES), &deeds, 4, 10_000);
        stories_of(&after(spec, &CHANGES), &deeds, 4, 10_000);
    }
    stories_of(&after(rust(), &RUNS), &deeds, 4, 10_000);
}

/// Stories that lead to the place where a reload is most delicate: a version failed, and the last
/// good one is on its way back.
#[test]
fn every_story_of_four_events_while_it_is_rolled_back_keeps_the_rules() {
    let deeds = [DEEDS.as_slice(), &RELOADS].concat();
    let failed = [
        RUNS.as_slice(),
        &[
            Deed::Restart,
            Deed::BuildSucceeds,
            Deed::LeavingDies,
            Deed::TreeGoes,
            Deed::OldestDies,
        ],
    ]
    .concat();
    let world = after(rust(), &failed);
    assert!(world.machine.falls_back(), "{:?}", world.machine.state());
    stories_of(&world, &deeds, 4, 10_000);
}

proptest! {
    #[test]
    fn random_long_stories_keep_the_rules(
        which in 0..3usize,
        deeds in prop::collection::vec(prop::sample::select(endless()), 1..200),
    ) {
        let spec = [rust, beside, relayed][which]();
        let mut world = World::new(spec, Instant::now());
        for deed in deeds {
            world.happens(deed);
        }
        world.end();
    }
}
