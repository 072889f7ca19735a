//! A daemon's answers, for tests.

use std::sync::Arc;

use bpm_actors::{
    logs::Stream,
    report::{ProcessReport, RestartReport},
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Message, State, Wish,
    action::Action,
    feed::{FeedId, Item, Kind, Line, Place, Topic},
    link::Link,
    wish::Resume,
};
use crate::{client::Order, service::StatusReport};

/// When everything in the samples happens.
pub(crate) const NOON: &str = "2026-11-23T12:00:00Z";

/// A state and the time, with what it wished for.
pub(crate) struct Sample {
    pub(crate) state: State,
    pub(crate) now: Instant,
    pub(crate) wishes: Vec<Wish>,
}

impl Sample {
    /// Nothing was heard yet.
    pub(crate) fn new(width: u16, height: u16) -> Self {
        Self {
            state: State::new(width, height, TimeZone::UTC),
            now: Instant::now(),
            wishes: Vec::new(),
        }
    }

    /// Connected, with these processes.
    pub(crate) fn with(width: u16, height: u16, processes: Vec<ProcessReport>) -> Self {
        let mut sample = Self::new(width, height);
        let url = "http://localhost:3001/mcp".to_owned();
        sample.tell(Message::Link(Link::Up { url }));
        sample.knows(processes);
        sample
    }

    pub(crate) fn knows(&mut self, processes: Vec<ProcessReport>) {
        let report = status(processes);
        self.tell(Message::Status(Box::new(report)));
    }

    pub(crate) fn tell(&mut self, message: Message) -> &mut Self {
        self.wishes = self.state.update(message, self.now);
        self
    }

    pub(crate) fn act(&mut self, action: Action) -> &mut Self {
        self.tell(Message::Action(action))
    }

    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        let stroke = super::prompt::Stroke::Insert(text.to_owned());
        self.act(Action::Type(stroke))
    }

    /// What is followed since the last message.
    pub(crate) fn followed(&self) -> Vec<(FeedId, Topic, Option<Resume>)> {
        let follow = |wish: &Wish| match wish {
            Wish::Follow {
                feed, topic, after, ..
            } => Some((*feed, topic.clone(), after.clone())),
            _ => None,
        };
        self.wishes.iter().filter_map(follow).collect()
    }

    /// Lines of `main`, run 7, arrive in this feed, numbered from `seq` on.
    pub(crate) fn prints(&mut self, feed: u64, seq: u64, lines: &[&str]) -> &mut Self {
        let numbered = (seq..).zip(lines);
        let items = numbered.map(|(seq, text)| Item::Line(line("main", 7, seq, text)));
        self.tell(Message::Items {
            feed: FeedId(feed),
            items: items.collect(),
        })
    }
}

pub(crate) fn line(process: &str, run: u64, seq: u64, text: &str) -> Line {
    let noon: Timestamp = NOON.parse().unwrap();
    let passed = jiff::SignedDuration::from_millis(i64::try_from(seq).unwrap());
    Line {
        process: process.into(),
        place: Place { run, seq },
        at: noon + passed,
        stream: Stream::Stdout,
        text: text.into(),
    }
}

pub(crate) fn topic(process: &str, kind: Kind) -> Topic {
    Topic {
        kind,
        ..Topic::builds_of(Arc::from(process))
    }
}

pub(crate) fn status(processes: Vec<ProcessReport>) -> StatusReport {
    let report = json!({
        "project_dir": "/home/u/ganbot", "version": "0.1.0", "url": "http://localhost:3001/mcp",
        "mode": "dev", "release_in_seconds": 9120.0, "processes": []
    });
    let mut report: StatusReport = serde_json::from_value(report).unwrap();
    report.processes = processes;
    report
}

/// A process that runs, with these differences.
pub(crate) fn process(name: &str, differences: &Value) -> ProcessReport {
    let mut report = json!({
        "name": name, "type": "rust", "state": "running", "mode": "dev", "serving": true,
        "health": "ready", "behind": null, "run": 7, "pid": 4711, "uptime_seconds": 81.2,
        "restarts": 3, "crashes": 0, "crashes_in_a_row": 0, "next_attempt_in_seconds": null,
        "connections": "own", "connections_wait": false, "status_text": null, "last_exit": null,
        "last_build": {"id": 9, "mode": "dev", "outcome": "ok", "seconds": 4.1, "errors": 0,
            "warnings": 2, "at": "2026-11-23T11:58:39Z"},
        "events": [{"at": "2026-11-23T11:58:40Z", "age_seconds": 80.0, "kind": "restarted",
            "text": "up (run 7, pid 4711, dev)"}]
    });
    merge(&mut report, differences);
    serde_json::from_value(report).unwrap()
}

/// A process that waits after a crash.
pub(crate) fn crashed(name: &str) -> ProcessReport {
    process(
        name,
        &json!({"state": "backing_off", "serving": false, "health": null, "run": null, "pid": null,
            "uptime_seconds": null, "crashes": 2, "crashes_in_a_row": 2,
            "next_attempt_in_seconds": 4.5,
            "last_exit": {"run": 7, "code": null, "signal": 9, "text": "signal 9 (SIGKILL)",
                "at": "2026-11-23T11:58:40Z"},
            "events": [{"at": "2026-11-23T11:59:50Z", "age_seconds": 10.0, "kind": "crashed",
                "text": "run 7: signal 9 (SIGKILL)"}]}),
    )
}

/// A process whose new build is under way while the old run serves.
pub(crate) fn building(name: &str) -> ProcessReport {
    process(
        name,
        &json!({"state": "building",
            "events": [{"at": "2026-11-23T11:59:48Z", "age_seconds": 12.0, "kind": "build_started",
                "text": "build 10 (dev)"}]}),
    )
}

/// A process whose last build failed while the old run serves.
pub(crate) fn broken(name: &str) -> ProcessReport {
    process(
        name,
        &json!({"behind": "build_failed",
            "last_build": {"id": 10, "mode": "dev", "outcome": "failed", "seconds": 2.3, "errors": 2,
                "warnings": 1, "at": "2026-11-23T11:59:30Z"}}),
    )
}

pub(crate) fn stopped(name: &str) -> ProcessReport {
    process(
        name,
        &json!({"state": "stopped", "serving": false, "health": null, "run": null, "pid": null,
            "uptime_seconds": null, "type": "npm", "last_build": null, "events": []}),
    )
}

/// The answer to an order, with these differences.
pub(crate) fn answer(differences: &Value) -> Message {
    let mut report = json!({
        "process": "main", "ok": true, "outcome": "swapped", "reason": null, "mode": "dev", "run": 8,
        "pid": 4800, "build": 10, "build_seconds": 12.1, "pause_ms": 0.0, "ready_after_ms": 3.2,
        "connections_refused": 0, "error_count": 0, "warning_count": 0, "new_count": 0,
        "fixed_count": 0, "errors": [], "omitted_count": 0, "error_lines": [], "exit": null,
        "last_lines": [], "behind": null, "next": null
    });
    merge(&mut report, differences);
    let report: RestartReport = serde_json::from_value(report).unwrap();
    Message::Ordered {
        process: "main".to_owned(),
        order: Order::Restart,
        result: Ok(Box::new(report)),
    }
}

fn merge(report: &mut Value, differences: &Value) {
    for (key, value) in differences.as_object().unwrap() {
        report[key] = value.clone();
    }
}
