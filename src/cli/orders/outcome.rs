//! What came of an order, as people read it.

use std::fmt::Write;

use bpm_actors::{
    artifact::Diagnostic,
    report::{Outcome, RestartReport},
};

use crate::cli::{
    console::Face,
    duration::short,
    harmless,
    paint::{Colours, Paint},
    words::{count, word},
};

/// The lines of an outcome: what came of it, why, what the compiler says, what to do next.
pub(super) fn lines(report: &RestartReport, face: Face) -> Vec<String> {
    let colours = face.colours;
    let paint = match (report.ok, report.outcome) {
        (true, _) => Paint::Good,
        (false, Outcome::Building | Outcome::Stopping) => Paint::Busy,
        (false, _) => Paint::Bad,
    };
    let outcome = word(report.outcome).replace('_', " ");
    let outcome = colours.paint(paint, &outcome);
    let mut lines = vec![format!("{}: {outcome}{}", report.process, details(report))];
    let mut say = |text: &str| lines.push(harmless::line(text, Colours::Off));
    if let Some(reason) = &report.reason {
        say(reason);
    }
    if let Some(exit) = &report.exit {
        say(&format!("run {} ended: {}", exit.run, exit.text));
    }
    for error in &report.errors {
        lines.push(String::new());
        lines.extend(diagnostic(error, colours));
    }
    if report.omitted_count > 0 {
        let more = count(report.omitted_count as u64, "more is", "more are");
        lines.push(String::new());
        lines.push(format!("{more} in: bpm logs {} --build", report.process));
    }
    quote(
        &mut lines,
        "it printed, and did not before:",
        &report.error_lines,
    );
    quote(&mut lines, "it printed last:", &report.last_lines);
    if let Some(next) = &report.next {
        let next = harmless::line(&next_step(next, &report.process), Colours::Off);
        lines.push(format!("{} {next}", colours.paint(Paint::Bold, "next:")));
    }
    lines
}

/// The next step, which is written for agents, in the words of this program.
fn next_step(text: &str, process: &str) -> String {
    // The longer ones first.
    let words = [
        (
            "see reason, last_lines and search_logs",
            "see above and `bpm logs NAME`",
        ),
        (
            "see last_lines and search_logs",
            "see above and `bpm logs NAME`",
        ),
        (
            "search_build_log with diagnostics: true has the others",
            "`bpm logs NAME --build` has the others",
        ),
        (
            "call get_status for what came of it",
            "`bpm status` says what came of it",
        ),
        (
            "or wait_for until it is ready",
            "`bpm wait NAME --for ready` waits until it is ready",
        ),
        (
            "and search_build_log for what cargo says",
            "`bpm logs NAME --build` shows what cargo says",
        ),
        ("search_build_log", "`bpm logs NAME --build`"),
        ("search_logs", "`bpm logs NAME`"),
        ("get_status", "`bpm status`"),
        ("wait_for", "`bpm wait NAME`"),
        (
            "until start or restart is called",
            "until `bpm start NAME` or `bpm restart NAME`",
        ),
        (
            "start or restart runs it again",
            "`bpm start NAME` runs it again",
        ),
    ];
    let words = words.iter();
    words.fold(text.to_owned(), |text, (theirs, ours)| {
        text.replace(theirs, &ours.replace("NAME", process))
    })
}

fn details(report: &RestartReport) -> String {
    let mut text = String::new();
    if let (Some(build), Some(seconds)) = (report.build, report.build_seconds) {
        _ = write!(text, ", build {build} took {}", short(seconds));
        for (number, one, many) in [
            (report.error_count, "error", "errors"),
            (report.warning_count, "warning", "warnings"),
        ] {
            if number > 0 {
                _ = write!(text, ", {}", count(number as u64, one, many));
            }
        }
    }
    if let (Some(run), Some(pid)) = (report.run, report.pid) {
        _ = write!(text, "; run {run} serves (pid {pid}, {})", report.mode);
    }
    if let Some(pause) = report.pause_ms {
        _ = write!(text, ", pause {} ms", tenth(pause));
    }
    if let Some(ready) = report.ready_after_ms {
        _ = write!(text, ", ready after {} ms", tenth(ready));
    }
    text
}

fn tenth(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// What the compiler shows, its first line in colour.
fn diagnostic(found: &Diagnostic, colours: Colours) -> Vec<String> {
    let paint = if found.level == "error" {
        Paint::Bad
    } else {
        Paint::Warning
    };
    let mut text = found.rendered.trim_end().to_owned();
    if text.is_empty() {
        text = format!("{}: {}", found.level, found.message);
    }
    let painted = text.lines().enumerate().map(|(number, line)| {
        let line = harmless::line(line, Colours::Off);
        colours.paint(if number == 0 { paint } else { Paint::Plain }, &line)
    });
    painted.collect()
}

fn quote(lines: &mut Vec<String>, head: &str, quoted: &[String]) {
    if !quoted.is_empty() {
        lines.push(head.to_owned());
        let quoted = quoted.iter().map(|line| harmless::line(line, Colours::Off));
        lines.extend(quoted.map(|line| format!("    {line}")));
    }
}

#[cfg(test)]
mod tests {
    use bpm_actors::{
        ids::{BuildId, RunId},
        report::{Behind, LastExit},
    };

    use super::*;
    use crate::cli::samples;

    fn plain(report: &RestartReport) -> String {
        lines(report, Face::PLAIN).join("\n")
    }

    #[test]
    fn a_restart_that_worked_is_one_line() {
        assert_eq!(
            plain(&samples::outcome()),
            "main: restarted, build 9 took 2.3 s, 2 warnings; run 7 serves (pid 4711, dev), pause 3.1 ms, \
             ready after 12 ms"
        );
    }

    #[test]
    fn a_failed_build_shows_what_the_compiler_said() {
        let report = RestartReport {
            ok: false,
            outcome: Outcome::BuildFailed,
            error_count: 12,
            errors: vec![samples::diagnostic("error"), samples::diagnostic("warning")],
            omitted_count: 11,
            pause_ms: None,
            ready_after_ms: None,
            behind: Some(Behind::BuildFailed),
            next: Some("run 6 keeps serving; fix the error and restart again".to_owned()),
            build: Some(BuildId(9)),
            ..samples::outcome()
        };
        insta::assert_snapshot!(plain(&report), @r#"
            main: build failed, build 9 took 2.3 s, 12 errors, 2 warnings; run 7 serves (pid 4711, dev)

            error[E0308]: mismatched types
             --> src/main.rs:3:5

            warning[E0308]: mismatched types
             --> src/main.rs:3:5

            11 more are in: bpm logs main --build
            next: run 6 keeps serving; fix the error and restart again
            "#);
        let face = Face {
            colours: Colours::On,
            width: Some(80),
        };
        let coloured = lines(&report, face).join("\n");
        assert!(coloured.starts_with("main: \x1b[1;31mbuild failed\x1b[0m, build 9"));
        assert!(coloured.contains("\n\x1b[33mwarning[E0308]: mismatched types\x1b[0m\n"));
    }

    #[test]
    fn the_next_step_is_said_in_commands_of_this_program() {
        for (theirs, ours) in [
            (
                "the restart goes on; call get_status for what came of it, or wait_for until it is \
                 ready, and search_build_log for what cargo says meanwhile",
                "the restart goes on; `bpm status` says what came of it, `bpm wait web --for ready` \
                 waits until it is ready, `bpm logs web --build` shows what cargo says meanwhile",
            ),
            (
                "see reason, last_lines and search_logs, mend the cause",
                "see above and `bpm logs web`, mend the cause",
            ),
            (
                "10 of 12 errors are shown, search_build_log with diagnostics: true has the others",
                "10 of 12 errors are shown, `bpm logs web --build` has the others",
            ),
            (
                "its entry was removed from .mcp-run; get_status shows the processes",
                "its entry was removed from .mcp-run; `bpm status` shows the processes",
            ),
            (
                "fix the error and restart again",
                "fix the error and restart again",
            ),
        ] {
            assert_eq!(next_step(theirs, "web"), ours);
        }
    }

    #[test]
    fn a_roll_back_says_why_and_what_was_printed() {
        let report = RestartReport {
            ok: false,
            outcome: Outcome::RolledBack,
            reason: Some("it ended before it was ready".to_owned()),
            exit: Some(LastExit {
                run: RunId(8),
                code: Some(101),
                signal: None,
                text: "exit code 101".to_owned(),
                at: "2026-11-23T10:00:00Z".parse().unwrap(),
            }),
            last_lines: vec!["thread 'main' \x1b[2Jpanicked".to_owned()],
            ..samples::outcome()
        };
        insta::assert_snapshot!(plain(&report), @r#"
            main: rolled back, build 9 took 2.3 s, 2 warnings; run 7 serves (pid 4711, dev), pause 3.1 ms, ready after 12 ms
            it ended before it was ready
            run 8 ended: exit code 101
            it printed last:
                thread 'main' panicked
            "#);
    }
}
