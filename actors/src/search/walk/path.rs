//! The part of one log that a page looks at: its matches one after the other, with their context.

use std::{
    ops::Range,
    sync::{Arc, atomic::AtomicBool},
    time::SystemTime,
};

use super::{Place, Role, STREAMS, Trail, WalkLine, page::Opened};
use crate::{
    ids::ProcessName,
    logs::{chunk::Chunk, shelf::Snapshot},
    search::{
        Query,
        scan::{Filter, Matches, scan},
        view::{Ranged, Recent, View},
    },
};

/// How many lines of one log a page looks at.
const WINDOW: u64 = 100_000;

/// How a page goes through one log.
#[derive(Debug)]
pub(super) struct Path<'a> {
    /// Whose log it is.
    pub(super) trail: usize,
    /// Whether its turn has come.
    pub(super) is_entered: bool,
    log: &'a Opened,
    place: Place,
    view: View<'a>,
    matches: Matches,
    /// The match that is next.
    next: usize,
    /// The last match of an earlier page, where context behind it is still to be given.
    pending: Option<usize>,
    /// Lines of context, on either side.
    context: usize,
    /// Behind the lines that it looks at.
    end: u64,
}

/// A line that is given.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) role: Role,
    spot: (Arc<Chunk>, usize),
}

impl Step {
    pub(super) fn line(self, process: &ProcessName, number: u64) -> WalkLine {
        let (chunk, position) = self.spot;
        let line = chunk.line(position);
        WalkLine {
            process: process.clone(),
            number,
            seq: chunk.first() + position as u64,
            at: chunk.at(position),
            stream: line.stream,
            text: String::from_utf8_lossy(line.bytes).into_owned(),
            role: self.role,
        }
    }
}

/// These lines of a log.
pub(super) fn view<'a>(
    log: &'a Snapshot,
    lines: Range<u64>,
    query: &Query,
    recent: &Recent,
    id: usize,
) -> View<'a> {
    let ranged = vec![Ranged { log, lines }];
    View::new(ranged, query.stream, recent.clone(), id)
}

impl<'a> Path<'a> {
    /// `view` gives lines of the log. `None` if `cancelled` was set.
    pub(super) fn new(
        trail: usize,
        log: &'a Opened,
        query: &Query,
        filter: Option<&Filter>,
        view: impl FnOnce(Range<u64>) -> View<'a>,
        cancelled: &AtomicBool,
    ) -> Option<Self> {
        let place = log.place;
        let context = if filter.is_some() { query.context } else { 0 };
        let end = log.lines.end.min(log.lines.start.saturating_add(WINDOW));
        let lookback = context as u64 * STREAMS;
        let from = log.lines.start.saturating_sub(lookback).max(log.floor);
        let mut view = view(from..end);
        let matches = scan(&mut view, filter.cloned(), cancelled)?;
        let mut path = Self {
            trail,
            // One that was entered before has been told of.
            is_entered: false,
            log,
            place,
            view,
            matches,
            next: 0,
            pending: None,
            context,
            end,
        };
        // Those that were given before are there for the context behind them.
        while path.next < path.matches.count() {
            let place = path.matches.place(path.next);
            let position = path.view.position(place);
            if position.is_none_or(|it| it.line > path.place.passed) {
                break;
            }
            path.next += 1;
        }
        path.pending = path.unfinished();
        Some(path)
    }

    /// The last match before those that are next, if lines behind it were not there in time.
    fn unfinished(&mut self) -> Option<usize> {
        let before = self.next.checked_sub(1)?;
        let before = self.matches.place(before);
        let until = (before + 1 + self.context).min(self.next_place());
        let last = (before + 1 < until).then(|| self.view.position(until - 1));
        let last = last.flatten()?;
        (last.line > self.place.shown).then_some(before)
    }

    pub(super) fn number(&self) -> u64 {
        self.place.number
    }

    pub(super) fn is_open(&self) -> bool {
        self.log.is_open
    }

    /// Whether there is something to take.
    pub(super) fn is_ready(&self) -> bool {
        self.pending.is_some() || self.next < self.matches.count()
    }

    /// Whether lines behind those that it looks at are wanted.
    fn is_truncated(&self) -> bool {
        self.end < self.log.lines.end
    }

    /// Whether all that it looks at was taken, and there is more.
    pub(super) fn is_cut_off(&self) -> bool {
        !self.is_ready() && self.is_truncated()
    }

    /// Whether it is not read to its end.
    pub(super) fn has_more(&self) -> bool {
        self.is_ready() || self.is_truncated()
    }

    /// The place of the match that is next; behind all lines where there is none.
    fn next_place(&mut self) -> usize {
        if self.next < self.matches.count() {
            self.matches.place(self.next)
        } else {
            self.view.total()
        }
    }

    /// When the line that is next was stored.
    pub(super) fn time(&mut self) -> Option<SystemTime> {
        let place = match self.pending {
            Some(match_before) => match_before + 1,
            None => self.next_place(),
        };
        let spot = self.view.line(place)?;
        Some(spot.chunk.at(spot.position))
    }

    /// Takes what is next: context of what was given before, or a match with its context.
    pub(super) fn take(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(match_before) = self.pending.take() {
            self.give_context_behind(match_before, &mut steps);
            return steps;
        }
        if self.next == self.matches.count() {
            return steps;
        }
        let place = self.matches.place(self.next);
        self.next += 1;
        for before in place.saturating_sub(self.context)..place {
            self.give(before, Role::Context, &mut steps);
        }
        self.give(place, Role::Match, &mut steps);
        if let Some(position) = self.view.position(place) {
            self.place.passed = self.place.passed.max(position.line);
        }
        self.give_context_behind(place, &mut steps);
        steps
    }

    fn give_context_behind(&mut self, place: usize, steps: &mut Vec<Step>) {
        let until = (place + 1 + self.context).min(self.next_place());
        for behind in place + 1..until {
            self.give(behind, Role::Context, steps);
        }
    }

    /// Gives a line, unless it was given before or cannot be read.
    fn give(&mut self, place: usize, role: Role, steps: &mut Vec<Step>) {
        let Some(spot) = self.view.line(place) else {
            return;
        };
        if spot.sequence() <= self.place.shown {
            return;
        }
        self.place.shown = spot.sequence();
        let spot = (spot.chunk, spot.position);
        steps.push(Step { role, spot });
    }

    /// How many lines could not be read.
    pub(super) fn unreadable(&self) -> u64 {
        self.view.unreadable()
    }

    /// Writes down how far the reader is. True if there is more.
    pub(super) fn leave(mut self, trails: &mut [Trail]) -> bool {
        if !self.is_entered {
            return true;
        }
        let trail = &mut trails[self.trail];
        let is_ready = self.is_ready();
        if !is_ready {
            self.place.passed = self.place.passed.max(self.end.saturating_sub(1));
        }
        let more = is_ready || self.is_truncated();
        trail.active.retain(|it| it.number != self.place.number);
        if more || self.is_open() {
            trail.active.push(self.place);
            trail.active.sort_by_key(|it| it.number);
        }
        more
    }
}
