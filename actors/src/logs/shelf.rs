//! The logs of one process, of its runs or of its builds: the newest few, bounded in bytes.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use tokio::time::Instant;

use crate::{
    logs::{
        Source, Stream,
        bell::Bell,
        chunk::{Chunk, Line, LineEnd, Stretch},
        intake::{Intake, Piece},
        part::Part,
    },
    spec::Mode,
};

/// What a shelf may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many logs.
    pub logs: usize,
    /// How many bytes for all of them, lines and their index.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            logs: 10,
            bytes: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// For runs and for builds of each of so many processes, which have this memory together: a
    /// program prints more than its builds.
    #[must_use]
    pub fn divided(memory_bytes: u64, processes: usize) -> (Self, Self) {
        // Below this a shelf could hardly hold the lines that were read last.
        const LEAST: usize = 256 * 1024;
        let memory = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        let share = memory / processes.max(1);
        let shelf = |bytes: usize| Self {
            bytes: bytes.max(LEAST),
            ..Self::default()
        };
        (shelf(share / 4 * 3), shelf(share / 4))
    }
}

/// The newest logs of one kind, oldest first.
#[derive(Debug)]
pub(crate) struct Shelf {
    limits: Limits,
    /// Rung when there is more.
    bell: Bell,
    logs: VecDeque<Log>,
}

impl Shelf {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bell: Bell::new(),
            logs: VecDeque::new(),
        }
    }

    /// From now on it holds so much.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.fit();
    }

    /// Gives up its logs. Those who follow go on to listen.
    pub(crate) fn clear(&mut self) {
        self.logs.clear();
    }

    /// What tells those who follow its logs.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Puts a new log on the shelf, and gives the one that had to leave for it.
    pub(crate) fn open(&mut self, log: Log) -> Option<Log> {
        self.logs.push_back(log);
        let surplus = self.logs.len() > self.limits.logs;
        surplus.then(|| self.logs.pop_front()).flatten()
    }

    pub(crate) fn log(&self, source: Source) -> Option<&Log> {
        self.logs.iter().rev().find(|log| log.source == source)
    }

    pub(crate) fn log_mut(&mut self, source: Source) -> Option<&mut Log> {
        self.logs.iter_mut().rev().find(|log| log.source == source)
    }

    /// What its logs are of, oldest first.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source> {
        self.logs.iter().map(Log::source)
    }

    /// Lets the oldest lines leave until the rest fits.
    pub(crate) fn fit(&mut self) {
        while self.size() > self.limits.bytes {
            if !self.logs.iter_mut().any(Log::evict) {
                return;
            }
        }
    }

    /// The memory that the logs occupy, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.logs.iter().map(Log::size).sum()
    }
}

/// The output of one run or build.
#[derive(Debug)]
pub(crate) struct Log {
    source: Source,
    mode: Mode,
    began: SystemTime,
    ending: Option<String>,
    full: VecDeque<Arc<Chunk>>,
    /// The memory of `full`, in bytes.
    full_size: usize,
    open: Chunk,
    evicted: u64,
    stdout: Intake,
    stderr: Intake,
}

/// The sequence number of the first line of a log.
pub(crate) const FIRST: u64 = 1;

/// What happened at one moment: for the silence, and for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) at: SystemTime,
}

/// A log as it was when it was asked for; it does not change any more.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) source: Source,
    pub(crate) mode: Mode,
    pub(crate) began: SystemTime,
    pub(crate) ending: Option<String>,
    /// How many of its lines are gone.
    pub(crate) evicted: u64,
    /// The others, oldest first.
    pub(crate) parts: Vec<Part>,
}

impl Snapshot {
    /// Its chunks, oldest first, each read when it is its turn. What cannot be read is left out.
    pub(crate) fn chunks(&self) -> impl DoubleEndedIterator<Item = Arc<Chunk>> {
        let blocks = |part: &Part| part.blocks().unwrap_or_default();
        let blocks = self.parts.iter().flat_map(blocks);
        blocks.filter_map(|block| block.load().ok())
    }
}

impl Log {
    pub(crate) fn new(source: Source, mode: Mode, began: SystemTime) -> Self {
        Self {
            source,
            mode,
            began,
            ending: None,
            full: VecDeque::new(),
            full_size: 0,
            open: Chunk::starting_at(FIRST),
            evicted: 0,
            stdout: Intake::default(),
            stderr: Intake::default(),
        }
    }

    /// Stores the lines that `bytes` complete, and hands them to `then` once they are stored.
    pub(crate) fn take(
        &mut self,
        stream: Stream,
        bytes: &[u8],
        moment: Moment,
        then: &mut impl FnMut(Stretch<'_>),
    ) {
        let (intake, mut store) = self.parts(stream, moment.at);
        intake.take(bytes, moment.now, &mut |piece| store.push(piece, then));
        store.finish(then);
    }

    /// Stores an unfinished line.
    pub(crate) fn flush(
        &mut self,
        stream: Stream,
        end: LineEnd,
        at: SystemTime,
        then: &mut impl FnMut(Stretch<'_>),
    ) {
        let (intake, mut store) = self.parts(stream, at);
        intake.flush(end, &mut |piece| store.push(piece, then));
        store.finish(then);
    }

    fn parts(&mut self, stream: Stream, at: SystemTime) -> (&mut Intake, Store<'_>) {
        let intake = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let store = Store {
            from: self.open.len(),
            full: &mut self.full,
            full_size: &mut self.full_size,
            open: &mut self.open,
            stream,
            at,
        };
        (intake, store)
    }

    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// The memory that its stored lines occupy, in bytes.
    pub(crate) fn stored(&self) -> usize {
        self.full_size + self.open.size()
    }

    /// When the unfinished line of a stream is to be stored.
    pub(crate) fn due(&self, stream: Stream) -> Option<Instant> {
        match stream {
            Stream::Stdout => self.stdout.due(),
            Stream::Stderr => self.stderr.due(),
        }
    }

    /// Says how what printed the lines ended; the first word counts.
    pub(crate) fn end(&mut self, ending: String) {
        self.ending.get_or_insert(ending);
    }

    /// How what printed the lines ended, if it has.
    pub(crate) fn ending(&self) -> Option<&str> {
        self.ending.as_deref()
    }

    /// Nothing more comes: gives back what was reserved.
    pub(crate) fn close(&mut self) {
        self.open.seal();
    }

    /// Lets the oldest lines leave. False if there are none.
    fn evict(&mut self) -> bool {
        let gone = if let Some(chunk) = self.full.pop_front() {
            self.full_size -= chunk.size();
            chunk.len()
        } else {
            let next = Chunk::starting_at(self.open.next());
            std::mem::replace(&mut self.open, next).len()
        };
        self.evicted += gone as u64;
        gone > 0
    }

    fn size(&self) -> usize {
        size_of::<Self>()
            + self.full_size
            + self.open.size()
            + self.stdout.size()
            + self.stderr.size()
    }

    /// The sequence number that the next line gets.
    pub(crate) fn next(&self) -> u64 {
        self.open.next()
    }

    /// Its lines from this one on, and a few before; `None` where some of them are not in memory. Costs
    /// little where it is asked again and again for what is new.
    pub(crate) fn since(&self, first: u64) -> Option<Snapshot> {
        // A line that there has not been yet: the number was another log's once.
        let first = if first > self.next() { FIRST } else { first };
        if first <= self.evicted {
            return None;
        }
        let old = self.full.partition_point(|chunk| chunk.next() <= first);
        let full = self.full.iter().skip(old).cloned();
        let mut parts: Vec<_> = full.map(Part::Memory).collect();
        let open = &self.open;
        if open.next() > first && !open.is_empty() {
            let from = usize::try_from(first.saturating_sub(open.first())).unwrap_or(0);
            let open = match from {
                0 => open.snapshot(),
                from => open.slice(from, open.len()),
            };
            parts.push(Part::Memory(Arc::new(open)));
        }
        Some(self.with(parts))
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut parts: Vec<_> = self.full.iter().cloned().map(Part::Memory).collect();
        if !self.open.is_empty() {
            parts.push(Part::Memory(Arc::new(self.open.snapshot())));
        }
        self.with(parts)
    }

    fn with(&self, parts: Vec<Part>) -> Snapshot {
        Snapshot {
            source: self.source,
            mode: self.mode,
            began: self.began,
            ending: self.ending.clone(),
            evicted: self.evicted,
            parts,
        }
    }
}

/// Where lines of one batch go.
struct Store<'a> {
    full: &'a mut VecDeque<Arc<Chunk>>,
    full_size: &'a mut usize,
    open: &'a mut Chunk,
    /// How many lines of `open` were there before this batch.
    from: usize,
    stream: Stream,
    at: SystemTime,
}

impl Store<'_> {
    fn push(&mut self, piece: Piece<'_>, then: &mut impl FnMut(Stretch<'_>)) {
        let stream = self.stream;
        match piece {
            Piece::Line(bytes, end) => {
                if !self.open.takes(bytes.len()) {
                    self.roll(then);
                }
                self.open.push(Line { bytes, stream, end }, self.at);
            }
            Piece::Lines(mut whole) => loop {
                let (fits, rest) = self.open.split(whole);
                self.open.push_all(fits, stream, self.at);
                if rest.is_empty() {
                    return;
                }
                self.roll(then);
                whole = rest;
            },
        }
    }

    /// Begins a new chunk.
    fn roll(&mut self, then: &mut impl FnMut(Stretch<'_>)) {
        self.finish(then);
        let next = Chunk::like(self.open);
        let mut full = std::mem::replace(self.open, next);
        full.seal();
        *self.full_size += full.size();
        self.full.push_back(Arc::new(full));
        self.from = 0;
    }

    /// Hands on what was stored in the open chunk.
    fn finish(&self, then: &mut impl FnMut(Stretch<'_>)) {
        if self.from < self.open.len() {
            then(Stretch::since(self.open, self.from));
        }
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
