use std::{fmt::Write as _, sync::Arc, time::UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::{
    ids::RunId,
    logs::{Source, Stream, chunk::Chunk, part::Part, shelf::Snapshot},
    pattern::Pattern,
    search::{
        Asked, Collapse, Detail, Found,
        bound::Bound,
        page::LEAST,
        scan::{Filter, scan},
        search,
        track::Track,
        view::{Ranged, Recent, View},
    },
    spec::Mode,
};

fn log<'a>(lines: impl IntoIterator<Item = (&'a str, Stream)>) -> Snapshot {
    let mut chunks = vec![Chunk::starting_at(1)];
    for (n, (text, stream)) in lines.into_iter().enumerate() {
        if n % 3 == 2 && (n < 1_000 || n % 1_000 == 2) {
            chunks.push(Chunk::starting_at(n as u64 + 1));
        }
        let line = chunk::Line {
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
        collapse: Collapse::Nothing,
        budget,
        ..Query::default()
    }
}

fn ask(log: &Snapshot, query: &Query) -> Found {
    let asked = [Asked {
        process: "main".parse().unwrap(),
        logs: vec![log.clone()],
    }];
    search(&asked, Naming::Alone, query, &AtomicBool::new(false)).unwrap()
}

fn out(lines: &[&str]) -> Snapshot {
    log(lines.iter().map(|line| (*line, Stream::Stdout)))
}

#[test]
fn matches_and_context_are_marked_and_blocks_that_do_not_touch_are_separated() {
    let log = out(&["a", "hit 1", "b", "c", "d", "hit 2", "hit 3", "e"]);
    let found = ask(&log, &query("hit", 1, Extent::All, 1_000));
    assert_eq!(
        found.text,
        "   a\n * hit 1\n   b\n--\n   d\n * hit 2\n * hit 3\n   e\n"
    );
    assert_eq!((found.kept, found.matched, found.shown()), (8, 3, 3));
}

#[test]
fn blocks_that_touch_are_one() {
    let log = out(&["hit", "a", "b", "hit"]);
    let found = ask(&log, &query("hit", 1, Extent::All, 1_000));
    assert_eq!(found.text, " * hit\n   a\n   b\n * hit\n");
}

#[test]
fn head_and_tail_count_matches_and_never_cut_one_off_from_its_context() {
    let log = out(&["1", "hit", "2", "3", "hit", "4", "5", "hit", "6"]);
    let head = ask(&log, &query("hit", 1, Extent::Head(1), 1_000));
    assert_eq!(head.text, "   1\n * hit\n   2\n");
    let tail = ask(&log, &query("hit", 1, Extent::Tail(2), 1_000));
    assert_eq!(tail.text, "   3\n * hit\n   4\n   5\n * hit\n   6\n");
    assert_eq!((tail.matched, tail.shown()), (3, 2));
    let none = ask(&log, &query("hit", 1, Extent::Tail(0), 1_000));
    assert_eq!((none.text.as_str(), none.shown()), ("", 0));
}

#[test]
fn what_does_not_fit_is_left_out_in_the_middle_with_the_way_to_get_it() {
    let lines: Vec<_> = (1..=200).map(|n| format!("line {n:05}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let log = out(&lines);
    let found = ask(&log, &query("", 0, Extent::All, 1_000));
    let (first, last) = (found.shown_first, found.shown_last);
    assert!(
        (5..20).contains(&first) && (35..60).contains(&last),
        "{found:?}"
    );
    assert_eq!((found.chosen, found.matched), (200, 200));
    let note = format!(
        "… {} lines left out; after_cursor \"1:{first}\" with until \"1:{}\" fetches them …",
        200 - first - last,
        200 - last
    );
    let shown: Vec<_> = found.text.lines().collect();
    assert_eq!(shown[0], "   line 00001");
    assert_eq!(shown[usize::try_from(first).unwrap()], note);
    assert_eq!(shown.last(), Some(&"   line 00200"));
    assert!(
        (900..=1_000).contains(&found.text.len()),
        "{}",
        found.text.len()
    );

    let middle = Query {
        after: Some(format!("1:{first}").parse().unwrap()),
        until: Some(Bound::Cursor(format!("1:{}", 200 - last).parse().unwrap())),
        ..query("", 0, Extent::All, 40_000)
    };
    let rest = ask(&log, &middle);
    assert_eq!(rest.kept, 200 - first - last);
    assert!(
        rest.text
            .starts_with(&format!("   line {:05}\n", first + 1))
    );
    assert!(rest.text.ends_with(&format!("   line {:05}\n", 200 - last)));
}

#[test]
fn of_what_was_looked_for_a_third_of_the_room_is_for_the_first_ones() {
    let lines: Vec<_> = (1..=200).map(|n| format!("line {n:05}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    for (extent, first) in [
        (Extent::All, " * line 00001\n"),
        (Extent::Head(199), " * line 00001\n"),
        (Extent::Tail(199), " * line 00002\n"),
    ] {
        let found = ask(&out(&lines), &query("line", 0, extent, 1_000));
        let (first_ones, last) = (found.shown_first, found.shown_last);
        assert!(
            (10..25).contains(&first_ones) && (30..50).contains(&last),
            "{found:?}"
        );
        assert!(found.text.starts_with(first), "{}", found.text);
        assert!(found.text.contains(" matches left out; "));
    }
}

#[test]
fn equal_neighbours_are_one_row_that_counts_them() {
    let mut lines = vec!["same"; 100_000];
    lines.insert(0, "first");
    lines.push("last");
    let equal = Query {
        collapse: Collapse::Equal,
        ..query("", 0, Extent::Tail(10_000), 1_000)
    };
    let found = ask(&out(&lines), &equal);
    assert_eq!(found.text, "   same (×9,999)\n   last\n");
    assert_eq!((found.shown(), found.collapsed), (10_000, 9_998));
    // With a pattern, what lies between them does not matter.
    let lines = ["hit", "a", "hit", "b", "hit"];
    let equal = Query {
        pattern: Some(Pattern::parse("hit").unwrap()),
        ..equal
    };
    assert_eq!(ask(&out(&lines), &equal).text, " * hit (×3)\n");
    let context = Query {
        context: 1,
        ..equal
    };
    assert_eq!(
        ask(&out(&lines), &context).text,
        " * hit\n   a\n * hit\n   b\n * hit\n"
    );
}

#[test]
fn each_line_can_be_told_with_its_place_and_time() {
    let detailed = Query {
        detail: Detail::Place,
        ..query("b", 1, Extent::All, 1_000)
    };
    let found = ask(&out(&["a", "b"]), &detailed);
    assert_eq!(found.text, "   1:1 00:00:00.000 a\n * 1:2 00:00:00.000 b\n");
    assert_eq!(found.cursor.to_string(), "1:2");
}

#[test]
fn without_a_pattern_lines_bear_no_mark() {
    let log = out(&["a", "b", "c"]);
    let found = ask(&log, &query("", 5, Extent::Tail(2), 1_000));
    assert_eq!(found.text, "   b\n   c\n");
    assert_eq!((found.kept, found.matched, found.shown()), (3, 3, 2));
}

#[test]
fn stderr_is_named_only_beside_stdout_and_never_part_of_what_is_matched() {
    let log = log([
        ("alpha", Stream::Stdout),
        ("beta", Stream::Stderr),
        ("gamma", Stream::Stdout),
    ]);
    let found = ask(&log, &query("^beta", 1, Extent::All, 1_000));
    assert_eq!(found.text, "   alpha\n * stderr| beta\n   gamma\n");
    assert_eq!(
        ask(&log, &query("^beta$", 0, Extent::All, 1_000)).text,
        " * beta\n"
    );
    assert_eq!(
        ask(&log, &query("stderr", 0, Extent::All, 1_000)).matched,
        0
    );

    let only = Query {
        stream: Some(Stream::Stdout),
        ..query("alpha", 1, Extent::All, 1_000)
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
    let found = ask(&out(&[&long]), &query("begin.*end", 0, Extent::All, 40_000));
    assert!(found.text.len() <= LONGEST_SHOWN + LEAST);
    assert!(found.text.starts_with(" * begin") && found.text.ends_with("end\n"));
    assert!(found.text.contains(&format!(
        "… [{} bytes left out] …",
        grouped(found.shortened)
    )));
}

#[test]
fn lines_that_differ_only_where_they_are_shortened_are_not_equal() {
    let long = |middle: &str| format!("{0}{middle}{0}", "x".repeat(5_000));
    let (one, other) = (long("a"), long("b"));
    let equal = Query {
        collapse: Collapse::Equal,
        ..query("", 0, Extent::All, 40_000)
    };
    assert_eq!(ask(&out(&[&one, &other]), &equal).text.lines().count(), 2);
}

#[test]
fn pieces_of_a_line_and_unfinished_lines_say_so() {
    let mut chunk = Chunk::starting_at(1);
    for end in [LineEnd::Length, LineEnd::Silence, LineEnd::End] {
        chunk.push(
            chunk::Line {
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
    let found = ask(&log, &query("x$", 0, Extent::All, 1_000));
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
    let found = ask(&out(&lines), &query("hit", 5, Extent::All, 4_000));
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
    assert_eq!(found.shown(), 1);
}

#[test]
fn where_cursors_of_many_processes_would_take_the_room_what_is_left_out_is_only_counted() {
    let asked = |place| Asked {
        process: format!("service-{place}").parse().unwrap(),
        logs: vec![out(&["a line of a log"; 50])],
    };
    let asked: Vec<_> = (0..20).map(asked).collect();
    for budget in [150, 300, 1_000] {
        let query = query("", 0, Extent::All, budget);
        let found = search(&asked, Naming::Named, &query, &AtomicBool::new(false)).unwrap();
        assert!(found.text.len() <= budget, "{budget}: {}", found.text);
        let left_out = grouped(1_000 - found.shown());
        let note = format!("… {left_out} lines left out: a larger max_bytes shows more …\n");
        assert!(
            found.shown() > 0 && found.text.contains(&note),
            "{}",
            found.text
        );
    }
}

#[test]
fn an_empty_log_and_a_tiny_budget_give_an_empty_text() {
    assert_eq!(ask(&out(&[]), &query("a", 3, Extent::All, 100)).text, "");
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
        for extent in [Extent::All, Extent::Head(usize::MAX), Extent::Tail(3)] {
            let found = ask(&out(&lines), &query(pattern, 1_000_000, extent, 40_000));
            assert_eq!(found.matched, 300_000);
            assert!(found.text.len() <= 40_000 && found.shown() > 0);
        }
    }
}

/// The lines and the bytes of text, each shared one once, that are held of all lines.
fn held(log: &Snapshot, query: &Query) -> (usize, usize) {
    let lines = 1..log.parts.last().unwrap().next();
    let ranged = vec![Ranged { log, lines }];
    let recent = Recent::default();
    let mut view = View::new(ranged, query.stream, recent, 0);
    let cancelled = AtomicBool::new(false);
    let filter = Filter::new(query);
    let matches = scan(&mut view, filter, &cancelled).unwrap();
    let name = "main".parse().unwrap();
    let track = Track::new(&name, view, matches);
    let mut tracks = Tracks(vec![track]);
    let mut end = End::back(&End::front(&tracks));
    let mut chooser = Chooser {
        is_brief: false,
        context: query.context,
        extent: query.extent,
        budget: query.budget,
        share: 3,
        naming: Naming::Alone,
        style: Style::new(&tracks, Naming::Alone, query),
        cancelled: &cancelled,
        tracks: &mut tracks,
    };
    chooser.take(&mut end, MOST_LINES).unwrap();
    let mut texts: Vec<_> = end.lines.iter().map(|it| Rc::clone(&it.text)).collect();
    texts.dedup_by(|one, other| Rc::ptr_eq(one, other));
    let bytes = texts.iter().map(|text| text.len()).sum();
    assert_eq!(end.held, bytes);
    (end.lines.len(), bytes)
}

#[test]
fn many_equal_lines_share_their_text_and_their_row() {
    let same = "x".repeat(1_885);
    let log = out(&vec![same.as_str(); 20_000]);
    let equal = Query {
        collapse: Collapse::Similar,
        ..query("", 0, Extent::All, 16_000)
    };
    assert_eq!(held(&log, &equal), (MOST_LINES, same.len()));
    let row = format!("   {same} (×8,192)\n");
    let found = ask(&log, &equal);
    assert!(found.text.starts_with(&row) && found.text.ends_with(&row));
    assert_eq!(found.shown(), 2 * MOST_LINES as u64);
}

#[test]
fn text_that_is_not_shared_is_bounded_whatever_the_lines_are() {
    let (one, other) = ("a ".repeat(950), "7 x ".repeat(475));
    let long = "y".repeat(3_000);
    let numbered: Vec<_> = (0..2_000).map(|n| format!("{other}{n}")).collect();
    let numbered = numbered.iter().map(|line| (line.as_str(), Stream::Stdout));
    let streams = [Stream::Stdout, Stream::Stderr];
    let both = (0..2_000).map(|n| (one.as_str(), streams[n % 2]));
    for (log, collapse) in [
        (log(numbered), Collapse::Similar),
        (log(both), Collapse::Similar),
        (out(&[long.as_str(); 1_000]), Collapse::Similar),
        (out(&[one.as_str(); 1_000]), Collapse::Nothing),
    ] {
        for context in [0, 3] {
            let query = Query {
                collapse,
                ..query(".", context, Extent::All, 16_000)
            };
            let (lines, bytes) = held(&log, &query);
            assert!(lines < 300 && bytes <= MOST_TEXT, "{lines} {bytes}");
            assert!(ask(&log, &query).shown() > 1);
        }
    }
    // One match whose context has more text than is taken is shown with less of it.
    let found = ask(
        &out(&[one.as_str(); 1_000]),
        &query(".", 1_000, Extent::Tail(1), 16_000),
    );
    assert_eq!(found.shown(), 1);
    assert!(found.text.contains("more lines of context do not fit"));
}

/// Says which lines are to be seen: the chosen matches and all that is around them.
fn naive(lines: &[bool], context: usize, extent: Extent) -> String {
    let matching: Vec<usize> = (0..lines.len()).filter(|&n| lines[n]).collect();
    let chosen = match extent {
        Extent::Head(count) => &matching[..count.min(matching.len())],
        Extent::Tail(count) => &matching[matching.len() - count.min(matching.len())..],
        Extent::All => &matching[..],
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
        Just(Extent::All),
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
    fn a_budget_is_kept_by_leaving_out_whole_matches_in_the_middle(
        lines in prop::collection::vec(any::<bool>(), 1..80),
        context in 0_usize..5,
        extent in extent(),
        collapse in prop::sample::select(vec![Collapse::Nothing, Collapse::Equal]),
        budget in 0_usize..500,
    ) {
        let log = log(lines.iter().map(|&hit| (if hit { "hit" } else { "miss" }, Stream::Stdout)));
        let query = Query { collapse, ..query("hit", context, extent, budget) };
        let found = ask(&log, &query);
        prop_assert!(found.text.len() <= budget);
        prop_assert!(found.shown() <= found.chosen && found.chosen <= found.matched);
        let left_out = found.text.contains("left out");
        if budget >= 300 {
            prop_assert_eq!(left_out, found.shown() < found.chosen, "{}", found.text);
        }
        if collapse == Collapse::Nothing {
            let marked = found.text.lines().filter(|line| line.starts_with(" * ")).count();
            prop_assert_eq!(marked as u64, found.shown());
        }
    }
}
