//! One page: what there is behind the places of a walk, in order.

use std::{ops::Range, sync::atomic::AtomicBool};

use super::{
    Item, MOST_BEHIND, Page, Picked, Picks, Place, Reach, Role, Then, Trail, Walk,
    path::{self, Path, Step},
};
use crate::{
    logs::{part::Part, shelf::Snapshot},
    search::{bound::Bounds, scan::Filter, view::Recent},
};

/// How many lines a page has at most, but for the context of its last match.
const LINES: usize = 1_000;
/// How many bytes of text, likewise.
const BYTES: usize = 64 * 1024;
/// How many lines a reader is behind when he was moved ahead.
const BEHIND: u64 = 1_000;

/// Reads a page. `None` if `cancelled` was set meanwhile.
pub(crate) fn page(mut walk: Walk, picks: Vec<Picks>, cancelled: &AtomicBool) -> Option<Page> {
    let mut items = Vec::new();
    let mut logs = Vec::new();
    for (trail, picks) in picks.into_iter().enumerate() {
        let mut opened = Vec::with_capacity(picks.logs.len());
        for picked in picks.logs {
            opened.extend(thaw(&mut walk, trail, picked, &mut items));
        }
        logs.push((opened, picks.has_more));
    }
    let filter = Filter::new(&walk.query);
    let recent = Recent::default();
    let mut paths = Vec::new();
    for (trail, (opened, _)) in logs.iter().enumerate() {
        for log in opened {
            let id = paths.len();
            let view = |lines| path::view(&log.snapshot, lines, &walk.query, &recent, id);
            let path = Path::new(trail, log, &walk.query, filter.as_ref(), view, cancelled)?;
            paths.push(path);
        }
    }
    let mut writer = Writer {
        walk: &mut walk,
        items,
        bytes: 0,
    };
    let is_full = writer.write(&mut paths);
    let Writer { mut items, .. } = writer;
    let mut more = is_full;
    for path in paths {
        if path.unreadable() > 0 {
            items.push(Item::Gap {
                process: walk.trails[path.trail].process.clone(),
                lines: Some(path.unreadable()),
            });
        }
        more |= path.leave(&mut walk.trails);
    }
    more |= logs.iter().any(|(_, has_more)| *has_more);
    let is_over = walk.left == Some(0) || walk.trails.iter().all(Trail::is_over);
    let then = match (more, walk.reach) {
        _ if is_over => Then::End,
        (true, _) => Then::More(walk),
        (false, Reach::Kept) => Then::End,
        (false, Reach::Later) => {
            // Who has all may fall behind anew.
            for trail in &mut walk.trails {
                trail.allowance = MOST_BEHIND;
            }
            Then::Later(walk)
        }
    };
    Some(Page { items, then })
}

/// A log, and what a page is about in it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) snapshot: Snapshot,
    pub(super) place: Place,
    /// Before this line none is wanted, not as context either.
    pub(super) floor: u64,
    /// The lines that are wanted and have not been looked at.
    pub(super) lines: Range<u64>,
    pub(super) is_open: bool,
}

/// Puts a log together, and tells what is missing in it.
fn thaw(walk: &mut Walk, trail: usize, picked: Picked, items: &mut Vec<Item>) -> Option<Opened> {
    let Walk {
        trails,
        query,
        reach,
        ..
    } = walk;
    let trail = &mut trails[trail];
    let process = trail.process.clone();
    let own = trail.active.iter().find(|it| it.number == picked.number);
    let entered = own.is_some();
    let mut place = own.copied().unwrap_or(Place::before(picked.number));
    let Some(frozen) = picked.frozen else {
        trail.active.retain(|it| it.number != place.number);
        if entered {
            let lines = None;
            items.push(Item::Gap { process, lines });
        }
        return None;
    };
    let snapshot = frozen.thaw();
    let end = snapshot.parts.last().map(Part::next);
    let end = end.or(picked.next).unwrap_or(snapshot.evicted + 1);
    if place.passed >= end {
        // The number was given to another run once.
        place = Place::before(place.number);
        let (process, lines) = (process.clone(), None);
        items.push(Item::Gap { process, lines });
    }
    let bounds = query.bounds(&process);
    let bounds = Bounds {
        after: None,
        ..bounds
    }
    .of(&snapshot);
    let mut lines = bounds.start.max(place.passed + 1)..bounds.end.min(end);
    lines.end = lines.end.max(lines.start);
    let behind = lines.end - lines.start;
    if *reach == Reach::Later && behind > trail.allowance {
        let dropped = behind - BEHIND;
        lines.start += dropped;
        items.push(Item::Dropped {
            process: process.clone(),
            lines: dropped,
        });
    }
    let missing = missing(&snapshot.parts, &lines);
    if missing > 0 {
        let lines = Some(missing);
        items.push(Item::Gap { process, lines });
    }
    place.passed = place.passed.max(lines.start - 1);
    Some(Opened {
        snapshot,
        place,
        floor: bounds.start.max(1),
        lines,
        is_open: picked.is_open,
    })
}

/// How many of these lines are in no part.
fn missing(parts: &[Part], lines: &Range<u64>) -> u64 {
    let mut missing = 0;
    let mut expected = lines.start;
    for part in parts {
        let first = part.first().clamp(expected, lines.end);
        missing += first - expected;
        expected = part.next().clamp(expected, lines.end);
    }
    missing
}

/// A page while it grows.
struct Writer<'w> {
    walk: &'w mut Walk,
    items: Vec<Item>,
    bytes: usize,
}

impl Writer<'_> {
    /// Writes what there is in order. True if there may be more than had room.
    fn write(&mut self, paths: &mut [Path<'_>]) -> bool {
        loop {
            self.enter(paths);
            if self.items.len() >= LINES || self.bytes >= BYTES || self.walk.left == Some(0) {
                return paths.iter().any(Path::has_more);
            }
            // What is behind its window may be older than what the others have.
            if paths.iter().any(|it| it.is_entered && it.is_cut_off()) {
                return true;
            }
            let Some(next) = Self::next(paths) else {
                return false;
            };
            let path = &mut paths[next];
            let steps = path.take();
            if !steps.is_empty() {
                self.tell(path);
            }
            let process = &self.walk.trails[path.trail].process;
            for step in steps {
                let Step { role, .. } = step;
                let line = step.line(process, path.number());
                self.bytes += line.text.len();
                self.items.push(Item::Line(line));
                if let (Role::Match, Some(left)) = (role, &mut self.walk.left) {
                    *left = left.saturating_sub(1);
                }
            }
        }
    }

    /// Enters the logs whose turn it is: those behind one that is closed and read, or behind one that
    /// is not closed.
    fn enter(&mut self, paths: &mut [Path<'_>]) {
        let mut blocked = None;
        for path in paths {
            if blocked == Some(path.trail) {
                continue;
            }
            let trail = &mut self.walk.trails[path.trail];
            if !path.is_entered {
                path.is_entered = true;
                trail.next = trail.next.max(path.number() + 1);
                // Of one that is closed only if it has something to say.
                if path.is_open() {
                    self.tell(path);
                }
            }
            if !path.is_open() && path.has_more() {
                blocked = Some(path.trail);
            }
        }
    }

    /// Tells that a log is a newer one, unless the reader knows.
    fn tell(&mut self, path: &Path<'_>) {
        let trail = &mut self.walk.trails[path.trail];
        let number = path.number();
        if trail.known.is_some_and(|known| known < number) {
            self.items.push(Item::Changed {
                process: trail.process.clone(),
                number,
            });
        }
        trail.known = trail.known.max(Some(number));
    }

    /// The path that has the oldest line.
    fn next(paths: &mut [Path<'_>]) -> Option<usize> {
        let ready = |path: &Path<'_>| path.is_entered && path.is_ready();
        let mut candidates = (0..paths.len()).filter(|&it| ready(&paths[it]));
        let first = candidates.next()?;
        let others: Vec<usize> = candidates.collect();
        let mut best = first;
        for other in others {
            let (than, time) = (paths[best].time(), paths[other].time());
            // One that cannot be read is out of the way at once.
            if time.is_none() || than.is_some_and(|than| time.is_some_and(|time| time < than)) {
                best = other;
            }
        }
        Some(best)
    }
}
