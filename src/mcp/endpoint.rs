//! `/mcp`: carries requests from actix-web to rmcp and its answers back.
//!
//! rmcp speaks the protocol. What it answers to requests that are no JSON-RPC message at all would
//! puzzle clients (a text with status 415), so those are answered here.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header as actix_header},
    web,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::{BodyDataStream, BodyExt, Full};
use rmcp::{
    ServerHandler,
    model::{ErrorCode, RequestId},
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::SessionManager,
    },
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    PATH,
    quick::Quick,
    refusal::{Answered, Refusal},
};
use crate::http::body::{self, Unreadable};

/// The most bytes that a request may have.
const MOST_BYTES: usize = 1024 * 1024;
/// From this revision on, errors to nobody have no id.
const WITHOUT_NULL_ID: &str = "2026-07-28";

type Answer = http::Response<http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>>;

/// rmcp's server behind `/mcp`: `H` has the tools, `M` the sessions of the older protocol.
pub(crate) struct Endpoint<H, M> {
    rmcp: StreamableHttpService<H, M>,
    quick: Option<Quick>,
    shutdown: CancellationToken,
}

/// How rmcp is set up behind a door that knows these origins.
pub(super) fn config(
    origins: Vec<String>,
    shutdown: CancellationToken,
) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        // No sessions: nothing is lost when the daemon restarts, nothing idles out.
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MOST_BYTES)
        // The door has checked Host for all routes, and knows more loopback addresses.
        .disable_allowed_hosts()
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        .with_cancellation_token(shutdown)
}

impl<H: ServerHandler, M: SessionManager> Endpoint<H, M> {
    pub(super) fn new(
        rmcp: StreamableHttpService<H, M>,
        quick: Option<Quick>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            rmcp,
            quick,
            shutdown,
        }
    }

    /// Any other method than POST: what rmcp makes of it, which is 405 where there are no sessions.
    async fn other(&self, request: &HttpRequest) -> HttpResponse {
        let method = http::Method::from_bytes(request.method().as_str().as_bytes());
        let mut forwarded = http::Request::new(Full::new(Bytes::new()));
        *forwarded.method_mut() = method.unwrap_or(http::Method::OPTIONS);
        *forwarded.uri_mut() = http::Uri::from_static(PATH);
        *forwarded.headers_mut() = headers(request);
        deliver(self.rmcp.handle(forwarded).await, request).await
    }

    async fn post(&self, request: &HttpRequest, payload: web::Payload) -> HttpResponse {
        let refused = |status, text: &str| {
            Refusal::rpc(status, ErrorCode::INVALID_REQUEST, text, nobody(request))
        };
        if !body::is_json(request) {
            let text = "Content-Type must be application/json";
            return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        }
        let body = match body::read(request, payload, MOST_BYTES).await {
            Ok(body) => body,
            Err(Unreadable::TooLarge) => {
                let text = format!("a request has at most {MOST_BYTES} bytes");
                return refused(StatusCode::PAYLOAD_TOO_LARGE, &text);
            }
            Err(Unreadable::Broken) => {
                let text = "the body of the request cannot be read";
                return refused(StatusCode::BAD_REQUEST, text);
            }
            Err(Unreadable::Late) => {
                let text = "the body of the request did not arrive";
                return refused(StatusCode::REQUEST_TIMEOUT, text);
            }
        };
        if let Some(quick) = &self.quick
            && let Some(answer) = quick.answer(request, &body).await
        {
            return answer;
        }
        let mut forwarded = http::Request::new(Full::new(body.clone()));
        *forwarded.method_mut() = http::Method::POST;
        *forwarded.uri_mut() = http::Uri::from_static(PATH);
        *forwarded.headers_mut() = headers(request);

        let answer = self.rmcp.handle(forwarded).await;
        match answer.status() {
            // rmcp's word for a body that it cannot read: the type was checked above.
            http::StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                let (code, text, to) = diagnose(&body, request);
                Refusal::rpc(StatusCode::BAD_REQUEST, code, text, to)
            }
            // Nothing but a handler that was dropped leads there.
            http::StatusCode::INTERNAL_SERVER_ERROR => {
                let text = if self.shutdown.is_cancelled() {
                    "the daemon is shutting down"
                } else {
                    "the request was abandoned"
                };
                let code = ErrorCode::INTERNAL_ERROR;
                Refusal::rpc(StatusCode::SERVICE_UNAVAILABLE, code, text, nobody(request))
            }
            _ => deliver(answer, request).await,
        }
    }
}

/// Serves one request on `/mcp`.
pub(super) async fn serve<H: ServerHandler, M: SessionManager>(
    endpoint: web::Data<Endpoint<H, M>>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    if request.method() == actix_web::http::Method::POST {
        endpoint.post(&request, payload).await
    } else {
        endpoint.other(&request).await
    }
}

/// The headers in the types that rmcp takes. The versions of the `http` crate differ, the bytes do
/// not.
fn headers(request: &HttpRequest) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(request.headers().len());
    for (name, value) in request.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let all = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| {
            text.split(',')
                .any(|range| range.split(';').next().is_some_and(|it| it.trim() == "*/*"))
        })
    };
    // For curl's sake: whoever takes everything takes both types that the protocol knows.
    if !headers.contains_key(ACCEPT) || headers.get_all(ACCEPT).iter().any(all) {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(ACCEPT, both);
    }
    headers
}

/// What is wrong with a body that is no JSON-RPC message.
fn diagnose(body: &[u8], request: &HttpRequest) -> (ErrorCode, String, Answered) {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => {
            let text = format!("parse error: {error}");
            return (ErrorCode::PARSE_ERROR, text, nobody(request));
        }
    };
    let invalid = |text: &str, to| (ErrorCode::INVALID_REQUEST, text.to_owned(), to);
    let Value::Object(fields) = value else {
        let text = match value {
            Value::Array(_) => "batches are not served; send one message at a time",
            _ => "a message is a JSON object",
        };
        return invalid(text, nobody(request));
    };
    let id = fields.get("id").cloned();
    let to = id
        .and_then(|id| serde_json::from_value::<RequestId>(id).ok())
        .map_or_else(|| nobody(request), Answered::Id);
    let text = if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        "`jsonrpc` must be \"2.0\""
    } else if !fields.get("method").is_some_and(Value::is_string) {
        "`method` must be a string"
    } else {
        "this is no JSON-RPC request, or a field appears twice"
    };
    invalid(text, to)
}

/// To whom an error goes when no id could be read.
fn nobody(request: &HttpRequest) -> Answered {
    let version = request.headers().get("mcp-protocol-version");
    let version = version.and_then(|value| value.to_str().ok());
    // Revisions are dates, so text order is their order.
    if version.is_some_and(|version| version >= WITHOUT_NULL_ID) {
        Answered::Nobody
    } else {
        Answered::Unknown
    }
}

/// rmcp's answer as actix-web sends it.
async fn deliver(answer: Answer, request: &HttpRequest) -> HttpResponse {
    let (parts, body) = answer.into_parts();
    let status = StatusCode::from_u16(parts.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);

    // rmcp refuses some requests with a plain text.
    let refused = status.is_client_error() && kind != Some(b"application/json");
    if refused {
        let bytes = whole(body).await;
        let text = String::from_utf8_lossy(&bytes);
        let code = ErrorCode::INVALID_REQUEST;
        let mut response = Refusal::rpc(status, code, text, nobody(request));
        let methods = parts.headers.get(http::header::ALLOW);
        if let Some(Ok(methods)) = methods.map(|it| it.as_bytes().try_into()) {
            response.headers_mut().insert(actix_header::ALLOW, methods);
        }
        return response;
    }
    let mut response = HttpResponse::build(status);
    for (name, value) in &parts.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    if kind == Some(b"text/event-stream") {
        response.streaming(BodyDataStream::new(body))
    } else {
        response.body(whole(body).await)
    }
}

async fn whole<B>(body: B) -> Bytes
where
    B: http_body::Body<Data = Bytes, Error = std::convert::Infallible>,
{
    match body.collect().await {
        Ok(body) => body.to_bytes(),
    }
}
