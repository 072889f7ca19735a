//! From the client's words to the screen's.

use std::{collections::BTreeMap, sync::Arc};

use bpm_actors::logs::{Stream, level::Level};

use crate::{
    client::{self, LogItem, LogStream, UsageReport},
    tui::state::{
        feed::{Item, Line, Notice, Place},
        usage::Measure,
        wish::Event,
    },
};

/// The names of processes: thousands of lines share each.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, Arc<str>>,
}

impl Names {
    pub(super) fn item(&mut self, item: LogItem) -> Option<Item> {
        let (process, notice) = match item {
            LogItem::Line(_) => return self.line(item).map(Item::Line),
            LogItem::Notice(client::Notice::Gap { process, lines }) => {
                (process, Notice::Gap(lines))
            }
            LogItem::Notice(client::Notice::RunChanged { process, run }) => {
                (Some(process), Notice::RunChanged(run))
            }
            LogItem::Notice(client::Notice::Dropped { process, lines }) => {
                (process, Notice::Dropped(lines))
            }
            LogItem::Notice(client::Notice::Other) => return None,
        };
        let process = process.map(|it| self.shared(it));
        Some(Item::Notice { process, notice })
    }

    pub(super) fn line(&mut self, item: LogItem) -> Option<Line> {
        let LogItem::Line(line) = item else {
            return None;
        };
        Some(Line {
            process: self.shared(line.process),
            place: Place {
                run: line.run,
                seq: line.seq,
            },
            at: line.at,
            stream: match line.stream {
                LogStream::Stdout => Stream::Stdout,
                LogStream::Stderr => Stream::Stderr,
            },
            text: line.text.into(),
        })
    }

    fn shared(&mut self, name: String) -> Arc<str> {
        let known = self
            .known
            .entry(name)
            .or_insert_with_key(|it| it.as_str().into());
        known.clone()
    }
}

pub(super) fn event(event: client::Event) -> Event {
    Event {
        kind: event.kind,
        process: event.process,
        text: event.text,
    }
}

pub(super) fn usage(report: UsageReport) -> Vec<Measure> {
    let at = report.at;
    let measures = report.processes.into_iter().map(|it| Measure {
        process: it.process,
        at,
        cpu_seconds: it.cpu_seconds,
        resident_bytes: it.resident_bytes,
        tasks: it.tasks,
    });
    measures.collect()
}

pub(super) fn level(level: Level) -> String {
    let word = match level {
        Level::Fatal => "fatal",
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    word.to_owned()
}
