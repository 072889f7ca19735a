use bpm_actors::{
    ids::{BuildId, RunId},
    pattern::Pattern,
    report::{Connections, EventKind, EventReport, LastBuild, ProcessReport, StateName},
    search::NoSuchLog,
    spec::{Mode, ProcessType},
};

use super::*;

const PROJECT: &str = "/home/u/ganbot";

fn query(pattern: Option<&str>, extent: Extent) -> Query {
    Query {
        pattern: pattern.map(|it| Pattern::parse(it).unwrap()),
        context: 0,
        extent,
        stream: None,
        budget: budget(PROJECT, Extent::Fitting),
    }
}

fn found() -> Found {
    Found {
        source: Source::Run(RunId(7)),
        mode: Mode::Dev,
        began: std::time::SystemTime::UNIX_EPOCH,
        ending: None,
        kept: 3_400,
        matched: 12,
        shown: 12,
        evicted: 0,
        shortened: 0,
        text: " * one\n * two\n".to_owned(),
    }
}

fn told(query: &Query, found: Found, hidden: u64) -> String {
    let kind = match found.source {
        Source::Run(_) => LogKind::Runs,
        Source::Build(_) => LogKind::Builds,
    };
    let finding = Finding::Log {
        found,
        hidden,
        unbuilt: None,
    };
    let answer = LogAnswer {
        process: "main".parse().unwrap(),
        kind,
        finding,
    };
    search(PROJECT, query, &answer)
}

fn first_line(query: &Query, found: Found) -> String {
    told(query, found, 0).lines().next().unwrap().to_owned()
}

#[test]
fn the_first_line_says_run_state_and_how_much_there_is() {
    assert_eq!(
        told(&query(Some("x"), Extent::Fitting), found(), 0),
        "main run 7 (running, dev) in /home/u/ganbot: 12 of 3,400 lines matched, showing the last \
         12; 0 evicted\n * one\n * two\n"
    );
    let ended = Found {
        ending: Some("crashed: exit code 3".to_owned()),
        evicted: 1_000,
        shown: 3,
        ..found()
    };
    assert_eq!(
        first_line(&query(Some("x"), Extent::Head(3)), ended),
        "main run 7 (crashed: exit code 3, dev) in /home/u/ganbot: 12 of 3,400 lines matched, \
         showing the first 3; 1,000 evicted"
    );
    let build = Found {
        source: Source::Build(BuildId(9)),
        ending: Some("failed".to_owned()),
        shown: 812,
        matched: 3_400,
        ..found()
    };
    assert_eq!(
        first_line(&query(None, Extent::Fitting), build),
        "main build 9 (failed, dev) in /home/u/ganbot: 3,400 lines, showing the last 812; 0 evicted"
    );
    let under_way = Found {
        source: Source::Build(BuildId(9)),
        mode: Mode::Release,
        ..found()
    };
    let stderr = Query {
        stream: Some(Stream::Stderr),
        ..query(Some("x"), Extent::Tail(12))
    };
    assert_eq!(
        first_line(&stderr, under_way),
        "main build 9 (building, release) in /home/u/ganbot: 12 of 3,400 lines of stderr matched, \
         showing the last 12; 0 evicted"
    );
}

#[test]
fn what_did_not_fit_is_said_with_the_way_to_get_it() {
    let part = Found {
        matched: 812,
        shown: 100,
        ..found()
    };
    let text = told(&query(Some("x"), Extent::Fitting), part.clone(), 0);
    assert_eq!(
        text.lines().nth(1),
        Some(
            "712 more matches do not fit into one answer: a narrower pattern or stream finds \
             them, head shows the first ones"
        )
    );
    let text = told(&query(Some("x"), Extent::Tail(100)), part.clone(), 0);
    assert_eq!(
        text.lines().nth(1),
        Some(" * one"),
        "it was asked for so many"
    );
    let context = Query {
        context: 3,
        ..query(Some("x"), Extent::Head(300))
    };
    let text = told(&context, part, 0);
    assert_eq!(
        text.lines().nth(1),
        Some(
            "200 more matches do not fit into one answer: a narrower pattern or stream finds \
             them, tail shows the last ones, fewer context_lines leave more room"
        )
    );
    let long = Found {
        shortened: 1_234_567,
        ..found()
    };
    let text = told(&query(Some("x"), Extent::Fitting), long, 0);
    assert_eq!(
        text.lines().nth(1),
        Some("1,234,567 bytes were cut out of the middle of long lines")
    );
}

#[test]
fn an_empty_answer_says_why_it_is_empty() {
    let nothing = Found {
        kept: 0,
        matched: 0,
        shown: 0,
        text: String::new(),
        ..found()
    };
    let all = query(None, Extent::Fitting);
    let second = |query: &Query, found: Found, hidden| {
        let text = told(query, found, hidden);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        second(&all, nothing.clone(), 0),
        "it has printed nothing yet"
    );
    let ended = Found {
        ending: Some("stopped: exit code 0".to_owned()),
        ..nothing.clone()
    };
    assert_eq!(second(&all, ended, 0), "it printed nothing");
    let gone = Found {
        evicted: 5_000,
        ..nothing.clone()
    };
    assert_eq!(
        second(&all, gone, 0),
        "nothing is kept any more: 5,000 lines were given up for newer output"
    );
    let stderr = Query {
        stream: Some(Stream::Stderr),
        ..all.clone()
    };
    assert_eq!(
        second(&stderr, nothing, 40),
        "nothing was printed on this stream; 40 lines are on stdout"
    );
    let unmatched = Found {
        matched: 0,
        shown: 0,
        text: String::new(),
        ..found()
    };
    assert_eq!(
        second(&query(Some("x"), Extent::Fitting), unmatched, 0),
        "the pattern matches none of the 3,400 lines that are kept; it is case-sensitive unless \
         it begins with (?i); index -2 is the one before"
    );
}

#[test]
fn a_process_that_is_not_built_or_never_ran_says_so() {
    let answer = |kind, finding| LogAnswer {
        process: "web".parse().unwrap(),
        kind,
        finding,
    };
    let all = query(None, Extent::Fitting);
    let npm = answer(LogKind::Builds, Finding::NothingIsBuilt(ProcessType::Npm));
    assert_eq!(
        search(PROJECT, &all, &npm),
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
    let never = answer(
        LogKind::Builds,
        Finding::NothingRecorded { now: Box::new(now) },
    );
    assert_eq!(
        search(PROJECT, &all, &never),
        "web in /home/u/ganbot: has not come to a build yet, so there is no build log; it is \
         backing_off, next attempt in 2 s\n3 s ago: build_failed: direnv is not installed"
    );
    let missing = NoSuchLog::Index {
        index: 12,
        kept: 10,
    };
    assert!(missing.to_string().contains("-10 to -1"));
}

#[test]
fn a_build_that_is_older_than_the_newest_attempt_says_so() {
    let told = |reason: &str| {
        let found = Found {
            source: Source::Build(BuildId(9)),
            ending: Some("succeeded".to_owned()),
            ..found()
        };
        let unbuilt = EventReport {
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
            age_seconds: 81.2,
            kind: EventKind::BuildFailed,
            text: reason.to_owned(),
        };
        let finding = Finding::Log {
            found,
            hidden: 0,
            unbuilt: Some(unbuilt),
        };
        let answer = LogAnswer {
            process: "main".parse().unwrap(),
            kind: LogKind::Builds,
            finding,
        };
        search(PROJECT, &query(Some("x"), Extent::Fitting), &answer)
    };
    assert_eq!(
        told("/p/.envrc is not allowed: run `direnv allow /p`"),
        "main build 9 (succeeded, dev) in /home/u/ganbot: 12 of 3,400 lines matched, showing the \
         last 12; 0 evicted\nthe newest attempt failed before cargo, 1 min 21 s ago: /p/.envrc is \
         not allowed: run `direnv allow /p`\n * one\n * two\n"
    );
    let long = told(&"ä".repeat(1_000));
    assert_eq!(long.lines().nth(2), Some(" * one"));
    assert!(long.lines().nth(1).unwrap().ends_with("ä…"));
    assert!(long.len() < ABOVE, "{}", long.len());
}

#[test]
fn no_answer_is_larger_than_the_hard_cap() {
    let flood = Found {
        text: "ä".repeat(MOST_BYTES),
        ..found()
    };
    let text = told(&query(None, Extent::Fitting), flood, 0);
    assert!(text.len() <= MOST_BYTES);
    assert!(text.ends_with("(cut here)"));
}
