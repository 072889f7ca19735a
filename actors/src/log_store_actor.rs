//! Reads every pipe, keeps the lines, answers searches.
//!
//! | who sends | what |
//! |---|---|
//! | process actors | `OpenLog`, then `Crashed` or `Stopped`, then `TreeEnded`; `DescribeLastLines`, `DescribeErrorLines` |
//! | the builder | `OpenLog`, `Append`, then `Diagnosed` and `BuildEnded`; `DescribeKnown` |
//! | the front ends | `Search`, `AwaitLine`, `DescribeDiagnosis`; `Locate`, then `ReadOn` and `Listen` |
//! | readiness probes | `AwaitLine` |
//! | the daemon | [`Beat`](crate::beat::Beat); `SetLimits`, when the configuration changed; [`Shutdown`](crate::restart::Shutdown), when nobody is left who prints |
//!
//! Lines go to the history on disk, where there is one, before anybody sees them.
//!
//! It lives on a thread of its own and knows neither children nor builds, only pipes and keys. It
//! waits for nobody: searches run elsewhere on a snapshot, and what it passes on is queued.
//!
//! Bytes are read when the pipe has some and at the pace of this actor, so a chatty child is slowed
//! by its full pipe and nothing grows. When a run has ended, its pipes are read to their end; where
//! somebody still holds one, what is in it after `PATIENCE` is the last that is taken. That time
//! begins with a crash, because the rest of the tree is killed at once, but after a requested stop
//! only when nobody of the tree is left: until then they have their grace and print.

mod age;
mod answer;
mod awaited;
mod diagnoses;
mod errors;
mod kept;
mod pace;
mod pipes;
mod requests;
mod walks;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix::prelude::*;
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinHandle,
    time::Instant,
};

use self::{
    awaited::Awaited,
    diagnoses::Diagnoses,
    pipes::{Pipe, PipeId},
};
use crate::{
    beat::beats,
    ids::ProcessName,
    logs::{
        LogKey, Source, Stream,
        archive::{Archive, Closed},
        chunk::{LineEnd, Stretch},
        journal::Priority,
        passthrough::{Outlet, Passthrough},
        shelf::{Limits, Log, Moment, Shelf},
    },
    search::{
        LogKind,
        show::{self, LONGEST_SHOWN},
    },
};

/// How long the pipes of a run that has ended are read when somebody still holds them.
pub const PATIENCE: Duration = Duration::from_millis(100);
/// How many searches run at the same time; more wait.
const SEARCHES: usize = 2;
/// How many questions that need no search are answered at the same time: what they read is little, and
/// whoever asks them does not wait for those who search.
const LOOKS: usize = 4;

/// Every line of every run and build.
#[derive(Debug)]
pub struct LogStoreActor {
    /// What is kept in memory of the runs of a process.
    runs: Limits,
    /// And of its builds.
    builds: Limits,
    /// What is kept on disk.
    archive: Option<Archive>,
    /// What is to be kept on disk, but cannot be.
    closed: Option<Closed>,
    passthrough: Passthrough,
    shelves: HashMap<(ProcessName, LogKind), Shelf>,
    /// The logs that still take lines.
    live: HashMap<LogKey, Live>,
    pipes: HashMap<PipeId, Pipe>,
    next_pipe: PipeId,
    /// Where bytes are read to, from whichever pipe.
    buffer: Vec<u8>,
    searches: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    diagnoses: Diagnoses,
    /// Who shares the memory, where the configuration was changed; everybody before.
    sharing: Option<HashSet<ProcessName>>,
    /// The alarm for the next file of the history that becomes too old.
    age: Option<JoinHandle<()>>,
}

/// What belongs to a log as long as it takes lines.
#[derive(Debug)]
struct Live {
    /// `[name] ` or `[build name] `.
    prefix: Vec<u8>,
    /// How many of its pipes are open.
    open: usize,
    phase: Phase,
    /// Who waits for its end.
    waiting: Vec<(usize, oneshot::Sender<Vec<String>>)>,
    /// Who waits for a line of it.
    awaited: Awaited,
    /// The alarm for an unfinished line.
    silence: Option<SpawnHandle>,
}

impl Live {
    /// Lines were stored: they are passed on, and whoever waits for one of them gets it.
    fn stored(&mut self, stretch: Stretch<'_>, outlet: &Outlet, otherwise: Priority) {
        if outlet.is_read() {
            let mut batch = outlet.batch(&self.prefix).otherwise(otherwise);
            for line in stretch.lines() {
                batch.line(line.bytes);
            }
        }
        if !self.awaited.is_empty() {
            for line in stretch.lines() {
                self.awaited.stored(&line);
            }
        }
    }
}

/// How far a log is on the way to its end. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// What prints is alive.
    Running,
    /// It stopped as it was told to; others of its tree may still print.
    Leaving,
    /// Nobody is left who should print; the pipes are given up when [`PATIENCE`] is over.
    Draining,
}

impl LogStoreActor {
    /// A store that passes lines on to these outputs.
    #[must_use]
    pub fn new(passthrough: Passthrough) -> Self {
        Self::with_limits(passthrough, Limits::default())
    }

    /// A store that keeps more or less than usual.
    #[must_use]
    pub fn with_limits(passthrough: Passthrough, limits: Limits) -> Self {
        Self {
            runs: limits,
            builds: limits,
            archive: None,
            closed: None,
            passthrough,
            shelves: HashMap::new(),
            live: HashMap::new(),
            pipes: HashMap::new(),
            next_pipe: PipeId::default(),
            buffer: Vec::new(),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            looks: Arc::new(Semaphore::new(LOOKS)),
            diagnoses: Diagnoses::default(),
            sharing: None,
            age: None,
        }
    }

    /// A store that keeps a history on disk, if there is one, and so much in memory of the runs and
    /// of the builds of each process.
    #[must_use]
    pub fn with_archive(
        passthrough: Passthrough,
        (runs, builds): (Limits, Limits),
        archive: Option<Archive>,
    ) -> Self {
        Self {
            runs,
            builds,
            archive,
            ..Self::new(passthrough)
        }
    }

    /// The same, with a history that could not be opened and is tried again.
    #[must_use]
    pub fn waiting_for(self, closed: Option<Closed>) -> Self {
        Self { closed, ..self }
    }

    fn shelf(&mut self, process: &ProcessName, kind: LogKind) -> &mut Shelf {
        let limits = match kind {
            LogKind::Runs => self.runs,
            LogKind::Builds => self.builds,
        };
        self.shelves
            .entry((process.clone(), kind))
            .or_insert_with(|| Shelf::new(limits))
    }

    /// Puts a new, empty log on its shelf. The one that leaves for it takes no more lines.
    fn begin(&mut self, key: &LogKey, log: Log, ctx: &mut Context<Self>) {
        let live = Live {
            prefix: prefix(key),
            open: 0,
            phase: Phase::Running,
            waiting: Vec::new(),
            awaited: Awaited::default(),
            silence: None,
        };
        self.live.insert(key.clone(), live);
        let shelf = self.shelf(&key.process, kind(key.source));
        let left = shelf.open(log);
        shelf.bell().ring();
        if let Some(left) = left {
            let process = key.process.clone();
            let source = left.source();
            self.finish(&LogKey { process, source }, Some(&left), ctx);
        }
    }

    /// Stores bytes of a log, then passes on the lines that they completed.
    fn take(&mut self, key: &LogKey, stream: Stream, bytes: &[u8]) {
        let place = place(key);
        let (Some(live), Some(logs)) = (self.live.get_mut(key), self.shelves.get_mut(&place))
        else {
            return;
        };
        let moment = Moment {
            now: Instant::now(),
            at: SystemTime::now(),
        };
        if let Some(log) = logs.log_mut(key.source) {
            let outlet = self.passthrough.outlet(stream);
            let otherwise = Priority::of_source(key.source, stream);
            let archive = &mut self.archive;
            log.take(stream, bytes, moment, &mut |stretch| {
                if let Some(archive) = archive {
                    archive.append(key, &stretch);
                }
                live.stored(stretch, outlet, otherwise);
            });
        }
        logs.fit();
        logs.bell().ring();
    }

    /// Stores the unfinished line of a stream, then passes it on.
    fn flush(&mut self, key: &LogKey, stream: Stream, end: LineEnd) {
        let place = place(key);
        let (Some(live), Some(logs)) = (self.live.get_mut(key), self.shelves.get_mut(&place))
        else {
            return;
        };
        if let Some(log) = logs.log_mut(key.source) {
            let outlet = self.passthrough.outlet(stream);
            let otherwise = Priority::of_source(key.source, stream);
            let archive = &mut self.archive;
            log.flush(stream, end, SystemTime::now(), &mut |stretch| {
                if let Some(archive) = archive {
                    archive.append(key, &stretch);
                }
                live.stored(stretch, outlet, otherwise);
            });
        }
        logs.fit();
        logs.bell().ring();
    }

    /// Sets the alarm for unfinished lines, unless it is set. While bytes keep coming it is not
    /// touched; when it rings it looks how long the silence has lasted.
    fn listen_for_silence(&mut self, key: &LogKey, ctx: &mut Context<Self>) {
        // A log that has gone on in a new file leaves one that will be too old some day.
        self.watch_age(ctx);
        let due = self.due(key);
        let Some(live) = self.live.get_mut(key) else {
            return;
        };
        let (Some(due), None) = (due, live.silence) else {
            return;
        };
        let wait = due.saturating_duration_since(Instant::now());
        let key = key.clone();
        live.silence = Some(ctx.run_later(wait, move |store, ctx| {
            if let Some(live) = store.live.get_mut(&key) {
                live.silence = None;
            }
            // A store that was kept from its processor may find the alarm before what came meanwhile.
            store.read_the_rest(&key);
            let now = Instant::now();
            for stream in [Stream::Stdout, Stream::Stderr] {
                if store
                    .log(&key)
                    .and_then(|log| log.due(stream))
                    .is_some_and(|due| due <= now)
                {
                    store.flush(&key, stream, LineEnd::Silence);
                }
            }
            store.listen_for_silence(&key, ctx);
        }));
    }

    fn due(&self, key: &LogKey) -> Option<Instant> {
        let log = self.log(key)?;
        let due = [log.due(Stream::Stdout), log.due(Stream::Stderr)];
        due.into_iter().flatten().min()
    }

    fn log(&self, key: &LogKey) -> Option<&Log> {
        let place = place(key);
        self.shelves.get(&place)?.log(key.source)
    }

    /// What printed into a log has ended; `phase` says whether others still may.
    fn end(&mut self, key: LogKey, ending: String, phase: Phase, ctx: &mut Context<Self>) {
        let place = place(&key);
        let log = self
            .shelves
            .get_mut(&place)
            .and_then(|shelf| shelf.log_mut(key.source));
        let (Some(log), true) = (log, self.live.contains_key(&key)) else {
            log::debug!(
                "{}: {:?} ended, but has no open log",
                key.process,
                key.source
            );
            return;
        };
        log.end(ending);
        self.enter(key, phase, ctx);
    }

    /// The end of a log has come this far. One that has no open pipe is closed at once.
    fn enter(&mut self, key: LogKey, phase: Phase, ctx: &mut Context<Self>) {
        // One that was closed, or has left its shelf, needs nothing more.
        let Some(live) = self.live.get_mut(&key) else {
            return;
        };
        if live.phase >= phase {
            return;
        }
        live.phase = phase;
        if live.open == 0 {
            self.close(&key, ctx);
        } else if phase == Phase::Draining {
            ctx.run_later(PATIENCE, move |store, ctx| store.close(&key, ctx));
        }
    }

    /// Takes what is in the pipes of a log at this moment, and no more: the log has ended.
    fn close(&mut self, key: &LogKey, ctx: &mut Context<Self>) {
        self.read_the_rest(key);
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.flush(key, stream, LineEnd::End);
        }
        let place = place(key);
        if let Some(log) = self
            .shelves
            .get_mut(&place)
            .and_then(|shelf| shelf.log_mut(key.source))
        {
            log.close();
        }
        self.finish(key, None, ctx);
    }

    /// Forgets what a log needed while it took lines, and answers who waited for its end. `left` is
    /// the log if it is on its shelf no more.
    fn finish(&mut self, key: &LogKey, left: Option<&Log>, ctx: &mut Context<Self>) {
        self.forget_pipes(key, ctx);
        let Some(live) = self.live.remove(key) else {
            return;
        };
        if let Some(alarm) = live.silence {
            ctx.cancel_future(alarm);
        }
        let place = place(key);
        let log = left.or_else(|| self.shelves.get(&place)?.log(key.source));
        if let Some(archive) = &mut self.archive {
            let given_up = left.map(|_| "no longer recorded");
            archive.end(key, log.and_then(Log::ending).or(given_up));
        }
        for (count, asker) in live.waiting {
            // Who asked may be gone.
            let _ = asker.send(log.map(|log| last_lines(log, count)).unwrap_or_default());
        }
        if let Some(shelf) = self.shelves.get(&place) {
            shelf.bell().ring();
        }
        self.clear_for(&key.process);
        self.watch_age(ctx);
    }

    /// Gives up the memory of a process that was removed, when it prints no more.
    fn clear_for(&mut self, process: &ProcessName) {
        let shares = |sharing: &HashSet<ProcessName>| sharing.contains(process);
        let prints = self.live.keys().any(|key| key.process == *process);
        if !prints && !self.sharing.as_ref().is_none_or(shares) {
            let shelves = self.shelves.iter_mut();
            let theirs = shelves.filter(|((name, _), _)| name == process);
            theirs.for_each(|(_, shelf)| shelf.clear());
        }
    }
}

impl Actor for LogStoreActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.watch_age(ctx);
    }
}

beats!(LogStoreActor, |_| "log store");

fn kind(source: Source) -> LogKind {
    match source {
        Source::Run(_) => LogKind::Runs,
        Source::Build(_) => LogKind::Builds,
    }
}

fn place(key: &LogKey) -> (ProcessName, LogKind) {
    (key.process.clone(), kind(key.source))
}

fn prefix(key: &LogKey) -> Vec<u8> {
    let process = &key.process;
    match key.source {
        Source::Run(_) => format!("[{process}] "),
        Source::Build(_) => format!("[build {process}] "),
    }
    .into_bytes()
}

/// The last lines of a log as readers see them.
fn last_lines(log: &Log, count: usize) -> Vec<String> {
    let mut last = Vec::new();
    for chunk in log.snapshot().chunks().rev() {
        let missing = count - last.len();
        let lines = (0..chunk.len()).rev().take(missing);
        last.extend(lines.map(|n| show::text(&chunk.line(n), LONGEST_SHOWN).0));
        if last.len() == count {
            break;
        }
    }
    last.reverse();
    last
}

#[cfg(test)]
mod tests;
