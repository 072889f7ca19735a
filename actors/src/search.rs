//! The question that readers ask the log store, and its answer.
//!
//! `error_lines` answers another question, about what looks like an error.
//!
//! The order of a search is: stream, pattern, context, head or tail. `scan` finds the lines, `show` chooses
//! which of them fit and writes them; both are linear in the log and know no actor.

pub(crate) mod error_lines;
mod frames;
mod likeness;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "answers are written in rows later")
)]
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod show;

use std::{
    slice,
    sync::{Arc, atomic::AtomicBool},
    time::SystemTime,
};

use crate::{
    ids::ProcessName,
    logs::{Source, Stream, chunk::Chunk, shelf::Snapshot},
    pattern::Pattern,
    search::{
        scan::{View, scan},
        show::{LEAST, Layout, Marked, show},
    },
    spec::Mode,
};

/// Question: lines of one run or build.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Result<Found, NoSuchLog>")]
pub struct Search {
    /// Whose lines.
    pub process: ProcessName,
    /// Of its runs or of its builds.
    pub kind: LogKind,
    /// Which: -1 the newest, -2 the one before; 0 the oldest kept, 1 the one after.
    pub index: i64,
    /// What to look for.
    pub query: Query,
}

/// Runs or builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// Output of the program.
    Runs,
    /// Output of cargo.
    Builds,
}

/// What to look for in a log, and how much of it to show.
#[derive(Clone, Debug)]
pub struct Query {
    /// Only lines that match; all without it.
    pub pattern: Option<Pattern>,
    /// Lines shown around each match.
    pub context: usize,
    /// How many matches to show.
    pub extent: Extent,
    /// Only lines of this stream.
    pub stream: Option<Stream>,
    /// The most bytes that [`Found::text`] may have.
    pub budget: usize,
}

/// How many matches to show. A match is shown with its context or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The first ones.
    Head(usize),
    /// The last ones.
    Tail(usize),
    /// The last ones that fit the budget.
    Fitting,
}

/// Which lines share a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collapse {
    /// None: each line is shown.
    Nothing,
    /// Equal ones that follow each other; of a long stack trace the first few frames are shown.
    #[default]
    Equal,
    /// Also those that differ only in numbers, times and ids.
    Similar,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which log was searched.
    pub source: Source,
    /// Its mode.
    pub mode: Mode,
    /// When it began.
    pub began: SystemTime,
    /// How it ended, in words (`crashed: signal 9 (SIGKILL)`, `stopped: exit code 0`, `succeeded`,
    /// `failed`, `cancelled`); `None` while it goes on.
    pub ending: Option<String>,
    /// Lines kept in this log, of the stream that was asked for.
    pub kept: u64,
    /// Lines that matched.
    pub matched: u64,
    /// Matches that [`Found::text`] shows.
    pub shown: u64,
    /// Lines of this log that are gone because memory is bounded.
    pub evicted: u64,
    /// Bytes cut out of the middle of shown lines because the lines are long.
    pub shortened: u64,
    /// The lines, oldest first, each with its mark (` * ` a match, three spaces context) and a
    /// newline; `--` between blocks that do not touch.
    pub text: String,
}

/// There is no such log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchLog {
    /// The process has none of that kind yet.
    #[error("nothing was recorded yet")]
    None,
    /// There are some, but not that one. Its place: the indexes -`kept`..=-1 and 0..`kept` exist.
    #[error("index {index} does not exist: {kept} are kept, so -{kept} to -1 and 0 to {} do", .kept - 1)]
    Index {
        /// What was asked for.
        index: i64,
        /// How many are kept.
        kept: usize,
    },
    /// The search was abandoned because the daemon ends.
    #[error("the daemon is shutting down")]
    Closed,
}

/// The position of the first line of a chunk that matches.
pub(crate) fn first_match(chunk: &Arc<Chunk>, pattern: &Pattern) -> Option<usize> {
    let chunks = slice::from_ref(chunk);
    let view = View::new(chunks, None);
    let never = AtomicBool::new(false);
    let matches = scan(&view, Some(pattern), Extent::Head(1), 1, &never)?;
    matches.places.front().copied()
}

/// Searches a log as it was. `None` if `cancelled` was set meanwhile.
pub(crate) fn search(log: &Snapshot, query: &Query, cancelled: &AtomicBool) -> Option<Found> {
    let chunks: Vec<_> = log.chunks().collect();
    let mut view = View::new(&chunks, query.stream);
    let kept = view.total();
    // More than this cannot be shown, so no more need be remembered.
    let most = query.budget / LEAST + 1;
    let matches = scan(&view, query.pattern.as_ref(), query.extent, most, cancelled)?;
    let (marked, context) = match query.pattern {
        Some(_) => (Marked::Matches, query.context),
        // All lines are shown anyway: a line needs no other around it.
        None => (Marked::Nothing, 0),
    };
    let layout = Layout {
        context,
        extent: query.extent,
        budget: query.budget,
        marked,
    };
    let shown = show(&mut view, &matches.places, &layout);
    Some(Found {
        source: log.source,
        mode: log.mode,
        began: log.began,
        ending: log.ending.clone(),
        kept: kept as u64,
        matched: matches.count as u64,
        shown: shown.matches as u64,
        evicted: log.evicted,
        shortened: shown.shortened as u64,
        text: shown.text,
    })
}
