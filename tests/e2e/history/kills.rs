//! The daemon is killed in the middle of a flood, again and again.

use std::{
    fs::{self, File},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::json;

use super::{counted, lines, on_disk, search};
use crate::support::{Daemon, Project, eventually, project::shell};

const KILLS: u64 = 50;

/// What one life of a daemon has shown before it was killed.
struct Shown {
    /// The highest number that it passed on.
    passed_on: u64,
    /// The highest number that it answered.
    answered: u64,
}

#[test]
fn a_daemon_that_is_killed_in_a_flood_loses_no_line_that_it_had_shown() {
    let project = Project::new("killed");
    // Whole lines in each write: one that its child leaves unfinished for long is kept in two pieces.
    // A file and no pipe: what is in it after the kill is what somebody has seen.
    project.config(&shell(
        "main",
        "[ -p turn ] || mkfifo turn; touch there; read -r go < turn; rm there\n\
         exec stdbuf -oL seq -f 'numbered %.0f' 1 1000000000",
    ));
    let there = project.dir().join("there");
    let mut shown = None;
    for run in 1..=KILLS {
        let path = project
            .state_home()
            .with_file_name(format!("passed-on-{run}"));
        let passed_on = File::create(&path).unwrap();
        let command = Daemon::command(&project);
        let mut daemon = Daemon::launch_into(&project, command, passed_on.into());
        if let Some(shown) = &shown {
            nothing_is_lost(&project, &daemon, run - 1, shown);
        }
        eventually("waits for its turn", || {
            if there.exists() {
                Ok(())
            } else {
                Err(daemon.output())
            }
        });
        fs::write(project.dir().join("turn"), "go\n").unwrap();
        let answered = eventually("the flood goes on", || {
            let text = daemon.text("search_logs", &json!({"tail": 1, "run": run}));
            let number = lines(&text).last().and_then(|it| number(it));
            number.ok_or((text, daemon.output()))
        });
        // At another point of whatever it does each time.
        pause(Duration::from_millis(run * 7 % 40));
        daemon.signal(Signal::SIGKILL);
        daemon.ends();
        drop(daemon);
        shown = Some(Shown {
            passed_on: highest(&fs::read(&path).unwrap()),
            answered,
        });
        fs::remove_file(path).unwrap();
    }
    let daemon = project.start_quiet();
    nothing_is_lost(&project, &daemon, KILLS, &shown.unwrap());
}

#[track_caller]
fn nothing_is_lost(project: &Project, daemon: &Daemon, run: u64, shown: &Shown) {
    let bytes = on_disk(project, "main", run);
    let mut expected = 0;
    let mut rest = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let whole = format!("numbered {}\n", expected + 1).into_bytes();
        if line == whole {
            expected += 1;
        } else {
            // The kernel may cut the write of one who is killed: the end of it is not there, and
            // nothing else.
            rest += 1;
            assert!(
                rest == 1 && whole.starts_with(line),
                "run {run}: after {expected} comes {:?}",
                String::from_utf8_lossy(line)
            );
        }
    }
    let last = shown.passed_on.max(shown.answered);
    assert!(
        expected >= last,
        "run {run}: {expected} lines on disk, {} passed on, {} answered",
        shown.passed_on,
        shown.answered
    );
    let all = search(daemon, &json!({"run": run, "head": 0}));
    assert_eq!(counted(&all), expected + rest, "run {run}: {all}");
    let whole = search(
        daemon,
        &json!({"run": run, "pattern": "^numbered [0-9]+$", "head": 0}),
    );
    let whole = counted(&whole);
    assert!(
        whole >= expected && whole <= expected + rest,
        "run {run}: {whole} of {expected}"
    );
    let pattern = format!("^numbered {last}$");
    let shown = search(daemon, &json!({"run": run, "pattern": pattern}));
    assert_eq!(counted(&shown), 1, "run {run}: {shown}");
    // The rows are the lines, too: the last ones, in their order.
    let tail = search(daemon, &json!({"run": run, "tail": 20}));
    let mut rows = lines(&tail);
    if rest > 0 {
        // What is left of the torn one may have no number.
        rows.pop();
    }
    let numbers: Vec<u64> = rows.iter().filter_map(|it| number(it)).collect();
    let from = numbers[0];
    assert!(
        numbers.iter().copied().eq(from..=expected),
        "run {run}: {tail}"
    );
}

fn number(line: &str) -> Option<u64> {
    let digits = line.split_once("numbered ")?.1;
    digits.split(' ').next()?.parse().ok()
}

/// The highest number of a whole line that was passed on.
fn highest(text: &[u8]) -> u64 {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let whole = lines.filter(|line| line.ends_with(b"\n"));
    let numbers = whole.filter_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        number(line.strip_prefix("[main] ")?.trim_end())
    });
    numbers.max().unwrap_or(0)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kill must come at any point, not at an event"
)]
fn pause(time: Duration) {
    thread::sleep(time);
}
