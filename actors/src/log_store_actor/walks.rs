//! Readers who follow: each page is read elsewhere, from the lines behind the place where the last one
//! ended.

use std::sync::{Arc, atomic::AtomicBool};

use actix::prelude::*;
use tokio::sync::watch;

use super::{
    LogStoreActor,
    answer::Answer,
    requests::{Abandons, Gather},
};
use crate::{
    ids::ProcessName,
    logs::{LogKey, archive::weave::Frozen, shelf::Log},
    search::{
        LogKind, NoSuchLog,
        walk::{self, LOGS, Listen, Locate, Page, Picked, Picks, Reach, ReadOn, Walk},
    },
};

impl Handler<Locate> for LogStoreActor {
    type Result = Answer<Result<Walk, NoSuchLog>>;

    fn handle(&mut self, question: Locate, ctx: &mut Self::Context) -> Self::Result {
        let store = ctx.address();
        let turns = if question.search.query.is_choosy() {
            Arc::clone(&self.searches)
        } else {
            Arc::clone(&self.looks)
        };
        Answer::new(async move {
            let permit = turns.acquire_owned().await.map_err(|_| NoSuchLog::Closed)?;
            let gathered = store.send(Gather(question.search.clone())).await;
            let gathered = match gathered.map_err(|_| NoSuchLog::Closed)? {
                Err(NoSuchLog::None) if question.reach == Reach::Later => {
                    return Ok(walk::empty(question));
                }
                gathered => gathered?,
            };
            let abandoned = Arc::new(AtomicBool::new(false));
            let asker = Abandons(Arc::clone(&abandoned));
            let work = tokio::task::spawn_blocking(move || {
                let found = walk::locate(question, &gathered.thaw(), &abandoned);
                drop(permit);
                found
            });
            let found = work.await.ok().flatten();
            drop(asker);
            found.ok_or(NoSuchLog::Closed)
        })
    }
}

impl Handler<ReadOn> for LogStoreActor {
    type Result = Answer<Result<Page, NoSuchLog>>;

    fn handle(&mut self, ReadOn(walk): ReadOn, ctx: &mut Self::Context) -> Self::Result {
        let store = ctx.address();
        // What a page looks at is little, and many may wait for theirs.
        let turns = Arc::clone(&self.looks);
        Answer::new(async move {
            let permit = turns.acquire_owned().await.map_err(|_| NoSuchLog::Closed)?;
            // Taken only now: while it waits, a reader keeps nothing alive that may leave.
            let picked = store.send(Pick(walk)).await;
            let (walk, picks) = picked.map_err(|_| NoSuchLog::Closed)?;
            let abandoned = Arc::new(AtomicBool::new(false));
            let asker = Abandons(Arc::clone(&abandoned));
            let work = tokio::task::spawn_blocking(move || {
                let page = walk::page(walk, picks, &abandoned);
                drop(permit);
                page
            });
            let page = work.await.ok().flatten();
            drop(asker);
            page.ok_or(NoSuchLog::Closed)
        })
    }
}

impl Handler<Listen> for LogStoreActor {
    type Result = MessageResult<Listen>;

    fn handle(
        &mut self,
        Listen { processes, kind }: Listen,
        _: &mut Self::Context,
    ) -> Self::Result {
        let bells = processes.iter();
        let bells = bells.map(|process| self.shelf(process, kind).bell().listen());
        let bells: Vec<watch::Receiver<()>> = bells.collect();
        MessageResult(bells)
    }
}

/// Question of the store to itself: the logs of a page as they are now.
#[derive(Message)]
#[rtype(result = "(Walk, Vec<Picks>)")]
struct Pick(Walk);

impl Handler<Pick> for LogStoreActor {
    type Result = MessageResult<Pick>;

    fn handle(&mut self, Pick(walk): Pick, _: &mut Self::Context) -> Self::Result {
        let picks = walk.trails.iter().map(|trail| {
            let newest = *walk.query.numbers(&trail.process).end();
            let mut wanted: Vec<(u64, u64)> = Vec::new();
            wanted.extend(trail.active.iter().map(|&place| {
                let first = walk.first_needed(place);
                (place.number, first)
            }));
            let room = LOGS.saturating_sub(wanted.len());
            // Counting what is kept costs more than a look at what is new.
            let newer = if trail.next == u64::MAX {
                Vec::new()
            } else {
                let kept = self.kept(&trail.process, walk.kind);
                let from = kept.partition_point(|&it| it < trail.next);
                let until = kept.partition_point(|&it| it <= newest);
                kept.get(from..until).unwrap_or_default().to_vec()
            };
            let has_more = newer.len() > room;
            wanted.extend(newer.into_iter().take(room).map(|number| (number, 1)));
            let logs = wanted
                .into_iter()
                .map(|(number, first)| self.pick(&trail.process, walk.kind, number, first));
            Picks {
                logs: logs.collect(),
                has_more,
            }
        });
        let picks = picks.collect();
        MessageResult((walk, picks))
    }
}

impl LogStoreActor {
    /// A log from a line on. Where memory has all of it, files are left alone.
    fn pick(&mut self, process: &ProcessName, kind: LogKind, number: u64, first: u64) -> Picked {
        let process = process.clone();
        let source = kind.source(number);
        let key = LogKey { process, source };
        let is_open = self.live.contains_key(&key);
        let log = self.log(&key);
        let next = log.map(Log::next);
        let memory = log.and_then(|log| log.since(first));
        let frozen = match memory {
            Some(memory) => Some(Frozen {
                source,
                memory: Some(memory),
                disk: None,
            }),
            None => self.freeze(&key),
        };
        Picked {
            number,
            frozen,
            next,
            is_open,
        }
    }
}
