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
        shelf::{Log, Snapshot},
    },
    restart::Shutdown,
    search::{Found, LogKind, NoSuchLog, Search, search},
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

    fn handle(
        &mut self,
        Search {
            process,
            kind,
            index,
            query,
        }: Search,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        let store = ctx.address();
        let searches = Arc::clone(&self.searches);
        Answer::new(async move {
            let permit = searches
                .acquire_owned()
                .await
                .map_err(|_| NoSuchLog::Closed)?;
            // Taken only now: while it waits, a search keeps nothing alive that may leave.
            let snapshot = store
                .send(Freeze {
                    process,
                    kind,
                    index,
                })
                .await;
            let snapshot = snapshot.map_err(|_| NoSuchLog::Closed)??;
            let abandoned = Arc::new(AtomicBool::new(false));
            let asker = Abandons(Arc::clone(&abandoned));
            let work = tokio::task::spawn_blocking(move || {
                let found = search(&snapshot, &query, &abandoned);
                drop(permit);
                found
            });
            let found = work.await.ok().flatten();
            drop(asker);
            found.ok_or(NoSuchLog::Closed)
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

/// Question of the store to itself: a log as it is now.
#[derive(Message)]
#[rtype(result = "Result<Snapshot, NoSuchLog>")]
struct Freeze {
    process: ProcessName,
    kind: LogKind,
    index: i64,
}

impl Handler<Freeze> for LogStoreActor {
    type Result = Result<Snapshot, NoSuchLog>;

    fn handle(
        &mut self,
        Freeze {
            process,
            kind,
            index,
        }: Freeze,
        _: &mut Self::Context,
    ) -> Self::Result {
        let kept = self.shelves.get(&(process, kind));
        let kept = kept.filter(|kept| kept.len() > 0).ok_or(NoSuchLog::None)?;
        let log = kept.at(index).ok_or(NoSuchLog::Index {
            index,
            kept: kept.len(),
        })?;
        Ok(log.snapshot())
    }
}
