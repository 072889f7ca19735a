//! What came of a restart, a start or a stop, in words.

use std::fmt::Write;

use bpm_actors::{
    artifact::Diagnostic,
    report::{Behind, Outcome, RestartReport},
};

use super::measures::{behind, count, exit, span, tenth, word};

/// The text of this report.
pub(in crate::mcp) fn restart(report: &RestartReport) -> String {
    let mut text = format!("{}: {}. ", report.process, headline(report));
    if let Some(reason) = &report.reason {
        _ = write!(text, "Reason: {}. ", reason.trim_end_matches('.'));
    }
    build(&mut text, report);
    serving(&mut text, report);
    if let Some(next) = &report.next {
        _ = write!(text, "\nnext: {next}");
    }
    for error in &report.errors {
        diagnostic(&mut text, error);
    }
    if report.omitted_count > 0 {
        let omitted = count(
            report.omitted_count as u64,
            "more error or warning is",
            "more errors and warnings are",
        );
        _ = write!(
            text,
            "\n\n{omitted} not shown; search_build_log with diagnostics: true"
        );
        if let Some(build) = report.build {
            _ = write!(text, ", build: {build}");
        }
        text.push_str(" has them");
    }
    lines(
        &mut text,
        "new lines that look like errors",
        &report.error_lines,
    );
    lines(&mut text, "what it printed last", &report.last_lines);
    text
}

fn headline(report: &RestartReport) -> String {
    let meaning = match report.outcome {
        Outcome::Restarted | Outcome::Swapped => match (report.behind, &report.next) {
            (Some(Behind::SourcesChanged), _) => {
                "the new child is live and ready, but sources were changed since its build began"
            }
            // Nothing is left to do after a restart, unless it changed nothing.
            (_, Some(_)) => "the new child is live and ready, but mind what is next",
            (_, None) => "the change is live",
        },
        Outcome::Started => "it runs and is ready",
        Outcome::Running => "it ran already and was left alone",
        Outcome::Building => "time ran out, it goes on",
        Outcome::Stopping => "time ran out, stopping goes on",
        Outcome::BuildFailed if report.build.is_none() => {
            "it cannot be built or started, the change is not live"
        }
        Outcome::BuildFailed => "the sources do not build, the change is not live",
        Outcome::RolledBack if report.run.is_some() => {
            "the new child did not prove itself, the last good version serves and the change is not \
             live"
        }
        Outcome::RolledBack => {
            "the new child did not prove itself, it goes back to the last good version and the \
             change is not live"
        }
        Outcome::Crashed => "the new child died, the change is not live",
        Outcome::NotReady => "the new child was not ready in time, the change is not live",
        Outcome::Superseded => "a later order took its place",
        Outcome::Stopped if report.ok => "it stays stopped until start or restart",
        Outcome::Stopped => "somebody stopped it meanwhile, the change is not live",
        Outcome::ShuttingDown => "the daemon is ending",
    };
    format!("{} (ok: {}), {meaning}", word(report.outcome), report.ok)
}

fn build(text: &mut String, report: &RestartReport) {
    if let Some(build) = report.build {
        _ = write!(text, "Build {build}");
        if let Some(seconds) = report.build_seconds {
            _ = write!(text, " took {}", span(seconds));
        }
        text.push_str(": ");
    }
    if report.build.is_some() || report.error_count + report.warning_count > 0 {
        let errors = count(report.error_count as u64, "error", "errors");
        let warnings = count(report.warning_count as u64, "warning", "warnings");
        _ = write!(text, "{errors}, {warnings}");
        if report.new_count + report.fixed_count > 0 {
            let (new, fixed) = (report.new_count, report.fixed_count);
            _ = write!(text, " ({new} new, {fixed} fixed since the build before)");
        }
        text.push_str(". ");
    }
}

fn serving(text: &mut String, report: &RestartReport) {
    if let Some(last) = &report.exit {
        _ = write!(text, "The child ended: {}. ", exit(last));
    }
    match (report.run, report.pid) {
        (Some(run), Some(pid)) => {
            _ = write!(text, "Run {run} serves (pid {pid}, {}). ", report.mode);
        }
        (Some(run), None) => {
            _ = write!(text, "Run {run} serves ({}). ", report.mode);
        }
        _ => _ = write!(text, "Nothing serves ({}). ", report.mode),
    }
    if let Some(pause) = report.pause_ms {
        _ = write!(
            text,
            "From the old one's stop signal to the new one's start: {} ms. ",
            tenth(pause)
        );
    }
    if let Some(ready) = report.ready_after_ms {
        _ = write!(text, "It was ready after {} ms. ", tenth(ready));
    }
    if let Some(refused) = report.connections_refused {
        _ = write!(text, "Connections refused: {refused}. ");
    }
    if let Some(why) = report.behind {
        _ = write!(text, "What serves is not the newest: {}. ", behind(why));
    }
    text.truncate(text.trim_end().len());
}

fn lines(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    _ = write!(text, "\n\n{title}:");
    for line in lines {
        _ = write!(text, "\n{line}");
    }
}

fn diagnostic(text: &mut String, error: &Diagnostic) {
    let code = error.code.as_ref().map(|code| format!("[{code}]"));
    _ = write!(text, "\n\n{}{}", error.level, code.unwrap_or_default());
    if let Some(file) = &error.file {
        _ = write!(text, " {file}");
        for place in [error.line, error.column].into_iter().flatten() {
            _ = write!(text, ":{place}");
        }
    }
    if error.new {
        text.push_str(" (new)");
    }
    _ = write!(text, ": {}", error.message);
    if !error.rendered.is_empty() {
        _ = write!(text, "\n{}", error.rendered.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use bpm_actors::{
        ids::{BuildId, RunId},
        report::{Behind, LastExit},
        spec::Mode,
    };

    use super::*;

    fn failed() -> RestartReport {
        RestartReport {
            process: "main".to_owned(),
            ok: false,
            outcome: Outcome::BuildFailed,
            reason: None,
            mode: Mode::Dev,
            run: Some(RunId(6)),
            pid: Some(4650),
            build: Some(BuildId(9)),
            build_seconds: Some(2.3),
            pause_ms: None,
            ready_after_ms: None,
            connections_refused: None,
            error_count: 1,
            warning_count: 0,
            new_count: 1,
            fixed_count: 2,
            omitted_count: 0,
            error_lines: Vec::new(),
            errors: vec![Diagnostic {
                level: "error".to_owned(),
                code: Some("E0308".to_owned()),
                file: Some("src/main.rs".to_owned()),
                line: Some(3),
                column: Some(5),
                message: "mismatched types".to_owned(),
                rendered: "error[E0308]: mismatched types\n --> src/main.rs:3:5\n".to_owned(),
                new: true,
            }],
            exit: None,
            last_lines: Vec::new(),
            behind: Some(Behind::BuildFailed),
            next: Some("run 6 keeps serving; fix the error and restart again".to_owned()),
        }
    }

    #[test]
    fn a_failed_build_says_what_is_wrong_and_what_serves() {
        assert_eq!(
            restart(&failed()),
            "main: build_failed (ok: false), the sources do not build, the change is not live. \
             Build 9 took 2.3 s: 1 error, 0 warnings (1 new, 2 fixed since the build before). Run 6 serves (pid 4650, dev). \
             What serves is not the newest: build_failed (the newest attempt to build or start it \
             failed).\n\
             next: run 6 keeps serving; fix the error and restart again\n\n\
             error[E0308] src/main.rs:3:5 (new): mismatched types\n\
             error[E0308]: mismatched types\n --> src/main.rs:3:5"
        );
    }

    #[test]
    fn a_crash_says_how_it_ended_and_what_it_printed_last() {
        let report = RestartReport {
            outcome: Outcome::Crashed,
            run: None,
            pid: None,
            errors: Vec::new(),
            error_count: 0,
            new_count: 0,
            fixed_count: 0,
            behind: None,
            exit: Some(LastExit {
                run: RunId(7),
                code: Some(3),
                signal: None,
                text: "exit code 3".to_owned(),
                at: "2026-11-23T10:00:00Z".parse().unwrap(),
            }),
            last_lines: vec!["starting".to_owned(), "no such table".to_owned()],
            next: Some("it is tried again in 120 s".to_owned()),
            ..failed()
        };
        assert_eq!(
            restart(&report),
            "main: crashed (ok: false), the new child died, the change is not live. \
             Build 9 took 2.3 s: 0 errors, 0 warnings. \
             The child ended: run 7, exit code 3, at 2026-11-23T10:00:00Z. Nothing serves (dev).\n\
             next: it is tried again in 120 s\n\n\
             what it printed last:\nstarting\nno such table"
        );
    }

    #[test]
    fn a_roll_back_says_why_and_what_serves() {
        let report = RestartReport {
            outcome: Outcome::RolledBack,
            reason: Some("http://127.0.0.1:8080/health answered 503 for 30 s".to_owned()),
            run: Some(RunId(7)),
            pid: Some(4711),
            errors: Vec::new(),
            error_count: 0,
            warning_count: 12,
            new_count: 0,
            fixed_count: 0,
            omitted_count: 12,
            pause_ms: Some(0.0),
            connections_refused: Some(0),
            exit: Some(LastExit {
                run: RunId(8),
                code: None,
                signal: Some(15),
                text: "signal 15 (SIGTERM)".to_owned(),
                at: "2026-11-23T10:00:00Z".parse().unwrap(),
            }),
            error_lines: vec!["ERROR no such table".to_owned()],
            last_lines: vec!["starting".to_owned()],
            behind: Some(Behind::RolledBack),
            next: Some("a rollback never touches data; mend the cause and restart".to_owned()),
            ..failed()
        };
        assert_eq!(
            restart(&report),
            "main: rolled_back (ok: false), the new child did not prove itself, the last good \
             version serves and the change is not live. \
             Reason: http://127.0.0.1:8080/health answered 503 for 30 s. \
             Build 9 took 2.3 s: 0 errors, 12 warnings. \
             The child ended: run 8, signal 15 (SIGTERM), at 2026-11-23T10:00:00Z. \
             Run 7 serves (pid 4711, dev). From the old one's stop signal to the new one's start: \
             0 ms. Connections refused: 0. What serves is not the newest: rolled_back (the newest \
             build did not prove itself).\n\
             next: a rollback never touches data; mend the cause and restart\n\n\
             12 more errors and warnings are not shown; search_build_log with diagnostics: true, \
             build: 9 has them\n\n\
             new lines that look like errors:\nERROR no such table\n\n\
             what it printed last:\nstarting"
        );
    }

    #[test]
    fn every_outcome_says_what_it_means() {
        for (outcome, ok, meaning) in [
            (Outcome::Swapped, true, "the change is live"),
            (Outcome::Started, true, "it runs and is ready"),
            (Outcome::Running, true, "was left alone"),
            (Outcome::Building, false, "it goes on"),
            (Outcome::Stopping, false, "stopping goes on"),
            (Outcome::NotReady, false, "not ready in time"),
            (Outcome::Superseded, false, "a later order"),
            (
                Outcome::Stopped,
                true,
                "stays stopped until start or restart",
            ),
            (Outcome::Stopped, false, "somebody stopped it"),
            (Outcome::ShuttingDown, false, "the daemon is ending"),
        ] {
            let text = restart(&RestartReport {
                outcome,
                ok,
                behind: None,
                next: None,
                ..failed()
            });
            let start = format!("main: {} (ok: {ok}), ", word(outcome));
            assert!(text.starts_with(&start), "{text}");
            assert!(text.contains(meaning), "{text}");
        }
    }

    #[test]
    fn a_success_says_how_long_the_swap_took() {
        let report = RestartReport {
            ok: true,
            outcome: Outcome::Restarted,
            run: Some(RunId(7)),
            pid: Some(4711),
            pause_ms: Some(3.1),
            ready_after_ms: Some(12.0),
            errors: Vec::new(),
            error_count: 0,
            warning_count: 2,
            new_count: 0,
            fixed_count: 0,
            behind: None,
            next: None,
            ..failed()
        };
        assert_eq!(
            restart(&report),
            "main: restarted (ok: true), the change is live. Build 9 took 2.3 s: 0 errors, \
             2 warnings. Run 7 serves (pid 4711, dev). From the old one's stop signal to the new \
             one's start: 3.1 ms. \
             It was ready after 12 ms."
        );
    }
}
