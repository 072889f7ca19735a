//! What the service refuses, as the API says it.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use bpm_actors::search::NoSuchLog;

use crate::{
    http::refusal::{Code, Refusal},
    service::{Names, ReloadError, ServiceError},
};

/// What a route answers.
pub(super) type Answer = Result<HttpResponse, Refused>;

/// A request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) Refusal);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.0.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.0.response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        let message = error.to_string();
        Self(match error {
            ServiceError::UnknownProcess { known, .. } => {
                Refusal::new(Code::UnknownProcess, message).knowing(texts(&known))
            }
            ServiceError::WhichProcess { known } => {
                Refusal::bad_request(message).knowing(texts(&known))
            }
            ServiceError::CursorOfOne { .. } => Refusal::bad_request(message),
            ServiceError::NoSuchLog {
                cause: NoSuchLog::Closed,
                ..
            }
            | ServiceError::ProcessSilent { .. }
            | ServiceError::LogsSilent => Refusal::new(Code::Unavailable, message),
            ServiceError::NothingIsBuilt { .. } | ServiceError::NoSuchLog { .. } => {
                Refusal::new(Code::NoSuchLog, message)
            }
        })
    }
}

impl From<ReloadError> for Refused {
    fn from(error: ReloadError) -> Self {
        let code = match error {
            ReloadError::Refused(_) => Code::ConfigInvalid,
            ReloadError::ShuttingDown => Code::Unavailable,
        };
        Self(Refusal::new(code, error.to_string()))
    }
}

fn texts(names: &Names) -> Vec<String> {
    names.0.iter().map(ToString::to_string).collect()
}
