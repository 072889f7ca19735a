//! Reports for tests.

use bpm_actors::{
    artifact::Diagnostic,
    ids::{BuildId, RunId},
    report::{
        BuildOutcome, Connections, EventKind, EventReport, Health, LastBuild, Outcome,
        ProcessReport, RestartReport, StateName,
    },
    spec::{Mode, ProcessType},
};

use crate::service::StatusReport;

const AT: &str = "2026-11-23T10:00:00Z";

/// The status of a daemon with these processes.
pub(super) fn status(processes: Vec<ProcessReport>) -> StatusReport {
    StatusReport {
        project_dir: "/home/u/ganbot".to_owned(),
        version: "0.1.0".to_owned(),
        url: "http://localhost:3001/mcp".to_owned(),
        mode: Mode::Dev,
        config_error: None,
        release_in_seconds: Some(9_120.0),
        processes,
    }
}

/// A process that is well.
pub(super) fn process(name: &str) -> ProcessReport {
    ProcessReport {
        name: name.to_owned(),
        r#type: ProcessType::Rust,
        state: StateName::Running,
        mode: Mode::Dev,
        serving: true,
        health: Some(Health::Ready),
        behind: None,
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
        last_exit: None,
        last_build: Some(LastBuild {
            id: BuildId(9),
            mode: Mode::Dev,
            outcome: BuildOutcome::Ok,
            seconds: 4.1,
            errors: 0,
            warnings: 2,
            at: AT.parse().unwrap(),
        }),
        events: vec![EventReport {
            at: AT.parse().unwrap(),
            age_seconds: 81.2,
            kind: EventKind::Restarted,
            text: "up (run 7, pid 4711, dev)".to_owned(),
        }],
    }
}

/// A restart that did what it should.
pub(super) fn outcome() -> RestartReport {
    RestartReport {
        process: "main".to_owned(),
        ok: true,
        outcome: Outcome::Restarted,
        reason: None,
        mode: Mode::Dev,
        run: Some(RunId(7)),
        pid: Some(4711),
        build: Some(BuildId(9)),
        build_seconds: Some(2.3),
        pause_ms: Some(3.1),
        ready_after_ms: Some(12.0),
        connections_refused: None,
        error_count: 0,
        warning_count: 2,
        new_count: 0,
        fixed_count: 0,
        errors: Vec::new(),
        omitted_count: 0,
        error_lines: Vec::new(),
        exit: None,
        last_lines: Vec::new(),
        behind: None,
        next: None,
    }
}

/// What the compiler finds.
pub(super) fn diagnostic(level: &str) -> Diagnostic {
    Diagnostic {
        level: level.to_owned(),
        code: Some("E0308".to_owned()),
        file: Some("src/main.rs".to_owned()),
        line: Some(3),
        column: Some(5),
        message: "mismatched types".to_owned(),
        rendered: format!("{level}[E0308]: mismatched types\n --> src/main.rs:3:5\n"),
        new: true,
    }
}
