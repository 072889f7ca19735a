//! A client of a running daemon: finds it, asks it, hears what happens.
//!
//! `bpm` and the terminal UI use it. It speaks HTTP over the daemon's unix socket or over TCP, one
//! connection for each call. It must not know who shows what it brings, nor how a daemon works.
//! It never comes back by itself: whoever wants to go on looks for the daemon again, because that
//! may be another one at another address.

mod error;
mod event;
mod find;
mod items;
mod lines;
mod logs;
mod ndjson;
mod query;
mod sse;
mod target;
mod transport;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bpm_actors::report::RestartReport;
use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;

pub use self::{
    error::ClientError,
    event::Event,
    find::{FindError, TOKEN_VARIABLE, Which, find, project, token_of},
    items::{Events, LogItems},
    lines::{Lines, TooLong},
    logs::{LogFilter, LogItem, LogKind, LogLine, LogStream, Notice},
    ndjson::NdjsonDecoder,
    sse::{ServerSent, SseDecoder},
    target::{Address, BadUrl, Target},
};
use self::{
    query::{Query, encoded},
    transport::{Answer, Request},
};
pub use crate::service::{ProcessUsage, ReloadReport, StatusReport, UsageReport};

/// How long a question may take that the daemon answers from memory.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long may pass before the first line of a log, which may have to be searched for.
const SEARCH: Duration = Duration::from_mins(1);
/// How much longer an order may take than the daemon was told to wait for it.
const MARGIN: Duration = Duration::from_secs(10);

/// How many events a daemon keeps.
const MOST_EVENTS: usize = 1_000;

/// What a process can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Build in dev, then swap.
    Restart,
    /// Run again after a stop.
    Start,
    /// End, and stay stopped.
    Stop,
}

impl Order {
    /// The word for it, in the API and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// Asks one daemon. Needs a tokio runtime.
#[derive(Clone, Debug)]
pub struct Client {
    target: Target,
}

impl Client {
    /// A client of this daemon. Nothing is asked yet.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self { target }
    }

    /// Whom it asks.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What everything does.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn status(&self) -> Result<StatusReport, ClientError> {
        self.ask(Request::get("/api/status"), PATIENCE).await
    }

    /// What the processes use of the machine.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn usage(&self) -> Result<UsageReport, ClientError> {
        self.ask(Request::get("/api/usage"), PATIENCE).await
    }

    /// Gives an order and waits for what comes of it, at most `timeout_seconds` or, without, as long
    /// as the daemon thinks fit. What came of it, good or bad, is in the report.
    ///
    /// # Errors
    /// When the daemon does not take the order, or does not answer; the order may stand then.
    pub async fn order(
        &self,
        order: Order,
        process: &str,
        timeout_seconds: Option<f64>,
    ) -> Result<RestartReport, ClientError> {
        let path = format!("/api/processes/{}/{}", encoded(process), order.word());
        let body = timeout_seconds.map_or_else(Bytes::new, |seconds| {
            serde_json::json!({"timeout_seconds": seconds})
                .to_string()
                .into()
        });
        let request = Request {
            method: Method::POST,
            path,
            headers: Vec::new(),
            body,
        };
        let patience = Duration::try_from_secs_f64(timeout_seconds.unwrap_or(50.0))
            .unwrap_or(Duration::MAX)
            .saturating_add(MARGIN);
        self.ask(request, patience).await
    }

    /// Lets the daemon read its configuration again. Answers when what changed begins to take effect.
    ///
    /// # Errors
    /// When the configuration is wrong, so that nothing was changed, or there is no answer.
    pub async fn reload(&self) -> Result<ReloadReport, ClientError> {
        let request = Request {
            method: Method::POST,
            ..Request::get("/api/reload")
        };
        self.ask(request, PATIENCE).await
    }

    /// What happens from now on; before it what came behind the event `after`, or the `last` so many.
    /// Ends when the daemon does.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn events(
        &self,
        after: Option<u64>,
        last: Option<usize>,
    ) -> Result<Events, ClientError> {
        self.stream(after, last, Query::default()).await
    }

    /// The `last` so many things that happened.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn past_events(&self, last: usize) -> Result<Events, ClientError> {
        let mut query = Query::default();
        query.push("follow", false);
        self.stream(None, Some(last), query).await
    }

    async fn stream(
        &self,
        after: Option<u64>,
        last: Option<usize>,
        mut query: Query,
    ) -> Result<Events, ClientError> {
        // A header as well would say the same again.
        query.maybe("after", after);
        if after.is_none() {
            query.maybe("last", last.map(|last| last.min(MOST_EVENTS)));
        }
        let mut request = Request::get(format!("/api/events{}", query.finish()));
        request
            .headers
            .push(("accept", "text/event-stream".to_owned()));
        Ok(self.open(request, PATIENCE).await?.into())
    }

    /// Lines of logs, the oldest first. Ends when there are no more, where `follow` is set when the
    /// daemon does.
    ///
    /// # Errors
    /// When there is no answer, or the daemon does not understand the question.
    pub async fn logs(&self, filter: &LogFilter) -> Result<LogItems, ClientError> {
        let request = Request::get(format!("/api/logs{}", filter.query()));
        Ok(self.open(request, SEARCH).await?.into())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: Request,
        patience: Duration,
    ) -> Result<T, ClientError> {
        let asked = async { transport::send(&self.target, request).await?.whole().await };
        let body = tokio::time::timeout(patience, asked)
            .await
            .map_err(|_| ClientError::TimedOut)??;
        serde_json::from_slice(&body)
            .map_err(|error| ClientError::Unintelligible(error.to_string()))
    }

    async fn open(&self, request: Request, patience: Duration) -> Result<Answer, ClientError> {
        tokio::time::timeout(patience, transport::send(&self.target, request))
            .await
            .map_err(|_| ClientError::TimedOut)?
            .map(Answer::going_on)
    }
}
