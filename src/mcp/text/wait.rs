//! What came of a wait, in words.

use std::fmt::Write;

use super::measures::{behind, build, exit, span, word};
use crate::service::{Unmet, WaitReport, Wanted};

/// The text of this report.
pub(in crate::mcp) fn wait(report: &WaitReport) -> String {
    let (process, until) = (&report.process, word(report.until));
    let headline = headline(report);
    let waited = span(report.waited_seconds);
    let mut text = format!("{process}: {until}: {headline} (met: {}", report.met);
    if let Some(reason) = report.reason {
        _ = write!(text, ", reason: {}", word(reason));
    }
    _ = write!(text, ", waited {waited}). ");
    now(&mut text, report);
    if let Some(line) = &report.line {
        _ = write!(text, "\nline: {line}");
    }
    if let Some(last) = &report.last_exit {
        _ = write!(text, "\nlast exit: {}", exit(last));
    }
    if let Some(last) = &report.last_build {
        _ = write!(text, "\nlast build: {}", build(last));
    }
    if let Some(next) = &report.next {
        _ = write!(text, "\nnext: {next}");
    }
    text
}

fn headline(report: &WaitReport) -> &'static str {
    match (report.reason, report.until) {
        (None, Wanted::Ready) => "it serves and is ready",
        (None, Wanted::Exit) if report.run.is_some() => "another run serves now",
        (None, Wanted::Exit) => "nothing serves any more",
        (None, Wanted::Log) => "a line matches",
        (None, Wanted::Build) => "no build is under way",
        (Some(Unmet::TimeUp), _) => "not yet, time is up",
        (Some(Unmet::TooLate), _) => "not yet, and the next attempt is later than the wait",
        (Some(Unmet::Stopped), _) => "it is stopped, so that cannot come",
        (Some(Unmet::Removed), _) => "its entry was removed, so that cannot come",
        (Some(Unmet::ShuttingDown), _) => "the daemon is ending, so that cannot come",
    }
}

/// What the process does now.
fn now(text: &mut String, report: &WaitReport) {
    _ = write!(text, "It is {}", word(report.state));
    match (report.run, report.pid) {
        (Some(run), Some(pid)) => _ = write!(text, ", run {run} serves (pid {pid}"),
        (Some(run), None) => _ = write!(text, ", run {run} serves (pid unknown"),
        (None, _) => text.push_str(", nothing serves"),
    }
    if report.run.is_some() {
        if let Some(health) = report.health {
            _ = write!(text, ", {}", word(health));
        }
        text.push(')');
    }
    if let Some(why) = report.behind {
        _ = write!(text, ", what serves is NOT the newest: {}", behind(why));
    }
    text.push('.');
}
