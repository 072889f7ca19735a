use std::{
    sync::atomic::AtomicBool,
    time::{Duration, UNIX_EPOCH},
};

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::{
    ids::RunId,
    logs::{
        Source,
        shelf::{Limits, Log, Moment, Shelf},
    },
    pattern::Pattern,
    search::{Asked, Extent, Matching, Which, bound::Bound, cursor::Cursor},
    spec::Mode,
};

/// The runs of a process, as the log store has them.
struct Runs {
    process: ProcessName,
    shelf: Shelf,
    open: Vec<u64>,
    /// Seconds since the epoch.
    clock: u64,
}

impl Runs {
    fn of(process: &str) -> Self {
        Self {
            process: process.parse().unwrap(),
            shelf: Shelf::new(Limits::default()),
            open: Vec::new(),
            clock: 0,
        }
    }

    fn begin(&mut self, run: u64) {
        let log = Log::new(Source::Run(RunId(run)), Mode::Dev, UNIX_EPOCH);
        self.shelf.open(log);
        self.open.push(run);
    }

    fn close(&mut self, run: u64) {
        self.open.retain(|it| *it != run);
    }

    fn prints(&mut self, run: u64, text: &str) {
        self.print(run, Stream::Stdout, text);
    }

    fn print(&mut self, run: u64, stream: Stream, text: &str) {
        self.clock += 1;
        let moment = Moment {
            now: Instant::now(),
            at: UNIX_EPOCH + Duration::from_secs(self.clock),
        };
        let log = self.shelf.log_mut(Source::Run(RunId(run))).unwrap();
        log.take(stream, text.as_bytes(), moment, &mut |_| {});
        self.shelf.fit();
    }

    fn numbers(&self) -> Vec<u64> {
        self.shelf.sources().map(crate::search::number).collect()
    }

    fn asked(&self) -> Asked {
        let logs = self.shelf.sources();
        let logs = logs.map(|source| self.shelf.log(source).unwrap().snapshot());
        Asked {
            process: self.process.clone(),
            logs: logs.collect(),
        }
    }

    fn picks(&self, walk: &Walk, trail: &Trail) -> Picks {
        let mut wanted: Vec<(u64, u64)> = trail
            .active
            .iter()
            .map(|&place| (place.number, walk.first_needed(place)))
            .collect();
        let newer = self.numbers().into_iter().filter(|it| *it >= trail.next);
        wanted.extend(newer.map(|it| (it, 1)));
        let pick = |(number, first)| {
            let source = Source::Run(RunId(number));
            let log = self.shelf.log(source);
            let memory = log.map(|log| log.since(first).unwrap_or_else(|| log.snapshot()));
            Picked {
                number,
                next: log.map(Log::next),
                frozen: memory.map(|memory| Frozen {
                    source,
                    memory: Some(memory),
                    disk: None,
                }),
                is_open: self.open.contains(&number),
            }
        };
        Picks {
            logs: wanted.into_iter().map(pick).collect(),
            has_more: false,
        }
    }
}

/// Somebody who reads on.
struct Reader {
    then: Option<Then>,
    pages: usize,
}

impl Reader {
    fn new(all: &[&Runs], which: Which, query: Query, reach: Reach) -> Self {
        let search = Search {
            processes: all.iter().map(|it| it.process.clone()).collect(),
            kind: LogKind::Runs,
            which,
            query,
        };
        let asked: Vec<Asked> = all
            .iter()
            .map(|it| it.asked())
            .filter(|it| !it.logs.is_empty())
            .map(|mut it| {
                if which == Which::Index(-1) {
                    it.logs.drain(..it.logs.len() - 1);
                }
                it
            })
            .collect();
        let locate_ = Locate { search, reach };
        let walk = locate(locate_, &asked, &AtomicBool::new(false)).unwrap();
        Self {
            then: Some(Then::More(walk)),
            pages: 0,
        }
    }

    /// Reads all that there is.
    fn reads(&mut self, all: &[&Runs]) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            let walk = match self.then.take() {
                Some(Then::More(walk) | Then::Later(walk)) => walk,
                Some(Then::End) | None => return items,
            };
            let picks = walk.trails.iter().map(|trail| {
                let runs = all.iter().find(|it| it.process == trail.process);
                runs.unwrap().picks(&walk, trail)
            });
            let picks = picks.collect();
            let page = page(walk, picks, &AtomicBool::new(false)).unwrap();
            self.pages += 1;
            assert!(self.pages < 10_000, "it reads for ever");
            items.extend(page.items);
            match page.then {
                Then::More(walk) => self.then = Some(Then::More(walk)),
                then => {
                    self.then = Some(then);
                    return items;
                }
            }
        }
    }
}

/// Items in short: `7:3 text`, with `-` before context.
fn short(items: &[Item]) -> Vec<String> {
    let short = |item: &Item| match item {
        Item::Line(line) => {
            let mark = match line.role {
                Role::Match => "",
                Role::Context => "-",
            };
            format!("{mark}{}:{} {}", line.number, line.seq, line.text)
        }
        Item::Gap { lines, .. } => format!("gap {lines:?}"),
        Item::Changed { number, .. } => format!("changed {number}"),
        Item::Dropped { lines, .. } => format!("dropped {lines}"),
    };
    items.iter().map(short).collect()
}

fn after(cursor: &str) -> Query {
    Query {
        after: Some(Cursor::One(cursor.parse().unwrap())),
        ..Query::default()
    }
}

fn newest(extent: Extent) -> (Which, Query) {
    let query = Query {
        extent,
        ..Query::default()
    };
    (Which::Index(-1), query)
}

#[test]
fn many_lines_come_in_pages_none_twice_and_none_missing() {
    let mut runs = Runs::of("main");
    runs.begin(7);
    let lines: Vec<String> = (1..=5_000).map(|n| format!("line {n}")).collect();
    runs.prints(7, &format!("{}\n", lines.join("\n")));
    let (which, query) = newest(Extent::All);
    let mut reader = Reader::new(&[&runs], which, query, Reach::Kept);
    let expected: Vec<String> = (1..=5_000).map(|n| format!("7:{n} line {n}")).collect();
    assert_eq!(short(&reader.reads(&[&runs])), expected);
    assert_eq!(reader.pages, 5);
}

#[test]
fn a_reader_who_follows_gets_what_is_new_and_goes_on_into_newer_runs() {
    let mut runs = Runs::of("main");
    runs.begin(7);
    runs.prints(7, "a\nb\nc\n");
    let (which, query) = newest(Extent::Tail(2));
    let mut reader = Reader::new(&[&runs], which, query, Reach::Later);
    assert_eq!(short(&reader.reads(&[&runs])), ["7:2 b", "7:3 c"]);
    assert_eq!(short(&reader.reads(&[&runs])), [""; 0]);
    runs.prints(7, "d\n");
    assert_eq!(short(&reader.reads(&[&runs])), ["7:4 d"]);
    runs.prints(7, "e\n");
    runs.close(7);
    runs.begin(9);
    runs.prints(9, "f\n");
    assert_eq!(
        short(&reader.reads(&[&runs])),
        ["7:5 e", "changed 9", "9:1 f"]
    );
    // One that prints nothing is told of as well.
    runs.close(9);
    runs.begin(10);
    assert_eq!(short(&reader.reads(&[&runs])), ["changed 10"]);
}

#[test]
fn who_asked_for_one_run_follows_it_to_its_end_and_no_further() {
    let mut runs = Runs::of("main");
    runs.begin(7);
    runs.prints(7, "a\n");
    let query = newest(Extent::Tail(10)).1;
    let mut reader = Reader::new(&[&runs], Which::Number(7), query, Reach::Later);
    assert_eq!(short(&reader.reads(&[&runs])), ["7:1 a"]);
    assert!(matches!(reader.then, Some(Then::Later(_))));
    runs.begin(8);
    runs.prints(8, "new\n");
    runs.prints(7, "b\n");
    assert_eq!(short(&reader.reads(&[&runs])), ["7:2 b"]);
    runs.prints(7, "c\n");
    runs.close(7);
    assert_eq!(short(&reader.reads(&[&runs])), ["7:3 c"]);
    assert!(matches!(reader.then, Some(Then::End)));
}

#[test]
fn of_closed_runs_only_those_are_told_of_that_have_a_line_in_range() {
    let mut runs = Runs::of("main");
    for run in 1..=4 {
        runs.begin(run);
        runs.prints(run, "a\n");
        runs.close(run);
    }
    let since = |seconds| Query {
        since: Some(Bound::Time(UNIX_EPOCH + Duration::from_secs(seconds))),
        ..Query::default()
    };
    let mut reader = Reader::new(&[&runs], Which::All, since(3), Reach::Later);
    let items = short(&reader.reads(&[&runs]));
    assert_eq!(items, ["3:1 a", "changed 4", "4:1 a"]);
    let choosy = Query {
        pattern: Some(Pattern::parse("b").unwrap()),
        ..Query::default()
    };
    let mut reader = Reader::new(&[&runs], Which::All, choosy, Reach::Later);
    assert_eq!(short(&reader.reads(&[&runs])), [""; 0]);
    runs.begin(5);
    runs.prints(5, "b\n");
    assert_eq!(short(&reader.reads(&[&runs])), ["5:1 b"]);
}

#[test]
fn a_run_that_is_replaced_may_print_while_the_new_one_does() {
    let mut runs = Runs::of("main");
    runs.begin(7);
    runs.prints(7, "a\n");
    let (which, query) = newest(Extent::All);
    let mut reader = Reader::new(&[&runs], which, query, Reach::Later);
    reader.reads(&[&runs]);
    runs.begin(8);
    runs.prints(8, "b\n");
    runs.prints(7, "c\n");
    runs.prints(8, "d\n");
    assert_eq!(
        short(&reader.reads(&[&runs])),
        ["changed 8", "8:1 b", "7:2 c", "8:2 d"]
    );
    runs.prints(7, "e\n");
    runs.close(7);
    runs.prints(8, "f\n");
    assert_eq!(short(&reader.reads(&[&runs])), ["7:3 e", "8:3 f"]);
}

#[test]
fn lines_of_several_processes_are_merged_by_time() {
    let (mut one, mut other) = (Runs::of("one"), Runs::of("other"));
    one.begin(1);
    other.begin(2);
    for n in 0..5_000 {
        other.clock = one.clock;
        one.prints(1, &format!("{n}\n"));
        other.clock = one.clock;
        other.prints(2, &format!("{n}\n"));
        one.clock = other.clock;
    }
    let (which, query) = newest(Extent::Head(9_000));
    let mut reader = Reader::new(&[&one, &other], which, query, Reach::Kept);
    let items = short(&reader.reads(&[&one, &other]));
    assert_eq!(items.len(), 9_000);
    for (nth, item) in items.iter().enumerate() {
        let (run, line) = (1 + nth % 2, nth / 2);
        assert_eq!(*item, format!("{run}:{} {line}", line + 1));
    }
}

#[test]
fn all_kept_runs_are_read_one_after_the_other_from_a_cursor_on() {
    let mut runs = Runs::of("main");
    for run in 3..6 {
        runs.begin(run);
        runs.prints(run, "a\nb\n");
        runs.close(run);
    }
    let mut reader = Reader::new(&[&runs], Which::All, after("3:1"), Reach::Kept);
    assert_eq!(
        short(&reader.reads(&[&runs])),
        [
            "3:2 b",
            "changed 4",
            "4:1 a",
            "4:2 b",
            "changed 5",
            "5:1 a",
            "5:2 b"
        ]
    );
    // Run 2 is not kept any more.
    let mut reader = Reader::new(&[&runs], Which::All, after("2:1"), Reach::Later);
    let items = short(&reader.reads(&[&runs]));
    assert_eq!(items[..3], ["gap None", "changed 3", "3:1 a"]);
    // A number that was given to another run once.
    let mut reader = Reader::new(&[&runs], Which::All, after("5:77"), Reach::Later);
    assert_eq!(
        short(&reader.reads(&[&runs])),
        ["gap None", "5:1 a", "5:2 b"]
    );
}

#[test]
fn lines_that_left_are_a_gap_and_a_slow_reader_is_moved_ahead() {
    let mut runs = Runs::of("main");
    runs.shelf = Shelf::new(Limits {
        logs: 10,
        bytes: 3 << 20,
    });
    runs.begin(7);
    runs.prints(7, "first\n");
    let (which, query) = newest(Extent::All);
    let mut reader = Reader::new(&[&runs], which, query, Reach::Later);
    assert_eq!(short(&reader.reads(&[&runs])), ["7:1 first"]);
    let text = format!("{}\n", "x".repeat(90)).repeat(20_000);
    for _ in 0..2 {
        runs.prints(7, &text);
    }
    let items = short(&reader.reads(&[&runs]));
    let gap: usize = items[0]
        .strip_prefix("gap Some(")
        .and_then(|it| it.strip_suffix(')'))
        .unwrap_or_else(|| panic!("{}", items[0]))
        .parse()
        .unwrap();
    assert_eq!(gap + items.len() - 1, 40_000);
    for _ in 0..3 {
        runs.prints(7, &text);
    }
    let items = short(&reader.reads(&[&runs]));
    assert_eq!(items[0], "dropped 59000");
    assert_eq!(items.len(), 1_001);
}

#[test]
fn the_first_of_the_last_matches_has_its_context_of_its_own_stream() {
    let mut runs = Runs::of("main");
    runs.begin(7);
    for n in 0..10 {
        runs.print(7, Stream::Stdout, &format!("out {n}\n"));
        runs.print(7, Stream::Stderr, &format!("err {n}\n"));
    }
    let query = Query {
        stream: Some(Stream::Stdout),
        extent: Extent::Tail(1),
        context: 2,
        pattern: Some(Pattern::parse("[258]").unwrap()),
        ..Query::default()
    };
    let mut reader = Reader::new(&[&runs], Which::Index(-1), query, Reach::Later);
    assert_eq!(
        short(&reader.reads(&[&runs])),
        ["-7:13 out 6", "-7:15 out 7", "7:17 out 8", "-7:19 out 9"]
    );
    runs.prints(7, "new 2\nnew 3\n");
    assert_eq!(
        short(&reader.reads(&[&runs])),
        ["7:21 new 2", "-7:22 new 3"]
    );
}

#[test]
fn of_one_stream_only_its_lines_are_given_and_of_a_head_only_so_many() {
    let mut runs = Runs::of("main");
    runs.begin(7);
    for n in 0..10 {
        runs.print(7, Stream::Stdout, &format!("out {n}\n"));
        runs.print(7, Stream::Stderr, &format!("err {n}\n"));
    }
    let query = Query {
        stream: Some(Stream::Stderr),
        extent: Extent::Head(3),
        pattern: Some(Pattern::parse("[02468]").unwrap()),
        matching: Matching::OtherLines,
        ..Query::default()
    };
    let mut reader = Reader::new(&[&runs], Which::Index(-1), query, Reach::Later);
    let items = short(&reader.reads(&[&runs]));
    assert_eq!(items, ["7:4 err 1", "7:8 err 3", "7:12 err 5"]);
    assert!(matches!(reader.then, Some(Then::End)));
}

proptest! {
    /// However the lines come and whenever somebody reads, he gets the matches with their context.
    #[test]
    fn followed_matches_and_their_context_are_those_of_the_whole(
        lines in prop::collection::vec(prop::bool::weighted(0.2), 1..80),
        batches in prop::collection::vec(1..12_usize, 1..80),
        context in 0..4_usize,
    ) {
        let mut runs = Runs::of("main");
        runs.begin(7);
        let query = Query {
            pattern: Some(Pattern::parse("hit").unwrap()),
            context,
            ..Query::default()
        };
        let mut reader = Reader::new(&[&runs], Which::Index(-1), query, Reach::Later);
        let mut got = Vec::new();
        let (mut rest, mut batches) = (lines.as_slice(), batches.iter().cycle());
        while !rest.is_empty() {
            let count = (*batches.next().unwrap()).min(rest.len());
            let (batch, behind) = rest.split_at(count);
            rest = behind;
            let text: String = batch.iter().map(|hit| if *hit { "hit\n" } else { "miss\n" }).collect();
            runs.prints(7, &text);
            got.extend(short(&reader.reads(&[&runs])));
        }
        let near = |at: usize| {
            let (from, to) = (at.saturating_sub(context), (at + context + 1).min(lines.len()));
            lines[from..to].contains(&true)
        };
        let expected: Vec<String> = lines.iter().enumerate().filter(|(at, _)| near(*at)).map(|(at, hit)| {
            if *hit { format!("7:{} hit", at + 1) } else { format!("-7:{} miss", at + 1) }
        }).collect();
        prop_assert_eq!(got, expected);
    }
}
