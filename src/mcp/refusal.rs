//! How requests that never become an MCP message are refused: JSON-RPC errors.

use actix_web::{HttpResponse, http::StatusCode};
use rmcp::model::{ErrorCode, ErrorData, JsonRpcError, RequestId};
use serde_json::{Value, json};

/// Makes the answers.
pub(super) struct Refusal;

impl Refusal {
    /// A JSON-RPC error with this HTTP status.
    pub(super) fn rpc(
        status: StatusCode,
        code: ErrorCode,
        text: impl Into<String>,
        to: Answered,
    ) -> HttpResponse {
        let error = ErrorData::new(code, text.into(), None);
        HttpResponse::build(status).json(message(to, error))
    }
}

/// Which message an error answers.
pub(super) enum Answered {
    /// The one with this id.
    Id(RequestId),
    /// One whose id could not be read. JSON-RPC wants null then.
    Unknown,
    /// The same in 2026-07-28, which wants no id at all.
    Nobody,
}

fn message(to: Answered, error: ErrorData) -> Value {
    let (id, null) = match to {
        Answered::Id(id) => (Some(id), false),
        Answered::Unknown => (None, true),
        Answered::Nobody => (None, false),
    };
    let mut message = json!(JsonRpcError::new(id, error));
    if let (true, Some(fields)) = (null, message.as_object_mut()) {
        fields.insert("id".to_owned(), Value::Null);
    }
    message
}
