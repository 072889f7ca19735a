//! JSON values, one a line, out of bytes that arrive in any pieces.

use super::{
    error::ClientError,
    lines::{Lines, TooLong},
    logs::LogItem,
};

/// The most that one line may hold, in bytes: the longest line of a log is 64 KiB, and JSON may need
/// six bytes for one.
const MOST: usize = 1 << 20;

/// Takes bytes, gives items of logs. What it holds back is bounded.
#[derive(Debug)]
pub struct NdjsonDecoder {
    lines: Lines,
}

impl Default for NdjsonDecoder {
    fn default() -> Self {
        Self {
            lines: Lines::of_at_most(MOST),
        }
    }
}

impl NdjsonDecoder {
    /// Takes what arrived and appends the items that are complete now.
    ///
    /// # Errors
    /// When a line is too long. Nothing can be decoded then.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        items: &mut Vec<Result<LogItem, ClientError>>,
    ) -> Result<(), TooLong> {
        self.lines.feed(bytes, |line| {
            if !line.trim_ascii().is_empty() {
                items.push(LogItem::read(line));
            }
            Ok(())
        })
    }

    /// What there is when nothing more comes: a last line may have no end. Half of one, which is
    /// left when the connection broke, is nothing.
    #[must_use]
    pub fn finish(self) -> Option<LogItem> {
        LogItem::read(self.lines.rest()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> String {
        let at = "2026-11-23T10:00:00Z";
        serde_json::json!({
            "process": "main", "run": 7, "seq": 1, "at": at, "stream": "stdout", "text": text
        })
        .to_string()
    }

    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut decoder = NdjsonDecoder::default();
        let mut items = Vec::new();
        for piece in pieces {
            decoder.feed(piece, &mut items).unwrap();
        }
        let items = items.into_iter().chain(decoder.finish().map(Ok));
        items.map(|item| format!("{item:?}")).collect()
    }

    #[test]
    fn a_last_line_needs_no_end_and_half_of_one_is_nothing() {
        let two = format!("{}\n\n{}", line("a"), line("b"));
        assert_eq!(decoded([two.as_bytes()]).len(), 2);
        assert_eq!(decoded([&two.as_bytes()[..two.len() - 1]]).len(), 1);
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let mut decoder = NdjsonDecoder::default();
        let refused = decoder.feed(&vec![b'x'; MOST + 1], &mut Vec::new());
        assert_eq!(refused, Err(TooLong { most: MOST }));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            texts in proptest::collection::vec(".{0,20}", 0..5),
            cuts in proptest::collection::vec(0_usize..600, 0..10),
        ) {
            let whole: String = texts.iter().map(|text| line(text) + "\n").collect();
            let bytes = whole.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let items = decoded(pieces);
            prop_assert_eq!(items.len(), texts.len());
            prop_assert_eq!(items, decoded([bytes]));
        }

        #[test]
        fn no_bytes_disturb_it(bytes: Vec<u8>) {
            decoded([bytes.as_slice()]);
        }
    }
}
