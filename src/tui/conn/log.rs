//! Reads lines.

use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::translate;
use crate::{
    client::{Client, ClientError, LogFilter, LogItem, LogKind},
    tui::state::{
        feed::{FeedId, Kind, Line, Scope, Topic},
        wish::{Before, Message, Resume},
    },
};

/// How many lines a pane begins with.
const FIRST: usize = 1000;
/// How many older ones are read at once.
const OLDER: usize = 1000;
/// How many lines make one message at most: what has arrived together is shown together.
const BATCH: usize = 2000;
/// How many errors of a build are looked for.
const ERRORS: usize = 50;

/// Reads what is printed until the connection is gone.
pub(super) async fn follow(
    client: Client,
    inbox: mpsc::Sender<Message>,
    feed: FeedId,
    topic: Topic,
    after: Option<Resume>,
) {
    let why = match try_follow(&client, &inbox, feed, &topic, after).await {
        Ok(()) => "the stream has ended".to_owned(),
        Err(error) => error.to_string(),
    };
    // Nobody listens when the screen is gone.
    let _ = inbox.send(Message::FeedEnded { feed, why }).await;
}

async fn try_follow(
    client: &Client,
    inbox: &mpsc::Sender<Message>,
    feed: FeedId,
    topic: &Topic,
    after: Option<Resume>,
) -> Result<(), ClientError> {
    let filter = LogFilter {
        tail: after.is_none().then_some(FIRST),
        since: after
            .as_ref()
            .filter(|_| topic.scope == Scope::All)
            .map(|it| it.since.to_string()),
        after_cursor: after.map(|it| it.cursor),
        follow: true,
        ..about(topic)
    };
    let mut names = translate::Names::default();
    let items = client.logs(&filter).await?;
    // That there is an answer is news: the panel can say that nothing was printed.
    let mut ready = items.ready_chunks(BATCH);
    let heard = Message::Items {
        feed,
        items: Vec::new(),
    };
    if inbox.send(heard).await.is_err() {
        return Ok(());
    }
    while let Some(chunk) = ready.next().await {
        let mut items = Vec::with_capacity(chunk.len());
        let mut failure = None;
        for item in chunk {
            match item {
                Ok(item) => items.extend(names.item(item)),
                Err(error) => failure = Some(error),
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

/// The lines before one.
pub(super) async fn older(
    client: &Client,
    topic: &Topic,
    before: Before,
) -> Result<Vec<Line>, String> {
    let until = match topic.scope {
        Scope::One(_) => format!(
            "{}:{}",
            before.place.run,
            before.place.seq.saturating_sub(1)
        ),
        // Those of the same moment come again, and are known by their places.
        Scope::All => before.at.to_string(),
    };
    let filter = LogFilter {
        until: Some(until),
        tail: Some(OLDER),
        ..about(topic)
    };
    let mut names = translate::Names::default();
    let items = lines(client, &filter).await.map_err(|it| it.to_string())?;
    let items = items.into_iter().filter_map(|item| names.line(item));
    Ok(items.collect())
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
        level: topic.level.map(translate::level),
        ..LogFilter::default()
    }
}
