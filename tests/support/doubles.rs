//! Actors that answer as they are told, and a [`Service`] made of them.

#![expect(clippy::unwrap_used, reason = "a test's own values are right")]

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use actix::{
    dev::{MessageResponse, OneshotSender},
    prelude::*,
};
use background_process_manager::service::{
    Configured, FollowPorts, Freshness, Member, Order, Parts, Service,
};
use bpm_actors::{
    artifact::{DescribeDiagnosis, Diagnosis, Diagnostic, KnownDiagnosis, WhichBuild},
    events::Events,
    ids::{BuildId, ProcessName, RunId},
    logs::{AwaitLine, Source},
    pattern::Pattern,
    report::{
        BuildOutcome, Connections, EventKind, EventReport, Health, LastBuild, LastExit, Outcome,
        ProcessReport, RestartReport, StateName,
    },
    restart::{Board, Pending, Restart, ShuttingDown, Snapshot, Start, Stop, ToolCalled},
    search::{
        Extent, Found, GoneLogs, LogKind, NoSuchLog, Query, Search, Searched, Which,
        walk::{Listen, Locate, Page, ReadOn, Walk},
    },
    spec::{Mode, ProcessType},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

/// What a process double does with an order.
pub(crate) enum Script {
    /// All goes well.
    Succeed,
    /// It answers at once, whatever it is told.
    Answer(Box<RestartReport>),
    /// It never answers.
    Hold,
    /// It takes no orders.
    Refuse,
}

/// A process that obeys as its script says, and remembers what it was told.
struct ProcessDouble {
    script: Script,
    told: Arc<Mutex<Vec<Order>>>,
    /// How many callers wait.
    waiting: watch::Sender<usize>,
}

impl Actor for ProcessDouble {
    type Context = Context<Self>;
}

impl ProcessDouble {
    fn obey(&mut self, order: Order, ctx: &mut Context<Self>) -> Result<Pending, ShuttingDown> {
        self.told.lock().unwrap().push(order);
        let (mut answer, outcome) = oneshot::channel();
        match &self.script {
            Script::Succeed => _ = answer.send(success(order)),
            Script::Answer(report) => _ = answer.send(report.as_ref().clone()),
            Script::Hold => {
                let waiting = self.waiting.clone();
                let held = async move {
                    waiting.send_modify(|it| *it += 1);
                    answer.closed().await;
                    waiting.send_modify(|it| *it -= 1);
                };
                ctx.spawn(held.into_actor(self));
            }
            Script::Refuse => return Err(ShuttingDown),
        }
        Ok(outcome)
    }
}

macro_rules! obeys {
    ($($message:ident => |$it:pat_param| $order:expr;)*) => {$(
        impl Handler<$message> for ProcessDouble {
            type Result = Result<Pending, ShuttingDown>;

            fn handle(&mut self, $it: $message, ctx: &mut Self::Context) -> Self::Result {
                self.obey($order, ctx)
            }
        }
    )*};
}

obeys! {
    Restart => |_| Order::Restart;
    Start => |_| Order::Start;
    Stop => |Stop { by }| Order::Stop(by);
}

type Search1 = Box<dyn Fn(&Search) -> Result<Found, NoSuchLog>>;

/// What the runs of a process have printed, for those who await a line.
#[derive(Default)]
pub(crate) struct Printed {
    /// Lines, each with its run.
    pub(crate) lines: Vec<(RunId, &'static str)>,
    /// Runs whose log has ended.
    pub(crate) ended: Vec<RunId>,
}

impl Printed {
    /// The line that answers this, if it is there.
    fn line(&self, AwaitLine { key, pattern }: &AwaitLine) -> Option<String> {
        let mut lines = self
            .lines
            .iter()
            .filter(|(run, _)| key.source == Source::Run(*run));
        let (_, line) = lines.find(|(_, line)| pattern.matches(line.as_bytes()))?;
        Some((*line).to_owned())
    }

    /// Whether there will be no other answer.
    fn settles(&self, question: &AwaitLine) -> bool {
        let over = |run: &RunId| question.key.source == Source::Run(*run);
        self.line(question).is_some() || self.ended.iter().any(over)
    }
}

/// A log store that answers as it is told and remembers what it was asked.
struct LogDouble {
    answer: Search1,
    asked: Arc<Mutex<Vec<Search>>>,
    printed: watch::Receiver<Printed>,
    /// How many await a line.
    reading: watch::Sender<usize>,
}

impl Actor for LogDouble {
    type Context = Context<Self>;
}

/// Build 9 is known, build 10 is under way, and there are no others.
impl Handler<DescribeDiagnosis> for LogDouble {
    type Result = Result<KnownDiagnosis, NoSuchLog>;

    fn handle(
        &mut self,
        DescribeDiagnosis { which, .. }: DescribeDiagnosis,
        _: &mut Self::Context,
    ) -> Self::Result {
        match which {
            WhichBuild::Index(-2) | WhichBuild::Id(BuildId(9)) => Ok(KnownDiagnosis::Found {
                build: BuildId(9),
                diagnosis: Arc::new(diagnosis()),
            }),
            WhichBuild::Index(-1) => Ok(KnownDiagnosis::UnderWay(BuildId(10))),
            WhichBuild::Index(index) => Err(NoSuchLog::Index {
                index,
                kept: 2,
                removed: None,
            }),
            WhichBuild::Id(build) => Ok(KnownDiagnosis::Unknown(build)),
        }
    }
}

/// One new error.
fn diagnosis() -> Diagnosis {
    Diagnosis {
        mode: Mode::Dev,
        outcome: BuildOutcome::Failed,
        error_count: 1,
        warning_count: 0,
        new_count: Some(1),
        findings: vec![Diagnostic {
            level: "error".to_owned(),
            code: Some("E0308".to_owned()),
            file: Some("src/main.rs".to_owned()),
            line: Some(3),
            column: Some(5),
            message: "mismatched types".to_owned(),
            rendered: "error[E0308]: mismatched types\n --> src/main.rs:3:5\n".to_owned(),
            new: true,
        }],
    }
}

impl Handler<Locate> for LogDouble {
    type Result = Result<Walk, NoSuchLog>;

    fn handle(&mut self, _: Locate, _: &mut Self::Context) -> Self::Result {
        Err(NoSuchLog::None)
    }
}

impl Handler<ReadOn> for LogDouble {
    type Result = Result<Page, NoSuchLog>;

    fn handle(&mut self, _: ReadOn, _: &mut Self::Context) -> Self::Result {
        Err(NoSuchLog::Closed)
    }
}

impl Handler<Listen> for LogDouble {
    type Result = Vec<watch::Receiver<()>>;

    fn handle(&mut self, _: Listen, _: &mut Self::Context) -> Self::Result {
        Vec::new()
    }
}

impl Handler<Search> for LogDouble {
    type Result = Result<Found, NoSuchLog>;

    fn handle(&mut self, search: Search, _: &mut Self::Context) -> Self::Result {
        let found = (self.answer)(&search);
        self.asked.lock().unwrap().push(search);
        found
    }
}

impl Handler<AwaitLine> for LogDouble {
    type Result = Reading;

    fn handle(&mut self, question: AwaitLine, _: &mut Self::Context) -> Self::Result {
        Reading {
            question,
            printed: self.printed.clone(),
            readers: self.reading.clone(),
        }
    }
}

/// A line that is awaited, until it is there or nobody wants it any more.
struct Reading {
    question: AwaitLine,
    printed: watch::Receiver<Printed>,
    readers: watch::Sender<usize>,
}

impl MessageResponse<LogDouble, AwaitLine> for Reading {
    fn handle(self, _: &mut Context<LogDouble>, asker: Option<OneshotSender<Option<String>>>) {
        let Self {
            question,
            mut printed,
            readers,
        } = self;
        let mut asker = asker.unwrap();
        actix::spawn(async move {
            readers.send_modify(|it| *it += 1);
            let line = tokio::select! {
                known = printed.wait_for(|it| it.settles(&question)) => {
                    known.ok().and_then(|it| it.line(&question))
                }
                () = asker.closed() => None,
            };
            readers.send_modify(|it| *it -= 1);
            _ = asker.send(line);
        });
    }
}

/// Counts tool calls.
struct ClockDouble {
    calls: watch::Sender<usize>,
}

impl Actor for ClockDouble {
    type Context = Context<Self>;
}

impl Handler<ToolCalled> for ClockDouble {
    type Result = ();

    fn handle(&mut self, _: ToolCalled, _: &mut Self::Context) {
        self.calls.send_modify(|it| *it += 1);
    }
}

/// A process that stays as it is, but for its ages.
pub(crate) struct Still {
    report: ProcessReport,
    since: Instant,
    unbuilt: Option<EventReport>,
    is_ending: bool,
}

impl Still {
    /// As this report says.
    pub(crate) fn new(report: ProcessReport) -> Self {
        Self {
            report,
            since: Instant::now(),
            unbuilt: None,
            is_ending: false,
        }
    }

    /// Its newest attempt failed before cargo.
    pub(crate) fn unbuilt(mut self, event: EventReport) -> Self {
        self.unbuilt = Some(event);
        self
    }

    /// The daemon ends.
    pub(crate) fn ending(mut self) -> Self {
        self.is_ending = true;
        self
    }
}

impl Snapshot for Still {
    fn report(&self, now: Instant) -> ProcessReport {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        let mut report = self.report.clone();
        for age in &mut report.events {
            age.age_seconds += passed;
        }
        if let Some(uptime) = &mut report.uptime_seconds {
            *uptime += passed;
        }
        if let Some(wait) = &mut report.next_attempt_in_seconds {
            *wait = (*wait - passed).max(0.0);
        }
        report
    }

    fn unbuilt(&self, _: Instant) -> Option<EventReport> {
        self.unbuilt.clone()
    }

    fn is_ending(&self) -> bool {
        self.is_ending
    }
}

/// A service of doubles, and what they saw.
pub(crate) struct Doubles {
    pub(crate) service: Service,
    /// Tool calls that counted as activity.
    pub(crate) calls: watch::Receiver<usize>,
    /// Callers that wait for the outcome of an order.
    pub(crate) waiting: watch::Receiver<usize>,
    /// What the processes were told.
    pub(crate) told: Arc<Mutex<Vec<Order>>>,
    /// What the runs have printed, for those who await a line.
    pub(crate) printed: watch::Sender<Printed>,
    /// Callers that await a line.
    pub(crate) reading: watch::Receiver<usize>,
    /// What the log store was asked.
    pub(crate) asked: Arc<Mutex<Vec<Search>>>,
    /// Where the processes publish, in order.
    pub(crate) boards: Vec<watch::Sender<Arc<dyn Snapshot>>>,
    /// When dev ends.
    pub(crate) release_at: watch::Sender<Option<Instant>>,
}

/// What to build [`Doubles`] from.
pub(crate) struct Cast {
    processes: Vec<(ProcessReport, Script)>,
    logs: Search1,
}

impl Doubles {
    /// The first process publishes this.
    pub(crate) fn post(&self, shown: Still) {
        self.boards[0].send_replace(Arc::new(shown));
    }
}

impl Cast {
    /// Nobody yet; the logs are [`lines`], whichever is asked for but by number.
    pub(crate) fn new() -> Self {
        Self {
            processes: Vec::new(),
            logs: Box::new(|search| match search.which {
                Which::Number(number) if ![7, 9].contains(&number) => Err(NoSuchLog::Number {
                    number,
                    kept: 1,
                    oldest: 7,
                    newest: 7,
                    removed: None,
                }),
                Which::Index(_) | Which::Number(_) | Which::All => Ok(lines(search)),
            }),
        }
    }

    /// With this process.
    pub(crate) fn with(mut self, report: ProcessReport, script: Script) -> Self {
        self.processes.push((report, script));
        self
    }

    /// With this log store.
    pub(crate) fn logs(
        mut self,
        answer: impl Fn(&Search) -> Result<Found, NoSuchLog> + 'static,
    ) -> Self {
        self.logs = Box::new(answer);
        self
    }

    /// Starts the doubles. Needs an actix system.
    pub(crate) fn start(self) -> Doubles {
        let (waiting, who_waits) = watch::channel(0);
        let (calls, how_many) = watch::channel(0);
        let (printed, what_is_printed) = watch::channel(Printed::default());
        let (reading, who_reads) = watch::channel(0);
        let asked = Arc::default();
        let told = Arc::default();
        let mut boards = Vec::new();
        let mut members = Vec::new();
        for (report, script) in self.processes {
            let name: ProcessName = report.name.parse().unwrap();
            let kind = report.r#type;
            let (post, board) = board(report);
            let waiting = waiting.clone();
            let process = ProcessDouble {
                script,
                told: Arc::clone(&told),
                waiting,
            }
            .start();
            members.push(Member {
                name,
                kind,
                restart: process.clone().recipient(),
                start: process.clone().recipient(),
                stop: process.recipient(),
                freshness: Freshness::default(),
                board,
            });
            boards.push(post);
        }
        let soon = Instant::now() + Duration::from_mins(152);
        let (release_at, when) = watch::channel(Some(soon));
        let logs = LogDouble {
            answer: self.logs,
            asked: Arc::clone(&asked),
            printed: what_is_printed,
            reading,
        }
        .start();
        let service = Service::new(Parts {
            project_dir: PathBuf::from("/home/u/ganbot"),
            version: "0.1.0".to_owned(),
            configured: Configured {
                members,
                url: "http://localhost:3001/mcp".to_owned(),
                error: None,
            }
            .fixed(),
            reload: mpsc::channel(1).0,
            logs: logs.clone().recipient(),
            lines: logs.clone().recipient(),
            diagnoses: logs.clone().recipient(),
            follow: FollowPorts {
                locate: logs.clone().recipient(),
                read_on: logs.clone().recipient(),
                listen: logs.recipient(),
            },
            activity: ClockDouble { calls }.start().recipient(),
            release_at: when,
            events: Events::new(),
        });
        Doubles {
            service,
            calls: how_many,
            waiting: who_waits,
            told,
            printed,
            reading: who_reads,
            asked,
            boards,
            release_at,
        }
    }
}

/// A board that shows this.
pub(crate) fn board(report: ProcessReport) -> (watch::Sender<Arc<dyn Snapshot>>, Board) {
    watch::channel(Arc::new(Still::new(report)) as Arc<dyn Snapshot>)
}

/// The process of the contract's example.
pub(crate) fn main_process() -> ProcessReport {
    let at = |text: &str| text.parse().unwrap();
    ProcessReport {
        name: "main".to_owned(),
        r#type: ProcessType::Rust,
        state: StateName::Running,
        mode: Mode::Dev,
        serving: true,
        health: Some(Health::Ready),
        behind: None,
        run: Some(RunId(7)),
        pid: Some(4711),
        uptime_seconds: Some(81.2),
        restarts: 3,
        crashes: 1,
        crashes_in_a_row: 0,
        next_attempt_in_seconds: None,
        connections: Connections::Own,
        connections_wait: false,
        status_text: None,
        last_exit: Some(LastExit {
            run: RunId(6),
            code: None,
            signal: Some(9),
            text: "signal 9 (SIGKILL)".to_owned(),
            at: at("2026-11-23T10:00:00Z"),
        }),
        last_build: Some(LastBuild {
            id: BuildId(9),
            mode: Mode::Dev,
            outcome: BuildOutcome::Ok,
            seconds: 4.1,
            errors: 0,
            warnings: 2,
            at: at("2026-11-23T09:59:58Z"),
        }),
        events: vec![EventReport {
            at: at("2026-11-23T10:00:01Z"),
            age_seconds: 81.2,
            kind: EventKind::Restarted,
            text: "up (run 7, pid 4711, dev)".to_owned(),
        }],
    }
}

/// A sidecar that runs beside it.
pub(crate) fn web_process() -> ProcessReport {
    ProcessReport {
        name: "web".to_owned(),
        r#type: ProcessType::Npm,
        mode: Mode::Release,
        run: Some(RunId(2)),
        pid: Some(4720),
        last_exit: None,
        last_build: None,
        events: Vec::new(),
        ..main_process()
    }
}

/// A restart that went well.
pub(crate) fn restarted() -> RestartReport {
    RestartReport {
        process: "main".to_owned(),
        ok: true,
        outcome: Outcome::Restarted,
        reason: None,
        mode: Mode::Dev,
        run: Some(RunId(8)),
        pid: Some(4800),
        build: Some(BuildId(10)),
        build_seconds: Some(2.3),
        pause_ms: Some(3.1),
        ready_after_ms: None,
        connections_refused: None,
        error_count: 0,
        warning_count: 0,
        new_count: 0,
        fixed_count: 0,
        omitted_count: 0,
        error_lines: Vec::new(),
        errors: Vec::new(),
        exit: None,
        last_lines: Vec::new(),
        behind: None,
        next: None,
    }
}

/// An order that went well.
fn success(order: Order) -> RestartReport {
    let done = RestartReport {
        build: None,
        build_seconds: None,
        pause_ms: None,
        ..restarted()
    };
    match order {
        Order::Restart => restarted(),
        Order::Start => RestartReport {
            outcome: Outcome::Running,
            ..done
        },
        Order::Stop(_) => RestartReport {
            outcome: Outcome::Stopped,
            run: None,
            pid: None,
            ..done
        },
    }
}

/// A log of 3,400 numbered lines, of which every one that ends in 00 matches. What does not fit is
/// left out at the beginning.
pub(crate) fn lines(search: &Search) -> Found {
    let Query {
        pattern,
        extent,
        budget,
        ..
    } = &search.query;
    let all: Vec<String> = (0..3_400).map(|it| format!("line {it}")).collect();
    let matches = |line: &&String| {
        let hit = |it: &Pattern| it.matches(line.as_bytes());
        pattern.as_ref().is_none_or(hit)
    };
    let hits: Vec<&String> = all.iter().filter(matches).collect();
    let wanted: Vec<&String> = match *extent {
        Extent::Head(count) => hits.iter().copied().take(count).collect(),
        Extent::Tail(count) => hits[hits.len().saturating_sub(count)..].to_vec(),
        Extent::All => hits.clone(),
    };
    let mut room = *budget;
    let fits = |line: &&&String| {
        let left = room.checked_sub(line.len() + 4);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let mut shown: Vec<&String> = wanted.iter().rev().take_while(fits).copied().collect();
    shown.reverse();
    let log = |process: &ProcessName| Searched {
        process: process.clone(),
        source: match search.kind {
            LogKind::Runs => Source::Run(RunId(7)),
            LogKind::Builds => Source::Build(BuildId(9)),
        },
        mode: Mode::Dev,
        began: SystemTime::UNIX_EPOCH,
        ending: None,
    };
    Found {
        logs: search.processes.iter().map(log).collect(),
        without: Vec::new(),
        kept: 3_400,
        matched: hits.len() as u64,
        chosen: wanted.len() as u64,
        shown_first: 0,
        shown_last: shown.len() as u64,
        evicted: 0,
        hidden: 0,
        outside: 0,
        has_older: false,
        beyond: Vec::new(),
        gone: 0,
        gone_logs: GoneLogs::NONE,
        lost: 0,
        unreadable: 0,
        shortened: 0,
        collapsed: 0,
        cursor: "7:3400".parse().unwrap(),
        text: shown.iter().flat_map(|it| [" * ", it, "\n"]).collect(),
    }
}
