//! Finds the lines that match.
//!
//! Blocks are searched one by one, by several threads where there are many of them. How many lines
//! of each block match is remembered, and which ones where they are few; where they are many the block
//! is searched again when they are wanted. So memory is bounded, however many lines match.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use memchr::memchr;

use crate::{
    logs::{
        Stream,
        chunk::Chunk,
        level::{self, Level, level},
        text::clean,
    },
    pattern::{Finder, Pattern},
    search::{
        Matching, Query,
        view::{Placed, View, within},
    },
};

/// So many blocks are searched by one thread as quickly as by several.
const FEW_BLOCKS: usize = 8;
/// The most threads of one search.
const THREADS: usize = 4;
/// How many matches of a block are remembered.
const REMEMBERED: usize = 32;
/// What searches yield to what serves, in steps of `nice`.
const NICE: i32 = 10;

/// Which lines are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pattern: Option<Pattern>,
    matching: Matching,
    level: Option<Level>,
    /// What all lines of that level match, where there is no other pattern.
    candidates: Option<Pattern>,
    stream: Option<Stream>,
}

impl Filter {
    /// `None` if all lines are wanted.
    pub(crate) fn new(query: &Query) -> Option<Self> {
        let candidates = match (&query.pattern, query.level) {
            (None, Some(least)) => level::candidates(least),
            _ => None,
        };
        let filter = Self {
            // It is valid; without it every line is looked at.
            candidates: candidates.and_then(|text| Pattern::parse(&text).ok()),
            pattern: query.pattern.clone(),
            matching: query.matching,
            level: query.level,
            stream: query.stream,
        };
        (filter.pattern.is_some() || filter.level.is_some()).then_some(filter)
    }
}

/// The lines of a view that match, in order.
#[derive(Debug)]
pub(crate) enum Matches {
    /// All lines.
    All(usize),
    /// Those that a filter found.
    Found(Found),
}

/// Lines that a filter found.
#[derive(Debug)]
pub(crate) struct Found {
    filter: Filter,
    blocks: Vec<Placed>,
    /// Per block: how many matched in those before.
    before: Vec<usize>,
    /// Per block: which of the view's lines in it match, where they are few.
    few: Vec<Option<Box<[u32]>>>,
    count: usize,
    /// The block that was searched again last.
    again: Option<(usize, Vec<u32>)>,
}

impl Matches {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::Found(found) => found.count,
        }
    }

    /// The place of one of them in the view.
    pub(crate) fn place(&mut self, ordinal: usize) -> usize {
        match self {
            Self::All(_) => ordinal,
            Self::Found(found) => found.place(ordinal),
        }
    }
}

impl Found {
    fn place(&mut self, ordinal: usize) -> usize {
        let after = self.before.partition_point(|&before| before <= ordinal);
        let block = after.saturating_sub(1);
        let within = ordinal - self.before[block];
        let offset = match &self.few[block] {
            Some(few) => few.get(within).copied(),
            None => self.again(block).get(within).copied(),
        };
        // A block that cannot be read any more has its lines where they were, if not exactly.
        let offset = offset.map_or(within, |offset| offset as usize);
        let placed = &self.blocks[block];
        placed.start + offset.min(placed.count.saturating_sub(1))
    }

    fn again(&mut self, block: usize) -> &[u32] {
        if self.again.as_ref().is_none_or(|(last, _)| *last != block) {
            let placed = &self.blocks[block];
            let chunk = placed.block.load();
            let offsets = chunk.map(|chunk| Scanner::new(&self.filter).offsets(&chunk, placed));
            self.again = Some((block, offsets.unwrap_or_default()));
        }
        self.again.as_ref().map_or(&[], |(_, offsets)| offsets)
    }
}

/// Finds the lines of `view` that match; all without a filter. `None` if `cancelled` was set.
pub(crate) fn scan(
    view: &mut View<'_>,
    filter: Option<Filter>,
    cancelled: &AtomicBool,
) -> Option<Matches> {
    let Some(filter) = filter else {
        return Some(Matches::All(view.total()));
    };
    let blocks = view.blocks();
    let mut searched = search_all(&blocks, &filter, cancelled)?;
    searched.sort_unstable_by_key(|(block, _)| *block);
    let (mut before, mut few) = (Vec::new(), Vec::new());
    let mut count = 0;
    for (block, result) in searched {
        before.push(count);
        match result {
            Searched::Few(offsets) => {
                count += offsets.len();
                few.push(Some(offsets));
            }
            Searched::Many(matches) => {
                count += matches;
                few.push(None);
            }
            Searched::Unreadable => {
                view.cannot_read(&blocks[block]);
                few.push(Some(Box::default()));
            }
        }
    }
    Some(Matches::Found(Found {
        filter,
        blocks,
        before,
        few,
        count,
        again: None,
    }))
}

/// What the search of a block gave.
enum Searched {
    Few(Box<[u32]>),
    Many(usize),
    Unreadable,
}

fn search_all(
    blocks: &[Placed],
    filter: &Filter,
    cancelled: &AtomicBool,
) -> Option<Vec<(usize, Searched)>> {
    let next = AtomicUsize::new(0);
    let work = || {
        // Each thread has a pattern of its own: they share no caches.
        let filter = filter.clone();
        let mut scanner = Scanner::new(&filter);
        let mut searched = Vec::new();
        loop {
            if cancelled.load(Ordering::Relaxed) {
                return None;
            }
            let block = next.fetch_add(1, Ordering::Relaxed);
            let Some(placed) = blocks.get(block) else {
                return Some(searched);
            };
            searched.push((block, scanner.search(placed)));
            // Whoever has an answer to give need not wait until the scheduler takes this processor away.
            thread::yield_now();
        }
    };
    if blocks.len() <= FEW_BLOCKS {
        return work();
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let yielding = || {
            yield_to_others();
            work()
        };
        let workers: Vec<_> = (0..threads.min(THREADS))
            .map(|_| scope.spawn(yielding))
            .collect();
        let mut all = Some(Vec::with_capacity(blocks.len()));
        for worker in workers {
            let searched = worker.join();
            let searched = searched.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all = all.zip(searched).map(|(mut all, searched)| {
                all.extend(searched);
                all
            });
        }
        all
    })
}

/// Lowers the priority of this thread, which does nothing else and ends with its search.
fn yield_to_others() {
    let thread = rustix::thread::gettid();
    // Where that is not permitted the search only disturbs a little more.
    let _ = rustix::process::setpriority_process(Some(thread), NICE);
}

/// Searches blocks one after the other.
struct Scanner<'q> {
    filter: &'q Filter,
    cleaned: Cleaned,
}

impl<'q> Scanner<'q> {
    fn new(filter: &'q Filter) -> Self {
        Self {
            filter,
            cleaned: Cleaned::default(),
        }
    }

    fn search(&mut self, placed: &Placed) -> Searched {
        let Ok(chunk) = placed.block.load() else {
            return Searched::Unreadable;
        };
        if let Some(pattern) = self.filter.alone()
            && chunk.is_plain()
            && within(&chunk, &placed.lines).len() == chunk.len()
        {
            // Which lines they are need not be known, but where some of them are shown.
            return Searched::Many(count(chunk.bytes(), pattern.finder()));
        }
        let offsets = self.offsets(&chunk, placed);
        if offsets.len() <= REMEMBERED {
            Searched::Few(offsets.into())
        } else {
            Searched::Many(offsets.len())
        }
    }

    /// Which of the view's lines in this block match, counted from the first of them.
    fn offsets(&mut self, chunk: &Arc<Chunk>, placed: &Placed) -> Vec<u32> {
        let lines = within(chunk, &placed.lines);
        if chunk.is_plain() {
            let text = Text {
                bytes: chunk.bytes(),
                count: chunk.len(),
                end: |line| chunk.end(line),
            };
            self.filter.offsets(chunk, &lines, &text)
        } else {
            self.cleaned.fill(chunk);
            let ends = &self.cleaned.ends;
            let text = Text {
                bytes: self.cleaned.text.as_bytes(),
                count: ends.len(),
                end: |line| ends[line],
            };
            self.filter.offsets(chunk, &lines, &text)
        }
    }
}

impl Filter {
    /// The pattern, where nothing else is asked of lines.
    fn alone(&self) -> Option<&Pattern> {
        let alone =
            self.matching == Matching::Lines && self.level.is_none() && self.stream.is_none();
        self.pattern.as_ref().filter(|_| alone)
    }

    fn offsets<E: Fn(usize) -> usize>(
        &self,
        chunk: &Chunk,
        lines: &Range<usize>,
        text: &Text<'_, E>,
    ) -> Vec<u32> {
        let mut offsets = Vec::new();
        let mut places = Offsets {
            chunk,
            stream: self.stream,
            next: lines.start,
            offset: 0,
        };
        let mut take = |line: usize| {
            let passes = self
                .level
                .is_none_or(|least| level(text.line(line)).is_some_and(|level| level <= least));
            if passes && let Some(offset) = places.of(line) {
                offsets.push(offset);
            }
        };
        match (&self.pattern, self.matching) {
            (None, _) => match &self.candidates {
                Some(candidates) => matching(text, lines, candidates.finder(), &mut take),
                None => lines.clone().for_each(take),
            },
            (Some(pattern), Matching::Lines) => {
                matching(text, lines, pattern.finder(), &mut take);
            }
            (Some(pattern), Matching::OtherLines) => {
                let mut next = lines.start;
                matching(text, lines, pattern.finder(), &mut |line| {
                    (next..line).for_each(&mut take);
                    next = line + 1;
                });
                (next..lines.end).for_each(take);
            }
        }
        offsets
    }
}

/// The lines of a chunk as readers see them, each with a newline behind it.
struct Text<'a, E> {
    bytes: &'a [u8],
    count: usize,
    /// Where the line after one begins.
    end: E,
}

impl<'a, E: Fn(usize) -> usize> Text<'a, E> {
    fn start(&self, line: usize) -> usize {
        line.checked_sub(1).map_or(0, &self.end)
    }

    fn line(&self, line: usize) -> &'a [u8] {
        &self.bytes[self.start(line)..(self.end)(line) - 1]
    }
}

/// Translates positions in a chunk, which must rise, into offsets among the lines of a stream.
struct Offsets<'a> {
    chunk: &'a Chunk,
    stream: Option<Stream>,
    next: usize,
    /// How many of the view's lines are before `next`.
    offset: u32,
}

impl Offsets<'_> {
    /// `None` if the line is of the other stream.
    fn of(&mut self, line: usize) -> Option<u32> {
        let between = self.next..line;
        let passed = match self.stream {
            None => between.len(),
            Some(stream) => between.filter(|&n| self.chunk.stream(n) == stream).count(),
        };
        self.offset += u32::try_from(passed).unwrap_or(u32::MAX);
        self.next = line;
        let is_of_stream = |stream| self.chunk.stream(line) == stream;
        self.stream.is_none_or(is_of_stream).then_some(self.offset)
    }
}

/// The lines of a chunk that is not plain.
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

/// How many lines of this text, each with a newline behind it, match.
fn count(text: &[u8], finder: Finder<'_>) -> usize {
    let (mut lines, mut start) = (0, 0);
    while start < text.len()
        && let Some(at) = finder.find(text, start)
    {
        lines += 1;
        start = memchr(b'\n', &text[at..]).map_or(text.len(), |end| at + end + 1);
    }
    lines
}

/// Tells which of these lines match.
fn matching<E: Fn(usize) -> usize>(
    text: &Text<'_, E>,
    lines: &Range<usize>,
    finder: Finder<'_>,
    found: &mut impl FnMut(usize),
) {
    let Some(last) = lines.end.checked_sub(1) else {
        return;
    };
    let mut line = lines.start;
    // A whole chunk without a match needs no index of its lines.
    let bytes = if lines.end == text.count {
        text.bytes
    } else {
        &text.bytes[..(text.end)(last)]
    };
    let mut start = text.start(line);
    while line < lines.end
        && let Some(at) = finder.find(bytes, start)
    {
        line = first(line, lines.end, |n| (text.end)(n) > at);
        found(line);
        start = (text.end)(line);
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

/// The position of the first line of a chunk that matches.
pub(crate) fn first_match(chunk: &Chunk, pattern: &Pattern) -> Option<usize> {
    let finder = pattern.finder();
    let lines = 0..chunk.len();
    let at = |bytes: &[u8]| finder.find(bytes, 0);
    if chunk.is_plain() {
        let at = at(chunk.bytes())?;
        return Some(first(0, lines.end, |n| chunk.end(n) > at));
    }
    let mut cleaned = Cleaned::default();
    cleaned.fill(chunk);
    let at = at(cleaned.text.as_bytes())?;
    Some(first(0, lines.end, |n| cleaned.ends[n] > at))
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
