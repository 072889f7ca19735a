//! How requests are refused: `{"error":{"code":"…","message":"…"}}`, with the names that would have
//! been right where there are any.

use std::fmt;

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;

/// What programs tell refusals apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// Something about the request is wrong; the message says what would be right.
    BadRequest,
    /// The configuration is wrong, or asks for a port that cannot be had; nothing was changed.
    ConfigInvalid,
    /// The token is missing, or another one.
    Unauthorized,
    /// The door was closed.
    Forbidden,
    /// No process has this name.
    UnknownProcess,
    /// That run or build is not kept.
    NoSuchLog,
    /// Nothing is served there.
    NotFound,
    /// Something is served there, but not to this method.
    MethodNotAllowed,
    /// The daemon ends, or has a fault.
    Unavailable,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::ConfigInvalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::UnknownProcess | Self::NoSuchLog | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    code: Code,
    message: String,
    /// The names that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a Refusal,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            message,
            known: None,
        }
    }

    /// 400: this is wrong.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    /// 401: the token is missing, or another one.
    pub(crate) fn unauthorized() -> HttpResponse {
        let message = "this daemon wants its token: Authorization: Bearer TOKEN, from the file \
                       `token` in its state folder";
        let mut response = Self::new(Code::Unauthorized, message).response();
        let bearer = actix_web::http::header::HeaderValue::from_static("Bearer");
        let headers = response.headers_mut();
        headers.insert(actix_web::http::header::WWW_AUTHENTICATE, bearer);
        response
    }

    /// 403: the door was closed.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// 404: nothing is served there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// 405: only this method is.
    pub(crate) fn method_not_allowed(method: &'static str) -> HttpResponse {
        let message = format!("only {method} is served here");
        let mut response = Self::new(Code::MethodNotAllowed, message).response();
        let allow = actix_web::http::header::HeaderValue::from_static(method);
        let headers = response.headers_mut();
        headers.insert(actix_web::http::header::ALLOW, allow);
        response
    }

    /// The same, with the names that there are.
    pub(crate) fn knowing(self, known: Vec<String>) -> Self {
        let known = Some(known);
        Self { known, ..self }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.code.status()
    }

    pub(crate) fn response(&self) -> HttpResponse {
        HttpResponse::build(self.status()).json(Body { error: self })
    }
}
