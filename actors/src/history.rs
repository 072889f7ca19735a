//! What happened to one process so far, and the picture of it that is published to readers.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    artifact::{BuildFailure, BuildReport, Sources},
    events::Detail,
    exit::Exit,
    ids::{BuildId, RunId},
    lifecycle::{End, Lifecycle, Run, State},
    report::{
        Behind, BuildOutcome, Connections, EventKind, EventReport, Health, LastBuild, LastExit,
        ProcessReport, StateName,
    },
    restart::Snapshot,
    spec::{Mode, ProcessSpec, Readiness, Sockets},
};

/// How many events are kept.
const EVENTS: usize = 10;

/// What happened so far.
#[derive(Clone, Debug)]
pub struct History {
    events: VecDeque<Arc<Happening>>,
    /// How many there were.
    noted: u64,
    last_exit: Option<LastExit>,
    last_build: Option<LastBuild>,
    /// The entry that the last build was for.
    built_for: Option<Arc<ProcessSpec>>,
    /// The newest attempt, where it failed before there was a build, and the entry that it was for.
    unbuilt: Option<(Arc<Happening>, Arc<ProcessSpec>)>,
    /// The newest version did not prove itself, and an older one serves.
    rolled_back: Option<RunId>,
    restarts: u64,
    crashes: u64,
}

/// Something that happened.
#[derive(Debug)]
struct Happening {
    at: Timestamp,
    since: Instant,
    kind: EventKind,
    text: String,
}

impl Happening {
    fn report(&self, now: Instant) -> EventReport {
        EventReport {
            at: self.at,
            age_seconds: rounded(now.saturating_duration_since(self.since)),
            kind: self.kind,
            text: self.text.clone(),
        }
    }
}

impl History {
    /// Nothing happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            events: VecDeque::new(),
            noted: 0,
            last_exit: None,
            last_build: None,
            built_for: None,
            unbuilt: None,
            rolled_back: None,
            restarts: 0,
            crashes: 0,
        }
    }

    /// Takes down an event.
    pub fn note(&mut self, kind: EventKind, text: String) {
        self.noted += 1;
        self.events.truncate(EVENTS - 1);
        self.events.push_front(Arc::new(Happening {
            at: wall_clock(),
            since: Instant::now(),
            kind,
            text,
        }));
    }

    /// How many events were taken down.
    #[must_use]
    pub fn noted(&self) -> u64 {
        self.noted
    }

    /// What was taken down behind the first so many events, oldest first: when, of which kind, and
    /// in words. Only the last 10 are kept.
    pub fn behind_first(&self, count: u64) -> impl Iterator<Item = (Timestamp, EventKind, &str)> {
        let fresh = usize::try_from(self.noted.saturating_sub(count)).unwrap_or(usize::MAX);
        let events = self.events.iter().take(fresh).rev();
        events.map(|it| (it.at, it.kind, it.text.as_str()))
    }

    /// cargo was started.
    pub fn build_started(&mut self, build: BuildId, mode: Mode) {
        self.unbuilt = None;
        self.note(EventKind::BuildStarted, format!("build {build} ({mode})"));
    }

    /// cargo waits for a lock that another one has.
    pub fn build_waits(&mut self, build: BuildId, lock: &str) {
        let text = format!("build {build} waits for cargo's lock on the {lock}");
        self.note(EventKind::BuildStarted, text);
    }

    /// There is an artifact, and it took no build.
    pub fn build_needless(&mut self) {
        self.unbuilt = None;
    }

    /// There is no artifact for this entry. [`Self::built`] takes down the build, if it came to one.
    pub fn build_failed(&mut self, failure: &BuildFailure, spec: &Arc<ProcessSpec>) {
        self.note(EventKind::BuildFailed, failure.reason.clone());
        self.unbuilt = match (&failure.report, self.events.front()) {
            (None, Some(event)) => Some((Arc::clone(event), Arc::clone(spec))),
            _ => None,
        };
    }

    /// The version that this run was of did not prove itself.
    pub fn rolled_back(&mut self, run: RunId) {
        self.rolled_back = Some(run);
    }

    /// What was wanted proved itself.
    pub fn caught_up(&mut self) {
        self.rolled_back = None;
    }

    /// Somebody asked for a restart.
    pub fn restart_requested(&mut self) {
        self.restarts += 1;
    }

    /// A child ended that should not have.
    pub fn crashed(&mut self, run: RunId, exit: Exit) -> &LastExit {
        self.crashes += 1;
        self.ended(run, exit)
    }

    /// A child ended.
    pub fn ended(&mut self, run: RunId, exit: Exit) -> &LastExit {
        self.last_exit.insert(LastExit {
            run,
            code: exit.code(),
            signal: exit.signal(),
            text: exit.to_string(),
            at: wall_clock(),
        })
    }

    /// How the last child ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<&LastExit> {
        self.last_exit.as_ref()
    }

    /// A build for this entry ended.
    pub fn built(&mut self, report: &BuildReport, outcome: BuildOutcome, spec: &Arc<ProcessSpec>) {
        self.built_for = Some(Arc::clone(spec));
        self.last_build = Some(LastBuild {
            id: report.id,
            mode: report.mode,
            outcome,
            seconds: rounded(report.took),
            errors: report.error_count,
            warnings: report.warning_count,
            at: timestamp(report.at),
        });
    }

    /// Why what `machine` has serving is not the newest.
    #[must_use]
    pub fn behind(&self, machine: &Lifecycle) -> Option<Behind> {
        let running = machine.serving()?.artifact.build;
        if self.unbuilt(machine).is_some() {
            return Some(Behind::BuildFailed);
        }
        // An edit of the entry may have been undone: then a build for that says nothing.
        let wanted = |it: &Arc<ProcessSpec>| it.is_made_like(machine.wanted());
        let newer = |last: &&LastBuild| {
            self.built_for.as_ref().is_some_and(wanted)
                && running.is_some_and(|running| running < last.id)
        };
        let newer = self.last_build.as_ref().filter(newer);
        match newer.map(|last| (last.outcome, last.id)) {
            Some((BuildOutcome::Failed, _)) => Some(Behind::BuildFailed),
            // One that is about to prove itself has not failed.
            Some((BuildOutcome::Ok, build)) if machine.upcoming() != Some(build) => {
                Some(Behind::RolledBack)
            }
            Some((BuildOutcome::Ok, _)) => None,
            None => self.rolled_back.map(|_| Behind::RolledBack),
        }
    }

    /// The newest attempt, where it failed before there was a build of what is wanted.
    fn unbuilt(&self, machine: &Lifecycle) -> Option<&Arc<Happening>> {
        let (event, spec) = self.unbuilt.as_ref()?;
        spec.is_made_like(machine.wanted()).then_some(event)
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

/// One process as it was after its last event.
#[derive(Debug)]
pub struct Picture {
    spec: Arc<ProcessSpec>,
    state: StateName,
    mode: Mode,
    serving: Option<(RunId, Option<u32>, Instant)>,
    works: bool,
    health: Option<Health>,
    behind: Option<Behind>,
    unbuilt: Option<Arc<Happening>>,
    crashes_in_a_row: u32,
    next_attempt: Option<Instant>,
    connections_wait: bool,
    end: Option<End>,
    said: Option<Arc<str>>,
    sources: Sources,
    leaders: Vec<u32>,
    history: History,
}

/// What a picture shows of a child.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Its pid.
    pub pid: Option<u32>,
    /// What it says about itself.
    pub said: Option<Arc<str>>,
}

impl Picture {
    /// Takes it. `child` knows the children.
    pub fn take(
        spec: &Arc<ProcessSpec>,
        mode: Mode,
        machine: &Lifecycle,
        history: &History,
        child: impl Fn(RunId) -> Shown,
    ) -> Self {
        let serving = machine.serving();
        let shown = serving.map(|run| child(run.id)).unwrap_or_default();
        Self {
            spec: spec.clone(),
            state: state_name(machine.state()),
            mode,
            serving: serving.map(|run| (run.id, shown.pid, run.since)),
            health: serving.map(health),
            behind: history.behind(machine),
            unbuilt: history.unbuilt(machine).cloned(),
            crashes_in_a_row: machine.crashes_in_a_row(),
            next_attempt: match machine.state() {
                State::BackingOff { until, .. } => Some(*until),
                _ => None,
            },
            works: serving.is_some_and(works),
            connections_wait: waits(spec, machine),
            end: machine.end_of_all(),
            said: shown.said,
            sources: serving
                .map(|run| run.artifact.sources.clone())
                .unwrap_or_default(),
            leaders: Vec::new(),
            history: history.clone(),
        }
    }

    /// The same, with the pids of all children that live.
    #[must_use]
    pub fn led_by(self, leaders: Vec<u32>) -> Self {
        Self { leaders, ..self }
    }
}

impl Picture {
    /// Whether what runs outlived the longest wait: its next crash begins a new row.
    fn is_stable(&self, now: Instant) -> bool {
        let longest = self.spec.crash_policy.longest(self.mode);
        self.serving
            .is_some_and(|(.., since)| now.saturating_duration_since(since) > longest)
    }
}

impl Picture {
    /// What followers are told of when it changes.
    #[must_use]
    pub fn state(&self) -> Detail {
        Detail::State {
            state: self.state,
            serving: self.works,
            run: self.serving.map(|(run, ..)| run),
        }
    }
}

impl Snapshot for Picture {
    fn report(&self, now: Instant) -> ProcessReport {
        let age = |since: Instant| rounded(now.saturating_duration_since(since));
        ProcessReport {
            name: self.spec.name.to_string(),
            r#type: self.spec.program.kind(),
            state: self.state,
            mode: self.mode,
            serving: self.works,
            health: self.health,
            behind: self.behind,
            run: self.serving.map(|(run, ..)| run),
            pid: self.serving.and_then(|(_, pid, _)| pid),
            uptime_seconds: self.serving.map(|(.., since)| age(since)),
            restarts: self.history.restarts,
            crashes: self.history.crashes,
            crashes_in_a_row: if self.is_stable(now) {
                0
            } else {
                self.crashes_in_a_row
            },
            next_attempt_in_seconds: self
                .next_attempt
                .map(|at| rounded(at.saturating_duration_since(now))),
            connections: match self.spec.sockets {
                Sockets::Own => Connections::Own,
                Sockets::Held { .. } => Connections::Held,
                Sockets::Relayed { .. } => Connections::Relayed,
            },
            connections_wait: self.connections_wait,
            status_text: self.said.as_ref().map(ToString::to_string),
            last_exit: self.history.last_exit.clone(),
            last_build: self.history.last_build.clone(),
            events: self
                .history
                .events
                .iter()
                .map(|event| event.report(now))
                .collect(),
        }
    }

    fn sources(&self) -> Sources {
        self.sources.clone()
    }

    fn leaders(&self) -> Vec<u32> {
        self.leaders.clone()
    }

    fn is_ending(&self) -> bool {
        self.end == Some(End::Shutdown)
    }

    fn is_removed(&self) -> bool {
        self.end == Some(End::Removed)
    }

    fn unbuilt(&self, now: Instant) -> Option<EventReport> {
        let event = self.unbuilt.as_ref()?;
        Some(event.report(now))
    }
}

fn state_name(state: &State) -> StateName {
    match state {
        State::Idle { .. } | State::Stopped { .. } | State::Gone(_) => StateName::Stopped,
        State::Building { .. } => StateName::Building,
        State::Stopping { .. } => StateName::Stopping,
        State::Proving { .. } => StateName::Proving,
        State::Running { .. } => StateName::Running,
        State::BackingOff { .. } => StateName::BackingOff,
    }
}

fn health(run: &Run) -> Health {
    if run.ready_at.is_some() {
        Health::Ready
    } else {
        Health::Unready
    }
}

/// Whether a child counts as serving. One of which nothing is asked but that it lives does from the
/// beginning.
fn works(run: &Run) -> bool {
    run.ready_at.is_some() || matches!(run.artifact.spec.readiness, Readiness::Settle(_))
}

/// Whether connections wait because nobody accepts. Before the boot nothing is held.
fn waits(spec: &ProcessSpec, machine: &Lifecycle) -> bool {
    let held = match &spec.sockets {
        Sockets::Own => return false,
        Sockets::Held { .. } => true,
        Sockets::Relayed { .. } => false,
    };
    if machine.is_ending() || matches!(machine.state(), State::Idle { .. }) {
        return false;
    }
    // One that only has to live may accept from the beginning.
    let accepts = |run: &Run| run.ready_at.is_some() || held && works(run);
    !machine.serving().is_some_and(accepts)
}

/// The time that people see.
fn wall_clock() -> Timestamp {
    timestamp(SystemTime::now())
}

/// A time as readers receive it: to the millisecond, because more only costs their context.
#[must_use]
pub fn timestamp(time: SystemTime) -> Timestamp {
    let since_epoch = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let milliseconds = i64::try_from(since_epoch.as_millis()).unwrap_or(0);
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// In seconds, to the millisecond: more only costs the reader's context.
#[must_use]
pub fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
