//! Finds the lines that match.
//!
//! Lines are known by their place among the lines of the stream that was asked for, so that context
//! is taken from that stream alone.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    logs::{
        Stream,
        chunk::{Chunk, Line},
        text::clean,
    },
    pattern::{Finder, Pattern},
    search::Extent,
};

/// The lines of one stream, or of both, across the chunks of a log.
#[derive(Debug)]
pub(crate) struct View<'a> {
    chunks: &'a [Arc<Chunk>],
    stream: Option<Stream>,
    /// Per chunk: the place of its first line in this view.
    starts: Vec<usize>,
    total: usize,
    /// The chunk that was looked at last, and the positions of this view's lines in it.
    last: Option<(usize, Vec<u32>)>,
}

impl<'a> View<'a> {
    pub(crate) fn new(chunks: &'a [Arc<Chunk>], stream: Option<Stream>) -> Self {
        let mut total = 0;
        let mut starts = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            starts.push(total);
            total += chunk.count(stream);
        }
        Self {
            chunks,
            stream,
            starts,
            total,
            last: None,
        }
    }

    /// Number of lines.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// The line at `place`, which must be below [`View::total`]. Cheap where neighbours are asked
    /// for one after the other.
    pub(crate) fn line(&mut self, place: usize) -> Line<'a> {
        // The last chunk that begins at or before it: those without lines begin where the next does.
        let at = self.starts.partition_point(|&start| start <= place) - 1;
        let chunk = &self.chunks[at];
        let within = place - self.starts[at];
        let Some(stream) = self.stream else {
            return chunk.line(within);
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != at) {
            let of_stream = (0..)
                .zip(0..chunk.len())
                .filter(|(_, n)| chunk.stream(*n) == stream);
            self.last = Some((at, of_stream.map(|(position, _)| position).collect()));
        }
        let positions = self
            .last
            .as_ref()
            .map_or(&[][..], |(_, positions)| positions);
        chunk.line(positions[within] as usize)
    }
}

/// The matches of a log: how many, and the places of those that can be shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Matches {
    pub(crate) count: usize,
    /// Ascending.
    pub(crate) places: VecDeque<usize>,
}

impl Matches {
    /// Keeps at most `most` places: the first or the last ones.
    fn add(&mut self, place: usize, extent: Extent, most: usize) {
        self.count += 1;
        if self.places.len() < most {
            self.places.push_back(place);
        } else if !matches!(extent, Extent::Head(_)) && most > 0 {
            self.places.pop_front();
            self.places.push_back(place);
        }
    }
}

/// Finds the lines of `view` that match; all without a pattern. `None` if `cancelled` was set.
pub(crate) fn scan(
    view: &View<'_>,
    pattern: Option<&Pattern>,
    extent: Extent,
    most: usize,
    cancelled: &AtomicBool,
) -> Option<Matches> {
    let most = match extent {
        Extent::Head(count) | Extent::Tail(count) => count.min(most),
        Extent::Fitting => most,
    };
    let Some(pattern) = pattern else {
        let shown = most.min(view.total);
        let first = if matches!(extent, Extent::Head(_)) {
            0
        } else {
            view.total - shown
        };
        let places = (first..first + shown).collect();
        return Some(Matches {
            count: view.total,
            places,
        });
    };
    let mut matches = Matches::default();
    let mut cleaned = Cleaned::default();
    for (chunk, &start) in view.chunks.iter().zip(&view.starts) {
        if cancelled.load(Ordering::Relaxed) {
            return None;
        }
        let mut found = Places {
            chunk,
            stream: view.stream,
            next: 0,
            place: start,
        };
        let mut add = |line| {
            if let Some(place) = found.of(line) {
                matches.add(place, extent, most);
            }
        };
        if chunk.is_plain() {
            matching(
                chunk.bytes(),
                chunk.len(),
                |n| chunk.end(n),
                pattern.finder(),
                &mut add,
            );
        } else {
            cleaned.fill(chunk);
            let ends = &cleaned.ends;
            matching(
                cleaned.text.as_bytes(),
                ends.len(),
                |n| ends[n],
                pattern.finder(),
                &mut add,
            );
        }
    }
    Some(matches)
}

/// Translates positions in a chunk, which must rise, into places of a view.
struct Places<'a> {
    chunk: &'a Chunk,
    stream: Option<Stream>,
    next: usize,
    /// The place of the first of the view's lines at or after `next`.
    place: usize,
}

impl Places<'_> {
    /// `None` if the line is of the other stream.
    fn of(&mut self, line: usize) -> Option<usize> {
        let Some(stream) = self.stream else {
            return Some(self.place + line);
        };
        let between = self.next..line;
        self.place += between.filter(|&n| self.chunk.stream(n) == stream).count();
        self.next = line;
        (self.chunk.stream(line) == stream).then_some(self.place)
    }
}

/// The lines of a chunk as readers see them, each with a newline behind it.
#[derive(Default)]
struct Cleaned {
    text: String,
    ends: Vec<usize>,
}

impl Cleaned {
    fn fill(&mut self, chunk: &Chunk) {
        self.text.clear();
        self.ends.clear();
        for position in 0..chunk.len() {
            clean(chunk.line(position).bytes, &mut self.text);
            self.text.push('\n');
            self.ends.push(self.text.len());
        }
    }
}

/// Tells which of the `count` lines of `text` match. `end` says where the line after one begins.
fn matching(
    text: &[u8],
    count: usize,
    end: impl Fn(usize) -> usize,
    finder: Finder<'_>,
    found: &mut impl FnMut(usize),
) {
    let mut line = 0;
    let mut start = 0;
    while line < count
        && let Some(at) = finder.find(text, start)
    {
        line = first(line, count, |n| end(n) > at);
        found(line);
        start = end(line);
        line += 1;
    }
}

/// The first of `from..to` for which `reached` holds, which must hold from there on; quick when it
/// is near.
fn first(from: usize, to: usize, reached: impl Fn(usize) -> bool) -> usize {
    let mut low = from;
    let mut step = 1;
    while low + step < to && !reached(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = (low + step).min(to);
    while low < high {
        let middle = usize::midpoint(low, high);
        if reached(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
