//! What everything does, as a table and a few lines per process.

use std::fmt::Write;

use bpm_actors::report::{Connections, ProcessReport};

use super::measures::{behind, build, exit, span, word};
use crate::service::StatusReport;

const COLUMNS: [&str; 10] = [
    "name", "type", "state", "mode", "run", "pid", "up", "health", "restarts", "crashes",
];

/// The text of this report.
pub(in crate::mcp) fn status(report: &StatusReport) -> String {
    let mut text = format!("{}: {}", report.project_dir, report.mode);
    if let Some(seconds) = report.release_in_seconds {
        _ = write!(text, ", release in {}", span(seconds));
    }
    let (version, url) = (&report.version, &report.url);
    _ = write!(text, " (background-process-manager {version}, {url})\n\n");
    if let Some(error) = &report.config_error {
        _ = write!(
            text,
            ".mcp-run is wrong, so an older one holds:\n{error}\n\n"
        );
    }
    table(&mut text, &report.processes);
    for process in &report.processes {
        details(&mut text, process);
    }
    text.truncate(text.trim_end().len());
    text
}

fn table(text: &mut String, processes: &[ProcessReport]) {
    let rows: Vec<[String; 10]> = processes.iter().map(row).collect();
    let mut widths = COLUMNS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut line = |cells: [&str; 10]| {
        let mut padded = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            _ = write!(padded, "{cell:width$}  ");
        }
        _ = writeln!(text, "{}", padded.trim_end());
    };
    line(COLUMNS);
    for row in &rows {
        line(row.each_ref().map(String::as_str));
    }
}

fn row(process: &ProcessReport) -> [String; 10] {
    let state = word(process.state);
    let busy = !matches!(state.as_str(), "running" | "stopped" | "backing_off");
    let state = if busy && process.serving {
        format!("{state}, serving")
    } else {
        state
    };
    let known = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
    [
        process.name.clone(),
        word(process.r#type),
        state,
        process.mode.to_string(),
        known(process.run.map(|it| it.to_string())),
        known(process.pid.map(|it| it.to_string())),
        known(process.uptime_seconds.map(span)),
        known(process.health.map(word)),
        process.restarts.to_string(),
        process.crashes.to_string(),
    ]
}

fn details(text: &mut String, process: &ProcessReport) {
    let name = &process.name;
    text.push('\n');
    if let Some(why) = process.behind {
        let why = behind(why);
        _ = writeln!(text, "{name}: what runs is NOT the newest: {why}");
    }
    match process.connections {
        Connections::Own => {}
        Connections::Held => {
            _ = writeln!(text, "{name}: connections: held by the daemon, handed down");
        }
        Connections::Relayed => {
            _ = writeln!(text, "{name}: connections: relayed by the daemon");
        }
    }
    if process.connections_wait {
        _ = writeln!(text, "{name}: nobody accepts now: connections wait");
    }
    if let Some(said) = &process.status_text {
        _ = writeln!(text, "{name}: says: {said}");
    }
    if process.crashes_in_a_row > 0 {
        let row = process.crashes_in_a_row;
        _ = writeln!(text, "{name}: crashes in a row: {row}");
    }
    if let Some(seconds) = process.next_attempt_in_seconds {
        let wait = span(seconds);
        _ = writeln!(text, "{name}: next attempt in {wait}; restart acts at once");
    }
    if let Some(last) = &process.last_exit {
        _ = writeln!(text, "{name}: last exit: {}", exit(last));
    }
    if let Some(last) = &process.last_build {
        _ = writeln!(text, "{name}: last build: {}", build(last));
    }
    for event in &process.events {
        let (age, kind, what) = (span(event.age_seconds), word(event.kind), &event.text);
        _ = writeln!(text, "{name}: {age} ago: {kind}: {what}");
    }
}

#[cfg(test)]
mod tests {
    use bpm_actors::{
        ids::{BuildId, RunId},
        report::{
            Behind, BuildOutcome, EventKind, EventReport, Health, LastBuild, LastExit, StateName,
        },
        spec::{Mode, ProcessType},
    };

    use super::*;

    #[test]
    fn the_text_has_a_table_and_what_happened() {
        let at = "2026-11-23T10:00:00Z".parse().unwrap();
        let main = ProcessReport {
            name: "main".to_owned(),
            r#type: ProcessType::Rust,
            state: StateName::Building,
            mode: Mode::Dev,
            serving: true,
            health: Some(Health::Ready),
            behind: Some(Behind::BuildFailed),
            run: Some(RunId(7)),
            pid: Some(4711),
            uptime_seconds: Some(81.2),
            restarts: 3,
            crashes: 1,
            crashes_in_a_row: 0,
            next_attempt_in_seconds: None,
            connections: Connections::Own,
            connections_wait: false,
            status_text: None,
            last_exit: Some(LastExit {
                run: RunId(6),
                code: None,
                signal: Some(9),
                text: "signal 9 (SIGKILL)".to_owned(),
                at,
            }),
            last_build: Some(LastBuild {
                id: BuildId(9),
                mode: Mode::Dev,
                outcome: BuildOutcome::Failed,
                seconds: 4.1,
                errors: 1,
                warnings: 2,
                at,
            }),
            events: vec![EventReport {
                at,
                age_seconds: 81.2,
                kind: EventKind::Restarted,
                text: "up (run 7, pid 4711, dev)".to_owned(),
            }],
        };
        let web = ProcessReport {
            name: "web-frontend".to_owned(),
            r#type: ProcessType::Npm,
            state: StateName::BackingOff,
            serving: false,
            health: None,
            behind: None,
            run: None,
            pid: None,
            uptime_seconds: None,
            crashes_in_a_row: 2,
            next_attempt_in_seconds: Some(3.25),
            connections: Connections::Relayed,
            connections_wait: true,
            status_text: Some("loading 3 of 7".to_owned()),
            last_exit: None,
            last_build: None,
            events: Vec::new(),
            ..main.clone()
        };
        let report = StatusReport {
            project_dir: "/home/u/ganbot".to_owned(),
            version: "0.1.0".to_owned(),
            url: "http://localhost:3001/mcp".to_owned(),
            mode: Mode::Dev,
            release_in_seconds: Some(9_120.0),
            config_error: None,
            processes: vec![main, web],
        };
        assert_eq!(
            status(&report),
            "\
/home/u/ganbot: dev, release in 2 h 32 min (background-process-manager 0.1.0, http://localhost:3001/mcp)

name          type  state              mode  run  pid   up          health  restarts  crashes
main          rust  building, serving  dev   7    4711  1 min 21 s  ready   3         1
web-frontend  npm   backing_off        dev   -    -     -           -       3         1

main: what runs is NOT the newest: build_failed (the newest attempt to build or start it failed)
main: last exit: run 6, signal 9 (SIGKILL), at 2026-11-23T10:00:00Z
main: last build: 9 (dev), failed in 4.1 s, 1 error, 2 warnings, at 2026-11-23T10:00:00Z
main: 1 min 21 s ago: restarted: up (run 7, pid 4711, dev)

web-frontend: connections: relayed by the daemon
web-frontend: nobody accepts now: connections wait
web-frontend: says: loading 3 of 7
web-frontend: crashes in a row: 2
web-frontend: next attempt in 3.2 s; restart acts at once"
        );
    }
}
