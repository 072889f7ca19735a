//! Many lines in one piece of memory: what is kept, searched and thrown away as a whole.
//!
//! The bytes of a line are as they came, and one newline stands behind each of them, whether one
//! came or not: so a pattern can run over the whole chunk at once. Which lines came without is in
//! the index, four bytes a line.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use memchr::memchr_iter;

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
    index: Vec<u32>,
    /// When lines came: the first line of a batch and its time, only where the time differs.
    stamps: Vec<Stamp>,
    stderr: u32,
    plain: OnceLock<bool>,
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

    /// Adds a line. The caller begins a new chunk when this one [is full](Self::takes).
    pub fn push(&mut self, line: Line<'_>, at: SystemTime) {
        self.stamp(at);
        self.bytes.extend_from_slice(line.bytes);
        self.bytes.push(b'\n');
        // `takes` keeps the length far below the limit; a chunk beyond it would be cut, not wrong.
        let mut entry = u32::try_from(self.bytes.len()).unwrap_or(OFFSET) & OFFSET;
        entry |= match line.end {
            LineEnd::Newline => 0,
            LineEnd::Length => 1,
            LineEnd::Silence => 2,
            LineEnd::End => 3,
        } << END_SHIFT;
        if line.stream == Stream::Stderr {
            entry |= STDERR;
            self.stderr += 1;
        }
        self.index.push(entry);
        self.plain = OnceLock::new();
    }

    fn stamp(&mut self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        if self.stamps.last().is_none_or(|last| last.at != at) {
            let line = u32::try_from(self.index.len()).unwrap_or(u32::MAX);
            self.stamps.push(Stamp { line, at });
        }
    }

    /// Whether a line of this length still belongs here. The first line always does.
    #[must_use]
    pub fn takes(&self, length: usize) -> bool {
        self.index.is_empty() || self.bytes.len() + length < Self::FULL
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
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
        let start = position.checked_sub(1).map_or(0, |last| self.end(last));
        Line {
            bytes: &self.bytes[start..self.end(position) - 1],
            stream: self.stream(position),
            end: match (self.index[position] & !STDERR) >> END_SHIFT {
                0 => LineEnd::Newline,
                1 => LineEnd::Length,
                2 => LineEnd::Silence,
                _ => LineEnd::End,
            },
        }
    }

    /// Where the line at `position` came from.
    #[must_use]
    pub fn stream(&self, position: usize) -> Stream {
        if self.index[position] & STDERR == 0 {
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
        (self.index[position] & OFFSET) as usize
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
    }

    /// Gives back the memory that it does not need any more.
    pub fn seal(&mut self) {
        self.bytes.shrink_to_fit();
        self.index.shrink_to_fit();
        self.stamps.shrink_to_fit();
    }

    /// The chunk behind `model`, with as much room: a log that filled one will fill the next.
    #[must_use]
    pub fn like(model: &Self) -> Self {
        Self {
            first: model.next(),
            bytes: Vec::with_capacity(model.bytes.len()),
            index: Vec::with_capacity(model.index.len()),
            ..Self::default()
        }
    }

    /// The same lines again, for a reader who must not wait for this chunk to be full.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self {
            first: self.first,
            bytes: self.bytes.clone(),
            index: self.index.clone(),
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

fn plain(bytes: &[u8]) -> bool {
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
mod tests {
    use super::*;

    fn chunk(lines: &[&[u8]]) -> Chunk {
        let mut chunk = Chunk::default();
        for bytes in lines {
            let line = Line {
                bytes,
                stream: Stream::Stdout,
                end: LineEnd::Newline,
            };
            chunk.push(line, UNIX_EPOCH);
        }
        chunk
    }

    #[test]
    fn a_line_comes_back_with_its_bytes_stream_end_and_time() {
        let lines = [
            Line {
                bytes: b"",
                stream: Stream::Stderr,
                end: LineEnd::Silence,
            },
            Line {
                bytes: b"a\xff\0",
                stream: Stream::Stdout,
                end: LineEnd::Newline,
            },
            Line {
                bytes: b"piece",
                stream: Stream::Stderr,
                end: LineEnd::Length,
            },
            Line {
                bytes: b"last",
                stream: Stream::Stdout,
                end: LineEnd::End,
            },
        ];
        let mut chunk = Chunk::default();
        let at = |n: usize| UNIX_EPOCH + Duration::from_millis(1_000 + n as u64 / 2);
        for (n, line) in lines.into_iter().enumerate() {
            chunk.push(line, at(n));
        }
        for (n, line) in lines.into_iter().enumerate() {
            assert_eq!(chunk.line(n), line);
            assert_eq!(chunk.at(n), at(n));
        }
        assert_eq!(chunk.count(None), 4);
        assert_eq!(chunk.count(Some(Stream::Stderr)), 2);
    }

    #[test]
    fn only_text_without_anything_to_clean_is_plain() {
        assert!(chunk(&[b"tab\tis fine", "é — 漢".as_bytes(), b""]).is_plain());
        for dirty in [
            &b"\x1b[1m"[..],
            b"\r",
            b"\0",
            b"\x7f",
            b"\xff",
            b"\xc2\x9b",
            b"\xc3",
        ] {
            assert!(!chunk(&[b"clean", dirty, b"clean"]).is_plain(), "{dirty:?}");
        }
    }
}
