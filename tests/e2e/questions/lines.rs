//! Which lines: by level, without regard to case, all others, and of several processes.

use serde_json::json;

use super::{cursor, echoes, lines, printed, refused, says, search};
use crate::support::Project;

const TEXT: &str = "\
2026-11-23T10:00:01.123456Z  INFO web: it begins
2026-11-23T10:00:02.123456Z ERROR web: boom
{\"level\":40,\"time\":1700000000000,\"msg\":\"careful\"}
2026-11-23 10:00:03 [main] WARN com.example.App - low on disk
just some words about an error
level=debug msg=\"in detail\"
thread 'main' panicked at src/main.rs:3:5:
Connection Refused
the end
";

#[test]
fn a_level_finds_lines_that_are_at_least_as_bad_in_all_usual_forms() {
    let (_project, daemon) = printed("level", TEXT);
    let all: Vec<&str> = TEXT.lines().collect();
    let picked = |numbers: &[usize]| -> Vec<&str> { numbers.iter().map(|n| all[*n]).collect() };
    for (level, numbers) in [
        ("error", &[1, 6][..]),
        ("warn", &[1, 2, 3, 6]),
        ("info", &[0, 1, 2, 3, 6]),
        ("debug", &[0, 1, 2, 3, 5, 6]),
    ] {
        let text = search(&daemon, &json!({"level": level}));
        assert_eq!(lines(&text), picked(numbers), "{level}: {text}");
        let count = format!("{} of 9 lines", numbers.len());
        assert!(text.lines().next().unwrap().contains(&count), "{text}");
    }
    let both = search(&daemon, &json!({"level": "warn", "pattern": "main"}));
    assert_eq!(lines(&both), picked(&[3, 6]), "{both}");
    let context = search(
        &daemon,
        &json!({"level": "error", "context_lines": 1, "head": 1}),
    );
    assert_eq!(lines(&context), all[0..3], "{context}");
    assert!(context.contains(&format!(" * {}", all[1])), "{context}");
    let wrong = refused(&daemon, &json!({"level": "loud"}));
    assert!(wrong.contains("error") && wrong.contains("warn"), "{wrong}");
}

#[test]
fn ignore_case_and_invert_can_be_combined_with_everything() {
    let (_project, daemon) = printed("invert", TEXT);
    let all: Vec<&str> = TEXT.lines().collect();
    let any = search(&daemon, &json!({"pattern": "error", "ignore_case": true}));
    assert_eq!(lines(&any), [all[1], all[4]], "{any}");
    let exact = search(&daemon, &json!({"pattern": "error", "ignore_case": false}));
    assert_eq!(lines(&exact), [all[4]], "{exact}");
    let others = json!({"pattern": "e", "ignore_case": true, "invert": true});
    let others = search(&daemon, &others);
    assert_eq!(lines(&others), [all[3]; 0], "each has an e: {others}");
    let others = search(&daemon, &json!({"pattern": "[0-9]", "invert": true}));
    assert_eq!(lines(&others), [all[4], all[5], all[7], all[8]], "{others}");
    assert!(others.contains("4 of 9 lines"), "{others}");
    let few = search(
        &daemon,
        &json!({"pattern": "web|low", "invert": true, "level": "warn"}),
    );
    assert_eq!(lines(&few), [all[2], all[6]], "{few}");
    let tail = json!({"pattern": "[0-9]", "invert": true, "tail": 1, "context_lines": 1});
    let tail = search(&daemon, &tail);
    assert_eq!(lines(&tail), all[7..], "{tail}");
    for arguments in [
        json!({"invert": "yes"}),
        json!({"ignore_case": 1}),
        json!({"detail": "very"}),
    ] {
        refused(&daemon, &arguments);
    }
}

#[test]
fn detail_gives_every_line_its_cursor_and_time() {
    let (_project, daemon) = printed("detail", "first\nsecond\n");
    let text = search(&daemon, &json!({"detail": true}));
    let detailed = regex::Regex::new(r"^1:(\d) \d\d:\d\d:\d\d\.\d{3} (\w+)$").unwrap();
    let lines: Vec<(String, String)> = lines(&text)
        .into_iter()
        .map(|line| {
            let parts = detailed.captures(line);
            let parts = parts.unwrap_or_else(|| panic!("{line:?}"));
            (parts[1].to_owned(), parts[2].to_owned())
        })
        .collect();
    let expected = [("1", "first"), ("2", "second")];
    let expected = expected.map(|(number, word)| (number.to_owned(), word.to_owned()));
    assert_eq!(lines, expected);
}

#[test]
fn the_lines_of_several_processes_are_merged_by_time() {
    let project = Project::new("merged");
    project.config(&[echoes("left"), echoes("right"), echoes("other")].concat());
    let daemon = project.start();
    for (name, words) in [
        ("left", "l1 l2"),
        ("right", "r1"),
        ("other", "o1"),
        ("left", "l3"),
        ("right", "r2 r3"),
    ] {
        says(&project, &daemon, name, words);
    }
    let two = search(&daemon, &json!({"process": ["left", "right"]}));
    assert_eq!(
        lines(&two),
        [
            "left| l1",
            "left| l2",
            "right| r1",
            "left| l3",
            "right| r2",
            "right| r3"
        ],
        "{two}"
    );
    let first = two.lines().next().unwrap();
    assert!(first.contains("left") && first.contains("right"), "{two}");
    let all = search(&daemon, &json!({}));
    assert_eq!(lines(&all).len(), 7, "{all}");
    assert_eq!(lines(&all)[3], "other| o1");
    let matched = json!({"process": ["left", "right"], "pattern": "[23]$", "tail": 3});
    let matched = search(&daemon, &matched);
    assert_eq!(lines(&matched), ["left| l3", "right| r2", "right| r3"]);
    // Context is what the same process said around it.
    let context = json!({"process": ["left", "right"], "pattern": "^l3", "context_lines": 1});
    let context = search(&daemon, &context);
    assert_eq!(lines(&context), ["left| l2", "left| l3"], "{context}");

    let at = cursor(&two);
    assert!(at.contains("left=") && at.contains("right="), "{at}");
    for (name, words) in [("right", "r4"), ("other", "o2"), ("left", "l4")] {
        says(&project, &daemon, name, words);
    }
    let new = search(
        &daemon,
        &json!({"process": ["left", "right"], "after_cursor": at}),
    );
    assert_eq!(lines(&new), ["right| r4", "left| l4"], "{new}");
    let unknown = refused(&daemon, &json!({"process": ["left", "rihgt"]}));
    assert!(unknown.contains("right"), "{unknown}");
}
