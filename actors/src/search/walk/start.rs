//! Where a walk begins.

use std::{cmp::Ordering, sync::atomic::AtomicBool};

use super::{Locate, MOST_BEHIND, Place, Reach, Trail, Walk};
use crate::{
    ids::ProcessName,
    logs::{part::Part, shelf::Snapshot},
    search::{
        Asked, Extent, Query, Search, Which,
        cursor::Position,
        number, ranged,
        scan::{Filter, scan},
        track::{Track, Tracks},
        view::{Recent, View},
    },
};

/// Where a reader begins in the logs of one process.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// Behind this place lines are looked at.
    place: Position,
    /// Behind this line of it they may be context.
    shown: u64,
    /// How many lines there are behind it.
    lines: u64,
}

impl Start {
    fn at(place: Position, logs: &[Snapshot]) -> Self {
        Self {
            place,
            shown: place.line,
            lines: lines_behind(place, logs),
        }
    }
}

/// Where a walk begins that there is nothing for yet.
pub(crate) fn empty(locate: Locate) -> Walk {
    begin(locate, |_| None)
}

/// Finds where a walk begins. `None` if `cancelled` was set meanwhile.
pub(crate) fn locate(locate: Locate, asked: &[Asked], cancelled: &AtomicBool) -> Option<Walk> {
    let query = &locate.search.query;
    let starts = match query.extent {
        Extent::Tail(_) => last_matches(query, asked, cancelled)?,
        Extent::All | Extent::Head(_) => asked.iter().map(|it| first(query, it)).collect(),
    };
    let starts: Vec<_> = asked.iter().zip(starts).collect();
    // Processes that have no log yet begin with the first one that they get.
    Some(begin(locate, |process| {
        let own = starts.iter().find(|(asked, _)| asked.process == *process);
        own.and_then(|(_, start)| *start)
    }))
}

fn begin(Locate { search, reach }: Locate, start: impl Fn(&ProcessName) -> Option<Start>) -> Walk {
    let Search {
        processes,
        kind,
        which,
        query,
    } = search;
    let goes_on = match which {
        // What comes later is another one.
        Which::Number(_) => false,
        Which::All => true,
        Which::Index(_) => reach == Reach::Later,
    };
    let trails = processes.into_iter().map(|process| {
        let start = start(&process);
        let place = |Start { place, shown, .. }| Place {
            number: place.number,
            passed: place.line,
            shown,
        };
        Trail {
            active: start.map(place).into_iter().collect(),
            next: match start {
                _ if !goes_on => u64::MAX,
                Some(start) => start.place.number + 1,
                None => 0,
            },
            // Who begins with the oldest knows of none.
            known: start.map(|it| it.place.number).filter(|_| {
                matches!(query.extent, Extent::Tail(_)) || query.bounds(&process).after.is_some()
            }),
            allowance: MOST_BEHIND + start.map_or(0, |it| it.lines),
            process,
        }
    });
    Walk {
        kind,
        trails: trails.collect(),
        left: match query.extent {
            Extent::Head(count) => Some(count),
            Extent::All | Extent::Tail(_) => None,
        },
        query,
        reach,
    }
}

/// Behind the cursor, else before all that is kept.
fn first(query: &Query, Asked { process, logs }: &Asked) -> Option<Start> {
    let oldest = || {
        let number = number(logs.first()?.source);
        Some(Position { number, line: 0 })
    };
    let place = query.bounds(process).after.or_else(oldest)?;
    Some(Start::at(place, logs))
}

/// Before the first of the last matches, of each process.
fn last_matches(
    query: &Query,
    asked: &[Asked],
    cancelled: &AtomicBool,
) -> Option<Vec<Option<Start>>> {
    let filter = Filter::new(query);
    let recent = Recent::default();
    let mut tracks = Vec::with_capacity(asked.len());
    for (nth, Asked { process, logs }) in asked.iter().enumerate() {
        let ranged = ranged(logs, &query.bounds(process));
        let mut view = View::new(ranged, query.stream, recent.clone(), nth);
        let matches = scan(&mut view, filter.clone(), cancelled)?;
        tracks.push(Track::new(process, view, matches));
    }
    let mut tracks = Tracks(tracks);
    tracks.choose(query.extent, cancelled)?;
    let tracks = tracks.0.iter_mut().zip(asked);
    let starts = tracks.map(|(track, Asked { logs, .. })| {
        if track.chosen.is_empty() {
            return Some(Start::at(track.view.end()?, logs));
        }
        let first = track.chosen.start;
        let mut start = Start::at(track.before(first)?, logs);
        if query.is_choosy() {
            let place = track.matches.place(first);
            let of_same_log = track.view.same_log(place).start;
            let context = place.saturating_sub(query.context).max(of_same_log);
            let first_shown = track.view.position(context)?;
            start.shown = start.shown.min(first_shown.line.saturating_sub(1));
        }
        Some(start)
    });
    Some(starts.collect())
}

/// How many lines there are behind a place.
fn lines_behind(start: Position, logs: &[Snapshot]) -> u64 {
    let behind = |log: &Snapshot| {
        let next = log.parts.last().map_or(1, Part::next);
        match number(log.source).cmp(&start.number) {
            Ordering::Less => 0,
            Ordering::Equal => next.saturating_sub(start.line + 1),
            Ordering::Greater => next - 1,
        }
    };
    logs.iter().map(behind).sum()
}
