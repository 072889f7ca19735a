use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;
use crate::{
    ids::RunId,
    logs::{
        Source,
        chunk::{Line, LineEnd},
        part::Part,
        shelf::Snapshot,
    },
    search::view::{Ranged, Recent},
    spec::Mode,
};

fn log(lines: &[(Vec<u8>, Stream)], per_chunk: usize) -> Snapshot {
    let mut next = 1;
    let fill = |lines: &[(Vec<u8>, Stream)]| {
        let mut chunk = Chunk::starting_at(next);
        for (bytes, stream) in lines {
            let line = Line {
                bytes,
                stream: *stream,
                end: LineEnd::Newline,
            };
            chunk.push(line, UNIX_EPOCH);
        }
        next = chunk.next();
        Part::Memory(Arc::new(chunk))
    };
    Snapshot {
        source: Source::Run(RunId(1)),
        mode: Mode::Dev,
        began: UNIX_EPOCH,
        ending: None,
        evicted: 0,
        parts: lines.chunks(per_chunk).map(fill).collect(),
    }
}

fn view(log: &Snapshot, stream: Option<Stream>) -> View<'_> {
    let lines = 0..u64::MAX;
    View::new(vec![Ranged { log, lines }], stream, Recent::default(), 0)
}

fn filter(pattern: &str, stream: Option<Stream>) -> Option<Filter> {
    Filter::new(&Query {
        pattern: Some(Pattern::parse(pattern).unwrap()),
        stream,
        ..Query::default()
    })
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
    let log = log(lines, per_chunk);
    let never = AtomicBool::new(false);
    let mut view = view(&log, stream);
    let mut matches = scan(&mut view, filter(pattern, stream), &never).unwrap();
    (0..matches.count()).map(|n| matches.place(n)).collect()
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
    let log = log(&stdout(&["a"]), 1);
    let set = AtomicBool::new(true);
    let matches = scan(&mut view(&log, None), filter("a", None), &set);
    assert!(matches.is_none());
}

#[test]
fn many_blocks_are_searched_by_several_threads_and_found_in_order() {
    let lines: Vec<_> = (0..40_000).map(|n| format!("line {n}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let expected: Vec<_> = (7..40_000).step_by(10).collect();
    assert_eq!(found(&stdout(&lines), None, "7$", 100), expected);
    // In such blocks more match than are remembered.
    assert_eq!(found(&stdout(&lines), None, "7$", 1_000), expected);
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
        let log = log(&lines, per_chunk);
        for stream in [None, Some(Stream::Stdout), Some(Stream::Stderr)] {
            let mut view = view(&log, stream);
            let of_stream = lines.iter().filter(|(_, of)| stream.is_none_or(|stream| stream == *of));
            let expected: Vec<_> = of_stream.map(|(bytes, _)| bytes.clone()).collect();
            let seen: Vec<_> = (0..view.total())
                .map(|place| view.line(place).unwrap())
                .map(|spot| spot.chunk.line(spot.position).bytes.to_vec())
                .collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
