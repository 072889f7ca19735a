use std::{
    sync::{Arc, atomic::AtomicBool},
    time::UNIX_EPOCH,
};

use proptest::prelude::*;

use super::*;
use crate::{
    ids::RunId,
    logs::{Source, chunk::Chunk, part::Part, shelf::Snapshot},
    pattern::Pattern,
    search::{Found, Query, search},
    spec::Mode,
};

fn log<'a>(lines: impl IntoIterator<Item = (&'a str, Stream)>) -> Snapshot {
    let mut chunks = vec![Chunk::default()];
    for (n, (text, stream)) in lines.into_iter().enumerate() {
        if n % 3 == 2 {
            chunks.push(Chunk::default());
        }
        let line = Line {
            bytes: text.as_bytes(),
            stream,
            end: LineEnd::Newline,
        };
        chunks.last_mut().unwrap().push(line, UNIX_EPOCH);
    }
    Snapshot {
        source: Source::Run(RunId(1)),
        mode: Mode::Dev,
        began: UNIX_EPOCH,
        ending: None,
        evicted: 0,
        parts: chunks
            .into_iter()
            .filter(|chunk| !chunk.is_empty())
            .map(|chunk| Part::Memory(Arc::new(chunk)))
            .collect(),
    }
}

fn query(pattern: &str, context: usize, extent: Extent, budget: usize) -> Query {
    let pattern = Some(pattern).filter(|text| !text.is_empty());
    Query {
        pattern: pattern.map(|text| Pattern::parse(text).unwrap()),
        context,
        extent,
        stream: None,
        budget,
    }
}

fn ask(log: &Snapshot, query: &Query) -> Found {
    search(log, query, &AtomicBool::new(false)).unwrap()
}

fn out(lines: &[&str]) -> Snapshot {
    log(lines.iter().map(|line| (*line, Stream::Stdout)))
}

#[test]
fn matches_and_context_are_marked_and_blocks_that_do_not_touch_are_separated() {
    let log = out(&["a", "hit 1", "b", "c", "d", "hit 2", "hit 3", "e"]);
    let found = ask(&log, &query("hit", 1, Extent::Fitting, 1_000));
    assert_eq!(
        found.text,
        "   a\n * hit 1\n   b\n--\n   d\n * hit 2\n * hit 3\n   e\n"
    );
    assert_eq!((found.kept, found.matched, found.shown), (8, 3, 3));
}

#[test]
fn blocks_that_touch_are_one() {
    let log = out(&["hit", "a", "b", "hit"]);
    let found = ask(&log, &query("hit", 1, Extent::Fitting, 1_000));
    assert_eq!(found.text, " * hit\n   a\n   b\n * hit\n");
}

#[test]
fn head_and_tail_count_matches_and_never_cut_one_off_from_its_context() {
    let log = out(&["1", "hit", "2", "3", "hit", "4", "5", "hit", "6"]);
    let head = ask(&log, &query("hit", 1, Extent::Head(1), 1_000));
    assert_eq!(head.text, "   1\n * hit\n   2\n");
    let tail = ask(&log, &query("hit", 1, Extent::Tail(2), 1_000));
    assert_eq!(tail.text, "   3\n * hit\n   4\n   5\n * hit\n   6\n");
    assert_eq!((tail.matched, tail.shown), (3, 2));
    let none = ask(&log, &query("hit", 1, Extent::Tail(0), 1_000));
    assert_eq!((none.text.as_str(), none.shown), ("", 0));
}

#[test]
fn the_last_whole_matches_that_fit_are_shown() {
    let log = out(&["1", "hit", "2", "3", "3", "hit", "4"]);
    // One block is `   3\n * hit\n   4\n`, 17 bytes.
    let found = ask(&log, &query("hit", 1, Extent::Fitting, 34));
    assert_eq!(found.text, "   3\n * hit\n   4\n");
    assert_eq!((found.matched, found.shown), (2, 1));
    let found = ask(&log, &query("hit", 1, Extent::Head(9), 34));
    assert_eq!(found.text, "   1\n * hit\n   2\n");
    assert_eq!(ask(&log, &query("hit", 1, Extent::Fitting, 37)).shown, 2);
}

#[test]
fn without_a_pattern_lines_bear_no_mark() {
    let log = out(&["a", "b", "c"]);
    let found = ask(&log, &query("", 5, Extent::Tail(2), 1_000));
    assert_eq!(found.text, "   b\n   c\n");
    assert_eq!((found.kept, found.matched, found.shown), (3, 3, 2));
}

#[test]
fn stderr_is_named_only_beside_stdout_and_never_part_of_what_is_matched() {
    let log = log([
        ("alpha", Stream::Stdout),
        ("beta", Stream::Stderr),
        ("gamma", Stream::Stdout),
    ]);
    let found = ask(&log, &query("^beta", 1, Extent::Fitting, 1_000));
    assert_eq!(found.text, "   alpha\n * stderr| beta\n   gamma\n");
    assert_eq!(
        ask(&log, &query("^beta$", 0, Extent::Fitting, 1_000)).text,
        " * beta\n"
    );
    assert_eq!(
        ask(&log, &query("stderr", 0, Extent::Fitting, 1_000)).matched,
        0
    );

    let only = Query {
        stream: Some(Stream::Stdout),
        ..query("alpha", 1, Extent::Fitting, 1_000)
    };
    let found = ask(&log, &only);
    assert_eq!(
        found.text, " * alpha\n   gamma\n",
        "context is of the same stream"
    );
    assert_eq!(found.kept, 2);
}

#[test]
fn a_long_line_is_shortened_in_the_middle_and_counted() {
    let long = format!("begin{}end", "x".repeat(10_000));
    let found = ask(
        &out(&[&long]),
        &query("begin.*end", 0, Extent::Fitting, 40_000),
    );
    assert!(found.text.len() <= LONGEST_SHOWN + LEAST);
    assert!(found.text.starts_with(" * begin") && found.text.ends_with("end\n"));
    assert!(found.text.contains(&format!(
        "… [{} bytes left out] …",
        grouped(found.shortened)
    )));
}

#[test]
fn pieces_of_a_line_and_unfinished_lines_say_so() {
    let mut chunk = Chunk::default();
    for end in [LineEnd::Length, LineEnd::Silence, LineEnd::End] {
        chunk.push(
            Line {
                bytes: b"x",
                stream: Stream::Stdout,
                end,
            },
            UNIX_EPOCH,
        );
    }
    let log = Snapshot {
        parts: vec![Part::Memory(Arc::new(chunk))],
        ..out(&[])
    };
    let found = ask(&log, &query("x$", 0, Extent::Fitting, 1_000));
    assert_eq!(
        found.text,
        " * x [continues]\n * x [no newline yet]\n * x\n"
    );
}

#[test]
fn one_match_that_is_too_large_is_reduced_and_says_by_how_much() {
    let long = "x".repeat(1_900);
    let lines: Vec<&str> = (0..101)
        .map(|n| if n == 50 { "hit" } else { &long })
        .collect();
    let found = ask(&out(&lines), &query("hit", 5, Extent::Fitting, 4_000));
    assert_eq!(
        found.text.lines().count(),
        11,
        "shorter lines make room for all: {}",
        found.text
    );
    let found = ask(
        &out(&lines),
        &query("hit", 1_000_000, Extent::Tail(1), 4_000),
    );
    assert!(
        found.text.len() <= 4_000 && found.text.contains(" * hit\n"),
        "{}",
        found.text
    );
    assert!(found.text.starts_with("   … [4"), "{}", found.text);
    assert_eq!(found.shown, 1);
}

#[test]
fn an_empty_log_and_a_tiny_budget_give_an_empty_text() {
    assert_eq!(
        ask(&out(&[]), &query("a", 3, Extent::Fitting, 100)).text,
        ""
    );
    for budget in 0..200 {
        let found = ask(
            &out(&["aaaa", "hit", "bbbb"]),
            &query("hit", usize::MAX, Extent::Tail(9), budget),
        );
        assert!(found.text.len() <= budget, "{budget}: {}", found.text);
    }
}

#[test]
fn a_search_is_linear_even_where_every_line_matches_with_huge_context() {
    let lines = vec!["all the same"; 300_000];
    for pattern in ["", "same", "^", "(?s).*", r"\Aall"] {
        for extent in [Extent::Fitting, Extent::Head(usize::MAX), Extent::Tail(3)] {
            let found = ask(&out(&lines), &query(pattern, 1_000_000, extent, 40_000));
            assert_eq!(found.matched, 300_000);
            assert!(found.text.len() <= 40_000 && found.shown > 0);
        }
    }
}

/// Says which lines are to be seen: the chosen matches and all that is around them.
fn naive(lines: &[bool], context: usize, extent: Extent) -> String {
    let matching: Vec<usize> = (0..lines.len()).filter(|&n| lines[n]).collect();
    let chosen = match extent {
        Extent::Head(count) => &matching[..count.min(matching.len())],
        Extent::Tail(count) => &matching[matching.len() - count.min(matching.len())..],
        Extent::Fitting => &matching[..],
    };
    let mut text = String::new();
    let mut last = None;
    for (n, &hit) in lines.iter().enumerate() {
        if !chosen.iter().any(|&at| at.abs_diff(n) <= context) {
            continue;
        }
        if last.is_some_and(|last| last + 1 < n) {
            text.push_str("--\n");
        }
        last = Some(n);
        let mark = if chosen.contains(&n) { " * " } else { "   " };
        let _ = writeln!(text, "{mark}{}", if hit { "hit" } else { "miss" });
    }
    text
}

fn extent() -> impl Strategy<Value = Extent> {
    prop_oneof![
        (0_usize..6).prop_map(Extent::Head),
        (0_usize..6).prop_map(Extent::Tail),
        Just(Extent::Fitting),
    ]
}

proptest! {
    #[test]
    fn what_is_shown_is_what_a_naive_search_shows(
        lines in prop::collection::vec(any::<bool>(), 0..40),
        context in 0_usize..5,
        extent in extent(),
    ) {
        let log = log(lines.iter().map(|&hit| (if hit { "hit" } else { "miss" }, Stream::Stdout)));
        let found = ask(&log, &query("hit", context, extent, 100_000));
        prop_assert_eq!(found.text, naive(&lines, context, extent));
    }

    #[test]
    fn a_budget_is_kept_by_showing_fewer_whole_matches(
        lines in prop::collection::vec(any::<bool>(), 1..40),
        context in 0_usize..5,
        extent in extent(),
        budget in 0_usize..300,
    ) {
        let log = log(lines.iter().map(|&hit| (if hit { "hit" } else { "miss" }, Stream::Stdout)));
        let found = ask(&log, &query("hit", context, extent, budget));
        prop_assert!(found.text.len() <= budget);
        let shown = usize::try_from(found.shown).unwrap();
        if shown > 1 {
            let fewer = if matches!(extent, Extent::Head(_)) { Extent::Head(shown) } else { Extent::Tail(shown) };
            prop_assert_eq!(found.text, naive(&lines, context, fewer));
        }
    }
}
