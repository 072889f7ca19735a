//! What fits: the budget, the cut in the middle, repeats, and frames of stacks.

use std::fmt::Write as _;

use regex::Regex;
use serde_json::json;

use super::{found, lines, printed, search};
use crate::support::{Daemon, Project};

const LINES: usize = 4_000;

/// Lines of which no two are alike.
fn different() -> String {
    let mut text = String::new();
    for n in 1..=LINES {
        let word: String = (0..5)
            .map(|at| char::from(b'a' + u8::try_from(((n * 7919) >> at) % 26).unwrap()))
            .collect();
        writeln!(text, "{word} is line {n}").unwrap();
    }
    text
}

#[test]
fn an_answer_has_the_bytes_that_were_asked_for_and_shows_both_ends() {
    let (_project, daemon) = printed("max-bytes", &different());
    for (arguments, least, most) in [
        (json!({}), 12_000, 16_000),
        (json!({"max_bytes": 500}), 100, 500),
        (json!({"max_bytes": 3_000}), 1_500, 3_000),
        (json!({"max_bytes": 40_000}), 30_000, 40_000),
        (json!({"head": 3_000}), 12_000, 16_000),
        (json!({"tail": 3_000}), 12_000, 16_000),
        (
            json!({"pattern": "is line", "max_bytes": 5_000}),
            3_000,
            5_000,
        ),
    ] {
        let text = search(&daemon, &arguments);
        let length = text.len();
        assert!(length >= least && length <= most, "{arguments}: {length}");
        let (first, last) = if arguments.get("head").is_some() {
            (1, 3_000)
        } else if arguments.get("tail").is_some() {
            (LINES - 2_999, LINES)
        } else {
            (1, LINES)
        };
        let lines = lines(&text);
        assert!(
            lines[0].ends_with(&format!(" is line {first}")),
            "{arguments}: {text}"
        );
        assert!(
            lines.last().unwrap().ends_with(&format!(" is line {last}")),
            "{arguments}: {text}"
        );
        assert!(text.contains("left out"), "{arguments}: {text}");
    }
    // Too much is less, or refused.
    let answer = daemon.text("search_logs", &json!({"max_bytes": 10_000_000}));
    assert!(answer.len() <= 40_000, "{}", answer.len());
    let few = search(&daemon, &json!({"tail": 100}));
    assert!(!few.contains("left out"), "what fits is whole: {few}");
    assert_eq!(lines(&few).len(), 100);
}

#[test]
fn what_was_cut_out_of_the_middle_is_fetched_with_the_cursors_that_the_answer_gives() {
    let (_project, daemon) = printed("middle", &different());
    let mut seen = Vec::new();
    let mut calls = 0;
    collect(&daemon, None, &mut seen, &mut calls);
    assert_eq!(seen, (1..=LINES).collect::<Vec<_>>(), "in order, each once");
    assert!(calls < 40, "{calls} calls");
}

/// Reads a range with as many calls as the answers ask for.
fn collect(daemon: &Daemon, range: Option<(&str, &str)>, seen: &mut Vec<usize>, calls: &mut usize) {
    *calls += 1;
    assert!(*calls < 200, "does not come to an end");
    let text = match range {
        None => search(daemon, &json!({})),
        Some((after, until)) => search(daemon, &json!({"after_cursor": after, "until": until})),
    };
    let cut = Regex::new(r#"^\W*([\d,]+) lines left out.*after_cursor "([^"]+)".*until "([^"]+)""#)
        .unwrap();
    for line in text.lines() {
        if let Some(cut) = cut.captures(line) {
            let count: usize = cut[1].replace(',', "").parse().unwrap();
            let before = seen.len();
            collect(daemon, Some((&cut[2], &cut[3])), seen, calls);
            assert_eq!(seen.len() - before, count, "{line}");
        } else if let Some((_, number)) = line.split_once(" is line ") {
            seen.push(number.parse().unwrap());
        }
    }
}

#[test]
fn equal_lines_collapse_and_those_that_are_alike_do_when_asked() {
    let mut text = "begin\n".to_owned();
    text.push_str(&"waiting for the database\n".repeat(412));
    for n in 0..50 {
        let id = n * 7919 + 1_000_003;
        writeln!(text, "GET /api/items/{id} 200 in {} ms", n * 13 % 90 + 2).unwrap();
    }
    text.push_str("end\n");
    let (_project, daemon) = printed("collapse", &text);

    let equal = search(&daemon, &json!({}));
    let rows = lines(&equal);
    assert_eq!(rows.len(), 1 + 1 + 50 + 1, "{equal}");
    assert!(
        rows[1].starts_with("waiting for the database") && rows[1].contains("×412"),
        "{equal}"
    );
    assert!(
        equal.lines().next().unwrap().contains("464 lines"),
        "they count all the same: {equal}"
    );
    let named = search(&daemon, &json!({"collapse": "equal"}));
    assert_eq!(lines(&named), rows);

    let similar = search(&daemon, &json!({"collapse": "similar"}));
    let rows = lines(&similar);
    assert_eq!(rows.len(), 4, "{similar}");
    assert!(
        rows[2].starts_with("GET /api/items/") && rows[2].contains("×50"),
        "{similar}"
    );
    let none = search(&daemon, &json!({"collapse": "none", "max_bytes": 40_000}));
    assert_eq!(lines(&none).len(), 464);
    let matches = search(&daemon, &json!({"pattern": "waiting"}));
    assert_eq!(lines(&matches).len(), 1, "{matches}");
    assert!(matches.contains("412 of 464 lines matched"), "{matches}");
    let wrong = super::refused(&daemon, &json!({"collapse": "all"}));
    assert!(wrong.contains("similar"), "{wrong}");
}

/// A program that dies of an exception, and everything that it printed.
fn died(name: &str, command: &str, file: &str, text: &str, last: &str) -> (Project, Daemon) {
    let project = Project::new(name);
    project.file(file, text).config(&format!(
        "release_crash_backoff_initial_seconds = 300\n\
         [process.main]\ntype = \"command\"\ncommand = [\"{command}\", \"{file}\"]\n"
    ));
    let daemon = project.start();
    daemon.until_state("main", "backing_off");
    found(&daemon, &json!({"collapse": "none"}), last);
    (project, daemon)
}

/// How many frames a row stands for.
fn folded(answer: &str) -> usize {
    let row = Regex::new(r"… (\d+) more (?:stack )?frames").unwrap();
    let row = row.captures(answer);
    row.unwrap_or_else(|| panic!("nothing is folded: {answer}"))[1]
        .parse()
        .unwrap()
}

#[test]
fn frames_of_node_fold_to_the_first_few() {
    let mut script = "Error.stackTraceLimit = 60;\n".to_owned();
    for n in 0..30 {
        writeln!(script, "function step{n}() {{ step{}(); }}", n + 1).unwrap();
    }
    script.push_str("function step30() { throw new TypeError('it went wrong'); }\nconsole.log('starts');\nstep0();\n");
    let (_project, daemon) = died(
        "node-frames",
        "node",
        "main.js",
        &script,
        "TypeError: it went wrong",
    );
    let text = search(&daemon, &json!({}));
    assert!(text.contains("TypeError: it went wrong"), "{text}");
    assert!(text.contains("at step30 "), "where it happened: {text}");
    assert!(!text.contains("at step10 "), "{text}");
    let all = search(&daemon, &json!({"collapse": "none"}));
    assert!(all.contains("at step10 "), "{all}");
    let frames = |text: &str| text.lines().filter(|it| it.contains(" at ")).count();
    assert_eq!(frames(&text) + folded(&text), frames(&all), "{text}\n{all}");
    // What was asked for is not folded away.
    let asked = search(&daemon, &json!({"pattern": "at step10 "}));
    assert!(
        lines(&asked).iter().any(|it| it.contains("at step10 ")),
        "{asked}"
    );
}

#[test]
fn frames_of_python_fold_and_the_innermost_stay() {
    let mut script = String::new();
    for n in 0..30 {
        writeln!(script, "def step{n}():\n    step{}()", n + 1).unwrap();
    }
    script.push_str("def step30():\n    raise ValueError('it went wrong')\nprint('starts', flush=True)\nstep0()\n");
    let (_project, daemon) = died(
        "python-frames",
        "python3",
        "main.py",
        &script,
        "ValueError: it went wrong",
    );
    let text = search(&daemon, &json!({}));
    for shown in [
        "Traceback (most recent call last)",
        "in step30",
        "ValueError: it went wrong",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(!text.contains("in step15"), "{text}");
    assert!(folded(&text) >= 20, "{text}");
    let all = search(&daemon, &json!({"collapse": "none"}));
    assert!(all.contains("in step15"), "{all}");
}
