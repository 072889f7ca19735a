//! What others ask of the store: messages become calls.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix::{fut, prelude::*};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

use super::{LogStoreActor, Phase, answer::Answer, kept::at, last_lines};
use crate::{
    ids::ProcessName,
    logs::{
        Append, BuildEnded, BuildEnding, Crashed, DescribeLastLines, LogKey, OpenLog, SetLimits,
        Source, Stopped, Stream, TreeEnded,
        archive::{ArchiveLimits, Closed, weave::Frozen},
        shelf::{Limits, Log},
    },
    restart::Shutdown,
    search::{Asked, Found, GoneLogs, LogKind, Naming, NoSuchLog, Search, Which, search},
};

impl Handler<OpenLog> for LogStoreActor {
    type Result = ();

    fn handle(
        &mut self,
        OpenLog {
            key,
            mode,
            at,
            preface,
            outputs,
        }: OpenLog,
        ctx: &mut Self::Context,
    ) {
        if !self.live.contains_key(&key) {
            if self.archive.is_none() {
                let closed = self.closed.as_mut();
                self.archive = closed.and_then(Closed::open);
            }
            if let Some(archive) = &mut self.archive {
                archive.begin(&key, mode, at);
            }
            self.begin(&key, Log::new(key.source, mode, at), ctx);
        }
        if !preface.is_empty() {
            self.take(&key, Stream::Stderr, &preface);
            self.listen_for_silence(&key, ctx);
        }
        for (stream, output) in outputs {
            self.watch(&key, stream, output, ctx);
        }
    }
}

impl Handler<SetLimits> for LogStoreActor {
    type Result = ();

    fn handle(&mut self, limits: SetLimits, ctx: &mut Self::Context) {
        let SetLimits {
            settings,
            processes,
        } = limits;
        let on_disk = ArchiveLimits::from(&settings);
        if let Some(archive) = &mut self.archive {
            archive.set_limits(on_disk);
        }
        if let Some(closed) = &mut self.closed {
            closed.set_limits(on_disk);
        }
        (self.runs, self.builds) = Limits::divided(settings.memory_bytes, processes.len());
        self.sharing = Some(processes.into_iter().collect());
        let names: Vec<ProcessName> = self.shelves.keys().map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.clear_for(name);
        }
        for ((_, kind), shelf) in &mut self.shelves {
            shelf.set_limits(match kind {
                LogKind::Runs => self.runs,
                LogKind::Builds => self.builds,
            });
        }
        // It may be due earlier now.
        if let Some(age) = self.age.take() {
            age.abort();
        }
        self.watch_age(ctx);
    }
}

impl Handler<Append> for LogStoreActor {
    type Result = ();

    fn handle(&mut self, Append { key, stream, bytes }: Append, ctx: &mut Self::Context) {
        if !self.live.contains_key(&key) {
            log::debug!("{}: {:?} takes no more lines", key.process, key.source);
        }
        self.take(&key, stream, &bytes);
        self.listen_for_silence(&key, ctx);
    }
}

impl Handler<Crashed> for LogStoreActor {
    type Result = ();

    fn handle(&mut self, Crashed { process, run, exit }: Crashed, ctx: &mut Self::Context) {
        let source = Source::Run(run);
        self.end(
            LogKey { process, source },
            format!("crashed: {exit}"),
            Phase::Draining,
            ctx,
        );
    }
}

impl Handler<Stopped> for LogStoreActor {
    type Result = ();

    fn handle(&mut self, Stopped { process, run, exit }: Stopped, ctx: &mut Self::Context) {
        let source = Source::Run(run);
        self.end(
            LogKey { process, source },
            format!("stopped: {exit}"),
            Phase::Leaving,
            ctx,
        );
    }
}

impl Handler<TreeEnded> for LogStoreActor {
    type Result = ();

    fn handle(&mut self, TreeEnded { process, run }: TreeEnded, ctx: &mut Self::Context) {
        let source = Source::Run(run);
        self.enter(LogKey { process, source }, Phase::Draining, ctx);
    }
}

impl Handler<BuildEnded> for LogStoreActor {
    type Result = ();

    fn handle(
        &mut self,
        BuildEnded {
            process,
            build,
            ending,
        }: BuildEnded,
        ctx: &mut Self::Context,
    ) {
        let ending = match ending {
            BuildEnding::Succeeded => "succeeded",
            BuildEnding::Failed => "failed",
            BuildEnding::Cancelled => "cancelled",
        };
        let source = Source::Build(build);
        self.end(
            LogKey { process, source },
            ending.to_owned(),
            Phase::Draining,
            ctx,
        );
    }
}

impl Handler<Shutdown> for LogStoreActor {
    type Result = ResponseActFuture<Self, ()>;

    /// Takes what all pipes hold and closes all logs. Searches are answered as before.
    fn handle(&mut self, _: Shutdown, _: &mut Self::Context) -> Self::Result {
        let keys: Vec<LogKey> = self.live.keys().cloned().collect();
        let outputs = self.passthrough.clone();
        // One after the other, so that an output that is a file has room for what the pipes hold.
        let turns = stream::iter(keys).then(move |key| {
            let outputs = outputs.clone();
            async move {
                for stream in [Stream::Stdout, Stream::Stderr] {
                    outputs.outlet(stream).room().await;
                }
                key
            }
        });
        let closed = fut::wrap_stream(turns)
            .map(|key, store: &mut Self, ctx: &mut Self::Context| store.close(&key, ctx));
        Box::pin(closed.finish())
    }
}

impl Handler<DescribeLastLines> for LogStoreActor {
    type Result = Answer<Vec<String>>;

    fn handle(
        &mut self,
        DescribeLastLines { key, count }: DescribeLastLines,
        _: &mut Self::Context,
    ) -> Self::Result {
        if let Some(live) = self.live.get_mut(&key) {
            let (asker, answer) = oneshot::channel();
            live.waiting.retain(|(_, asker)| !asker.is_closed());
            live.waiting.push((count, asker));
            return Answer::new(async move { answer.await.unwrap_or_default() });
        }
        let lines = self
            .log(&key)
            .map(|log| last_lines(log, count))
            .unwrap_or_default();
        Answer::new(async move { lines })
    }
}

impl Handler<Search> for LogStoreActor {
    type Result = Answer<Result<Found, NoSuchLog>>;

    fn handle(&mut self, question: Search, ctx: &mut Self::Context) -> Self::Result {
        let store = ctx.address();
        let turns = if question.query.is_choosy() {
            Arc::clone(&self.searches)
        } else {
            Arc::clone(&self.looks)
        };
        Answer::new(async move {
            let permit = turns.acquire_owned().await.map_err(|_| NoSuchLog::Closed)?;
            let naming = match question.processes.as_slice() {
                [_] => Naming::Alone,
                _ => Naming::Named,
            };
            let query = question.query.clone();
            // Taken only now: while it waits, a search keeps nothing alive that may leave.
            let gathered = store.send(Gather(question)).await;
            let mut gathered = gathered.map_err(|_| NoSuchLog::Closed)??;
            let without = std::mem::take(&mut gathered.without);
            let (has_older, gone_logs) = (gathered.has_older, gathered.gone_logs);
            let abandoned = Arc::new(AtomicBool::new(false));
            let asker = Abandons(Arc::clone(&abandoned));
            let work = tokio::task::spawn_blocking(move || {
                let found = search(&gathered.thaw(), naming, &query, &abandoned);
                drop(permit);
                found
            });
            let found = work.await.ok().flatten();
            drop(asker);
            let found = found.ok_or(NoSuchLog::Closed)?;
            Ok(Found {
                without,
                has_older,
                gone_logs,
                ..found
            })
        })
    }
}

/// Tells a search, when it is dropped, that nobody waits for it.
pub(super) struct Abandons(pub(super) Arc<AtomicBool>);

impl Drop for Abandons {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Question of the store to itself: logs as they are now.
#[derive(Message)]
#[rtype(result = "Result<Gathered, NoSuchLog>")]
pub(super) struct Gather(pub(super) Search);

/// The logs that a question is about, as they were.
pub(super) struct Gathered {
    question: Search,
    /// Of each process that has any, oldest first.
    frozen: Vec<(ProcessName, Vec<Frozen>)>,
    /// Processes that have no such log.
    without: Vec<ProcessName>,
    /// The newest log of one process was asked for, and an older one is kept.
    has_older: bool,
    /// What was removed as a whole behind the cursor.
    gone_logs: GoneLogs,
}

impl Gathered {
    /// Puts the logs together, the newest first: those before one that is too old are older.
    pub(super) fn thaw(self) -> Vec<Asked> {
        let query = &self.question.query;
        let thawed = self.frozen.into_iter().map(|(process, frozen)| {
            let mut logs = Vec::with_capacity(frozen.len());
            for frozen in frozen.into_iter().rev() {
                let log = frozen.thaw();
                let is_too_old = query.is_after(&log);
                logs.push(log);
                if is_too_old {
                    break;
                }
            }
            logs.reverse();
            Asked { process, logs }
        });
        thawed.collect()
    }
}

impl Handler<Gather> for LogStoreActor {
    type Result = Result<Gathered, NoSuchLog>;

    fn handle(&mut self, Gather(question): Gather, _: &mut Self::Context) -> Self::Result {
        let (mut frozen, mut without) = (Vec::new(), Vec::new());
        let mut refusal = NoSuchLog::None;
        for process in &question.processes {
            match self.gather(process, &question) {
                Ok(logs) => frozen.push((process.clone(), logs)),
                Err(cause) => {
                    without.push(process.clone());
                    if refusal == NoSuchLog::None {
                        refusal = cause;
                    }
                }
            }
        }
        if frozen.is_empty() {
            return Err(refusal);
        }
        let has_older = match (question.processes.as_slice(), question.which) {
            ([only], Which::Index(-1)) => self.kept(only, question.kind).len() > 1,
            _ => false,
        };
        let gone_logs = self.gone_behind(&question);
        Ok(Gathered {
            question,
            frozen,
            without,
            has_older,
            gone_logs,
        })
    }
}

impl LogStoreActor {
    /// The logs of a process that a question is about, oldest first; at least one.
    fn gather(
        &mut self,
        process: &ProcessName,
        question: &Search,
    ) -> Result<Vec<Frozen>, NoSuchLog> {
        let kept = self.kept(process, question.kind);
        let (Some(&oldest), Some(&newest)) = (kept.first(), kept.last()) else {
            return Err(NoSuchLog::None);
        };
        let removed = || self.removed(process, question.kind);
        let numbers = match question.which {
            Which::Index(index) => vec![at(&kept, index, removed())?],
            Which::Number(number) if kept.contains(&number) => vec![number],
            Which::Number(number) => {
                return Err(NoSuchLog::Number {
                    number,
                    kept: kept.len(),
                    oldest,
                    newest,
                    removed: removed(),
                });
            }
            Which::All => {
                let wanted = question.query.numbers(process);
                if *wanted.start() > newest {
                    let number = *wanted.start();
                    return Err(NoSuchLog::Ahead { number, newest });
                }
                let mut within: Vec<_> =
                    kept.into_iter().filter(|it| wanted.contains(it)).collect();
                if within.is_empty() {
                    within.push(newest);
                }
                within
            }
        };
        let logs = numbers.into_iter().filter_map(|number| {
            self.freeze(&LogKey {
                process: process.clone(),
                source: question.kind.source(number),
            })
        });
        let logs: Vec<_> = logs.collect();
        if logs.is_empty() {
            return Err(NoSuchLog::None);
        }
        Ok(logs)
    }
}
