//! A short way for the one request that screens send again and again: `get_status` in the older
//! protocol, without anything that needs a decision.
//!
//! rmcp spawns several tasks for each request and would be most of its cost. The answer is byte for
//! byte what rmcp gives (a test compares them); every other request goes the long way.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, CONTENT_TYPE},
};
use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

use super::{rendered::Rendered, tools};

/// Longer requests go the long way without being looked at.
const MOST_BYTES: usize = 512;
/// What clients accept that take both forms of an answer.
const ACCEPTED: [&str; 3] = [
    "application/json, text/event-stream",
    "text/event-stream, application/json",
    "*/*",
];
/// The revisions that have nothing to say about a tool call but what is in its body.
const OLDER: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// Answers what it can.
pub(super) struct Quick {
    status: Rendered,
}

impl Quick {
    pub(super) fn new(status: Rendered) -> Self {
        Self { status }
    }

    /// The answer, if this is that request.
    pub(super) async fn answer(&self, request: &HttpRequest, body: &[u8]) -> Option<HttpResponse> {
        if body.len() > MOST_BYTES || !plain(request) {
            return None;
        }
        let poll: Poll<'_> = serde_json::from_slice(body).ok()?;
        if poll.jsonrpc != "2.0"
            || poll.method != "tools/call"
            || poll.params.name != tools::GET_STATUS
        {
            return None;
        }
        let answer = self.status.now().await;
        let mut message = BytesMut::with_capacity(answer.json.len() + body.len());
        message.put_slice(br#"{"jsonrpc":"2.0","id":"#);
        serde_json::to_writer((&mut message).writer(), &poll.id).ok()?;
        message.put_slice(br#","result":"#);
        message.put_slice(&answer.json);
        message.put_u8(b'}');
        let mut response = HttpResponse::Ok();
        response.insert_header((CONTENT_TYPE, "application/json"));
        Some(response.body(message.freeze()))
    }
}

/// Whether no header asks for anything special.
fn plain(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let mut accept = headers.get_all(ACCEPT);
    let accepts = accept.next().is_none_or(|it| {
        it.to_str().is_ok_and(|it| ACCEPTED.contains(&it)) && accept.next().is_none()
    });
    accepts
        && headers.iter().all(|(name, value)| {
            let name = name.as_str();
            match name.strip_prefix("mcp-") {
                None => true,
                Some("protocol-version") => value.to_str().is_ok_and(|it| OLDER.contains(&it)),
                Some(_) => false,
            }
        })
}

/// A poll. Whatever else is in a request, or written otherwise, makes it none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Poll<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: Id<'a>,
    method: &'a str,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params<'a> {
    name: &'a str,
    #[serde(default, rename = "arguments")]
    _arguments: Nothing,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Id<'a> {
    Number(i64),
    Text(&'a str),
}
