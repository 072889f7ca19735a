use bpm_actors::{
    ids::{BuildId, RunId},
    logs::level::Level,
    pattern::Pattern,
    report::{Connections, EventKind, EventReport, LastBuild, ProcessReport, StateName},
    search::{Beyond, GoneLogs, Matching, NoSuchLog, bound::Bound, cursor::Position},
    spec::{Mode, ProcessType},
};

use super::*;

const PROJECT: &str = "/home/u/ganbot";
const MOST: usize = 16_000;

fn query(pattern: Option<&str>, extent: Extent) -> Query {
    Query {
        pattern: pattern.map(|it| Pattern::parse(it).unwrap()),
        extent,
        budget: budget(PROJECT, ["main"].into_iter(), MOST),
        ..Query::default()
    }
}

fn searched(process: &str, source: Source, ending: Option<&str>) -> Searched {
    Searched {
        process: process.parse().unwrap(),
        source,
        mode: Mode::Dev,
        began: std::time::SystemTime::UNIX_EPOCH,
        ending: ending.map(str::to_owned),
    }
}

fn run(run: u64, ending: Option<&str>) -> Searched {
    searched("main", Source::Run(RunId(run)), ending)
}

fn build(build: u64, ending: Option<&str>) -> Searched {
    searched("main", Source::Build(BuildId(build)), ending)
}

fn found() -> Found {
    Found {
        logs: vec![run(7, None)],
        without: Vec::new(),
        kept: 3_400,
        matched: 12,
        chosen: 12,
        shown_first: 0,
        shown_last: 12,
        evicted: 0,
        hidden: 0,
        outside: 0,
        has_older: false,
        beyond: Vec::new(),
        gone: 0,
        gone_logs: GoneLogs::NONE,
        lost: 0,
        unreadable: 0,
        shortened: 0,
        collapsed: 0,
        cursor: "7:3400".parse().unwrap(),
        text: " * one\n * two\n".to_owned(),
    }
}

fn told(query: &Query, found: Found) -> String {
    let kind = match found.logs[0].source {
        Source::Run(_) => LogKind::Runs,
        Source::Build(_) => LogKind::Builds,
    };
    let mut processes: Vec<_> = found.logs.iter().map(|it| it.process.clone()).collect();
    processes.dedup();
    let answer = LogAnswer {
        processes,
        kind,
        finding: Finding::Log {
            found: Box::new(found),
            unbuilt: None,
        },
    };
    search(PROJECT, query, MOST, &answer)
}

fn line(query: &Query, found: Found, place: usize) -> String {
    told(query, found).lines().nth(place).unwrap().to_owned()
}

#[test]
fn the_first_line_says_run_state_and_how_much_there_is() {
    assert_eq!(
        told(&query(Some("x"), Extent::All), found()),
        "main run 7 (running, dev) in /home/u/ganbot: 12 of 3,400 lines matched, showing the last \
         12; 0 evicted\ncursor 7:3400\n * one\n * two\n"
    );
    let ended = Found {
        logs: vec![run(7, Some("crashed: exit code 3"))],
        evicted: 1_000,
        chosen: 3,
        shown_last: 3,
        ..found()
    };
    assert_eq!(
        line(&query(Some("x"), Extent::Head(3)), ended, 0),
        "main run 7 (crashed: exit code 3, dev) in /home/u/ganbot: 12 of 3,400 lines matched, \
         showing the first 3; 1,000 evicted"
    );
    let failed = Found {
        logs: vec![build(9, Some("failed"))],
        chosen: 3_400,
        shown_first: 40,
        shown_last: 812,
        ..found()
    };
    assert_eq!(
        line(&query(None, Extent::All), failed, 0),
        "main build 9 (failed, dev) in /home/u/ganbot: 3,400 lines, showing the last 812 and the \
         first 40; 0 evicted"
    );
    let under_way = Found {
        logs: vec![Searched {
            mode: Mode::Release,
            ..build(9, None)
        }],
        ..found()
    };
    let stderr = Query {
        stream: Some(Stream::Stderr),
        ..query(Some("x"), Extent::Tail(12))
    };
    assert_eq!(
        line(&stderr, under_way, 0),
        "main build 9 (building, release) in /home/u/ganbot: 12 of 3,400 lines of stderr matched, \
         showing the last 12; 0 evicted"
    );
}

#[test]
fn the_first_line_names_all_runs_and_processes() {
    let several = Found {
        logs: vec![
            run(5, Some("crashed: exit code 1")),
            run(7, None),
            searched("web", Source::Run(RunId(8)), None),
        ],
        ..found()
    };
    assert_eq!(
        line(&query(Some("x"), Extent::All), several, 0),
        "main runs 5 to 7 (running, dev), web run 8 (running, dev) in /home/u/ganbot: 12 of 3,400 \
         lines matched, showing the last 12; 0 evicted"
    );
}

#[test]
fn what_was_cut_out_of_a_head_or_tail_is_told_from_what_was_not_wanted() {
    let cut = Found {
        matched: 812,
        chosen: 300,
        shown_first: 30,
        shown_last: 70,
        ..found()
    };
    for (extent, words) in [
        (
            Extent::Head(300),
            "the last 70 and the first 30 of the first 300;",
        ),
        (
            Extent::Tail(300),
            "the last 70 and the first 30 of the last 300;",
        ),
    ] {
        let text = line(&query(Some("x"), extent), cut.clone(), 0);
        assert!(
            text.contains(&format!("matched, showing {words}")),
            "{text}"
        );
    }
}

#[test]
fn what_is_missing_is_said() {
    let missing = Found {
        shortened: 1_234_567,
        unreadable: 1,
        lost: 5,
        without: vec!["web".parse().unwrap()],
        ..found()
    };
    let text = told(&query(Some("x"), Extent::All), missing);
    let notes: Vec<_> = text.lines().skip(1).take(5).collect();
    assert_eq!(
        notes,
        [
            "no such run: web",
            "5 lines in between were lost while history could not be written",
            "1 line cannot be read: its file was removed meanwhile or is damaged",
            "1,234,567 bytes were cut out of the middle of long lines",
            "cursor 7:3400",
        ]
    );
}

#[test]
fn after_a_cursor_another_run_and_lines_that_are_gone_are_told() {
    let after = |cursor: &str| Query {
        after: Some(cursor.parse().unwrap()),
        ..query(None, Extent::All)
    };
    let next = Found {
        logs: vec![run(7, Some("crashed: exit code 1")), run(9, None)],
        gone: 12,
        ..found()
    };
    let text = told(&after("7:1042"), next.clone());
    let notes: Vec<_> = text.lines().skip(1).take(2).collect();
    assert_eq!(
        notes,
        [
            "run_changed: run 7 (crashed: exit code 1) was followed by run 9 (running)",
            "gap: 12 lines after the cursor are gone",
        ]
    );
    for (gone, gone_logs, expected) in [
        (
            0,
            GoneLogs::Counted(1),
            ": lines after the cursor are gone, an unknown number in 1 run that had to leave",
        ),
        (
            0,
            GoneLogs::Uncounted,
            ": lines after the cursor are gone, an unknown number in an unknown number of runs that had to leave",
        ),
        (
            12,
            GoneLogs::Counted(3),
            ": 12 lines after the cursor are gone, and an unknown number in 3 runs that had to leave",
        ),
    ] {
        let found = Found {
            gone,
            gone_logs,
            ..next.clone()
        };
        assert_eq!(line(&after("7:1042"), found, 2), format!("gap{expected}"));
    }
    assert_eq!(
        line(&after("5:3"), next.clone(), 1),
        "run_changed: run 5, which is not kept, was followed by run 7 (crashed: exit code 1), run 9 \
         (running)"
    );
    let loops = Found {
        logs: (7..40)
            .map(|it| run(it, Some("crashed: exit code 1")))
            .collect(),
        ..found()
    };
    assert_eq!(
        line(&after("main=7:3"), loops, 1),
        "run_changed: main run 7 (crashed: exit code 1) was followed by 32 runs, the newest run 39 \
         (crashed: exit code 1)"
    );
    let builds = Found {
        logs: vec![build(9, Some("failed")), build(10, None)],
        ..found()
    };
    assert_eq!(
        line(&after("9:3"), builds, 1),
        "build_changed: build 9 (failed) was followed by build 10 (building)"
    );
    let same = told(&after("7:3"), found());
    assert_eq!(same.lines().nth(1), Some("cursor 7:3400"));
    let nothing = Found {
        kept: 0,
        matched: 0,
        chosen: 0,
        shown_last: 0,
        outside: 3_400,
        text: String::new(),
        ..found()
    };
    assert_eq!(
        told(&after("7:3400"), nothing),
        "main run 7 (running, dev) in /home/u/ganbot: 0 lines, showing the last 0; 0 evicted\n\
         nothing new since 7:3400\ncursor 7:3400\n"
    );
}

#[test]
fn an_empty_answer_says_why_it_is_empty() {
    let nothing = Found {
        kept: 0,
        matched: 0,
        chosen: 0,
        shown_last: 0,
        text: String::new(),
        ..found()
    };
    let all = query(None, Extent::All);
    let second = |query: &Query, found: Found| line(query, found, 1);
    assert_eq!(second(&all, nothing.clone()), "it has printed nothing yet");
    let ended = Found {
        logs: vec![run(7, Some("stopped: exit code 0"))],
        ..nothing.clone()
    };
    assert_eq!(second(&all, ended), "it printed nothing");
    let several = Found {
        logs: vec![run(7, None), searched("web", Source::Run(RunId(8)), None)],
        ..nothing.clone()
    };
    assert_eq!(
        second(&all, several),
        "none of them has printed anything yet"
    );
    let gone = Found {
        evicted: 5_000,
        ..nothing.clone()
    };
    assert_eq!(
        second(&all, gone),
        "nothing is kept any more: 5,000 lines were given up for newer output"
    );
    let outside = Found {
        outside: 40,
        ..nothing.clone()
    };
    assert_eq!(
        second(&all, outside),
        "nothing is between since and until; 40 lines are outside"
    );
    let stderr = Query {
        stream: Some(Stream::Stderr),
        ..all.clone()
    };
    let hidden = Found {
        hidden: 40,
        ..nothing
    };
    assert_eq!(
        second(&stderr, hidden),
        "nothing was printed on this stream; 40 lines are on stdout"
    );
}

#[test]
fn a_search_without_matches_says_what_was_looked_for() {
    let unmatched = Found {
        has_older: true,
        matched: 0,
        chosen: 0,
        shown_last: 0,
        text: String::new(),
        ..found()
    };
    let pattern = query(Some("x"), Extent::All);
    let level = Query {
        level: Some(Level::Error),
        ..query(None, Extent::All)
    };
    let both = Query {
        level: Some(Level::Error),
        ..pattern.clone()
    };
    let inverted = Query {
        matching: Matching::OtherLines,
        ..pattern.clone()
    };
    for (query, words) in [
        (
            pattern,
            "the pattern matches none of the 3,400 lines that are kept; it is case-sensitive unless \
             ignore_case is true; index -2 is the one before",
        ),
        (
            level,
            "none of the 3,400 lines that are kept names this level or a worse one; index -2 is the \
             one before",
        ),
        (
            both,
            "none of the 3,400 lines that are kept names this level or a worse one and is what the \
             pattern asks for; index -2 is the one before",
        ),
        (
            inverted,
            "the pattern matches every one of the 3,400 lines that are kept; index -2 is the one \
             before",
        ),
    ] {
        assert_eq!(line(&query, unmatched.clone(), 1), words);
    }
}

#[test]
fn a_process_that_is_not_built_or_never_ran_says_so() {
    let answer = |kind, finding| LogAnswer {
        processes: vec!["web".parse().unwrap()],
        kind,
        finding,
    };
    let all = query(None, Extent::All);
    let npm = answer(LogKind::Builds, Finding::NothingIsBuilt(ProcessType::Npm));
    assert_eq!(
        search(PROJECT, &all, MOST, &npm),
        "web in /home/u/ganbot: nothing is built for a process of type npm, so there is no build \
         log; search_logs has what it prints"
    );
    let at = "2026-11-23T10:00:00Z".parse().unwrap();
    let now = ProcessReport {
        connections_wait: false,
        status_text: None,
        name: "web".to_owned(),
        r#type: ProcessType::Rust,
        state: StateName::BackingOff,
        mode: Mode::Release,
        serving: false,
        health: None,
        behind: None,
        run: None,
        pid: None,
        uptime_seconds: None,
        restarts: 0,
        crashes: 0,
        crashes_in_a_row: 1,
        next_attempt_in_seconds: Some(2.0),
        connections: Connections::Own,
        last_exit: None,
        last_build: None::<LastBuild>,
        events: vec![EventReport {
            at,
            age_seconds: 3.0,
            kind: EventKind::BuildFailed,
            text: "direnv is not installed".to_owned(),
        }],
    };
    let never = answer(LogKind::Builds, Finding::NothingRecorded { now: vec![now] });
    assert_eq!(
        search(PROJECT, &all, MOST, &never),
        "web in /home/u/ganbot: has not come to a build yet, so there is no build log; it is \
         backing_off, next attempt in 2 s\n3 s ago: build_failed: direnv is not installed"
    );
    let missing = NoSuchLog::Index {
        index: 12,
        kept: 10,
        removed: None,
    };
    assert!(missing.to_string().contains("-10 to -1"));
}

#[test]
fn a_build_that_is_older_than_the_newest_attempt_says_so() {
    let told = |reason: &str| {
        let found = Found {
            logs: vec![build(9, Some("succeeded"))],
            ..found()
        };
        let unbuilt = EventReport {
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
            age_seconds: 81.2,
            kind: EventKind::BuildFailed,
            text: reason.to_owned(),
        };
        let finding = Finding::Log {
            found: Box::new(found),
            unbuilt: Some(unbuilt),
        };
        let answer = LogAnswer {
            processes: vec!["main".parse().unwrap()],
            kind: LogKind::Builds,
            finding,
        };
        search(PROJECT, &query(Some("x"), Extent::All), MOST, &answer)
    };
    assert_eq!(
        told("/p/.envrc is not allowed: run `direnv allow /p`"),
        "main build 9 (succeeded, dev) in /home/u/ganbot: 12 of 3,400 lines matched, showing the \
         last 12; 0 evicted\nthe newest attempt failed before cargo, 1 min 21 s ago: /p/.envrc is \
         not allowed: run `direnv allow /p`\ncursor 7:3400\n * one\n * two\n"
    );
    let long = told(&"ä".repeat(1_000));
    assert_eq!(long.lines().nth(3), Some(" * one"));
    assert!(long.lines().nth(1).unwrap().ends_with("ä…"));
    assert!(long.len() < ABOVE, "{}", long.len());
}

#[test]
fn no_answer_is_larger_than_its_limit_and_the_last_lines_stay() {
    let flood = Found {
        text: "   ä\n".repeat(MOST),
        ..found()
    };
    let text = told(&query(None, Extent::All), flood);
    assert!((MOST - 70..=MOST).contains(&text.len()), "{}", text.len());
    let cut = " rows cut here; a larger max_bytes shows them)\n   ä\n";
    assert!(text.contains(cut) && text.ends_with("   ä\n"));
    let long = Found {
        text: "ä".repeat(MOST),
        ..found()
    };
    assert!(told(&query(None, Extent::All), long).len() <= MOST);
    for most in [500, 501, 1_000, 40_000] {
        assert!(budget(PROJECT, ["main"].into_iter(), most) >= most / 2);
        assert!(budget(&"x".repeat(4_000), ["main"].into_iter(), most) >= most / 2);
    }
}

/// So many processes with long names, each with 200 lines, asked about together.
fn many(processes: usize, log: &str) -> Found {
    let name = |it: usize| format!("service-number-{it:02}");
    let logs = (0..processes).map(|it| searched(&name(it), Source::Run(RunId(7)), None));
    let places: Vec<_> = (0..processes)
        .map(|it| format!("{}=7:200", name(it)))
        .collect();
    Found {
        logs: logs.collect(),
        kept: processes as u64 * 200,
        matched: processes as u64 * 200,
        chosen: processes as u64 * 200,
        cursor: places.join(",").parse().unwrap(),
        text: log.to_owned(),
        ..found()
    }
}

fn told_within(query: &Query, found: Found, most: usize) -> String {
    let answer = LogAnswer {
        processes: found.logs.iter().map(|it| it.process.clone()).collect(),
        kind: LogKind::Runs,
        finding: Finding::Log {
            found: Box::new(found),
            unbuilt: None,
        },
    };
    search(PROJECT, query, most, &answer)
}

#[test]
fn the_cursor_of_many_processes_is_whole_and_their_first_line_is_short() {
    for (processes, most) in [(6, 500), (40, 2_000), (40, 16_000), (2, 500), (100, 40_000)] {
        let found = many(processes, "");
        let names = found.logs.iter().map(|it| it.process.as_str());
        let room = budget(PROJECT, names, most);
        assert!(room > 100, "{processes} in {most}: {room}");
        let found = many(processes, &"   x\n".repeat(room / 5));
        let cursor = format!("\ncursor {}\n", found.cursor);
        let text = told_within(&query(None, Extent::All), found, most);
        assert!(text.contains(&cursor), "{text}");
        assert!(text.len() <= most, "{}: {text}", text.len());
        assert!(!text.contains(" cut here"), "{text}");
        assert!(text.ends_with("   x\n"), "{text}");
    }
    let text = told_within(&query(None, Extent::All), many(40, "   x\n"), 1_500);
    assert_eq!(
        text.lines().next(),
        Some(
            "40 processes (service-number-00, service-number-01, service-number-02, …) in \
             /home/u/ganbot: 8,000 lines, showing the last 12; 0 evicted"
        )
    );
}

#[test]
fn where_only_the_cursor_has_room_the_lines_are_counted_above_it() {
    let found = Found {
        shown_last: 0,
        ..many(40, "")
    };
    let names = found.logs.iter().map(|it| it.process.as_str());
    assert_eq!(budget(PROJECT, names, 500), 0);
    let cursor = format!("cursor {}", found.cursor);
    let text = told_within(&query(None, Extent::All), found.clone(), 500);
    let lines: Vec<_> = text.lines().collect();
    let head = "40 processes: 8,000 lines, showing the last 0; 0 evicted";
    assert_eq!(lines, [head, &cursor]);
    let text = told_within(&query(None, Extent::All), found, 1_500);
    let note = "… 8,000 lines left out: a larger max_bytes shows more …";
    assert_eq!(text.lines().nth(1), Some(note));
    assert_eq!(text.lines().nth(2), Some(&*cursor));
}

#[test]
fn notes_of_many_processes_are_counted_where_they_would_take_the_room() {
    let ended = |it: usize| searched(&format!("p{it}"), Source::Run(RunId(7)), Some("stopped"));
    let next = |it: usize| searched(&format!("p{it}"), Source::Run(RunId(90)), None);
    let places: Vec<_> = (0..40).map(|it| format!("p{it}=7:3")).collect();
    let after = Query {
        after: Some(places.join(",").parse().unwrap()),
        ..query(None, Extent::All)
    };
    let found = Found {
        logs: (0..40).flat_map(|it| [ended(it), next(it)]).collect(),
        gone: 3,
        ..found()
    };
    let text = told_within(&after, found.clone(), MOST);
    let notes: Vec<_> = text.lines().skip(1).take(6).collect();
    assert_eq!(
        notes,
        [
            "run_changed: p0 run 7 (stopped) was followed by run 90 (running)",
            "run_changed: p1 run 7 (stopped) was followed by run 90 (running)",
            "run_changed: p2 run 7 (stopped) was followed by run 90 (running)",
            "run_changed: also of 37 more processes",
            "gap: 3 lines after the cursor are gone",
            "cursor 7:3400",
        ]
    );
    let lines = "   x\n".repeat(40);
    let text = told_within(
        &after,
        Found {
            text: lines,
            ..found
        },
        500,
    );
    assert!(text.len() <= 500, "{text}");
    assert!(
        text.contains(" more notes do not fit\ncursor 7:3400\n"),
        "{text}"
    );
    assert!(text.ends_with("   x\n"), "{text}");
}

#[test]
fn long_notes_leave_the_cursor_whole_and_what_is_cut_is_counted() {
    let found = Found {
        text: " * one\n".repeat(34),
        ..found()
    };
    let unbuilt = EventReport {
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        age_seconds: 81.2,
        kind: EventKind::BuildFailed,
        text: "ä".repeat(1_000),
    };
    let answer = LogAnswer {
        processes: vec!["main".parse().unwrap()],
        kind: LogKind::Builds,
        finding: Finding::Log {
            found: Box::new(found),
            unbuilt: Some(unbuilt),
        },
    };
    let text = search(PROJECT, &query(Some("x"), Extent::All), 500, &answer);
    assert!(text.len() <= 500, "{text}");
    assert!(text.contains("…\ncursor 7:3400\n"), "{text}");
    let shown = text.matches(" * one\n").count();
    assert!(
        shown == 34 || text.contains(&format!("({} rows cut here; ", 34 - shown)),
        "{text}"
    );
}

#[test]
fn a_hint_is_given_only_where_it_leads_somewhere() {
    let unmatched = Found {
        matched: 0,
        chosen: 0,
        shown_last: 0,
        text: String::new(),
        ..found()
    };
    let ignoring = Query {
        pattern: Some(Pattern::parse("(?i)x").unwrap()),
        ..query(None, Extent::All)
    };
    assert_eq!(
        line(&ignoring, unmatched.clone(), 1),
        "the pattern matches none of the 3,400 lines that are kept"
    );
    assert_eq!(
        line(&query(Some("x"), Extent::All), unmatched, 1),
        "the pattern matches none of the 3,400 lines that are kept; it is case-sensitive unless \
         ignore_case is true"
    );
}

#[test]
fn a_cursor_that_names_no_line_and_bounds_without_room_are_told() {
    let after = |after: &str, until: Option<&str>| Query {
        after: Some(after.parse().unwrap()),
        until: until.map(|it| Bound::Cursor(it.parse().unwrap())),
        ..query(None, Extent::All)
    };
    let beyond = |number, line, last| Beyond {
        process: "main".parse().unwrap(),
        cursor: Position { number, line },
        last,
    };
    let other = Found {
        beyond: vec![beyond(7, 284, 10)],
        ..found()
    };
    let words = "7:284 is beyond the end of run 7, which has 10 lines: it is of another run 7, or \
                 what it had was lost; all of it counts as new";
    assert_eq!(
        line(&after("7:284", None), other.clone(), 1),
        format!("cursor {words}")
    );
    assert_eq!(
        line(&after("main=7:284", None), other, 1),
        format!("cursor main={words}")
    );
    let nothing = Found {
        kept: 0,
        matched: 0,
        chosen: 0,
        shown_last: 0,
        text: String::new(),
        ..found()
    };
    let empty = Found {
        beyond: vec![beyond(7, 3, 0)],
        ..nothing.clone()
    };
    assert_eq!(
        line(&after("7:3", None), empty, 2),
        "it has printed nothing yet"
    );
    assert_eq!(
        line(&after("7:5", Some("7:5")), nothing.clone(), 1),
        "until 7:5 is not behind after_cursor 7:5: the bounds leave nothing between them"
    );
    assert_eq!(
        line(&after("7:5", Some("7:6")), nothing, 1),
        "nothing is between after_cursor 7:5 and until"
    );
}
