//! Reads lines.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::translate;
use crate::{
    client::{Client, ClientError, LogFilter, LogItem, LogKind, LogLine},
    tui::state::{
        feed::{FeedId, Kind, Line, Place, Reach, Scope, Topic},
        ring::Ring,
        search::ignores_case,
        wish::{Before, Message, Resume},
    },
};

/// How many lines a pane begins with.
const FIRST: usize = 1000;
/// How many older ones are read at once.
const OLDER: usize = 1000;
/// How many lines make one message at most: what has arrived together is shown together.
const BATCH: usize = 2000;
/// And how many bytes of text: then it is sent, be it one line.
const BATCH_BYTES: usize = 256 * 1024;
/// Of older lines, so many bytes of text are kept, be it one line: the others are read when they are
/// wanted.
const OLDER_BYTES: usize = Ring::LIMIT / 2;
/// How many errors of a build are looked for.
const ERRORS: usize = 50;

/// Reads what is printed, until the connection is gone where it reads what comes later.
pub(super) async fn follow(
    client: Client,
    inbox: mpsc::Sender<Message>,
    feed: FeedId,
    topic: Topic,
    after: Option<Resume>,
    reach: Reach,
) {
    let result = try_follow(&client, &inbox, feed, &topic, after, reach).await;
    let has_all = match &result {
        Ok(()) => true,
        // Numbers that the daemon has not come to: it keeps no history and has begun anew. Whoever
        // follows is told so.
        Err(error @ ClientError::Refused { .. }) => !error.may_pass(),
        Err(_) => false,
    };
    let end = if has_all && reach == Reach::Kept {
        Message::CaughtUp(feed)
    } else {
        let why = result.err().map(|error| error.to_string());
        let why = why.unwrap_or_else(|| "the stream has ended".to_owned());
        Message::FeedEnded { feed, why }
    };
    // Nobody listens when the screen is gone.
    let _ = inbox.send(end).await;
}

async fn try_follow(
    client: &Client,
    inbox: &mpsc::Sender<Message>,
    feed: FeedId,
    topic: &Topic,
    after: Option<Resume>,
    reach: Reach,
) -> Result<(), ClientError> {
    let filter = LogFilter {
        tail: after.is_none().then_some(FIRST),
        since: after
            .as_ref()
            .filter(|_| topic.scope == Scope::All)
            .map(|it| it.since.to_string()),
        after_cursor: after.map(|it| it.cursor),
        follow: reach == Reach::Later,
        ..about(topic)
    };
    let mut names = translate::Names::default();
    let mut stream = client.logs(&filter).await?;
    // That there is an answer is news: the panel can say that nothing was printed.
    let heard = Message::Items {
        feed,
        items: Vec::new(),
    };
    if inbox.send(heard).await.is_err() {
        return Ok(());
    }
    while let Some(first) = stream.next().await {
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut failure = None;
        let mut next = Some(first);
        while let Some(item) = next.take() {
            match item {
                Ok(item) => {
                    bytes += size(&item);
                    items.extend(names.item(item));
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            if items.len() < BATCH && bytes < BATCH_BYTES {
                next = stream.next().now_or_never().flatten();
            }
        }
        if inbox.send(Message::Items { feed, items }).await.is_err() {
            return Ok(());
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(())
}

/// The lines before those that are there.
pub(super) async fn older(
    client: &Client,
    topic: &Topic,
    before: Before,
) -> Result<Vec<Line>, String> {
    try_older(client, topic, before)
        .await
        .map_err(|error| error.to_string())
}

async fn try_older(
    client: &Client,
    topic: &Topic,
    before: Before,
) -> Result<Vec<Line>, ClientError> {
    let Before {
        mut places,
        others,
        at,
        ..
    } = before;
    for process in others {
        let place = last_until(client, topic, &process, at).await?;
        places.insert(process, place);
    }
    let Some(until) = topic.scope.cursor(&places) else {
        return Ok(Vec::new());
    };
    let filter = LogFilter {
        until: Some(until),
        tail: Some(OLDER),
        ..about(topic)
    };
    let mut names = translate::Names::default();
    let mut items = client.logs(&filter).await?;
    let mut nearest = Nearest::default();
    while let Some(item) = items.next().await {
        if let Some(line) = names.line(item?) {
            nearest.push(line);
        }
    }
    Ok(nearest.lines.into())
}

/// The last lines, bounded in bytes.
#[derive(Default)]
struct Nearest {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Nearest {
    fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.bytes > OLDER_BYTES
            && self.lines.len() > 1
            && let Some(line) = self.lines.pop_front()
        {
            self.bytes -= line.text.len();
        }
    }
}

fn size(item: &LogItem) -> usize {
    match item {
        LogItem::Line(line) => line.text.len(),
        LogItem::Notice(_) => 0,
    }
}

/// The place of the last line that a process had printed at a time; before its first one if none.
async fn last_until(
    client: &Client,
    topic: &Topic,
    process: &Arc<str>,
    at: Timestamp,
) -> Result<Place, ClientError> {
    let topic = Topic {
        scope: Scope::One(process.clone()),
        ..topic.clone()
    };
    let filter = LogFilter {
        until: Some(at.to_string()),
        tail: Some(1),
        ..about(&topic)
    };
    let items = match lines(client, &filter).await {
        // It has none, or is gone since.
        Err(error @ ClientError::Refused { .. }) if !error.may_pass() => Vec::new(),
        items => items?,
    };
    let last = items.into_iter().rev().find_map(|item| match item {
        LogItem::Line(LogLine { run, seq, .. }) => Some(Place { run, seq }),
        LogItem::Notice(_) => None,
    });
    Ok(last.unwrap_or(Place { run: 0, seq: 0 }))
}

/// The errors in a build's log, in one line each: what and where. Nothing is said where it cannot be
/// asked: the log itself is a key away.
pub(super) async fn errors(client: &Client, process: &str, build: u64) -> Vec<String> {
    let filter = LogFilter {
        processes: vec![process.to_owned()],
        kind: LogKind::Build,
        run: Some(build),
        level: Some("error".to_owned()),
        context_lines: Some(1),
        head: Some(ERRORS),
        ..LogFilter::default()
    };
    let mut errors: Vec<String> = Vec::new();
    for item in lines(client, &filter).await.unwrap_or_default() {
        let LogItem::Line(line) = item else {
            continue;
        };
        let text = line.text.trim();
        match errors.last_mut() {
            _ if !line.context => {
                // What cargo says in the end is no error of its own.
                let is_summary =
                    text.contains("could not compile") || text.contains("aborting due to");
                if !is_summary {
                    errors.push(text.to_owned());
                }
            }
            Some(error) if text.contains("-->") && !error.contains("-->") => {
                error.push(' ');
                error.push_str(text);
            }
            _ => {}
        }
    }
    errors
}

async fn lines(client: &Client, filter: &LogFilter) -> Result<Vec<LogItem>, ClientError> {
    let mut items = client.logs(filter).await?;
    let mut all = Vec::new();
    while let Some(item) = items.next().await {
        all.push(item?);
    }
    Ok(all)
}

fn about(topic: &Topic) -> LogFilter {
    LogFilter {
        processes: match &topic.scope {
            Scope::One(process) => vec![process.to_string()],
            Scope::All => Vec::new(),
        },
        kind: match topic.kind {
            Kind::Run => LogKind::Run,
            Kind::Build => LogKind::Build,
        },
        pattern: topic.pattern.as_deref().map(str::to_owned),
        ignore_case: topic.pattern.as_deref().is_some_and(ignores_case),
        level: topic.level.map(translate::level),
        ..LogFilter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::state::samples::line;

    #[test]
    fn of_very_long_older_lines_the_nearest_are_kept_and_at_least_one() {
        let text = "x".repeat(OLDER_BYTES / 10);
        let mut nearest = Nearest::default();
        for seq in 1..=1000 {
            nearest.push(line("main", 7, seq, &text));
        }
        let seqs = nearest.lines.iter().map(|it| it.place.seq);
        assert!(seqs.eq(991..=1000));
        nearest.push(line("main", 7, 1001, &text.repeat(20)));
        assert_eq!(nearest.lines.len(), 1);
    }
}
