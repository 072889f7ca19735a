//! Why a daemon does not answer, or not with what was asked for.

use std::io;

use serde::Deserialize;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("nobody listens at {0}")]
    NotRunning(String),
    /// The daemon does not do it.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The reason, for programs: `unknown_process`, `bad_request`, `unauthorized`, …
        code: String,
        /// The reason, for people.
        message: String,
        /// The processes that there are, where that helps.
        known: Vec<String>,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// There was no answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// What came is not what a daemon says.
    #[error("not the answer of a daemon: {0}")]
    Unintelligible(String),
}

impl ClientError {
    /// Whether it may be well when the daemon is back: it is worth to look for it again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotRunning(_) | Self::Broken(_) | Self::TimedOut => true,
            Self::Refused { status, .. } => *status == 503,
            Self::Unintelligible(_) => false,
        }
    }

    /// A stream that ended, which none does that goes on while its daemon lives.
    #[must_use]
    pub fn ended() -> Self {
        Self::Broken(io::ErrorKind::UnexpectedEof.into())
    }

    /// Nothing came for so long.
    pub(super) fn silent(time: std::time::Duration) -> Self {
        let text = format!("no sign of life for {} s", time.as_secs());
        Self::Broken(io::Error::new(io::ErrorKind::TimedOut, text))
    }

    pub(super) fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Broken(io::Error::other(cause))
    }

    /// Reads the body of an answer that is none.
    pub(super) fn refused(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Reason,
        }
        #[derive(Deserialize)]
        struct Reason {
            code: String,
            message: String,
            #[serde(default)]
            known: Option<Vec<String>>,
        }
        match serde_json::from_slice::<Body>(body) {
            Ok(Body { error }) => Self::Refused {
                status,
                code: error.code,
                message: error.message,
                known: error.known.unwrap_or_default(),
            },
            // Something between us and the daemon, or something else altogether.
            Err(_) => Self::Unintelligible(format!("HTTP status {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_reason_and_what_there_is_instead() {
        let body =
            br#"{"error":{"code":"unknown_process","message":"no process web","known":["main"]}}"#;
        let ClientError::Refused {
            status,
            code,
            message,
            known,
        } = ClientError::refused(404, body)
        else {
            panic!("not refused");
        };
        assert_eq!((status, code.as_str()), (404, "unknown_process"));
        assert_eq!(
            (message.as_str(), known),
            ("no process web", vec!["main".to_owned()])
        );
        let plain = ClientError::refused(502, b"<html>");
        assert_eq!(
            plain.to_string(),
            "not the answer of a daemon: HTTP status 502"
        );
    }
}
