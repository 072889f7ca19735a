//! What an index file consists of: a header and records of one size, so that any of them is found by
//! its number. Each has a check, so that what was torn or overwritten is not taken for one.
//!
//! Numbers are little-endian. A record tells of consecutive lines of one stream that were stored at
//! one time; how the run or build ended stands in a few records of text behind the last lines.

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    ids::{BuildId, RunId},
    logs::{Source, Stream, chunk::LineEnd},
    spec::Mode,
};

/// The size of a header, in bytes.
pub const HEADER: usize = 64;
/// The size of a record, in bytes.
pub const RECORD: usize = 40;
/// The most bytes that one record may tell of: more than any writer puts into one.
pub const MOST_BYTES: u32 = 1 << 20;

/// What an index file begins with; the last two are the layout's number.
const MAGIC: [u8; 8] = *b"bpmidx01";
/// How many bytes of a record its check covers.
const CHECKED: usize = RECORD - 4;
/// How many bytes of text one record has room for.
const TEXT: usize = 32;
/// The longest ending that is written, in bytes.
const LONGEST_ENDING: usize = 480;

const LINES: u8 = 1;
const ENDING: u8 = 2;
const STDERR: u8 = 1;
const PLAIN: u8 = 2;
const END_SHIFT: u8 = 2;

/// What an index says about the log as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which log.
    pub source: Source,
    /// The mode of the run or build.
    pub mode: Mode,
    /// When the run or build began, in milliseconds since the epoch.
    pub began: u64,
    /// The sequence number of the first line.
    pub first: u64,
}

/// Consecutive lines of one stream with one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// When they were stored, in milliseconds since the epoch.
    pub at: u64,
    /// The sequence number of the first one.
    pub first: u64,
    /// How many lines of stderr are before them in the same file.
    pub stderr_before: u32,
    /// Where their bytes begin in the log file.
    pub offset: u32,
    /// How many bytes they have there, newlines included; at most [`MOST_BYTES`].
    pub length: u32,
    /// How many they are; one where they do not end in a newline.
    pub count: u32,
    /// Where they came from.
    pub stream: Stream,
    /// What ended each of them.
    pub end: LineEnd,
    /// Whether readers see the bytes as they lie.
    pub plain: bool,
}

/// A part of the words that tell how the run or build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its place, from 0.
    pub number: u8,
    /// How many there are.
    pub of: u8,
    length: u8,
    text: [u8; TEXT],
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Lines.
    Lines(Lines),
    /// A part of the ending.
    Ending(Piece),
}

impl Header {
    /// As it stands in the file.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        let (kind, number) = match self.source {
            Source::Run(run) => (0, run.0),
            Source::Build(build) => (1, build.0),
        };
        out[..8].copy_from_slice(&MAGIC);
        out[8] = kind;
        out[9] = match self.mode {
            Mode::Dev => 0,
            Mode::Release => 1,
        };
        out[16..24].copy_from_slice(&number.to_le_bytes());
        out[24..32].copy_from_slice(&self.began.to_le_bytes());
        out[32..40].copy_from_slice(&self.first.to_le_bytes());
        let check = xxh3_64(&out[..HEADER - 8]);
        out[HEADER - 8..].copy_from_slice(&check.to_le_bytes());
        out
    }

    /// `None` if `bytes` do not begin with a header.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        if !bytes.starts_with(&MAGIC) || xxh3_64(&bytes[..HEADER - 8]) != long(bytes, HEADER - 8)? {
            return None;
        }
        let number = long(bytes, 16)?;
        Some(Self {
            source: match bytes[8] {
                0 => Source::Run(RunId(number)),
                1 => Source::Build(BuildId(number)),
                _ => return None,
            },
            mode: match bytes[9] {
                0 => Mode::Dev,
                1 => Mode::Release,
                _ => return None,
            },
            began: long(bytes, 24)?,
            first: long(bytes, 32)?,
        })
    }
}

impl Lines {
    /// The sequence number behind that of the last one.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    /// Where their bytes end in the log file.
    #[must_use]
    pub fn until(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.length)
    }

    /// How many lines of stderr are before what follows them.
    #[must_use]
    pub fn stderr_after(&self) -> u32 {
        let own = if self.stream == Stream::Stderr {
            self.count
        } else {
            0
        };
        self.stderr_before.saturating_add(own)
    }

    /// Whether a writer may have written this.
    fn is_possible(&self) -> bool {
        let counted = match self.end {
            LineEnd::Newline => self.count >= 1 && self.count <= self.length,
            _ => self.count == 1 && self.length >= 1,
        };
        let room = self.first.checked_add(u64::from(self.count)).is_some();
        counted && room && self.length <= MOST_BYTES
    }
}

impl Piece {
    fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.length).min(TEXT)]
    }
}

impl Record {
    /// As it stands in the file.
    #[must_use]
    pub fn encode(&self) -> [u8; RECORD] {
        let mut out = [0; RECORD];
        match self {
            Self::Lines(lines) => {
                out[..8].copy_from_slice(&lines.at.to_le_bytes());
                out[8..16].copy_from_slice(&lines.first.to_le_bytes());
                out[16..20].copy_from_slice(&lines.stderr_before.to_le_bytes());
                out[20..24].copy_from_slice(&lines.offset.to_le_bytes());
                out[24..28].copy_from_slice(&lines.length.to_le_bytes());
                out[28..32].copy_from_slice(&lines.count.to_le_bytes());
                out[32] = LINES;
                let end = match lines.end {
                    LineEnd::Newline => 0,
                    LineEnd::Length => 1,
                    LineEnd::Silence => 2,
                    LineEnd::End => 3,
                };
                out[33] = end << END_SHIFT;
                if lines.stream == Stream::Stderr {
                    out[33] |= STDERR;
                }
                if lines.plain {
                    out[33] |= PLAIN;
                }
            }
            Self::Ending(piece) => {
                out[..TEXT].copy_from_slice(&piece.text);
                out[32..36].copy_from_slice(&[ENDING, piece.number, piece.of, piece.length]);
            }
        }
        let check = check(&out[..CHECKED]);
        out[CHECKED..].copy_from_slice(&check.to_le_bytes());
        out
    }

    /// `None` if `bytes` do not begin with a record.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; RECORD] = bytes.first_chunk()?;
        if check(&bytes[..CHECKED]) != word(bytes, CHECKED)? {
            return None;
        }
        match bytes[32] {
            LINES => {
                let lines = Lines {
                    at: long(bytes, 0)?,
                    first: long(bytes, 8)?,
                    stderr_before: word(bytes, 16)?,
                    offset: word(bytes, 20)?,
                    length: word(bytes, 24)?,
                    count: word(bytes, 28)?,
                    stream: if bytes[33] & STDERR == 0 {
                        Stream::Stdout
                    } else {
                        Stream::Stderr
                    },
                    end: match bytes[33] >> END_SHIFT {
                        0 => LineEnd::Newline,
                        1 => LineEnd::Length,
                        2 => LineEnd::Silence,
                        3 => LineEnd::End,
                        _ => return None,
                    },
                    plain: bytes[33] & PLAIN != 0,
                };
                lines.is_possible().then_some(Self::Lines(lines))
            }
            ENDING => {
                let text = *bytes.first_chunk()?;
                let (number, of, length) = (bytes[33], bytes[34], bytes[35]);
                let possible = number < of && usize::from(length) <= TEXT;
                possible.then_some(Self::Ending(Piece {
                    number,
                    of,
                    length,
                    text,
                }))
            }
            _ => None,
        }
    }
}

/// An ending as records. What is longer than a few hundred bytes is cut.
#[must_use]
pub fn encode_ending(ending: &str) -> Vec<u8> {
    let text = &ending[..ending.floor_char_boundary(LONGEST_ENDING)];
    let pieces: Vec<_> = text.as_bytes().chunks(TEXT).collect();
    let of = u8::try_from(pieces.len()).unwrap_or(u8::MAX);
    let mut out = Vec::new();
    for (number, piece) in (0..of).zip(pieces) {
        let mut text = [0; TEXT];
        text[..piece.len()].copy_from_slice(piece);
        let length = u8::try_from(piece.len()).unwrap_or_default();
        let piece = Piece {
            number,
            of,
            length,
            text,
        };
        out.extend(Record::Ending(piece).encode());
    }
    out
}

/// Puts an ending together again.
#[derive(Debug, Default)]
pub struct Ending {
    text: Vec<u8>,
    next: u8,
    whole: Option<String>,
}

impl Ending {
    /// The most records that an ending has.
    pub const MOST: usize = LONGEST_ENDING.div_ceil(TEXT);

    /// Takes the next record of text.
    pub fn take(&mut self, piece: &Piece) {
        if piece.number == 0 {
            *self = Self::default();
        }
        if piece.number != self.next {
            return;
        }
        self.text.extend(piece.text());
        self.next = self.next.saturating_add(1);
        if self.next == piece.of {
            self.whole = Some(String::from_utf8_lossy(&self.text).into_owned());
        }
    }

    /// The ending, if all of it was there.
    #[must_use]
    pub fn whole(self) -> Option<String> {
        self.whole
    }
}

fn check(bytes: &[u8]) -> u32 {
    // One half serves as well as the other.
    let [a, b, c, d, ..] = xxh3_64(bytes).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines() -> Lines {
        Lines {
            at: 1_795_000_000_123,
            first: 77,
            stderr_before: 5,
            offset: 1_000,
            length: 300,
            count: 3,
            stream: Stream::Stderr,
            end: LineEnd::Newline,
            plain: true,
        }
    }

    #[test]
    fn a_header_comes_back_and_a_changed_one_is_none() {
        let header = Header {
            source: Source::Build(BuildId(9)),
            mode: Mode::Release,
            began: 1_795_000_000_000,
            first: 12_345,
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Some(header));
        for at in 0..HEADER {
            let mut torn = bytes;
            torn[at] ^= 0x10;
            assert_eq!(Header::decode(&torn), None, "byte {at}");
            assert_eq!(Header::decode(&bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_record_comes_back_and_a_changed_one_is_none() {
        for (end, count) in [
            (LineEnd::Newline, 3),
            (LineEnd::Length, 1),
            (LineEnd::Silence, 1),
            (LineEnd::End, 1),
        ] {
            let record = Record::Lines(Lines {
                count,
                end,
                ..lines()
            });
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes), Some(record));
            for at in 0..RECORD {
                let mut torn = bytes;
                torn[at] ^= 0x10;
                assert_eq!(Record::decode(&torn), None, "byte {at}");
            }
        }
        assert_eq!(Record::decode(&[0; RECORD]), None, "a hole in the file");
    }

    #[test]
    fn impossible_records_are_none() {
        for impossible in [
            Lines {
                count: 0,
                ..lines()
            },
            Lines {
                count: 301,
                ..lines()
            },
            Lines {
                end: LineEnd::End,
                ..lines()
            },
            Lines {
                length: MOST_BYTES + 1,
                ..lines()
            },
            Lines {
                first: u64::MAX,
                ..lines()
            },
        ] {
            assert_eq!(Record::decode(&Record::Lines(impossible).encode()), None);
        }
    }

    #[test]
    fn an_ending_of_any_length_comes_back() {
        for (ending, expected) in [
            ("succeeded", "succeeded".to_owned()),
            ("é".repeat(31).as_str(), "é".repeat(31)),
            ("é".repeat(900).as_str(), "é".repeat(LONGEST_ENDING / 2)),
        ] {
            let bytes = encode_ending(ending);
            assert!(bytes.len() <= Ending::MOST * RECORD);
            let mut found = Ending::default();
            for bytes in bytes.chunks(RECORD) {
                let Some(Record::Ending(piece)) = Record::decode(bytes) else {
                    panic!("no piece");
                };
                found.take(&piece);
            }
            assert_eq!(found.whole(), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(bytes: Vec<u8>) {
            let _ = Header::decode(&bytes);
            let _ = Record::decode(&bytes);
        }
    }
}
