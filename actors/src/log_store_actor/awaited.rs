//! Lines that somebody waits for.
//!
//! What is stored already is looked at first. The look is taken at the moment at which the asker is
//! put on the log's list, so no line falls between the two.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{LogStoreActor, answer::Answer};
use crate::{
    logs::{AwaitLine, LogKey, chunk::Line, shelf::Snapshot, text::clean},
    pattern::Pattern,
    search::{
        scan::first_match,
        show::{self, LONGEST_SHOWN},
    },
};

/// A log of at most so many bytes is looked at without leaving the actor.
const SMALL: usize = 64 * 1024;

/// Who waits for lines of one log.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    askers: Vec<Asker>,
    /// A line as readers see it.
    text: String,
}

#[derive(Debug)]
struct Asker {
    pattern: Pattern,
    answer: oneshot::Sender<String>,
}

impl Awaited {
    /// Whether nobody waits. Forgets those who left.
    pub(super) fn is_empty(&mut self) -> bool {
        self.askers.retain(|asker| !asker.answer.is_closed());
        self.askers.is_empty()
    }

    /// A line was stored.
    pub(super) fn stored(&mut self, line: &Line<'_>) {
        if self.askers.is_empty() {
            return;
        }
        self.text.clear();
        clean(line.bytes, &mut self.text);
        let text = &self.text;
        let matches = |asker: &mut Asker| asker.pattern.matches(text.as_bytes());
        for asker in self.askers.extract_if(.., matches) {
            // He may have left.
            let _ = asker.answer.send(shown(line));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.askers.len()
    }

    fn add(&mut self, pattern: Pattern) -> oneshot::Receiver<String> {
        let (answer, line) = oneshot::channel();
        // Those who left go now, so that a log which prints nothing does not collect them.
        self.askers.retain(|asker| !asker.answer.is_closed());
        self.askers.push(Asker { pattern, answer });
        line
    }
}

fn shown(line: &Line<'_>) -> String {
    show::text(line, LONGEST_SHOWN).0
}

/// The first stored line that matches.
fn first(log: &Snapshot, pattern: &Pattern) -> Option<String> {
    log.chunks().find_map(|chunk| {
        let position = first_match(&chunk, pattern)?;
        Some(shown(&chunk.line(position)))
    })
}

impl Handler<AwaitLine> for LogStoreActor {
    type Result = Answer<Option<String>>;

    fn handle(
        &mut self,
        AwaitLine { key, pattern }: AwaitLine,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        if self.log(&key).is_none_or(|log| log.stored() <= SMALL) {
            let look = self.look(&key, &pattern);
            return Answer::new(async move { look?.line(&pattern).await });
        }
        let store = ctx.address();
        let looks = Arc::clone(&self.looks);
        Answer::new(async move {
            let permit = looks.acquire_owned().await.ok()?;
            // Taken only now: while it waits, a search keeps nothing alive that may leave.
            let ask = Look {
                key,
                pattern: pattern.clone(),
            };
            let Looked { stored, later } = store.send(ask).await.ok()??;
            let work = tokio::task::spawn_blocking(move || {
                let found = first(&stored, &pattern);
                drop(permit);
                found
            });
            match work.await.ok()? {
                Some(line) => Some(line),
                None => later?.await.ok(),
            }
        })
    }
}

/// Question of the store to itself: a log as it is now, and the first line that matches later.
#[derive(Message)]
#[rtype(result = "Option<Looked>")]
struct Look {
    key: LogKey,
    pattern: Pattern,
}

/// What a log has, and what it may get.
struct Looked {
    stored: Snapshot,
    /// `None` when nothing more comes.
    later: Option<oneshot::Receiver<String>>,
}

impl Looked {
    /// The first line that matches, looked for here.
    async fn line(self, pattern: &Pattern) -> Option<String> {
        match first(&self.stored, pattern) {
            Some(line) => Some(line),
            None => self.later?.await.ok(),
        }
    }
}

impl LogStoreActor {
    /// `None` if there is no such log.
    fn look(&mut self, key: &LogKey, pattern: &Pattern) -> Option<Looked> {
        let stored = self.log(key)?.snapshot();
        let live = self.live.get_mut(key);
        let later = live.map(|live| live.awaited.add(pattern.clone()));
        Some(Looked { stored, later })
    }
}

impl Handler<Look> for LogStoreActor {
    type Result = Option<Looked>;

    fn handle(&mut self, Look { key, pattern }: Look, _: &mut Self::Context) -> Self::Result {
        self.look(&key, &pattern)
    }
}
