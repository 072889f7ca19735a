//! Searches against a plain list of lines.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proptest::prelude::*;

use super::*;
use crate::{
    ids::RunId,
    logs::{
        chunk::{Chunk, Line, LineEnd},
        level::level,
    },
    spec::Mode,
};

/// A stored line, as plainly as it can be.
#[derive(Clone, Debug)]
struct Plain {
    track: usize,
    number: u64,
    line: u64,
    /// The last line of its run.
    last: u64,
    at: u64,
    stream: Stream,
    text: String,
}

/// One run: how many of its lines are evicted, and the others: whether lines were lost before, how much
/// later it came, its stream and its text.
type RunOf = (u64, Vec<(bool, u64, Stream, String)>);

fn name(track: usize) -> ProcessName {
    format!("p{track}").parse().unwrap()
}

/// Both forms of the same output. A part has three lines at most, and consecutive ones.
fn kept(processes: &[Vec<RunOf>]) -> (Vec<Asked>, Vec<Plain>) {
    let (mut asked, mut all) = (Vec::new(), Vec::new());
    for (track, runs) in processes.iter().enumerate() {
        let mut logs = Vec::new();
        let mut at = track as u64;
        for (place, (evicted, lines)) in runs.iter().enumerate() {
            let number = (place * processes.len() + track) as u64 * 2 + 1;
            let mut parts: Vec<Chunk> = vec![Chunk::starting_at(evicted + 1)];
            for (lost, later, stream, text) in lines {
                at += later;
                let last = parts.last().unwrap();
                let next = last.next() + if *lost { 5 } else { 0 };
                if next != last.next() || last.len() == 3 {
                    parts.push(Chunk::starting_at(next));
                }
                let line = Line {
                    bytes: text.as_bytes(),
                    stream: *stream,
                    end: LineEnd::Newline,
                };
                parts.last_mut().unwrap().push(line, time(at));
                all.push(Plain {
                    track,
                    number,
                    line: next,
                    last: 0,
                    at,
                    stream: *stream,
                    text: text.clone(),
                });
            }
            let last = parts.last().unwrap().next() - 1;
            let own = all.iter_mut().rev().take(lines.len());
            own.for_each(|line: &mut Plain| line.last = last);
            let parts = parts.into_iter().filter(|chunk| !chunk.is_empty());
            logs.push(Snapshot {
                source: Source::Run(RunId(number)),
                mode: Mode::Dev,
                began: UNIX_EPOCH,
                ending: None,
                evicted: *evicted,
                parts: parts.map(|chunk| Part::Memory(Arc::new(chunk))).collect(),
            });
        }
        let process = name(track);
        asked.push(Asked { process, logs });
    }
    (asked, all)
}

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Whether a line is behind a cursor.
fn is_behind(line: &Plain, cursor: &Cursor) -> bool {
    let position = Position {
        number: line.number,
        line: line.line,
    };
    cursor
        .of(&name(line.track))
        .is_none_or(|cursor| position > cursor)
}

/// Whether the run of a line has no such line as the cursor names.
fn is_beyond(line: &Plain, cursor: &Cursor) -> bool {
    let cursor = cursor.of(&name(line.track));
    cursor.is_some_and(|it| it.number == line.number && it.line > line.last)
}

fn is_within(line: &Plain, query: &Query) -> bool {
    let since = match &query.since {
        Some(Bound::Time(since)) => time(line.at) >= *since,
        Some(Bound::Cursor(cursor)) => is_behind(line, cursor),
        None => true,
    };
    let until = match &query.until {
        Some(Bound::Time(until)) => time(line.at) <= *until,
        Some(Bound::Cursor(cursor)) => {
            cursor.of(&name(line.track)).is_none() || !is_behind(line, cursor)
        }
        None => true,
    };
    let after = query.after.as_ref();
    since && until && after.is_none_or(|after| is_behind(line, after) || is_beyond(line, after))
}

fn is_wanted(line: &Plain, query: &Query, pattern: Option<&regex::Regex>) -> bool {
    let least = query.level;
    let is_bad =
        least.is_none_or(|least| level(line.text.as_bytes()).is_some_and(|it| it <= least));
    let matches = pattern
        .is_none_or(|pattern| pattern.is_match(&line.text) == (query.matching == Matching::Lines));
    is_bad && matches
}

/// The lines that are shown, each with its mark: matches in the order of time, each with its context.
fn shown(all: &[Plain], query: &Query, pattern: Option<&regex::Regex>) -> Vec<(bool, Plain)> {
    let of_stream = |line: &&Plain| query.stream.is_none_or(|stream| stream == line.stream);
    let view: Vec<&Plain> = all
        .iter()
        .filter(of_stream)
        .filter(|line| is_within(line, query))
        .collect();
    let mut matches: Vec<usize> = (0..view.len())
        .filter(|&place| is_wanted(view[place], query, pattern))
        .collect();
    matches.sort_by_key(|&place| (view[place].at, view[place].track));
    let chosen = match query.extent {
        Extent::All => &matches[..],
        Extent::Head(count) => &matches[..count.min(matches.len())],
        Extent::Tail(count) => &matches[matches.len() - count.min(matches.len())..],
    };
    let context = if query.is_choosy() { query.context } else { 0 };
    let mut done = vec![false; view.len()];
    let mut lines = Vec::new();
    for &own in chosen {
        for place in own.saturating_sub(context)..(own + context + 1).min(view.len()) {
            let of_same = |it: &Plain| (it.track, it.number);
            if of_same(view[place]) == of_same(view[own]) && !done[place] {
                done[place] = true;
                let is_match = query.is_choosy() && chosen.contains(&place);
                lines.push((is_match, view[place].clone()));
            }
        }
    }
    lines
}

fn text(lines: &[(bool, Plain)], naming: Naming) -> Vec<String> {
    let has_both = lines.iter().any(|(_, it)| it.stream != lines[0].1.stream);
    let line = |(is_match, line): &(bool, Plain)| {
        let mark = if *is_match { " * " } else { "   " };
        let place = format!(
            "{}:{} 00:{:02}:{:02}.000",
            line.number,
            line.line,
            line.at / 60,
            line.at % 60
        );
        let name = match naming {
            Naming::Alone => String::new(),
            Naming::Named => format!("{}| ", name(line.track)),
        };
        let stream = match line.stream {
            Stream::Stderr if has_both => "stderr| ",
            Stream::Stderr | Stream::Stdout => "",
        };
        format!("{mark}{place} {name}{stream}{}", line.text)
    };
    lines.iter().map(line).collect()
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)]
}

fn run() -> impl Strategy<Value = RunOf> {
    let text = prop::sample::select(vec![
        "a", "b", "ab", "ERROR a", "WARN b", "INFO ab", "", "error: b",
    ]);
    let line = (
        prop::bool::weighted(0.1),
        0_u64..3,
        stream(),
        text.prop_map(str::to_owned),
    );
    (0_u64..3, prop::collection::vec(line, 0..12))
}

fn position() -> impl Strategy<Value = Position> {
    (0_u64..9, 0_u64..15).prop_map(|(number, line)| Position { number, line })
}

fn cursor() -> impl Strategy<Value = Cursor> {
    let named = prop::collection::vec((0_usize..3, position()), 1..3);
    let named = named.prop_map(|all| {
        let all = all.into_iter().map(|(track, it)| (name(track), it));
        Cursor::Several(all.collect())
    });
    prop_oneof![position().prop_map(Cursor::One), named]
}

fn bound() -> impl Strategy<Value = Option<Bound>> {
    prop_oneof![
        2 => Just(None),
        1 => (0_u64..40).prop_map(|at| Some(Bound::Time(time(at)))),
        1 => cursor().prop_map(|it| Some(Bound::Cursor(it))),
    ]
}

fn query() -> impl Strategy<Value = (Query, Option<regex::Regex>)> {
    let pattern = prop::option::of(prop::sample::select(vec![
        "a", "^a", "b$", "ERROR", "x", "",
    ]));
    let level = prop::option::of(prop::sample::select(vec![
        Level::Error,
        Level::Warn,
        Level::Info,
    ]));
    let extent = prop_oneof![
        2 => Just(Extent::All),
        1 => (0_usize..8).prop_map(Extent::Head),
        1 => (0_usize..8).prop_map(Extent::Tail),
    ];
    let matching = prop_oneof![3 => Just(Matching::Lines), 1 => Just(Matching::OtherLines)];
    let which = (pattern, matching, level, prop::option::of(stream()));
    let bounds = (bound(), bound(), prop::option::weighted(0.3, cursor()));
    (which, bounds, extent, 0_usize..3).prop_map(|(which, bounds, extent, context)| {
        let (pattern, matching, level, stream) = which;
        let (since, until, after) = bounds;
        let query = Query {
            pattern: pattern.map(|text| Pattern::parse(text).unwrap()),
            matching,
            level,
            context,
            extent,
            stream,
            since,
            until,
            after,
            collapse: Collapse::Nothing,
            detail: Detail::Place,
            budget: 1_000_000,
        };
        (query, pattern.map(|text| regex::Regex::new(text).unwrap()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_search_finds_what_a_look_at_every_line_finds(
        processes in prop::collection::vec(prop::collection::vec(run(), 1..4), 1..4),
        (query, pattern) in query(),
    ) {
        let (asked, all) = kept(&processes);
        let naming = if asked.len() == 1 { Naming::Alone } else { Naming::Named };
        let found = search(&asked, naming, &query, &AtomicBool::new(false)).unwrap();

        let within: Vec<&Plain> = all.iter().filter(|line| is_within(line, &query)).collect();
        let of_stream = |line: &&&Plain| query.stream.is_none_or(|stream| stream == line.stream);
        let kept = within.iter().filter(of_stream).count() as u64;
        prop_assert_eq!(found.kept, kept);
        prop_assert_eq!(found.hidden, within.len() as u64 - kept);
        let matched = within.iter().filter(of_stream);
        let matched = matched.filter(|line| is_wanted(line, &query, pattern.as_ref()));
        prop_assert_eq!(found.matched, matched.count() as u64);
        prop_assert_eq!((found.shown_first, found.shown_last), (0, found.chosen));
        prop_assert_eq!(found.unreadable, 0);

        let expected = shown(&all, &query, pattern.as_ref());
        let chosen = expected.iter().filter(|(is_match, _)| *is_match || !query.is_choosy());
        prop_assert_eq!(found.chosen, chosen.count() as u64);
        let is_line = |line: &&str| *line != "--" && !line.starts_with("--- ");
        let lines: Vec<&str> = found.text.lines().filter(is_line).collect();
        prop_assert_eq!(lines, text(&expected, naming));
    }

    #[test]
    fn what_was_left_out_is_fetched_with_its_cursors_and_nothing_twice(
        processes in prop::collection::vec(prop::collection::vec(run(), 1..4), 1..4),
        (query, _) in query(),
        budget in 200_usize..800,
    ) {
        let (asked, _) = kept(&processes);
        let naming = if asked.len() == 1 { Naming::Alone } else { Naming::Named };
        let never = AtomicBool::new(false);
        let all = Query { context: 0, extent: Extent::All, since: None, until: None, ..query };
        let whole = search(&asked, naming, &all, &never).unwrap();
        let part = search(&asked, naming, &Query { budget, ..all.clone() }, &never).unwrap();
        prop_assert!(part.text.len() <= budget);
        let Some(row) = part.text.lines().find(|line| line.contains(" left out; ")) else {
            return Ok(());
        };
        let cursor = |at: usize| row.split('"').nth(at).unwrap().parse::<Cursor>().unwrap();
        let rest = Query {
            after: Some(cursor(1)),
            until: Some(Bound::Cursor(cursor(3))),
            ..all
        };
        let rest = search(&asked, naming, &rest, &never).unwrap();
        prop_assert_eq!(rest.matched, whole.matched - part.shown());
        let texts = |found: &Found| {
            let line = |line: &&str| line.starts_with("   ") || line.starts_with(" * ");
            let mut lines: Vec<_> = found.text.lines().filter(line).map(bare).collect();
            lines.sort();
            lines
        };
        let mut both = texts(&part);
        both.extend(texts(&rest));
        both.sort();
        prop_assert_eq!(both, texts(&whole));
    }
}

/// Without the name of the stream, which depends on what else is shown.
fn bare(line: &str) -> String {
    line.replace("stderr| ", "")
}

/// What one run has printed, a line a second.
fn log(run: u64, ending: Option<&str>, evicted: u64, lines: &[&str]) -> Snapshot {
    let mut chunk = Chunk::starting_at(evicted + 1);
    for (second, text) in (run * 100..).zip(lines) {
        let line = Line {
            bytes: text.as_bytes(),
            stream: Stream::Stdout,
            end: LineEnd::Newline,
        };
        chunk.push(line, time(second));
    }
    let part = (!chunk.is_empty()).then(|| Part::Memory(Arc::new(chunk)));
    Snapshot {
        source: Source::Run(RunId(run)),
        mode: Mode::Dev,
        began: time(run * 100),
        ending: ending.map(str::to_owned),
        evicted,
        parts: part.into_iter().collect(),
    }
}

fn ask(logs: Vec<Snapshot>, query: &Query) -> Found {
    let process = name(0);
    let asked = [Asked { process, logs }];
    search(&asked, Naming::Alone, query, &AtomicBool::new(false)).unwrap()
}

fn after(cursor: &str) -> Query {
    Query {
        after: Some(cursor.parse().unwrap()),
        ..Query::default()
    }
}

fn runs(found: &Found) -> Vec<u64> {
    found.logs.iter().map(Searched::number).collect()
}

#[test]
fn after_a_cursor_come_the_rest_of_its_run_and_all_later_ones() {
    let logs = || {
        vec![
            log(6, Some("crashed"), 0, &["old"]),
            log(7, Some("crashed"), 0, &["a", "b"]),
            log(9, None, 2, &["c"]),
        ]
    };
    let found = ask(logs(), &after("7:1"));
    assert_eq!(
        found.text,
        "--- run 7 (crashed, dev)\n   b\n--- run 9 (running, dev)\n   c\n"
    );
    assert_eq!(runs(&found), [7, 9]);
    assert_eq!((found.gone, found.cursor.to_string().as_str()), (2, "9:3"));

    let nothing = ask(logs(), &after("9:3"));
    assert_eq!((nothing.kept, nothing.gone), (0, 0));
    assert_eq!(
        (runs(&nothing), nothing.cursor.to_string().as_str()),
        (vec![9], "9:3")
    );
    let gap = ask(logs(), &after("9:0"));
    assert_eq!((gap.kept, gap.gone), (1, 2));
}

#[test]
fn only_runs_that_have_lines_within_the_bounds_are_named() {
    let logs = || {
        vec![
            log(6, Some("crashed"), 0, &["a"]),
            log(7, Some("crashed"), 0, &["b", "c"]),
            log(9, Some("crashed"), 0, &["d"]),
        ]
    };
    let between = |since, until| Query {
        since: Some(Bound::Time(time(since))),
        until: Some(Bound::Time(time(until))),
        ..Query::default()
    };
    let found = ask(logs(), &between(701, 800));
    assert_eq!((found.text.as_str(), runs(&found)), ("   c\n", vec![7]));
    assert_eq!(
        (found.outside, found.cursor.to_string().as_str()),
        (1, "7:2")
    );
    let none = ask(logs(), &between(702, 800));
    assert_eq!((none.kept, runs(&none)), (0, vec![9]));
}

#[test]
fn lines_of_several_processes_are_merged_by_time_each_with_its_name_and_its_own_context() {
    let asked = [
        Asked {
            process: "main".parse().unwrap(),
            logs: vec![log(1, None, 0, &["m1", "m2 hit", "m3"])],
        },
        Asked {
            process: "web".parse().unwrap(),
            logs: vec![log(1, None, 0, &["w1", "w2", "w3 hit"])],
        },
    ];
    let ask =
        |query: &Query| search(&asked, Naming::Named, query, &AtomicBool::new(false)).unwrap();
    let found = ask(&Query::default());
    assert_eq!(
        found.text,
        "   main| m1\n   web| w1\n   main| m2 hit\n   web| w2\n   main| m3\n   web| w3 hit\n"
    );
    assert_eq!(found.cursor.to_string(), "main=1:3,web=1:3");
    let hits = Query {
        pattern: Some(Pattern::parse("hit").unwrap()),
        context: 1,
        ..Query::default()
    };
    assert_eq!(
        ask(&hits).text,
        "   main| m1\n * main| m2 hit\n   main| m3\n--\n   web| w2\n * web| w3 hit\n"
    );
}

#[test]
fn a_cancelled_search_has_no_answer() {
    let asked = [Asked {
        process: name(0),
        logs: vec![log(1, None, 0, &["a"])],
    }];
    let cancelled = AtomicBool::new(true);
    assert_eq!(
        search(&asked, Naming::Alone, &Query::default(), &cancelled),
        None
    );
}

#[test]
fn a_cursor_beyond_the_end_of_its_run_shows_all_of_it_and_what_follows() {
    let lines = |count: usize| {
        let line = (false, 1, Stream::Stdout, "a".to_owned());
        (0, vec![line; count])
    };
    let ask = |runs: &[RunOf], after: &str, until: Option<&str>| {
        let (asked, _) = kept(&[runs.to_vec()]);
        let query = Query {
            after: Some(after.parse().unwrap()),
            until: until.map(|it| Bound::Cursor(it.parse().unwrap())),
            ..Query::default()
        };
        search(&asked, Naming::Alone, &query, &AtomicBool::new(false)).unwrap()
    };
    let beyond = |line, last| Beyond {
        process: name(0),
        cursor: Position { number: 1, line },
        last,
    };
    let found = ask(&[lines(10)], "1:284", None);
    assert_eq!((found.kept, found.gone), (10, 0));
    assert_eq!(found.beyond, [beyond(284, 10)]);
    assert_eq!(found.cursor.to_string(), "1:10");
    let later = ask(&[lines(10), lines(2)], "1:11", None);
    assert_eq!((later.kept, later.beyond), (12, vec![beyond(11, 10)]));
    assert_eq!(later.cursor.to_string(), "3:2");
    let empty = ask(&[lines(0)], "1:3", None);
    assert_eq!((empty.kept, empty.beyond), (0, vec![beyond(3, 0)]));
    assert_eq!(empty.cursor.to_string(), "1:0");

    let at_the_end = ask(&[lines(10)], "1:10", None);
    assert_eq!((at_the_end.kept, at_the_end.beyond), (0, vec![]));
    assert_eq!(at_the_end.cursor.to_string(), "1:10");
    let earlier = ask(&[lines(10)], "1:5", Some("1:3"));
    assert_eq!(earlier.cursor.to_string(), "1:5");
}
