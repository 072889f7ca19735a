//! What happens to all processes, as one series that anybody may follow.
//!
//! | who publishes | what |
//! |---|---|
//! | process actors | the events of their history, and every change of their state |
//! | the idle clock | the mode of the whole |
//! | the daemon's reload | that another configuration holds |
//!
//! The newest are kept in a ring. A reader has only his place in the series and asks for what is behind
//! it, so nothing queues for him, and one who is too slow is told of the gap. Ids rise, over restarts
//! of the daemon as well: the first one is the time of the start, in microseconds.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    history::timestamp,
    ids::{ProcessName, RunId},
    report::{EventKind, StateName},
    spec::Mode,
};

/// How many events are kept.
pub const KEPT: usize = 1_000;
/// How many a reader gets at once.
const BATCH: usize = 100;

/// The series. Clones share it.
#[derive(Clone, Debug)]
pub struct Events(Arc<Series>);

#[derive(Debug)]
struct Series {
    ring: Mutex<Ring>,
    /// The last id.
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    kept: VecDeque<Arc<Happened>>,
    /// The id of the next one; those that are kept have the ids before it, without a hole.
    next: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happened {
    /// Its place in the series.
    #[serde(skip)]
    pub id: u64,
    /// To which process; null where it is the daemon as a whole.
    pub process: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Of which kind.
    pub kind: Kind,
    /// In words.
    pub text: String,
    /// What is known besides.
    #[serde(flatten)]
    pub detail: Detail,
}

/// The kinds of what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Kind {
    /// One of those that the status shows as well.
    Event(EventKind),
    /// One that only followers need.
    Live(LiveKind),
}

/// Kinds that only followers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveKind {
    /// A process is in another state, or what serves is another one.
    State,
    /// Events before this one are not kept any more.
    Gap,
}

/// What is known besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    /// Of [`LiveKind::State`].
    State {
        /// What the process does now.
        state: StateName,
        /// Whether a child works.
        serving: bool,
        /// The run that serves.
        run: Option<RunId>,
    },
    /// Of [`EventKind::Mode`].
    Mode {
        /// The mode now.
        mode: Mode,
    },
    /// Of all others.
    Nothing {},
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With what comes.
    Now,
    /// Behind the event with this id.
    After(u64),
    /// With the last ones, at most so many.
    Last(usize),
}

impl Events {
    /// A series that begins now.
    #[must_use]
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        Self::beginning_at(u64::try_from(micros).unwrap_or(1))
    }

    /// A series whose first event has this id, which is not 0.
    fn beginning_at(first: u64) -> Self {
        let next = first.max(1);
        let ring = Ring {
            kept: VecDeque::new(),
            next,
        };
        Self(Arc::new(Series {
            ring: Mutex::new(ring),
            last: watch::Sender::new(next - 1),
        }))
    }

    /// Something happened to a process, or to the daemon as a whole.
    pub fn publish(
        &self,
        process: Option<&ProcessName>,
        at: Timestamp,
        kind: Kind,
        text: String,
        detail: Detail,
    ) {
        let mut ring = self.ring();
        let id = ring.next;
        ring.next += 1;
        if ring.kept.len() == KEPT {
            ring.kept.pop_front();
        }
        ring.kept.push_back(Arc::new(Happened {
            id,
            process: process.map(ToString::to_string),
            at,
            kind,
            text,
            detail,
        }));
        self.0.last.send_replace(id);
    }

    /// The daemon as a whole is in this mode now.
    pub fn publish_mode(&self, mode: Mode) {
        let kind = Kind::Event(EventKind::Mode);
        let at = timestamp(SystemTime::now());
        self.publish(None, at, kind, format!("now {mode}"), Detail::Mode { mode });
    }

    /// Another configuration holds, or the one that holds is right again.
    pub fn publish_reload(&self, text: String) {
        let kind = Kind::Event(EventKind::Reloaded);
        let at = timestamp(SystemTime::now());
        self.publish(None, at, kind, text, Detail::Nothing {});
    }

    /// Begins to read.
    #[must_use]
    pub fn read(&self, from: Begin) -> Reader {
        let ring = self.ring();
        let after = match from {
            Begin::Now => ring.next - 1,
            Begin::After(id) => id,
            Begin::Last(count) => {
                let first = ring.next - ring.kept.len() as u64;
                (ring.next - 1).saturating_sub(count as u64).max(first - 1)
            }
        };
        Reader {
            series: self.clone(),
            news: self.0.last.subscribe(),
            after,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // What a panic left behind is at worst one event short.
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

/// A place in the series.
#[derive(Debug)]
pub struct Reader {
    series: Events,
    news: watch::Receiver<u64>,
    after: u64,
}

impl Reader {
    /// Waits for what is next: at least one event, the oldest first. Begins with a
    /// [gap](LiveKind::Gap) where some are not kept any more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Vec<Arc<Happened>> {
        loop {
            self.news.borrow_and_update();
            let batch = self.series.ring().after(self.after);
            if let Some(last) = batch.last() {
                self.after = last.id;
                return batch;
            }
            // The sender lives in the series, which this reader holds.
            let _ = self.news.changed().await;
        }
    }
}

impl Ring {
    /// The first ones behind this id.
    fn after(&self, id: u64) -> Vec<Arc<Happened>> {
        let first = self.next - self.kept.len() as u64;
        let begin = id
            .checked_add(1)
            .filter(|it| (first..=self.next).contains(it));
        let mut batch = Vec::new();
        if begin.is_none() {
            batch.push(Arc::new(gap(first - 1)));
        }
        let skipped = begin.map_or(0, |begin| begin - first);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        batch.extend(self.kept.iter().skip(skipped).take(BATCH).cloned());
        batch
    }
}

fn gap(id: u64) -> Happened {
    Happened {
        id,
        process: None,
        at: timestamp(SystemTime::now()),
        kind: Kind::Live(LiveKind::Gap),
        text: "events before this are not kept any more".to_owned(),
        detail: Detail::Nothing {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(count: u64) -> Events {
        let events = Events::beginning_at(5_000);
        (0..count).for_each(|_| add(&events));
        events
    }

    fn add(events: &Events) {
        let name = "main".parse().unwrap();
        events.publish(
            Some(&name),
            Timestamp::UNIX_EPOCH,
            Kind::Event(EventKind::Started),
            String::new(),
            Detail::Nothing {},
        );
    }

    /// The ids of a batch, and whether it begins with a gap.
    async fn ids(reader: &mut Reader) -> (bool, Vec<u64>) {
        let mut batch = reader.next().await;
        let gap = batch[0].kind == Kind::Live(LiveKind::Gap);
        if gap {
            batch.remove(0);
        }
        (gap, batch.iter().map(|it| it.id).collect())
    }

    #[tokio::test]
    async fn a_reader_gets_what_is_behind_his_place_without_a_hole() {
        let events = series(5);
        let mut reader = events.read(Begin::After(5_001));
        assert_eq!(ids(&mut reader).await, (false, vec![5_002, 5_003, 5_004]));
        let news = tokio::spawn(async move { ids(&mut reader).await });
        tokio::task::yield_now().await;
        add(&events);
        assert_eq!(news.await.unwrap(), (false, vec![5_005]));
    }

    #[tokio::test]
    async fn a_reader_may_begin_with_the_last_ones() {
        let events = series(5);
        let mut last = events.read(Begin::Last(2));
        assert_eq!(ids(&mut last).await, (false, vec![5_003, 5_004]));
        let mut all = events.read(Begin::Last(usize::MAX));
        assert_eq!(ids(&mut all).await.1.len(), 5);
        let mut none = series(0).read(Begin::Last(9));
        add(&none.series.clone());
        assert_eq!(ids(&mut none).await, (false, vec![5_000]));
        let mut now = events.read(Begin::Now);
        add(&events);
        assert_eq!(ids(&mut now).await, (false, vec![5_005]));
    }

    #[tokio::test]
    async fn a_place_in_the_series_of_an_earlier_daemon_is_told_of_a_gap() {
        let events = series(2);
        for place in [0, 4_998, 5_002, u64::MAX] {
            let mut reader = events.read(Begin::After(place));
            assert_eq!(
                ids(&mut reader).await,
                (true, vec![5_000, 5_001]),
                "{place}"
            );
        }
        // It is told once, and of an empty series as well.
        let events = series(0);
        let mut reader = events.read(Begin::After(1));
        assert_eq!(ids(&mut reader).await, (true, vec![]));
        add(&events);
        assert_eq!(ids(&mut reader).await, (false, vec![5_000]));
    }

    #[tokio::test]
    async fn who_is_slower_than_the_ring_is_told_of_a_gap_and_goes_on() {
        let events = series(3);
        let mut reader = events.read(Begin::Now);
        (0..=KEPT).for_each(|_| add(&events));
        let (gap, mut read) = ids(&mut reader).await;
        assert!(gap);
        while read.last() != Some(&(5_003 + KEPT as u64)) {
            let (gap, more) = ids(&mut reader).await;
            assert!(!gap);
            read.extend(more);
        }
        let kept: Vec<u64> = (5_004..5_004 + KEPT as u64).collect();
        assert_eq!(read, kept);
    }

    #[test]
    fn an_event_is_flat_json() {
        let event = Happened {
            process: Some("main".to_owned()),
            kind: Kind::Live(LiveKind::State),
            text: "building".to_owned(),
            detail: Detail::State {
                state: StateName::Building,
                serving: false,
                run: None,
            },
            ..gap(7)
        };
        let mut json = serde_json::to_value(&event).unwrap();
        json["at"] = "now".into();
        assert_eq!(
            json,
            serde_json::json!({
                "process": "main", "at": "now", "kind": "state", "text": "building",
                "state": "building", "serving": false, "run": null
            })
        );
    }
}
