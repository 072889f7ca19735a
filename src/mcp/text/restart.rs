//! What came of a restart, in words.

use std::fmt::Write;

use bpm_actors::{
    artifact::Diagnostic,
    report::{Outcome, RestartReport},
};

use super::measures::{count, span, tenth, word};

/// The text of this report.
pub(in crate::mcp) fn restart(report: &RestartReport) -> String {
    let mut text = format!("{}: {}. ", report.process, headline(report));
    build(&mut text, report);
    serving(&mut text, report);
    if let Some(next) = &report.next {
        _ = write!(text, "\nnext: {next}");
    }
    for error in &report.errors {
        diagnostic(&mut text, error);
    }
    if !report.last_lines.is_empty() {
        text.push_str("\n\nwhat it printed last:");
        for line in &report.last_lines {
            _ = write!(text, "\n{line}");
        }
    }
    text
}

fn headline(report: &RestartReport) -> String {
    let meaning = match report.outcome {
        // Nothing is left to do after a restart, unless it changed nothing.
        Outcome::Restarted if report.next.is_some() => "the program is the same as before",
        Outcome::Restarted => "the change is live",
        Outcome::Building => "time ran out, the restart goes on",
        Outcome::BuildFailed if report.build.is_none() => {
            "it cannot be built or started, the change is not live"
        }
        Outcome::BuildFailed => "the sources do not build, the change is not live",
        Outcome::Crashed => "the new child died, the change is not live",
        Outcome::ShuttingDown => "the daemon is ending",
        Outcome::Swapped
        | Outcome::Started
        | Outcome::Running
        | Outcome::RolledBack
        | Outcome::NotReady
        | Outcome::Superseded
        | Outcome::Stopped => "",
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
        _ = write!(text, "{errors}, {warnings}. ");
    }
}

fn serving(text: &mut String, report: &RestartReport) {
    if let Some(exit) = &report.exit {
        let (run, how, at) = (exit.run, &exit.text, exit.at);
        _ = write!(text, "Run {run} ended with {how} at {at}. ");
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
    if let Some(behind) = report.behind {
        _ = write!(text, "What serves is not the newest: {}. ", word(behind));
    }
    text.truncate(text.trim_end().len());
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
            new_count: 0,
            fixed_count: 0,
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
             Build 9 took 2.3 s: 1 error, 0 warnings. Run 6 serves (pid 4650, dev). \
             What serves is not the newest: build_failed.\n\
             next: run 6 keeps serving; fix the error and restart again\n\n\
             error[E0308] src/main.rs:3:5: mismatched types\n\
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
             Run 7 ended with exit code 3 at 2026-11-23T10:00:00Z. Nothing serves (dev).\n\
             next: it is tried again in 120 s\n\n\
             what it printed last:\nstarting\nno such table"
        );
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
