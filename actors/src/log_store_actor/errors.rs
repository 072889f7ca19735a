//! Which lines look like errors: found off the actor's thread, as searches are.

use std::sync::{Arc, atomic::AtomicBool};

use actix::prelude::*;

use super::{LogStoreActor, answer::Answer, requests::Abandons};
use crate::{
    logs::{DescribeErrorLines, LogKey, archive::weave::Frozen},
    search::error_lines::error_lines,
};

impl Handler<DescribeErrorLines> for LogStoreActor {
    type Result = Answer<Vec<String>>;

    fn handle(
        &mut self,
        DescribeErrorLines { key, unlike, count }: DescribeErrorLines,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        let store = ctx.address();
        let looks = Arc::clone(&self.looks);
        Answer::new(async move {
            let Ok(permit) = looks.acquire_owned().await else {
                return Vec::new();
            };
            // Taken only now, as for searches: while it waits, it keeps nothing alive.
            let frozen = store.send(FreezeBoth { key, unlike }).await;
            let Ok((Some(log), unlike)) = frozen else {
                return Vec::new();
            };
            let abandoned = Arc::new(AtomicBool::new(false));
            let asker = Abandons(Arc::clone(&abandoned));
            let work = tokio::task::spawn_blocking(move || {
                let (log, unlike) = (log.thaw(), unlike.map(Frozen::thaw));
                let lines = error_lines(&log, unlike.as_ref(), count, &abandoned);
                drop(permit);
                lines
            });
            let lines = work.await.ok().flatten();
            drop(asker);
            lines.unwrap_or_default()
        })
    }
}

/// Question of the store to itself: two logs as they are now.
#[derive(Message)]
#[rtype(result = "(Option<Frozen>, Option<Frozen>)")]
struct FreezeBoth {
    key: LogKey,
    unlike: Option<LogKey>,
}

impl Handler<FreezeBoth> for LogStoreActor {
    type Result = MessageResult<FreezeBoth>;

    fn handle(
        &mut self,
        FreezeBoth { key, unlike }: FreezeBoth,
        _: &mut Self::Context,
    ) -> Self::Result {
        let log = self.freeze(&key);
        let unlike = unlike.and_then(|key| self.freeze(&key));
        MessageResult((log, unlike))
    }
}
