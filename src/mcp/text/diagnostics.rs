//! What the compiler found in one build, as text.

use std::fmt::Write;

use bpm_actors::{
    artifact::{Diagnosis, Diagnostic},
    ids::{BuildId, ProcessName},
    report::{BuildOutcome, ProcessReport},
};

use super::{
    measures::{count, span, thousands, word},
    search::notes::newer_attempt,
};
use crate::{
    mcp::tools::MOST_BYTES,
    service::{Diagnosed, DiagnosisAnswer, Finding},
};

/// How much of a message a line repeats, in bytes.
const MOST_MESSAGE: usize = 300;

/// What the words about what is left out need.
const BELOW: usize = 200;

/// The text of this answer, which has about `most` bytes at most.
pub(in crate::mcp) fn diagnostics(project: &str, answer: &DiagnosisAnswer, most: usize) -> String {
    let process = &answer.process;
    match &answer.known {
        Diagnosed::Build {
            build,
            diagnosis,
            unbuilt,
        } => {
            let mut text = format!("{process} {}", headline(project, *build, diagnosis));
            if let Some(event) = unbuilt {
                _ = write!(text, "\n{}", newer_attempt(event));
            }
            findings(&mut text, diagnosis, most);
            text
        }
        Diagnosed::UnderWay(build) => format!(
            "{process} build {build} in {project} is still under way; wait_for until build waits \
             for its end"
        ),
        Diagnosed::Unknown(build) => format!(
            "{process} build {build} in {project}: its errors and warnings are not remembered, \
             because it was cancelled or nothing could be kept of it; search_build_log without \
             diagnostics has its log, if that is kept"
        ),
        Diagnosed::NothingIsBuilt(kind) => format!(
            "{process} in {project}: nothing is built for a process of type {}, so there are no \
             errors or warnings of a compiler; search_logs has what it prints",
            word(kind)
        ),
        Diagnosed::NothingRecorded { now } => nothing(project, process, now),
    }
}

fn nothing(project: &str, process: &ProcessName, now: &ProcessReport) -> String {
    let state = word(now.state);
    let mut text = format!("{process} in {project}: it has not come to a build yet; it is {state}");
    if let Some(seconds) = now.next_attempt_in_seconds {
        _ = write!(text, ", next attempt in {}", span(seconds));
    }
    if let Some(event) = Finding::trouble(now) {
        let (age, what) = (span(event.age_seconds), &event.text);
        _ = write!(text, "\n{age} ago: {}: {what}", word(event.kind));
    }
    text
}

fn headline(project: &str, build: BuildId, diagnosis: &Diagnosis) -> String {
    let outcome = match diagnosis.outcome {
        BuildOutcome::Ok => "succeeded",
        BuildOutcome::Failed => "failed",
    };
    let errors = count(diagnosis.error_count as u64, "error", "errors");
    let warnings = count(diagnosis.warning_count as u64, "warning", "warnings");
    let new = match diagnosis.new_count {
        Some(new) => format!("{} new since the build before", thousands(new as u64)),
        None => "no build before it is remembered, so it is not known what is new".to_owned(),
    };
    format!(
        "build {build} ({outcome}, {}) in {project}: {errors}, {warnings}; {new}",
        diagnosis.mode
    )
}

/// Writes them, errors first. Where there is not room for all, up to half of it is for lines without
/// the compiler's text, so that as many as possible are named.
fn findings(text: &mut String, diagnosis: &Diagnosis, most: usize) {
    let room = most.saturating_sub(BELOW);
    let is_compared = diagnosis.new_count.is_some();
    let lines: Vec<_> = diagnosis
        .findings
        .iter()
        .map(|it| line(it, is_compared))
        .collect();
    let all: usize = lines.iter().map(|line| line.len() + 2).sum();
    let mut for_rest = room.saturating_sub(text.len() + all.min(room / 2));
    let (mut shown, mut brief) = (0_usize, 0_usize);
    for (finding, line) in diagnosis.findings.iter().zip(&lines) {
        let rest = rest(finding);
        let gap = if brief == 0 { "\n\n" } else { "\n" };
        let left = room.saturating_sub(text.len() + gap.len());
        // The first one says something even where there is no room for all of it.
        let end = line.floor_char_boundary(left);
        if end < line.len() && (shown > 0 || end == 0) {
            break;
        }
        _ = write!(text, "{gap}{}", &line[..end]);
        shown += 1;
        let is_room = text.len() + rest.len() < room && rest.len() < for_rest;
        if brief == 0 && is_room {
            if !rest.is_empty() {
                _ = write!(text, "\n{rest}");
                for_rest -= rest.len() + 1;
            }
        } else {
            brief += 1;
        }
    }
    let left_out = (diagnosis.error_count + diagnosis.warning_count).saturating_sub(shown);
    if brief == 0 && left_out == 0 {
        return;
    }
    text.push_str("\n\n");
    if brief > 0 {
        let brief = count(brief as u64, "is", "are");
        _ = write!(text, "{brief} shown without the compiler's text; ");
    }
    if left_out > 0 {
        let more = count(left_out as u64, "more is", "more are");
        _ = write!(text, "{more} not shown; ");
    }
    if most < MOST_BYTES {
        _ = write!(
            text,
            "a larger max_bytes (up to {MOST_BYTES}) shows more, and "
        );
    }
    text.push_str("search_build_log without diagnostics has all");
}

fn line(finding: &Diagnostic, is_compared: bool) -> String {
    let mut line = finding.level.clone();
    if let Some(code) = &finding.code {
        _ = write!(line, "[{code}]");
    }
    if let Some(file) = &finding.file {
        _ = write!(line, " {file}");
        for place in [finding.line, finding.column].into_iter().flatten() {
            _ = write!(line, ":{place}");
        }
    }
    line.push_str(match (is_compared, finding.new) {
        (false, _) => "",
        (true, true) => " (new)",
        (true, false) => " (already there)",
    });
    let message = &finding.message;
    let end = message.floor_char_boundary(MOST_MESSAGE);
    let cut = if end < message.len() { "…" } else { "" };
    _ = write!(line, ": {}{cut}", &message[..end]);
    line
}

/// What the compiler shows, without the message that the line above has.
fn rest(finding: &Diagnostic) -> &str {
    let rendered = finding.rendered.trim_end();
    if finding.message.len() > MOST_MESSAGE {
        return rendered;
    }
    let code = finding.code.as_ref().map(|code| format!("[{code}]"));
    let (level, code) = (&finding.level, code.unwrap_or_default());
    // A lint's code is not in its first line.
    [
        format!("{level}{code}: {}", finding.message),
        format!("{level}: {}", finding.message),
    ]
    .iter()
    .find_map(|first| rendered.strip_prefix(first.as_str()))
    .filter(|rest| rest.is_empty() || rest.starts_with('\n'))
    .map_or(rendered, |rest| rest.trim_start_matches('\n'))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bpm_actors::{
        report::{Connections, EventKind, EventReport, StateName},
        spec::{Mode, ProcessType},
    };

    use super::*;

    const PROJECT: &str = "/home/u/ganbot";

    fn finding(level: &str, code: &str, message: &str, new: bool) -> Diagnostic {
        Diagnostic {
            level: level.to_owned(),
            code: Some(code.to_owned()).filter(|code| !code.is_empty()),
            file: Some("src/main.rs".to_owned()),
            line: Some(3),
            column: Some(5),
            message: message.to_owned(),
            rendered: format!("{level}: {message}\n --> src/main.rs:3:5\n"),
            new,
        }
    }

    fn diagnosis(findings: Vec<Diagnostic>) -> Diagnosis {
        let errors = findings.iter().filter(|it| it.level == "error").count();
        Diagnosis {
            mode: Mode::Dev,
            outcome: BuildOutcome::Failed,
            error_count: errors,
            warning_count: findings.len() - errors,
            new_count: Some(findings.iter().filter(|it| it.new).count()),
            findings,
        }
    }

    fn told(known: Diagnosed, most: usize) -> String {
        let process = "main".parse().unwrap();
        diagnostics(PROJECT, &DiagnosisAnswer { process, known }, most)
    }

    fn of_build(diagnosis: Diagnosis, most: usize) -> String {
        let known = Diagnosed::Build {
            build: BuildId(9),
            diagnosis: Arc::new(diagnosis),
            unbuilt: None,
        };
        told(known, most)
    }

    fn failed_attempt() -> EventReport {
        EventReport {
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
            age_seconds: 3.0,
            kind: EventKind::BuildFailed,
            text: "the .envrc is not allowed".to_owned(),
        }
    }

    #[test]
    fn each_is_shown_with_its_place_whether_it_is_new_and_the_compilers_text() {
        let mut cargo = finding("error", "", "no such manifest", true);
        (cargo.file, cargo.line, cargo.column) = (None, None, None);
        cargo.rendered = String::new();
        let text = of_build(
            diagnosis(vec![
                Diagnostic {
                    rendered: "error[E0308]: mismatched types\n --> src/main.rs:3:5\n".to_owned(),
                    ..finding("error", "E0308", "mismatched types", true)
                },
                cargo,
                finding("warning", "unused_variables", "unused variable: `x`", false),
            ]),
            16_000,
        );
        assert_eq!(
            text,
            "main build 9 (failed, dev) in /home/u/ganbot: 2 errors, 1 warning; 2 new since the \
             build before\n\n\
             error[E0308] src/main.rs:3:5 (new): mismatched types\n --> src/main.rs:3:5\n\n\
             error (new): no such manifest\n\n\
             warning[unused_variables] src/main.rs:3:5 (already there): unused variable: `x`\n \
             --> src/main.rs:3:5"
        );
    }

    #[test]
    fn a_first_build_does_not_say_what_is_new() {
        let first = Diagnosis {
            new_count: None,
            outcome: BuildOutcome::Ok,
            mode: Mode::Release,
            ..diagnosis(vec![finding("warning", "", "unused", false)])
        };
        assert_eq!(
            of_build(first, 16_000),
            "main build 9 (succeeded, release) in /home/u/ganbot: 0 errors, 1 warning; no build \
             before it is remembered, so it is not known what is new\n\n\
             warning src/main.rs:3:5: unused\n --> src/main.rs:3:5"
        );
    }

    #[test]
    fn what_does_not_fit_is_shortened_first_and_counted_then() {
        let long = |n: usize| Diagnostic {
            rendered: "x".repeat(300),
            ..finding("warning", "", &format!("number {n}"), false)
        };
        let many = || diagnosis((0..100).map(long).collect());
        for most in [500, 1_000, 2_000, 5_000, 16_000] {
            let text = of_build(many(), most);
            assert!(text.len() <= most, "{most}: {}", text.len());
            assert!(text.starts_with("main build 9 (failed, dev)"), "{text}");
        }
        let text = of_build(many(), 2_000);
        assert!(text.contains("number 0\nxxx"), "{text}");
        let end = " more are not shown; a larger max_bytes (up to 40000) shows more, and \
                   search_build_log without diagnostics has all";
        assert!(text.ends_with(end), "{text}");
        assert!(text.contains(" are shown without the compiler's text; "));
        assert!(text.matches("\nwarning ").count() > 15, "{text}");
        let text = of_build(many(), 40_000);
        assert!(!text.contains("shown"), "{text}");
        let text = of_build(
            diagnosis(vec![finding("error", "", &"ä".repeat(9_000), true)]),
            500,
        );
        assert!(text.len() <= 500 && text.contains("(new): ää"), "{text}");
        // More were counted than could be remembered.
        let text = of_build(
            Diagnosis {
                warning_count: 3,
                ..diagnosis(vec![long(1)])
            },
            16_000,
        );
        assert!(text.contains("\n\n2 more are not shown; "), "{text}");
    }

    #[test]
    fn where_there_is_nothing_it_is_said_why() {
        let waits = ProcessReport {
            name: "main".to_owned(),
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
            connections_wait: false,
            status_text: None,
            last_exit: None,
            last_build: None,
            events: vec![failed_attempt()],
        };
        for (known, expected) in [
            (
                Diagnosed::UnderWay(BuildId(9)),
                "build 9 in /home/u/ganbot is still under way; wait_for",
            ),
            (
                Diagnosed::Unknown(BuildId(3)),
                "build 3 in /home/u/ganbot: its errors and warnings are not remembered",
            ),
            (
                Diagnosed::NothingIsBuilt(ProcessType::Npm),
                "nothing is built for a process of type npm",
            ),
            (
                Diagnosed::NothingRecorded {
                    now: Box::new(waits),
                },
                "it has not come to a build yet; it is backing_off, next attempt in 2 s\n3 s ago: \
                 build_failed: the .envrc is not allowed",
            ),
        ] {
            let text = told(known, 16_000);
            assert!(text.contains(expected), "{text}");
        }
        let none = of_build(diagnosis(Vec::new()), 16_000);
        assert!(none.ends_with("0 errors, 0 warnings; 0 new since the build before"));
    }

    #[test]
    fn a_newer_attempt_that_did_not_come_to_cargo_is_said() {
        let known = Diagnosed::Build {
            build: BuildId(9),
            diagnosis: Arc::new(diagnosis(Vec::new())),
            unbuilt: Some(failed_attempt()),
        };
        let text = told(known, 16_000);
        assert!(text.ends_with(
            "the newest attempt failed before cargo, 3 s ago: the .envrc is not allowed"
        ));
    }
}
