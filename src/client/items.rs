//! Answers that go on: what arrived of them becomes items as they are taken.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;

use super::{
    error::ClientError, event::Event, logs::LogItem, ndjson::NdjsonDecoder, sse::SseDecoder,
    transport::Answer,
};

/// What happens in a daemon; ends when the daemon does. Dropping it hangs up.
#[derive(Debug)]
pub struct Events {
    answer: Answer,
    decoder: SseDecoder,
    arrived: VecDeque<Result<Event, ClientError>>,
    is_over: bool,
}

impl From<Answer> for Events {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            decoder: SseDecoder::default(),
            arrived: VecDeque::new(),
            is_over: false,
        }
    }
}

impl Stream for Events {
    type Item = Result<Event, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.arrived.pop_front() {
                return Poll::Ready(Some(event));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            let mut sent = Vec::new();
            let decoded = match ready!(this.answer.poll_bytes(context)) {
                Some(Ok(bytes)) => this
                    .decoder
                    .feed(&bytes, &mut sent)
                    .map_err(|error| ClientError::Unintelligible(format!("an event: {error}"))),
                Some(Err(error)) => Err(error),
                None => {
                    this.is_over = true;
                    Ok(())
                }
            };
            this.arrived.extend(sent.iter().map(Event::read));
            if let Err(error) = decoded {
                this.is_over = true;
                this.arrived.push_back(Err(error));
            }
        }
    }
}

/// Lines of logs. Dropping it hangs up.
#[derive(Debug)]
pub struct LogItems {
    answer: Answer,
    /// `None` when nothing more comes.
    decoder: Option<NdjsonDecoder>,
    arrived: VecDeque<Result<LogItem, ClientError>>,
}

impl From<Answer> for LogItems {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            decoder: Some(NdjsonDecoder::default()),
            arrived: VecDeque::new(),
        }
    }
}

impl Stream for LogItems {
    type Item = Result<LogItem, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(item) = this.arrived.pop_front() {
                return Poll::Ready(Some(item));
            }
            let Some(decoder) = &mut this.decoder else {
                return Poll::Ready(None);
            };
            let mut items = Vec::new();
            let decoded = match ready!(this.answer.poll_bytes(context)) {
                Some(Ok(bytes)) => decoder.feed(&bytes, &mut items).map_err(|error| {
                    ClientError::Unintelligible(format!("a line of a log: {error}"))
                }),
                Some(Err(error)) => Err(error),
                None => {
                    let last = this.decoder.take().and_then(NdjsonDecoder::finish);
                    items.extend(last.map(Ok));
                    Ok(())
                }
            };
            this.arrived.extend(items);
            if let Err(error) = decoded {
                this.decoder = None;
                this.arrived.push_back(Err(error));
            }
        }
    }
}
