//! What the compiler says, and what is made of it.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::build::{
    complaint::plain,
    messages::{Message, parse},
};

/// What cargo 1.95 said about a member of a workspace in `/p` with two errors.
const TWO_ERRORS: &str = include_str!("samples/two-errors.jsonl");

/// What a first build says.
fn noted(lines: &str) -> (Diagnostics, String) {
    noted_after(None, lines)
}

fn noted_after(before: Option<&Arc<Known>>, lines: &str) -> (Diagnostics, String) {
    let mut diagnostics = Diagnostics::against(before.cloned());
    let mut shown = String::new();
    for line in lines.lines() {
        match parse(line.as_bytes()) {
            Message::Compiler(message) => shown.extend(diagnostics.note(message)),
            Message::Artifact(artifact) => diagnostics.note_artifact(&artifact),
            Message::Other => {}
            other => panic!("{other:?}"),
        }
    }
    (diagnostics, shown)
}

fn concluded(diagnostics: Diagnostics, dir: &Path) -> Findings {
    diagnostics.conclude(Some(Exit::Code(101)), &project(dir))
}

fn message(level: &str, message: &str, rendered: &str) -> String {
    let message = serde_json::json!({
        "reason": "compiler-message",
        "message": {
            "level": level, "message": message, "code": null, "spans": [], "rendered": rendered,
        },
    });
    format!("{message}\n")
}

fn project(dir: &Path) -> Project {
    Project {
        dir: dir.to_owned(),
        state_dir: "/s".into(),
    }
}

#[test]
fn errors_of_a_workspace_member_are_placed_within_the_project() {
    let dir = TempDir::new().unwrap();
    let source = dir.path().join("ws/a/src/main.rs");
    fs::create_dir_all(source.parent().unwrap()).unwrap();
    fs::write(&source, "").unwrap();
    let root = dir.path().join("ws").display().to_string();
    let (diagnostics, shown) = noted(&TWO_ERRORS.replace("/p/", &format!("{root}/")));
    assert_eq!((diagnostics.error_count, diagnostics.warning_count), (2, 0));
    assert!(shown.contains("\u{1b}[") && shown.contains("rustc --explain E0308"));

    let errors = concluded(diagnostics, dir.path()).shown;
    let places: Vec<_> = errors
        .iter()
        .map(|e| {
            (
                e.file.as_deref().unwrap(),
                e.line.unwrap(),
                e.column.unwrap(),
            )
        })
        .collect();
    let file = "ws/a/src/main.rs";
    assert_eq!(places, [(file, 2, 18), (file, 3, 21)]);
    assert!(
        errors[0]
            .rendered
            .starts_with("error[E0308]: mismatched types\n")
    );
    assert_eq!(
        summary(2, &errors[0]),
        "2 errors; the first: ws/a/src/main.rs:2:18 mismatched types [E0308]"
    );
}

#[test]
fn summaries_notes_and_repetitions_are_not_counted() {
    let lines = [
        message("warning", "unused", "w1"),
        message("warning", "unused", "w1"),
        message("warning", "unused", "w2"),
        message("error", "bad", "e"),
        message("error: internal compiler error", "oh", "ice"),
        message(
            "error",
            "aborting due to 2 previous errors; 1 warning emitted",
            "a",
        ),
        message("warning", "1 warning emitted", "b"),
        message("warning", "2 warnings emitted", "c"),
        message("failure-note", "For more information", "f"),
    ];
    let (diagnostics, shown) = noted(&lines.concat());
    assert_eq!((diagnostics.error_count, diagnostics.warning_count), (2, 2));
    assert_eq!(shown, "w1w2eicef");
}

#[test]
fn the_first_errors_are_kept_and_all_are_counted() {
    let lines: String = (0..14)
        .map(|n| message("error", &n.to_string(), &format!("{n}{}", "ä".repeat(5000))))
        .collect();
    let (diagnostics, _) = noted(&lines);
    let found = concluded(diagnostics, Path::new("/p"));
    assert_eq!(found.error_count, 14);
    let errors = found.shown;
    let messages: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
    assert_eq!(messages, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let rendered = &errors[0].rendered;
    assert!(rendered.len() <= BuildReport::MOST_RENDERED && rendered.ends_with('…'));
}

#[test]
fn all_findings_are_kept_once_errors_first_and_bounded() {
    let lines = [
        message("warning", "w1", "w1"),
        message("error", "e1", "e1"),
        message("warning", "w1", "w1"),
        message("error", "e2", "e2"),
    ];
    let (diagnostics, _) = noted(&lines.concat());
    let found = concluded(diagnostics, Path::new("/p"));
    let messages: Vec<_> = found.all.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(messages, ["e1", "e2", "w1"]);

    let small: String = (0..Kept::MOST + 9)
        .map(|n| message("warning", &n.to_string(), &n.to_string()))
        .collect();
    let large: String = (0..999)
        .map(|n| {
            message(
                "error",
                &n.to_string(),
                &format!("{n}{}", "x".repeat(5_000)),
            )
        })
        .collect();
    let (diagnostics, _) = noted(&(small + &large));
    let found = concluded(diagnostics, Path::new("/p"));
    let errors = found.all.iter().filter(|it| it.level == "error");
    assert!((50..80).contains(&errors.count()));
    assert_eq!(
        (found.error_count, found.warning_count),
        (999, Kept::MOST + 9)
    );
    let warnings = found.all.iter().filter(|it| it.level == "warning");
    assert_eq!(warnings.count(), Kept::MOST);
}

#[test]
fn new_warnings_behind_many_known_ones_are_still_shown() {
    let known: String = (0..Kept::MOST + 9)
        .map(|n| message("warning", &format!("w{n}!"), &format!("w{n}")))
        .collect();
    let (before, _) = noted(&known);
    let before = Arc::new(concluded(before, Path::new("/p")).known);
    let all = known + &message("warning", "late", "late");
    let (diagnostics, _) = noted_after(Some(&before), &all);
    let found = concluded(diagnostics, Path::new("/p"));
    assert_eq!(found.new_count, 1);
    let shown: Vec<_> = found.shown.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(shown, ["late"]);
}

/// One that points at `text` in a line of `src/main.rs`.
struct Pointed<'a> {
    level: &'a str,
    message: &'a str,
    line: usize,
    text: &'a str,
    rendered: &'a str,
    target: &'a str,
}

const WARNING: Pointed<'static> = Pointed {
    level: "warning",
    message: "unused variable: `x`",
    line: 3,
    text: "x",
    rendered: "w",
    target: "app",
};

const ERROR: Pointed<'static> = Pointed {
    level: "error",
    message: "mismatched types",
    ..WARNING
};

fn pointed(finding: &Pointed<'_>) -> String {
    let source = format!("    let {} = 1;", finding.text);
    let message = serde_json::json!({
        "reason": "compiler-message",
        "package_id": "path+file:///p#app@0.1.0",
        "manifest_path": "/p/Cargo.toml",
        "target": { "kind": ["bin"], "crate_types": ["bin"], "name": finding.target },
        "message": {
            "level": finding.level,
            "message": finding.message,
            "code": { "code": "c" },
            "rendered": finding.rendered,
            "spans": [{
                "file_name": "src/main.rs",
                "line_start": finding.line,
                "column_start": 9,
                "is_primary": true,
                "text": [{
                    "text": source,
                    "highlight_start": 9,
                    "highlight_end": 9 + finding.text.len(),
                }],
            }],
        },
    });
    format!("{message}\n")
}

fn made(target: &str) -> String {
    let artifact = serde_json::json!({
        "reason": "compiler-artifact",
        "package_id": "path+file:///p#app@0.1.0",
        "manifest_path": "/p/Cargo.toml",
        "target": { "kind": ["bin"], "crate_types": ["bin"], "name": target },
        "profile": { "test": false },
    });
    format!("{artifact}\n")
}

/// One build after the other: what each found.
#[derive(Default)]
struct Builds {
    known: Option<Arc<Known>>,
}

impl Builds {
    fn next(&mut self, exit: i32, lines: &[String]) -> (usize, usize, Vec<Diagnostic>) {
        let (diagnostics, _) = noted_after(self.known.as_ref(), &lines.concat());
        let found = diagnostics.conclude(Some(Exit::Code(exit)), &project(Path::new("/p")));
        self.known = Some(Arc::new(found.known));
        (found.new_count, found.fixed_count, found.shown)
    }

    fn counts(&mut self, exit: i32, lines: &[String]) -> (usize, usize) {
        let (new, fixed, _) = self.next(exit, lines);
        (new, fixed)
    }
}

#[test]
fn a_finding_of_two_targets_counts_once_however_it_is_worded() {
    let other = Pointed {
        rendered: "w = note: `#[warn(unused_variables)]` on by default",
        target: "other",
        ..WARNING
    };
    let lines = [pointed(&WARNING), pointed(&WARNING), pointed(&other)].concat();
    let (diagnostics, shown) = noted(&lines);
    assert_eq!(diagnostics.warning_count, 1);
    assert_eq!(shown, format!("w{}", other.rendered), "the log has both");

    for differs in [
        Pointed { line: 4, ..WARNING },
        Pointed {
            message: "never used",
            ..WARNING
        },
        Pointed {
            level: "error",
            ..WARNING
        },
    ] {
        let lines = [pointed(&WARNING), pointed(&differs)].concat();
        let (diagnostics, _) = noted(&lines);
        assert_eq!(diagnostics.warning_count + diagnostics.error_count, 2);
    }
}

#[test]
fn the_first_build_has_nothing_new() {
    let (new, fixed, shown) = Builds::default().next(101, &[pointed(&WARNING), pointed(&ERROR)]);
    assert_eq!((new, fixed), (0, 0));
    let shown: Vec<_> = shown.iter().map(|d| (d.level.as_str(), d.new)).collect();
    assert_eq!(shown, [("error", false)]);
}

#[test]
fn moved_lines_make_nothing_new_and_another_finding_is() {
    let mut builds = Builds::default();
    assert_eq!(builds.counts(0, &[pointed(&WARNING)]), (0, 0));
    let moved = Pointed {
        line: 40,
        ..WARNING
    };
    assert_eq!(builds.counts(0, &[pointed(&moved)]), (0, 0));

    let again = Pointed {
        line: 50,
        ..WARNING
    };
    let (new, fixed, shown) = builds.next(0, &[pointed(&moved), pointed(&again)]);
    assert_eq!((new, fixed), (1, 0), "the same once more");
    assert_eq!((shown[0].line, shown[0].new), (Some(50), true));
    assert_eq!(shown.len(), 1, "the old one is not shown");

    assert_eq!(builds.counts(0, &[]), (0, 2));
}

#[test]
fn equal_messages_are_told_apart_by_what_they_point_at() {
    let mut builds = Builds::default();
    let at = |line, text| {
        pointed(&Pointed {
            line,
            text,
            ..ERROR
        })
    };
    builds.counts(101, &[at(1, "a"), at(2, "b")]);
    let (new, fixed, shown) = builds.next(101, &[at(1, "b"), at(2, "c")]);
    assert_eq!((new, fixed), (1, 1));
    let news: Vec<_> = shown.iter().map(|d| d.new).collect();
    assert_eq!(news, [false, true]);
}

#[test]
fn what_a_failed_build_did_not_come_to_is_neither_fixed_nor_new_afterwards() {
    let of = |finding: Pointed<'static>, target| pointed(&Pointed { target, ..finding });
    let all = [
        of(WARNING, "app"),
        of(
            Pointed {
                line: 9,
                text: "y",
                ..WARNING
            },
            "late",
        ),
    ];
    let mut builds = Builds::default();
    let done = [made("app"), made("late")];
    assert_eq!(builds.counts(0, &[&all[..], &done].concat()), (0, 0));
    assert_eq!(builds.counts(101, &[of(ERROR, "app")]), (1, 0));
    assert_eq!(builds.counts(0, &[&all[..], &done].concat()), (0, 1));
    assert_eq!(
        builds.counts(101, &[made("app"), of(ERROR, "late")]),
        (1, 1)
    );
}

#[test]
fn new_warnings_stand_behind_the_errors_and_are_short() {
    let long = "ö".repeat(2000);
    let mut builds = Builds::default();
    builds.counts(0, &[]);
    let findings: Vec<_> = (0..8)
        .flat_map(|line| {
            [WARNING, ERROR].map(|finding| {
                pointed(&Pointed {
                    line,
                    rendered: &long,
                    ..finding
                })
            })
        })
        .collect();
    let (new, _, shown) = builds.next(101, &findings);
    assert_eq!(new, 16);
    let levels: Vec<_> = shown.iter().map(|d| d.level.as_str()).collect();
    assert_eq!(levels, [["error"; 8].as_slice(), &["warning"; 2]].concat());
    assert!(
        shown
            .iter()
            .all(|d| d.new && d.file.as_deref() == Some("src/main.rs"))
    );
    assert!(shown[7].rendered.len() > BuildReport::MOST_RENDERED_WARNING);
    assert!(shown[9].rendered.len() <= BuildReport::MOST_RENDERED_WARNING);
}

#[test]
fn what_cargo_itself_complains_about_is_compared_as_well() {
    let mut builds = Builds::default();
    builds.counts(0, &[pointed(&WARNING)]);
    for new in [1, 0] {
        let (mut diagnostics, _) = noted_after(builds.known.as_ref(), "");
        diagnostics.note_complaint(plain("no such manifest", ""));
        let found = concluded(diagnostics, Path::new("/p"));
        assert_eq!(
            (found.error_count, found.new_count, found.fixed_count),
            (1, new, 0)
        );
        assert_eq!(found.shown[0].new, new == 1);
        builds.known = Some(Arc::new(found.known));
    }
    assert_eq!(builds.counts(0, &[pointed(&WARNING), made("app")]), (0, 1));
}
