//! `GET /api/events`: what happens, as server-sent events.

use std::fmt::Write as _;

use actix_web::{HttpRequest, web};
use bpm_actors::events::{Begin, Happened, KEPT};
use bytes::Bytes;
use futures_util::FutureExt;

use super::{
    Api,
    errors::Answer,
    query::Parameters,
    stream::{EVENTS, Stretch},
};
use crate::http::refusal::Refusal;

/// The header by which a browser, or whoever is like one, resumes.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Follows the events.
pub(super) async fn follow(api: web::Data<Api>, request: HttpRequest) -> Answer {
    let (from, stretch) = from(&request)?;
    let place = api.streams.place()?;
    // From here on nothing is missed.
    let mut reader = api.service.events().read(from);
    let streams = &api.streams;
    let answer = streams.answer(&request, &EVENTS, stretch, place, |pen| async move {
        // So that the client knows that the stream stands.
        pen.write(": events\n\n").await?;
        loop {
            let mut text = String::new();
            let batch = match stretch {
                Stretch::Endless | Stretch::Ending => Some(reader.next().await),
                Stretch::Past => reader.next().now_or_never(),
            };
            let Some(batch) = batch else {
                return Ok(());
            };
            for event in batch {
                write(&event, &mut text);
            }
            pen.write(Bytes::from(text)).await?;
        }
    });
    Ok(answer)
}

/// Where the client wants to begin, and how far he wants to go.
fn from(request: &HttpRequest) -> Result<(Begin, Stretch), super::errors::Refused> {
    let mut given = Parameters::of(request)?;
    let after = given.number("after", 0..=u64::MAX);
    let last = given.number("last", 0..=KEPT);
    if after.is_some() && last.is_some() {
        given.refuse("`after` and `last` both say where to begin; give one of them");
    }
    let stretch = match given.flag("follow") {
        Some(false) => Stretch::Past,
        Some(true) | None => Stretch::Endless,
    };
    given.finish()?;
    let header = request.headers().get(LAST_EVENT_ID);
    let header = header.map(|value| {
        let id = value.to_str().ok().and_then(|it| it.trim().parse().ok());
        id.ok_or_else(|| Refusal::bad_request("Last-Event-ID must be the id of an event"))
    });
    // The header is of the connection that broke, the parameter of the one before it.
    let begin = match (header.transpose()?, after, last) {
        (Some(id), ..) | (None, Some(id), _) => Begin::After(id),
        (None, None, Some(count)) => Begin::Last(count),
        (None, None, None) => Begin::Now,
    };
    Ok((begin, stretch))
}

fn write(event: &Happened, text: &mut String) {
    let kind = serde_json::to_value(event.kind).unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default();
    // JSON has no newline in it.
    let data = serde_json::to_string(event).unwrap_or_default();
    let _ = write!(text, "event: {kind}\nid: {}\ndata: {data}\n\n", event.id);
}
