//! Many lines in one piece of memory: what is kept, searched and thrown away as a whole.
//!
//! The bytes of a line are as they came, and one newline stands behind each of them, whether one
//! came or not: so a pattern can run over the whole chunk at once. Which lines came without is in
//! the index, four bytes a line.
//!
//! A chunk that was read from a file knows its lines only as [runs](Run) of equal ones. Its index is
//! made when somebody asks for a line: most of what a search reads is looked at by its pattern alone.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use memchr::{memchr, memchr_iter, memrchr};

use crate::logs::Stream;

/// What ended a stored line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// A newline.
    Newline,
    /// Its length: the next line of the same stream continues it.
    Length,
    /// Silence: what comes next on the stream is stored as the next line.
    Silence,
    /// The end of the log.
    End,
}

/// One stored line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes as they came, without the newline.
    pub bytes: &'a [u8],
    /// Where it came from.
    pub stream: Stream,
    /// What ended it.
    pub end: LineEnd,
}

/// Consecutive lines of one log, of both streams in the order of arrival.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The sequence number of its first line.
    first: u64,
    bytes: Vec<u8>,
    /// Per line: where the next one begins, and in the upper bits [`STDERR`] and the [`LineEnd`].
    /// Empty where `read` is not.
    index: Vec<u32>,
    /// What is known of lines that were read from a file.
    read: Option<Read>,
    /// When lines came: the first line of a batch and its time, only where the time differs.
    stamps: Vec<Stamp>,
    stderr: u32,
    plain: OnceLock<bool>,
}

/// Consecutive lines that are alike in everything but their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many.
    pub count: u32,
    /// Where they came from.
    pub stream: Stream,
    /// What ended each of them.
    pub end: LineEnd,
    /// When they were stored, in milliseconds since the epoch.
    pub at: u64,
}

/// Lines that were read from a file.
#[derive(Debug, Default)]
struct Read {
    runs: Vec<Run>,
    lines: usize,
    /// As [`Chunk::index`].
    index: OnceLock<Vec<u32>>,
}

impl Read {
    /// Exactly one entry for each line, whatever the bytes are: they may come from a damaged file.
    fn index(&self, bytes: &[u8]) -> &[u32] {
        self.index.get_or_init(|| {
            let mut ends = memchr_iter(b'\n', bytes).map(|at| at + 1);
            let mut index = Vec::with_capacity(self.lines);
            for run in &self.runs {
                for _ in 0..run.count {
                    let last = index.len() + 1 == self.lines;
                    let end = ends.next().filter(|_| !last).unwrap_or(bytes.len());
                    index.push(entry(end, run.stream, run.end));
                }
            }
            index
        })
    }
}

fn entry(next: usize, stream: Stream, end: LineEnd) -> u32 {
    // `takes` keeps the length far below the limit; a chunk beyond it would be cut, not wrong.
    let mut entry = u32::try_from(next).unwrap_or(OFFSET) & OFFSET;
    entry |= match end {
        LineEnd::Newline => 0,
        LineEnd::Length => 1,
        LineEnd::Silence => 2,
        LineEnd::End => 3,
    } << END_SHIFT;
    if stream == Stream::Stderr {
        entry |= STDERR;
    }
    entry
}

#[derive(Clone, Copy, Debug)]
struct Stamp {
    line: u32,
    /// Milliseconds since the epoch.
    at: u64,
}

const OFFSET: u32 = (1 << 28) - 1;
const STDERR: u32 = 1 << 31;
const END_SHIFT: u32 = 29;

impl Chunk {
    /// How many bytes a chunk takes before the next one begins; below the reach of the index.
    pub const FULL: usize = 256 * 1024;

    /// An empty chunk whose first line will have this sequence number.
    #[must_use]
    pub fn starting_at(first: u64) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// Lines that were read from a file: `bytes` with one newline behind each line, and what is known
    /// of the lines. `plain` says whether they are [plain](Self::is_plain), where that is known.
    #[must_use]
    pub fn read(first: u64, bytes: Vec<u8>, runs: Vec<Run>, plain: Option<bool>) -> Self {
        let mut chunk = Self::starting_at(first);
        let mut lines = 0_usize;
        for run in &runs {
            if chunk.stamps.last().is_none_or(|last| last.at != run.at) {
                let line = u32::try_from(lines).unwrap_or(u32::MAX);
                chunk.stamps.push(Stamp { line, at: run.at });
            }
            lines += run.count as usize;
            if run.stream == Stream::Stderr {
                chunk.stderr = chunk.stderr.saturating_add(run.count);
            }
        }
        chunk.bytes = bytes;
        chunk.plain = plain.map(OnceLock::from).unwrap_or_default();
        let index = OnceLock::new();
        chunk.read = Some(Read { runs, lines, index });
        chunk
    }

    /// Some of its lines: those from `from` to before `to`, positions that it has.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        let mut slice = Self::starting_at(self.first + from as u64);
        for position in from..to {
            slice.push(self.line(position), self.at(position));
        }
        slice.seal();
        slice
    }

    fn index(&self) -> &[u32] {
        match &self.read {
            None => &self.index,
            Some(read) => read.index(&self.bytes),
        }
    }

    /// The sequence number of its first line.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The sequence number of the line that will follow its last one.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.first + self.len() as u64
    }

    /// How many lines a chunk takes: the index of many short ones is larger than they are.
    pub const MOST_LINES: usize = 32 * 1024;

    /// Adds a line. The caller begins a new chunk when this one [is full](Self::takes).
    pub fn push(&mut self, line: Line<'_>, at: SystemTime) {
        self.make_writable();
        self.stamp(at);
        self.bytes.extend_from_slice(line.bytes);
        self.bytes.push(b'\n');
        self.stderr += u32::from(line.stream == Stream::Stderr);
        self.index
            .push(entry(self.bytes.len(), line.stream, line.end));
        self.plain = OnceLock::new();
    }

    fn make_writable(&mut self) {
        if self.read.is_some() {
            self.index = self.index().to_vec();
            self.read = None;
        }
    }

    /// Adds whole lines, each with its newline, that [fit](Self::split).
    pub fn push_all(&mut self, lines: &[u8], stream: Stream, at: SystemTime) {
        if lines.is_empty() {
            return;
        }
        self.make_writable();
        self.stamp(at);
        let before = (self.bytes.len(), self.index.len());
        self.bytes.extend_from_slice(lines);
        let ends = memchr_iter(b'\n', lines);
        let entries = ends.map(|at| entry(before.0 + at + 1, stream, LineEnd::Newline));
        self.index.extend(entries);
        if stream == Stream::Stderr {
            let added = self.index.len() - before.1;
            self.stderr += u32::try_from(added).unwrap_or(u32::MAX);
        }
        self.plain = OnceLock::new();
    }

    /// Cuts whole lines, each with its newline, into those that still belong here and the rest. The
    /// first line of a chunk always does.
    #[must_use]
    pub fn split<'b>(&self, lines: &'b [u8]) -> (&'b [u8], &'b [u8]) {
        let room = Self::FULL.saturating_sub(self.bytes.len());
        let fits = if lines.len() <= room {
            lines.len()
        } else {
            let last = memrchr(b'\n', &lines[..room]).or_else(|| {
                let first = || memchr(b'\n', lines);
                self.is_empty().then(first).flatten()
            });
            last.map_or(0, |last| last + 1)
        };
        let more = Self::MOST_LINES.saturating_sub(self.len());
        let mut ends = memchr_iter(b'\n', &lines[..fits]);
        if ends.clone().count() <= more {
            return lines.split_at(fits);
        }
        let last = more.checked_sub(1).and_then(|last| ends.nth(last));
        lines.split_at(last.map_or(0, |last| last + 1))
    }

    fn stamp(&mut self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        if self.stamps.last().is_none_or(|last| last.at != at) {
            let line = u32::try_from(self.len()).unwrap_or(u32::MAX);
            self.stamps.push(Stamp { line, at });
        }
    }

    /// Whether a line of this length still belongs here. The first line always does.
    #[must_use]
    pub fn takes(&self, length: usize) -> bool {
        self.is_empty() || (self.bytes.len() + length < Self::FULL && self.len() < Self::MOST_LINES)
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.read {
            None => self.index.len(),
            Some(read) => read.lines,
        }
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of lines of one stream, or of both.
    #[must_use]
    pub fn count(&self, stream: Option<Stream>) -> usize {
        let stderr = self.stderr as usize;
        match stream {
            None => self.len(),
            Some(Stream::Stdout) => self.len() - stderr,
            Some(Stream::Stderr) => stderr,
        }
    }

    /// The line at `position`, which must be below [`Chunk::len`].
    #[must_use]
    pub fn line(&self, position: usize) -> Line<'_> {
        let bytes = &self.bytes[self.start(position)..self.end(position)];
        Line {
            // Only a damaged file has none.
            bytes: bytes.strip_suffix(b"\n").unwrap_or(bytes),
            stream: self.stream(position),
            end: self.line_end(position),
        }
    }

    /// Where the line at `position` begins in [`Chunk::bytes`].
    #[must_use]
    pub fn start(&self, position: usize) -> usize {
        position.checked_sub(1).map_or(0, |last| self.end(last))
    }

    /// What ended the line at `position`.
    #[must_use]
    pub fn line_end(&self, position: usize) -> LineEnd {
        match (self.index()[position] & !STDERR) >> END_SHIFT {
            0 => LineEnd::Newline,
            1 => LineEnd::Length,
            2 => LineEnd::Silence,
            _ => LineEnd::End,
        }
    }

    /// Where the line at `position` came from.
    #[must_use]
    pub fn stream(&self, position: usize) -> Stream {
        if self.index()[position] & STDERR == 0 {
            Stream::Stdout
        } else {
            Stream::Stderr
        }
    }

    /// When the line at `position` was stored, to the millisecond.
    #[must_use]
    pub fn at(&self, position: usize) -> SystemTime {
        let after = self
            .stamps
            .partition_point(|stamp| stamp.line as usize <= position);
        let millis = after.checked_sub(1).map_or(0, |last| self.stamps[last].at);
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// All lines, each with a newline behind it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the line after `position` begins in [`Chunk::bytes`].
    #[must_use]
    pub fn end(&self, position: usize) -> usize {
        (self.index()[position] & OFFSET) as usize
    }

    /// Whether readers see the bytes as they lie: no escape sequence, no control character but tab,
    /// nothing that is not UTF-8. Found out once, when a search first asks.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self.plain.get_or_init(|| plain(&self.bytes))
    }

    /// The memory it occupies, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.bytes.capacity()
            + self.index.capacity() * size_of::<u32>()
            + self.stamps.capacity() * size_of::<Stamp>()
            + self.read.as_ref().map_or(0, |read| {
                read.runs.capacity() * size_of::<Run>()
                    + read.index.get().map_or(0, Vec::capacity) * size_of::<u32>()
            })
    }

    /// Gives back the memory that it does not need any more.
    pub fn seal(&mut self) {
        // Buffers of one size fit where others were freed; those of every size tear memory to pieces.
        if self.bytes.len() < Self::FULL / 4 * 3 {
            self.bytes.shrink_to_fit();
        }
        if self.index.len() < self.index.capacity() / 4 * 3 {
            self.index.shrink_to_fit();
        }
        self.stamps.shrink_to_fit();
    }

    /// The chunk behind `model`, with as much room: a log that filled one will fill the next.
    #[must_use]
    pub fn like(model: &Self) -> Self {
        let room = model.bytes.len().next_power_of_two();
        Self {
            first: model.next(),
            bytes: Vec::with_capacity(room.min(Self::FULL)),
            index: Vec::with_capacity(model.len().next_power_of_two().min(Self::MOST_LINES)),
            ..Self::default()
        }
    }

    /// The same lines again, for a reader who must not wait for this chunk to be full.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self {
            first: self.first,
            bytes: self.bytes.clone(),
            index: self.index().to_vec(),
            read: None,
            stamps: self.stamps.clone(),
            stderr: self.stderr,
            plain: OnceLock::new(),
        }
    }
}

/// Lines that were just stored, consecutive ones of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    chunk: &'a Chunk,
    from: usize,
}

impl<'a> Stretch<'a> {
    /// What was added to `chunk` since it had `from` lines.
    #[must_use]
    pub fn since(chunk: &'a Chunk, from: usize) -> Self {
        Self { chunk, from }
    }

    /// The chunk that they are the last ones of.
    #[must_use]
    pub fn chunk(&self) -> &'a Chunk {
        self.chunk
    }

    /// Their positions in the chunk.
    #[must_use]
    pub fn positions(&self) -> std::ops::Range<usize> {
        self.from..self.chunk.len()
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        let chunk = self.chunk;
        self.positions().map(move |position| chunk.line(position))
    }
}

/// Whether readers see these bytes, lines with a newline behind each, as they lie.
pub(crate) fn plain(bytes: &[u8]) -> bool {
    // Branch-free within a block, so that the compiler uses vector instructions.
    let mut ascii = true;
    for block in bytes.chunks(4096) {
        let mut control = false;
        let mut high = false;
        for &byte in block {
            control |= byte.is_ascii_control() && byte != b'\t' && byte != b'\n';
            high |= byte >= 0x80;
        }
        if control {
            return false;
        }
        ascii &= !high;
    }
    // C2 80 to C2 9F are control characters as well.
    let c1 = |at: usize| bytes.get(at + 1).is_some_and(|&next| next < 0xa0);
    ascii || (std::str::from_utf8(bytes).is_ok() && !memchr_iter(0xc2, bytes).any(c1))
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
