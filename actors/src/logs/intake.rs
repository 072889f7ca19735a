//! Cuts the bytes of one stream into lines, whatever pieces they arrive in.

use memchr::{memchr, memrchr};
use tokio::time::{Duration, Instant};

use crate::logs::chunk::LineEnd;

/// What bytes become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Whole lines, one at least, each with its newline and none too long.
    Lines(&'a [u8]),
    /// One line, without newline, and what ended it.
    Line(&'a [u8], LineEnd),
}

/// The unfinished line of one stream.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// At most [`Intake::LONGEST`] bytes.
    pending: Vec<u8>,
    /// When the last of them came.
    last: Option<Instant>,
}

impl Intake {
    /// The longest line that is stored in one piece, in bytes.
    pub(crate) const LONGEST: usize = 64 * 1024;
    /// How long a stream is silent before its unfinished line is stored.
    pub(crate) const SILENCE: Duration = Duration::from_millis(100);

    /// Takes bytes and hands out the lines that they complete.
    pub(crate) fn take(&mut self, bytes: &[u8], now: Instant, out: &mut impl FnMut(Piece<'_>)) {
        let mut rest = bytes;
        if !self.pending.is_empty()
            && let Some(newline) = memchr(b'\n', rest)
        {
            self.complete(&rest[..newline], out);
            rest = &rest[newline + 1..];
        }
        if let Some(last) = memrchr(b'\n', rest) {
            let (whole, unfinished) = rest.split_at(last + 1);
            if has_long_line(whole) {
                for line in whole.split_inclusive(|&byte| byte == b'\n') {
                    self.complete(&line[..line.len() - 1], out);
                }
            } else {
                out(Piece::Lines(whole));
            }
            rest = unfinished;
        }
        if !rest.is_empty() {
            self.hold(rest, out);
            self.last = Some(now);
        }
    }

    /// Hands out the unfinished line together with its end.
    fn complete(&mut self, end: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        self.hold(end, out);
        out(Piece::Line(&self.pending, LineEnd::Newline));
        self.pending.clear();
    }

    /// Adds to the unfinished line; where it becomes too long, its first pieces are handed out.
    fn hold(&mut self, mut part: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        while self.pending.len() + part.len() > Self::LONGEST {
            let (now, later) = part.split_at(Self::LONGEST - self.pending.len());
            self.pending.extend_from_slice(now);
            part = later;
            let cut = between_characters(&self.pending, part.first().copied());
            out(Piece::Line(&self.pending[..cut], LineEnd::Length));
            self.pending.drain(..cut);
        }
        self.pending.extend_from_slice(part);
    }

    /// Hands out the unfinished line, if there is one.
    pub(crate) fn flush(&mut self, end: LineEnd, out: &mut impl FnMut(Piece<'_>)) {
        // The memory goes too: most streams never have an unfinished line again.
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            out(Piece::Line(&pending, end));
        }
    }

    /// When the unfinished line is to be stored if nothing more comes; `None` if there is none.
    pub(crate) fn due(&self) -> Option<Instant> {
        let last = self.last.filter(|_| !self.pending.is_empty())?;
        Some(last + Self::SILENCE)
    }

    /// The memory that it occupies, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.pending.capacity()
    }
}

/// Whether a line of `whole`, which ends with a newline, is too long to be stored in one piece. Where
/// that is not quite sure the answer is yes.
fn has_long_line(whole: &[u8]) -> bool {
    // A line that is too long covers one of these pieces entirely.
    let mut pieces = whole.chunks(Intake::LONGEST / 2);
    whole.len() > Intake::LONGEST && pieces.any(|piece| memchr(b'\n', piece).is_none())
}

/// Where to cut `bytes`, that `next` follows, so that no UTF-8 character is torn apart.
fn between_characters(bytes: &[u8], next: Option<u8>) -> usize {
    let continues = |byte: u8| byte & 0xc0 == 0x80;
    if !next.is_some_and(continues) {
        return bytes.len();
    }
    let last = bytes
        .iter()
        .rev()
        .take(3)
        .position(|&byte| !continues(byte));
    // A lead byte begins a character; anything else was no UTF-8 to begin with.
    match last.map(|back| bytes.len() - back - 1) {
        Some(at) if bytes[at] >= 0xc0 => at,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(Vec<u8>, LineEnd)> {
        let mut intake = Intake::default();
        let mut lines = Vec::new();
        let mut out = |piece: Piece<'_>| match piece {
            Piece::Line(line, end) => lines.push((line.to_vec(), end)),
            Piece::Lines(whole) => {
                let whole = whole.strip_suffix(b"\n").unwrap();
                let whole = whole.split(|&byte| byte == b'\n');
                lines.extend(whole.map(|line| (line.to_vec(), LineEnd::Newline)));
            }
        };
        for piece in pieces {
            intake.take(piece, Instant::now(), &mut out);
            assert!(intake.size() <= 2 * Intake::LONGEST);
        }
        intake.flush(LineEnd::End, &mut out);
        lines
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_not_cut() {
        let mut line = vec![b'x'; Intake::LONGEST];
        line.push(b'\n');
        assert_eq!(lines(&[&line]).len(), 1);
        assert_eq!(
            lines(&[&line[..100], &line[100..Intake::LONGEST], b"\n"]).len(),
            1
        );
    }

    #[test]
    fn a_longer_line_is_cut_into_pieces_that_say_so() {
        let line = vec![b'x'; 2 * Intake::LONGEST + 1];
        let ends: Vec<_> = lines(&[&line])
            .iter()
            .map(|(line, end)| (line.len(), *end))
            .collect();
        let full = (Intake::LONGEST, LineEnd::Length);
        assert_eq!(ends, [full, full, (1, LineEnd::End)]);
    }

    #[test]
    fn a_cut_goes_between_characters() {
        let mut line = "漢".repeat(Intake::LONGEST).into_bytes();
        line.push(b'\n');
        for (piece, _) in lines(&[&line]) {
            assert!(std::str::from_utf8(&piece).is_ok());
        }
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_the_pieces_they_arrive_in(
            pieces in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..9), 0..20),
        ) {
            let whole = pieces.concat();
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(lines(&pieces), lines(&[&whole]));
            let mut expected: Vec<_> = whole.split(|&byte| byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            let found = lines(&[&whole]);
            let found: Vec<_> = found.iter().map(|(line, _)| line.as_slice()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
