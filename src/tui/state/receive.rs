//! What the daemon says.

use bpm_actors::{
    artifact::Diagnostic,
    report::{BuildOutcome, RestartReport},
};
use ratatui::layout::Rect;
use tokio::time::Instant;

use super::{
    BuildErrors, Message, Seen, State, Wish,
    link::Link,
    messages::{About, Kind, Tone},
    order::{self, Ordered},
    pane::{Beginning, Pane},
    wish::Event,
};
use crate::{client::Order, service::StatusReport};

impl State {
    pub(super) fn receive(&mut self, message: Message, now: Instant) -> Vec<Wish> {
        match message {
            Message::Link(link) => self.linked(link, now),
            Message::Status(report) => return self.knows(*report, now),
            Message::Event(event) => {
                self.tell(&event, now);
                return vec![Wish::Refresh];
            }
            Message::Usage(measures) => self.usage.take(measures),
            Message::Items { feed, items } => {
                if let Some(pane) = self.feeds.filled_by(feed) {
                    pane.receive(items);
                }
            }
            Message::CaughtUp(feed) => self.feeds.caught_up(feed),
            Message::FeedEnded { feed, why } => self.feeds.ended(feed, why, now),
            Message::Older {
                topic,
                first,
                lines,
            } => {
                // Where the window has moved since, they would leave a hole.
                let fits = |pane: &&mut Pane| pane.ring.first() == first;
                let Some(pane) = self.feeds.pane_mut(&topic).filter(fits) else {
                    return Vec::new();
                };
                match lines {
                    Ok(lines) => pane.receive_older(lines),
                    Err(why) => {
                        pane.beginning = Beginning::Unknown;
                        let text = format!("older lines: {why}");
                        self.messages.say(now, Tone::Warning, text);
                    }
                }
            }
            Message::Errors {
                process,
                build,
                lines,
            } => self.keep_errors(&process, build, lines),
            Message::Ordered {
                process,
                order,
                result,
            } => {
                self.answered(&process, order, result, now);
                return vec![Wish::Refresh];
            }
            Message::Resized { width, height } => self.screen = Rect::new(0, 0, width, height),
            Message::Tick | Message::Action(_) => {}
        }
        Vec::new()
    }

    fn linked(&mut self, link: Link, now: Instant) {
        let was_up = self.link.is_up();
        match &link {
            Link::Up { .. } => self.messages.say(now, Tone::Good, "connected"),
            Link::Down { why, .. } if was_up => {
                self.messages
                    .say(now, Tone::Bad, format!("connection lost: {why}"));
            }
            Link::Down { .. } | Link::Seeking => {}
        }
        self.cut_at = match &link {
            Link::Up { .. } => None,
            Link::Down { .. } | Link::Seeking => self.cut_at.or(Some(now)),
        };
        // Their tasks ended with the connection; the cursors of the panes say where to go on.
        self.feeds.cut();
        self.link = link;
    }

    fn knows(&mut self, report: StatusReport, now: Instant) -> Vec<Wish> {
        let known = |name: &str| report.processes.iter().any(|it| it.name == name);
        if !self.selected.as_deref().is_some_and(known) {
            let first = report.processes.first();
            self.selected = first.map(|it| it.name.as_str().into());
        }
        self.orders.retain(|name, _| known(name));
        self.errors.retain(|name, _| known(name));
        let mut wishes = Vec::new();
        for process in &report.processes {
            let failed = process.last_build.as_ref();
            let failed = failed.filter(|it| it.outcome == BuildOutcome::Failed);
            let asked = self.errors.get(&process.name).map(|it| it.build);
            if let Some(build) = failed.filter(|build| asked != Some(build.id.0)) {
                let looked_for = BuildErrors {
                    build: build.id.0,
                    lines: Vec::new(),
                };
                self.errors.insert(process.name.clone(), looked_for);
                wishes.push(Wish::FindErrors {
                    process: process.name.clone(),
                    build: build.id.0,
                });
            }
        }
        self.status = Some(Seen { report, at: now });
        wishes
    }

    /// Of all that happens, what a person should not miss while he looks elsewhere.
    fn tell(&mut self, event: &Event, now: Instant) {
        let tone = match event.kind.as_str() {
            "crashed" | "build_failed" | "rolled_back" | "config_invalid" => Tone::Bad,
            "mode" | "reloaded" => Tone::Plain,
            _ => return,
        };
        // What an order that was given here comes to is said once, by its answer.
        let process = event.process.as_ref();
        let order = process.and_then(|process| self.orders.get(process));
        if matches!(order, Some(Ordered::Waiting(_))) {
            return;
        }
        let kind = event.kind.replace('_', " ");
        let text = match process {
            Some(process) => format!("{process} {kind}: {}", event.text),
            None => format!("{kind}: {}", event.text),
        };
        let about = About {
            process: process.cloned(),
            kind: Kind::Event(event.kind.clone()),
        };
        self.messages.say_about(now, tone, text, about);
    }

    fn answered(
        &mut self,
        process: &str,
        order: Order,
        result: Result<Box<RestartReport>, String>,
        now: Instant,
    ) {
        let about = About {
            process: Some(process.to_owned()),
            kind: Kind::Answer,
        };
        let done = match result {
            Ok(report) => {
                let (tone, words) = order::in_words(&report);
                let text = format!("{process}: {words}");
                self.messages.say_about(now, tone, text, about);
                if let Some(build) = report.build.filter(|_| report.error_count > 0) {
                    let errors = report.errors.iter().filter(|it| it.level == "error");
                    self.keep_errors(process, build.0, errors.map(in_one_line).collect());
                }
                Ordered::Done {
                    order,
                    at: now,
                    report,
                }
            }
            Err(why) => {
                let text = format!("{process}: {} failed: {why}", order.word());
                self.messages.say_about(now, Tone::Bad, text, about);
                Ordered::Failed {
                    order,
                    at: now,
                    why,
                }
            }
        };
        self.orders.insert(process.to_owned(), done);
    }
}

/// `error[E0308]: mismatched types --> src/main.rs:3:5`
fn in_one_line(finding: &Diagnostic) -> String {
    let code = finding
        .code
        .as_ref()
        .map_or(String::new(), |code| format!("[{code}]"));
    let place: String = [
        finding.file.clone(),
        finding.line.map(|it| it.to_string()),
        finding.column.map(|it| it.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(":");
    let arrow = if place.is_empty() { "" } else { " --> " };
    format!("{}{code}: {}{arrow}{place}", finding.level, finding.message)
}
