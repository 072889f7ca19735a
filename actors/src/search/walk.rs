//! Reads logs forwards, a page at a time: for readers who want all of it, and what comes next.
//!
//! ```text
//! Locate ─► Walk ─► ReadOn ─► page + Walk ─► ReadOn ─► …       (Listen tells when there is more)
//! ```
//! A [`Walk`] is only places, so nothing is kept alive or queues for a reader, however slow: each page
//! is read anew from where the one before ended. A page looks at a bounded stretch of each log, and
//! holds a bounded number of lines and bytes.
//!
//! Lines of several processes are merged by time, those of one run keep their order. A newer run of a
//! process comes behind an older one that is closed, and among the lines of one that is not. Who reads
//! on while more is printed than he takes is moved ahead and told how much he missed.

use std::time::SystemTime;

use tokio::sync::watch;

use crate::{
    ids::ProcessName,
    logs::{Stream, archive::weave::Frozen},
    search::{LogKind, NoSuchLog, Query, Search},
};

mod page;
mod path;
mod start;

pub(crate) use self::{
    page::page,
    start::{empty, locate},
};

/// How many logs of one process a page looks at.
///
/// More than can be open at the same time, so that each page goes further.
pub(crate) const LOGS: usize = 100;
/// How many lines a reader may be behind what is printed before he is moved ahead.
const MOST_BEHIND: u64 = 50_000;
/// Among so many times as many lines of both streams, context of one stream is looked for.
const STREAMS: u64 = 4;

/// Question: where a walk through these logs begins.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Result<Walk, NoSuchLog>")]
pub struct Locate {
    /// What is asked, as of a search.
    pub search: Search,
    /// Whether what comes later belongs to it.
    pub reach: Reach,
}

/// How far a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over what there is.
    Kept,
    /// Over what comes, too, and into newer runs or builds, unless one was asked for by its number.
    Later,
}

/// Question: the next page.
#[derive(Debug, actix::Message)]
#[rtype(result = "Result<Page, NoSuchLog>")]
pub struct ReadOn(pub Walk);

/// Question: what tells when more of these was stored, each for one process.
#[derive(Debug, actix::Message)]
#[rtype(result = "Vec<watch::Receiver<()>>")]
pub struct Listen {
    /// Whose.
    pub processes: Vec<ProcessName>,
    /// Runs or builds.
    pub kind: LogKind,
}

/// How far a reader is.
#[derive(Clone, Debug)]
pub struct Walk {
    pub(crate) kind: LogKind,
    pub(crate) query: Query,
    pub(crate) trails: Vec<Trail>,
    /// How many more matches are wanted.
    left: Option<usize>,
    reach: Reach,
}

/// How far a reader is in the logs of one process.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    pub(crate) process: ProcessName,
    /// The logs that he is in, oldest first.
    pub(crate) active: Vec<Place>,
    /// The lowest number of a log that he may enter.
    pub(crate) next: u64,
    /// The newest one of which he knows.
    known: Option<u64>,
    /// How many lines he may be behind.
    allowance: u64,
}

/// How far a reader is in one log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) number: u64,
    /// The line up to which all was looked at.
    passed: u64,
    /// The last line that was given, be it as context.
    shown: u64,
}

/// A log as it was, from a line on.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) number: u64,
    /// `None` if it is not kept.
    pub(crate) frozen: Option<Frozen>,
    /// The number of the line that it gets next, where memory knows.
    pub(crate) next: Option<u64>,
    /// Whether it still takes lines.
    pub(crate) is_open: bool,
}

/// The logs of one process that a page is about.
#[derive(Debug)]
pub(crate) struct Picks {
    pub(crate) logs: Vec<Picked>,
    /// There are newer ones that had no room.
    pub(crate) has_more: bool,
}

/// A stretch of what was asked.
#[derive(Debug)]
pub struct Page {
    /// In the order in which they are to be shown.
    pub items: Vec<Item>,
    /// How it goes on.
    pub then: Then,
}

/// How it goes on behind a page.
#[derive(Debug)]
pub enum Then {
    /// There is more already.
    More(Walk),
    /// There may be more later.
    Later(Walk),
    /// That was all.
    End,
}

/// What a reader is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line.
    Line(WalkLine),
    /// Lines are missing because they are not kept, or never were.
    Gap {
        /// Whose.
        process: ProcessName,
        /// How many; `None` where nobody knows.
        lines: Option<u64>,
    },
    /// From here on there are lines of a newer run, or build.
    Changed {
        /// Whose.
        process: ProcessName,
        /// Its number.
        number: u64,
    },
    /// The reader was too slow, and was moved ahead.
    Dropped {
        /// Whose lines he missed.
        process: ProcessName,
        /// How many.
        lines: u64,
    },
}

/// A line, as it was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkLine {
    /// Whose.
    pub process: ProcessName,
    /// Of which run or build.
    pub number: u64,
    /// Its sequence number there.
    pub seq: u64,
    /// When it was stored.
    pub at: SystemTime,
    /// Where it was printed.
    pub stream: Stream,
    /// Its text with its colours; what is no UTF-8 is replaced.
    pub text: String,
    /// Whether it only surrounds what matches.
    pub role: Role,
}

/// Why a line is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It matches.
    Match,
    /// It surrounds one that does.
    Context,
}

impl Trail {
    /// Nothing is to be read.
    fn is_over(&self) -> bool {
        self.active.is_empty() && self.next == u64::MAX
    }
}

impl Place {
    fn before(number: u64) -> Self {
        Self {
            number,
            passed: 0,
            shown: 0,
        }
    }
}

impl Walk {
    /// Goes on in these logs as well.
    pub fn join(&mut self, other: Self) {
        self.trails.extend(other.trails);
    }

    /// From which line on a page needs this log.
    pub(crate) fn first_needed(&self, place: Place) -> u64 {
        let context = if self.query.is_choosy() {
            self.query.context as u64 * STREAMS
        } else {
            0
        };
        (place.passed + 1).saturating_sub(context).max(1)
    }
}

#[cfg(test)]
mod tests;
