//! The body of a request, within bounds.

use std::time::Duration;

use actix_web::{HttpRequest, http::header::CONTENT_LENGTH, http::header::CONTENT_TYPE, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

/// How much of a request that is too large is read and dropped, so that its sender reads the answer
/// instead of a broken connection.
const MOST_DROPPED: usize = 16 * 1024 * 1024;
/// How long the body of a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It has more bytes than it may.
    TooLarge,
    /// It cannot be read to its end.
    Broken,
    /// It did not arrive.
    Late,
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    most: usize,
) -> Result<Bytes, Unreadable> {
    let read = arrive(length(request), payload, most);
    let read = tokio::time::timeout(ARRIVAL, read).await;
    read.unwrap_or(Err(Unreadable::Late))
}

/// How long the body is, where that is known before.
fn length(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn arrive(
    length: Option<usize>,
    mut payload: web::Payload,
    most: usize,
) -> Result<Bytes, Unreadable> {
    let mut body = BytesMut::new();
    let mut dropped = 0;
    // Behind `Connection: upgrade` actix-web's payload goes on after the body.
    while length.is_none_or(|length| body.len() < length)
        && let Some(chunk) = payload.next().await
    {
        let chunk = chunk.map_err(|_| Unreadable::Broken)?;
        if dropped > 0 || body.len() + chunk.len() > most {
            dropped += chunk.len();
            if dropped > MOST_DROPPED {
                break;
            }
        } else {
            body.extend_from_slice(&chunk);
        }
    }
    if dropped > 0 {
        return Err(Unreadable::TooLarge);
    }
    Ok(body.freeze())
}

/// Whether the request says that its body is JSON.
pub(crate) fn is_json(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}
