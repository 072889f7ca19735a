//! What an index says, brought into line with what its log has.
//!
//! A daemon that is killed may leave a log that is longer than its index tells, a disk that was full or
//! a power cut may leave anything. Whatever is in the log becomes lines: where the index has nothing
//! valid to say, they are lines of stdout with the file's own time, cut as the daemon would have done.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

use tokio::time::Instant;

use super::record::{Ending, HEADER, Header, Lines, RECORD, Record};
use crate::logs::{
    Stream,
    chunk::LineEnd,
    intake::{Intake, Piece},
};

/// What is known of a log file.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) header: Option<Header>,
    /// In the order of the file; numbers and offsets rise. Their bytes are all there.
    pub(super) lines: Vec<Lines>,
    pub(super) ending: Option<String>,
    /// The sequence number behind the last line.
    pub(super) next: u64,
}

/// A log file and what is to be known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) file: &'a File,
    /// How many of its bytes count.
    pub(super) length: u64,
    /// The time of lines of which none is known, in milliseconds since the epoch.
    pub(super) modified: u64,
}

/// How much of a log is read at once where its index is missing, in bytes.
const READ: usize = 256 * 1024;
/// How many bytes of such a log are put into one record at most, a last line not counted.
const ENOUGH: u32 = 128 * 1024;
/// Offsets do not go further.
const MOST: u64 = u32::MAX as u64;

/// Reads the index `raw` of a log. `first` is the sequence number to begin with where it tells none.
pub(super) fn mended(raw: &[u8], text: Text<'_>, first: u64) -> io::Result<Index> {
    let header = Header::decode(raw);
    let records = raw.get(HEADER..).unwrap_or_default();
    let records = || records.chunks_exact(RECORD).filter_map(Record::decode);
    let told = || {
        records().find_map(|record| match record {
            Record::Lines(lines) if lines.offset == 0 => Some(lines.first),
            _ => None,
        })
    };
    let mut state = State {
        text: Text {
            length: text.length.min(MOST),
            ..text
        },
        lines: Vec::with_capacity(raw.len() / RECORD),
        offset: 0,
        next: header
            .map(|header| header.first)
            .or_else(told)
            .unwrap_or(first),
        stderr: 0,
    };
    let mut ending = Ending::default();
    for record in records() {
        match record {
            Record::Lines(lines) => {
                if !state.take(lines)? {
                    break;
                }
            }
            Record::Ending(piece) => ending.take(&piece),
        }
    }
    let rest = state.offset..state.text.length;
    for lines in state.unknown(rest)? {
        state.push(lines);
    }
    Ok(Index {
        header,
        lines: state.lines,
        ending: ending.whole(),
        next: state.next,
    })
}

struct State<'a> {
    text: Text<'a>,
    lines: Vec<Lines>,
    /// Where the next lines begin.
    offset: u64,
    next: u64,
    stderr: u32,
}

impl State<'_> {
    /// Takes what a record tells. False if the log ends within it.
    fn take(&mut self, lines: Lines) -> io::Result<bool> {
        if u64::from(lines.offset) < self.offset || lines.first < self.next {
            // It contradicts what came before.
            return Ok(true);
        }
        let hole = self.offset..u64::from(lines.offset).min(self.text.length);
        if !hole.is_empty() {
            // Records are missing. Their lines are found again if they all ended in a newline.
            let found = self.unknown(hole)?;
            let count: u64 = found.iter().map(|lines| u64::from(lines.count)).sum();
            if count > lines.first - self.next {
                // It contradicts what is there.
                return Ok(true);
            }
            for lines in found {
                self.push(lines);
            }
        }
        self.offset = u64::from(lines.offset).min(self.text.length);
        self.stderr = lines.stderr_before;
        if lines.until() <= self.text.length {
            self.next = lines.first;
            self.push(lines);
            return Ok(true);
        }
        if u64::from(lines.offset) <= self.text.length {
            // Some of its lines are there, the last one perhaps in part.
            self.next = lines.first;
            let there = self.unknown(self.offset..self.text.length)?;
            for found in there {
                self.push(Lines {
                    at: lines.at,
                    stream: lines.stream,
                    ..found
                });
            }
        }
        self.offset = self.text.length;
        Ok(false)
    }

    /// Adds lines behind the others, whatever their numbers were.
    fn push(&mut self, lines: Lines) {
        let lines = Lines {
            first: self.next,
            stderr_before: self.stderr,
            ..lines
        };
        self.next = lines.next();
        self.offset = lines.until();
        self.stderr = lines.stderr_after();
        self.lines.push(lines);
    }

    /// The lines in a part of the log of which nothing is known.
    fn unknown(&self, range: Range<u64>) -> io::Result<Vec<Lines>> {
        let mut found = Found {
            lines: Vec::new(),
            offset: range.start,
            at: self.text.modified,
        };
        let mut intake = Intake::default();
        let now = Instant::now();
        let mut buffer =
            vec![0; READ.min(usize::try_from(range.end - range.start).unwrap_or(READ))];
        let mut from = range.start;
        while from < range.end {
            let length = usize::try_from(range.end - from).unwrap_or(usize::MAX);
            let length = buffer.len().min(length);
            let piece = &mut buffer[..length];
            self.text.file.read_exact_at(piece, from)?;
            from += length as u64;
            intake.take(piece, now, &mut |piece| found.take(piece));
        }
        intake.flush(LineEnd::End, &mut |piece| found.take(piece));
        Ok(found.lines)
    }
}

/// Records of lines that none was written for.
struct Found {
    lines: Vec<Lines>,
    offset: u64,
    at: u64,
}

impl Found {
    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Line(line, end) => self.add(line.len(), end),
            Piece::Lines(whole) => {
                for line in whole.split_inclusive(|&byte| byte == b'\n') {
                    self.add(line.len() - 1, LineEnd::Newline);
                }
            }
        }
    }

    fn add(&mut self, length: usize, end: LineEnd) {
        let whole = end == LineEnd::Newline;
        let length = u32::try_from(length + usize::from(whole)).unwrap_or(u32::MAX);
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        self.offset += u64::from(length);
        match self.lines.last_mut() {
            Some(last) if whole && last.end == end && last.length < ENOUGH => {
                last.length += length;
                last.count += 1;
            }
            _ => self.lines.push(Lines {
                at: self.at,
                first: 0,
                stderr_before: 0,
                offset,
                length,
                count: 1,
                stream: Stream::Stdout,
                end,
                plain: false,
            }),
        }
    }
}
