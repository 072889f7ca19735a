//! The question that readers ask the log store, and its answer.
//!
//! `error_lines` answers another question, about what looks like an error.
//!
//! The order of a search is: stream, bounds, level, pattern, context, head or tail; what does not fit is
//! cut out of the middle. `view` has the lines, `scan` finds those that match, `track` puts those of
//! several processes in one order, `show` chooses what fits and `page` writes it. All of it is linear
//! in the log and knows no actor; blocks are read when they are needed.
//!
//! `walk` reads forwards, for those who follow.

mod answer;
pub mod bound;
pub mod cursor;
mod end;
pub(crate) mod error_lines;
mod frames;
mod likeness;
mod page;
mod rows;
pub(crate) mod scan;
pub(crate) mod show;
mod track;
mod view;
pub mod walk;

use std::sync::atomic::AtomicBool;

pub use self::answer::{Beyond, Found, GoneLogs, NoSuchLog, Searched};
use self::{
    bound::{Bound, Bounds},
    cursor::{Cursor, Position},
    page::Page,
    scan::{Filter, scan},
    show::show,
    track::{Track, Tracks},
    view::{Ranged, Recent, View, lost_between},
};
use crate::{
    ids::ProcessName,
    logs::{Source, Stream, level::Level, part::Part, shelf::Snapshot},
    pattern::Pattern,
};

/// Question: lines of runs or builds.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "Result<Found, NoSuchLog>")]
pub struct Search {
    /// Whose lines; those of several are merged by time.
    pub processes: Vec<ProcessName>,
    /// Of its runs or of its builds.
    pub kind: LogKind,
    /// Which of them.
    pub which: Which,
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

/// Which runs or builds of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// -1 the newest, -2 the one before; 0 the oldest kept, 1 the one after.
    Index(i64),
    /// The one with this number.
    Number(u64),
    /// All that are kept, one after the other.
    All,
}

/// What to look for in a log, and how much of it to show.
#[derive(Clone, Debug)]
pub struct Query {
    /// What lines are held against; all match without it.
    pub pattern: Option<Pattern>,
    /// Which lines the pattern chooses.
    pub matching: Matching,
    /// Only lines that say that they are at least as bad.
    pub level: Option<Level>,
    /// Lines shown around each match, of the same stream, run and process.
    pub context: usize,
    /// How many matches to show.
    pub extent: Extent,
    /// Only lines of this stream.
    pub stream: Option<Stream>,
    /// Only lines from here on.
    pub since: Option<Bound>,
    /// Only lines up to here.
    pub until: Option<Bound>,
    /// Only lines behind this. As `since`, but [`Found::gone`] says what is missing.
    pub after: Option<Cursor>,
    /// Which lines are shown as one.
    pub collapse: Collapse,
    /// What is said about each line.
    pub detail: Detail,
    /// The most bytes that [`Found::text`] may have.
    pub budget: usize,
}

impl Default for Query {
    /// All lines, of which those are shown that fit into 16,000 bytes.
    fn default() -> Self {
        Self {
            pattern: None,
            matching: Matching::Lines,
            level: None,
            context: 0,
            extent: Extent::All,
            stream: None,
            since: None,
            until: None,
            after: None,
            collapse: Collapse::default(),
            detail: Detail::Text,
            budget: 16_000,
        }
    }
}

impl Query {
    /// Whether only some lines match.
    #[must_use]
    pub fn is_choosy(&self) -> bool {
        self.pattern.is_some() || self.level.is_some()
    }
}

/// Which lines a pattern chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// Those that match it.
    #[default]
    Lines,
    /// The others.
    OtherLines,
}

/// How many matches to show. A match is shown with its context or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All.
    All,
    /// The first ones.
    Head(usize),
    /// The last ones.
    Tail(usize),
}

/// Which neighbouring lines are shown as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collapse {
    /// None.
    Nothing,
    /// Equal ones; of stack traces only some frames are shown.
    #[default]
    Equal,
    /// Also those that differ only in numbers, times and ids.
    Similar,
}

/// What is said about each line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Its text.
    #[default]
    Text,
    /// Its cursor and its time as well.
    Place,
}

/// The logs of one process that are to be searched, oldest first.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) process: ProcessName,
    /// At least one.
    pub(crate) logs: Vec<Snapshot>,
}

/// Whether lines and places need the names of their processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// One process was asked about.
    Alone,
    /// Several were, even if only one has lines.
    Named,
}

impl Naming {
    /// The cursor of these places.
    fn cursor(self, positions: Vec<(ProcessName, Position)>) -> Cursor {
        match (self, positions.as_slice()) {
            (Self::Alone, [(_, only), ..]) => Cursor::One(*only),
            _ => Cursor::Several(positions),
        }
    }
}

impl LogKind {
    /// The run or build with this number.
    pub(crate) fn source(self, number: u64) -> Source {
        match self {
            Self::Runs => Source::Run(number.into()),
            Self::Builds => Source::Build(number.into()),
        }
    }
}

/// The number of a run or build.
pub(crate) fn number(source: Source) -> u64 {
    match source {
        Source::Run(run) => run.0,
        Source::Build(build) => build.0,
    }
}

impl Query {
    fn bounds(&self, process: &ProcessName) -> Bounds<'_> {
        let place = |bound: &Option<Bound>| match bound {
            Some(Bound::Cursor(cursor)) => cursor.of(process),
            Some(Bound::Time(_)) | None => None,
        };
        Bounds {
            since: self.since.as_ref(),
            until: self.until.as_ref(),
            after: self.after.as_ref().and_then(|cursor| cursor.of(process)),
            from: place(&self.since),
            to: place(&self.until),
        }
    }

    /// Whether this log ended before the time from which lines are wanted.
    pub(crate) fn is_after(&self, log: &Snapshot) -> bool {
        let last = log.parts.last().map_or(log.began, Part::ended);
        let Some(Bound::Time(since)) = self.since else {
            return false;
        };
        log.ending.is_some() && last < since
    }

    /// The numbers of the runs or builds of a process that can have lines within the bounds.
    pub(crate) fn numbers(&self, process: &ProcessName) -> std::ops::RangeInclusive<u64> {
        let Bounds {
            after, from, to, ..
        } = self.bounds(process);
        let first = [after, from].into_iter().flatten().map(|it| it.number);
        first.max().unwrap_or(0)..=to.map_or(u64::MAX, |it| it.number)
    }
}

/// Searches logs as they were. `None` if `cancelled` was set meanwhile.
pub(crate) fn search(
    asked: &[Asked],
    naming: Naming,
    query: &Query,
    cancelled: &AtomicBool,
) -> Option<Found> {
    let mut tally = Tally::default();
    let mut tracks = Vec::with_capacity(asked.len());
    let filter = Filter::new(query);
    let mut places = Vec::with_capacity(asked.len());
    let recent = Recent::default();
    for (nth, Asked { process, logs }) in asked.iter().enumerate() {
        let mut bounds = query.bounds(process);
        if let Some((beyond, place)) = Beyond::of(process, logs, &bounds) {
            bounds.after = Some(place);
            tally.beyond.push(beyond);
        }
        places.push(bounds.after);
        let ranged = ranged(logs, &bounds);
        tally.add(&ranged, &bounds, query.stream);
        let mut view = View::new(ranged, query.stream, recent.clone(), nth);
        let matches = scan(&mut view, filter.clone(), cancelled)?;
        tracks.push(Track::new(process, view, matches));
    }
    let mut tracks = Tracks(tracks);
    tracks.choose(query.extent, cancelled)?;
    let page = show(&mut tracks, naming, query, cancelled)?;
    Some(tally.found(&mut tracks, naming, &places, page))
}

/// The lines of each log within the bounds. Logs that have none are left out, but not all of them.
fn ranged<'a>(logs: &'a [Snapshot], bounds: &Bounds<'_>) -> Vec<Ranged<'a>> {
    let all = logs.iter().enumerate().map(|(place, log)| {
        let lines = bounds.of(log);
        let has = |part: &Part| part.first() < lines.end && part.next() > lines.start;
        // The one that a cursor is in says how it went on; in the newest one it goes on.
        let is_cursors = bounds
            .after
            .is_some_and(|it| it.number == number(log.source));
        let is_newest = place + 1 == logs.len() && !lines.is_empty() && bounds.until.is_none();
        let counts = bounds.is_open() || is_cursors || is_newest || log.parts.iter().any(has);
        (counts, Ranged { log, lines })
    });
    let all: Vec<_> = all.collect();
    if all.iter().any(|(counts, _)| *counts) {
        let counting = all.into_iter().filter(|(counts, _)| *counts);
        return counting.map(|(_, ranged)| ranged).collect();
    }
    all.into_iter()
        .next_back()
        .map(|(_, it)| it)
        .into_iter()
        .collect()
}

/// What is counted before lines are looked at.
#[derive(Debug, Default)]
struct Tally {
    evicted: u64,
    gone: u64,
    lost: u64,
    /// All lines of the logs, of the stream.
    of_stream: u64,
    beyond: Vec<Beyond>,
}

impl Tally {
    fn add(&mut self, logs: &[Ranged<'_>], bounds: &Bounds<'_>, stream: Option<Stream>) {
        for Ranged { log, lines } in logs {
            self.evicted += log.evicted;
            self.of_stream += log
                .parts
                .iter()
                .map(|it| it.count(stream) as u64)
                .sum::<u64>();
            let lost = lost_between(log, lines);
            let own = number(log.source);
            let begin = match bounds.after {
                Some(after) if after.number == own => after.line + 1,
                Some(after) if after.number < own => 1,
                Some(_) | None => {
                    self.lost += lost;
                    continue;
                }
            };
            let kept = log.parts.first().map_or(log.evicted + 1, Part::first);
            self.gone += kept.saturating_sub(begin) + lost;
        }
    }

    /// By process: `places` are those behind which lines were wanted.
    fn found(
        self,
        tracks: &mut Tracks<'_>,
        naming: Naming,
        places: &[Option<Position>],
        page: Page,
    ) -> Found {
        let sum = |count: fn(&View<'_>) -> u64| tracks.0.iter().map(|it| count(&it.view)).sum();
        let kept: u64 = sum(|view| view.total() as u64);
        let both: u64 = sum(|view| view.of_both_streams() as u64);
        let shows_some = tracks.chosen() > 0;
        let cursor = tracks
            .0
            .iter_mut()
            .zip(places)
            .filter_map(|(track, &after)| {
                // Who wanted the first ones goes on with those behind them.
                let next = track.chosen.end;
                let end = if shows_some && next < track.matches.count() {
                    track.before(next)
                } else {
                    track.view.end().max(after)
                };
                Some((track.name.clone(), end?))
            });
        let cursor = naming.cursor(cursor.collect());
        let logs = tracks.0.iter().flat_map(|track| {
            let logs = track.view.logs().iter();
            logs.map(|ranged| Searched::new(track.name, ranged.log))
        });
        Found {
            logs: logs.collect(),
            without: Vec::new(),
            kept,
            matched: tracks.matched() as u64,
            chosen: tracks.chosen() as u64,
            shown_first: page.first as u64,
            shown_last: page.last as u64,
            evicted: self.evicted,
            hidden: both.saturating_sub(kept),
            outside: self.of_stream.saturating_sub(kept),
            has_older: false,
            beyond: self.beyond,
            gone: self.gone,
            gone_logs: GoneLogs::NONE,
            lost: self.lost,
            unreadable: tracks.0.iter().map(|it| it.view.unreadable()).sum(),
            shortened: page.shortened as u64,
            collapsed: page.collapsed as u64,
            cursor,
            text: page.text,
        }
    }
}

#[cfg(test)]
mod tests;
