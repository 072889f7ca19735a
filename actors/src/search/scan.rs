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
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;
    use crate::logs::chunk::LineEnd;

    fn chunks(lines: &[(Vec<u8>, Stream)], per_chunk: usize) -> Vec<Arc<Chunk>> {
        let fill = |lines: &[(Vec<u8>, Stream)]| {
            let mut chunk = Chunk::default();
            for (bytes, stream) in lines {
                let line = Line {
                    bytes,
                    stream: *stream,
                    end: LineEnd::Newline,
                };
                chunk.push(line, UNIX_EPOCH);
            }
            Arc::new(chunk)
        };
        lines.chunks(per_chunk).map(fill).collect()
    }

    /// Every line by itself, with the regex crate.
    fn naive(lines: &[(Vec<u8>, Stream)], stream: Option<Stream>, pattern: &str) -> Vec<usize> {
        let regex = regex::bytes::Regex::new(pattern).unwrap();
        let of_stream = lines
            .iter()
            .filter(|(_, of)| stream.is_none_or(|stream| stream == *of));
        let matching = of_stream.enumerate().filter(|(_, (line, _))| {
            let mut text = String::new();
            clean(line, &mut text);
            regex.is_match(text.as_bytes())
        });
        matching.map(|(place, _)| place).collect()
    }

    fn found(
        lines: &[(Vec<u8>, Stream)],
        stream: Option<Stream>,
        pattern: &str,
        per_chunk: usize,
    ) -> Vec<usize> {
        let chunks = chunks(lines, per_chunk);
        let pattern = Pattern::parse(pattern).unwrap();
        let never = AtomicBool::new(false);
        let view = View::new(&chunks, stream);
        let matches = scan(&view, Some(&pattern), Extent::Fitting, usize::MAX, &never).unwrap();
        assert_eq!(matches.count, matches.places.len());
        matches.places.into()
    }

    fn stdout(lines: &[&str]) -> Vec<(Vec<u8>, Stream)> {
        lines
            .iter()
            .map(|line| (line.as_bytes().to_vec(), Stream::Stdout))
            .collect()
    }

    #[test]
    fn a_match_that_could_reach_over_lines_hides_no_later_one() {
        let lines = stdout(&["a", "", "b a", "ab", ""]);
        for pattern in [
            r"a\s+b",
            r"(?s)a.*b",
            r"a[^x]*",
            r"\s*",
            "",
            "a\n",
            r"\n",
            r"^$",
            r"(?s).+\z",
            r"\Ab",
            r"(?R)a$",
        ] {
            assert_eq!(
                found(&lines, None, pattern, 3),
                naive(&lines, None, pattern),
                "{pattern:?}"
            );
        }
    }

    #[test]
    fn anchors_hold_at_the_bare_text_of_a_line() {
        let lines = vec![
            (b"\x1b[31mbeta\x1b[0m\r".to_vec(), Stream::Stderr),
            (b"alphabeta".to_vec(), Stream::Stdout),
        ];
        for pattern in ["^beta", "beta$", r"\Abeta\z", r"^beta"] {
            assert!(found(&lines, None, pattern, 9).contains(&0), "{pattern}");
        }
        assert_eq!(found(&lines, None, "^beta$", 9), [0]);
    }

    #[test]
    fn a_cancelled_search_ends() {
        let chunks = chunks(&stdout(&["a"]), 1);
        let pattern = Pattern::parse("a").unwrap();
        let view = View::new(&chunks, None);
        let set = AtomicBool::new(true);
        assert_eq!(scan(&view, Some(&pattern), Extent::Fitting, 9, &set), None);
    }

    fn line() -> impl Strategy<Value = (Vec<u8>, Stream)> {
        let part = prop_oneof![
            6 => "[ab .:]{0,3}".prop_map(String::into_bytes),
            1 => Just("é漢\u{85}".into()),
            1 => Just(b"\x1b[31m".to_vec()),
            1 => Just(b"\r".to_vec()),
            1 => Just(b"\xff\0".to_vec()),
        ];
        let bytes = prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat());
        (
            bytes,
            prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)],
        )
    }

    fn pattern() -> impl Strategy<Value = String> {
        let atom = prop::sample::select(vec![
            "a",
            "b",
            "é",
            ".",
            r"\s",
            r"\S",
            r"\w",
            "[^a]",
            "[^b]",
            r"\n",
            " ",
            r"(?-u:\xff)",
            "(?-u:[^a])",
            r"\r",
            "",
        ]);
        let anchor = prop::sample::select(vec![
            "",
            "",
            "^",
            "$",
            r"\b",
            r"\B",
            r"\A",
            r"\z",
            "(?m:^)",
            "(?m:$)",
            "(?-m:$)",
            "(?s:.)",
            "(?Rm:$)",
            "(?-u:\\B)",
        ]);
        let repeat = prop::sample::select(vec!["", "", "*", "+", "?", "{2}", "*?"]);
        let piece = (anchor.clone(), atom, repeat, anchor)
            .prop_map(|(before, atom, repeat, after)| format!("{before}(?:{atom}){repeat}{after}"));
        prop::collection::vec((piece, prop::sample::select(vec!["", "", "|"])), 1..5).prop_map(
            |pieces| {
                pieces
                    .iter()
                    .flat_map(|(piece, glue)| [piece.as_str(), glue])
                    .collect()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_search_of_buffers_finds_what_a_search_of_each_line_finds(
            lines in prop::collection::vec(line(), 0..12),
            pattern in pattern(),
            stream in prop_oneof![Just(None), Just(Some(Stream::Stdout)), Just(Some(Stream::Stderr))],
            per_chunk in 1_usize..6,
        ) {
            prop_assert_eq!(found(&lines, stream, &pattern, per_chunk), naive(&lines, stream, &pattern));
        }

        #[test]
        fn a_view_shows_the_lines_of_its_stream(
            lines in prop::collection::vec(line(), 0..30),
            per_chunk in 1_usize..6,
        ) {
            let chunks = chunks(&lines, per_chunk);
            for stream in [None, Some(Stream::Stdout), Some(Stream::Stderr)] {
                let mut view = View::new(&chunks, stream);
                let of_stream = lines.iter().filter(|(_, of)| stream.is_none_or(|stream| stream == *of));
                let expected: Vec<_> = of_stream.map(|(bytes, _)| bytes.as_slice()).collect();
                let seen: Vec<_> = (0..view.total()).map(|place| view.line(place).bytes).collect();
                prop_assert_eq!(seen, expected);
            }
        }
    }
}
