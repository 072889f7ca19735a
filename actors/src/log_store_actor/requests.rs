//! What others ask of the store: messages become calls.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix::{fut, prelude::*};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

use super::{LogStoreActor, Phase, answer::Answer, last_lines};
use crate::{
    ids::ProcessName,
    logs::{
        Append, BuildEnded, BuildEnding, Crashed, DescribeLastLines, LogKey, OpenLog, Source,
        Stopped, Stream, TreeEnded,
        shelf::{Log, Shelf, Snapshot},
    },
    restart::Shutdown,
    search::{Asked, Found, LogKind, Naming, NoSuchLog, Search, Which, search},
};

impl Handler<OpenLog> for LogStoreActor {
    type Result = ();

    fn handle(
        &mut self,
        OpenLog {
            key,
            mode,
            at,
            outputs,
        }: OpenLog,
        ctx: &mut Self::Context,
    ) {
        if !self.live.contains_key(&key) {
            self.begin(&key, Log::new(key.source, mode, at), ctx);
        }
        for (stream, output) in outputs {
            self.watch(&key, stream, output, ctx);
        }
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
        let searches = Arc::clone(&self.searches);
        Answer::new(async move {
            let permit = searches
                .acquire_owned()
                .await
                .map_err(|_| NoSuchLog::Closed)?;
            let naming = match question.processes.as_slice() {
                [_] => Naming::Alone,
                _ => Naming::Named,
            };
            let query = question.query.clone();
            // Taken only now: while it waits, a search keeps nothing alive that may leave.
            let frozen = store.send(Freeze(question)).await;
            let Frozen { asked, without } = frozen.map_err(|_| NoSuchLog::Closed)??;
            let abandoned = Arc::new(AtomicBool::new(false));
            let asker = Abandons(Arc::clone(&abandoned));
            let work = tokio::task::spawn_blocking(move || {
                let found = search(&asked, naming, &query, &abandoned);
                drop(permit);
                found
            });
            let found = work.await.ok().flatten();
            drop(asker);
            let found = found.ok_or(NoSuchLog::Closed)?;
            Ok(Found { without, ..found })
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
#[rtype(result = "Result<Frozen, NoSuchLog>")]
struct Freeze(Search);

/// Logs as they were.
struct Frozen {
    asked: Vec<Asked>,
    /// Processes that have no such log.
    without: Vec<ProcessName>,
}

impl Handler<Freeze> for LogStoreActor {
    type Result = Result<Frozen, NoSuchLog>;

    fn handle(&mut self, Freeze(question): Freeze, _: &mut Self::Context) -> Self::Result {
        let (mut asked, mut without) = (Vec::new(), Vec::new());
        let mut refusal = NoSuchLog::None;
        for process in &question.processes {
            match self.freeze(process, &question) {
                Ok(logs) => asked.push(Asked {
                    process: process.clone(),
                    logs,
                }),
                Err(cause) => {
                    without.push(process.clone());
                    if refusal == NoSuchLog::None {
                        refusal = cause;
                    }
                }
            }
        }
        if asked.is_empty() {
            return Err(refusal);
        }
        Ok(Frozen { asked, without })
    }
}

impl LogStoreActor {
    /// The logs of a process that a question is about, oldest first; at least one.
    fn freeze(&self, process: &ProcessName, question: &Search) -> Result<Vec<Snapshot>, NoSuchLog> {
        let place = (process.clone(), question.kind);
        let kept = self.kept(&place);
        let (Some(&oldest), Some(&newest)) = (kept.first(), kept.last()) else {
            return Err(NoSuchLog::None);
        };
        let numbers = match question.which {
            Which::Index(index) => {
                let missing = NoSuchLog::Index {
                    index,
                    kept: kept.len(),
                };
                vec![at(&kept, index).ok_or(missing)?]
            }
            Which::Number(number) if kept.contains(&number) => vec![number],
            Which::Number(number) => {
                return Err(NoSuchLog::Number {
                    number,
                    kept: kept.len(),
                    oldest,
                    newest,
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
        let mut logs = Vec::with_capacity(numbers.len());
        for number in numbers.into_iter().rev() {
            let Some(log) = self.frozen(&place, number) else {
                continue;
            };
            let is_too_old = question.query.is_after(&log);
            logs.push(log);
            // Those before ended even earlier.
            if is_too_old {
                break;
            }
        }
        logs.reverse();
        if logs.is_empty() {
            return Err(NoSuchLog::None);
        }
        Ok(logs)
    }

    /// The numbers of the runs or builds of which lines are kept, ascending.
    fn kept(&self, place: &(ProcessName, LogKind)) -> Vec<u64> {
        let shelf = self.shelves.get(place);
        shelf.into_iter().flat_map(Shelf::numbers).collect()
    }

    /// A log as it is now.
    fn frozen(&self, (process, kind): &(ProcessName, LogKind), number: u64) -> Option<Snapshot> {
        let source = match kind {
            LogKind::Runs => Source::Run(number.into()),
            LogKind::Builds => Source::Build(number.into()),
        };
        let key = LogKey {
            process: process.clone(),
            source,
        };
        Some(self.log(&key)?.snapshot())
    }
}

/// The number at this index: -1 the last, 0 the first.
fn at(kept: &[u64], index: i64) -> Option<u64> {
    let back = || usize::try_from(index.unsigned_abs()).ok();
    let place = match usize::try_from(index) {
        Ok(place) => place,
        Err(_) => kept.len().checked_sub(back()?)?,
    };
    kept.get(place).copied()
}
