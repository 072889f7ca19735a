//! Why `bpm` could not do it, in words and as an exit code.

use std::{io, path::Path};

use super::code::Code;
use crate::{
    client::{Client, ClientError, FindError, TOKEN_VARIABLE},
    config::LoadError,
};

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody reads what is printed any more: no reason to complain.
    #[error("nobody reads on")]
    Closed,
    /// It cannot be printed.
    #[error("cannot print: {0}")]
    Output(io::Error),
    /// No daemon was found.
    #[error("{error}{hint}", error = .0, hint = hint(.0))]
    Find(#[from] FindError),
    /// The daemon does not answer, or refuses.
    #[error("{error}{hint}", error = .0, hint = client_hint(.0))]
    Client(#[from] ClientError),
    /// The configuration is of no use.
    #[error("{0}")]
    Config(#[from] LoadError),
    /// Something else.
    #[error("{text}")]
    Other {
        /// How it ends.
        code: Code,
        /// In words.
        text: String,
    },
}

impl Failure {
    /// Something that has no kind of its own.
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Other { code, text }
    }

    /// The time ran out before the daemon said anything.
    pub(super) fn silent(client: &Client) -> Self {
        let url = &client.target().url;
        Self::new(
            Code::TimeUp,
            format!("{url}: the daemon did not answer in time"),
        )
    }

    /// How it ends.
    pub(super) fn code(&self) -> Code {
        match self {
            // As a tool that SIGPIPE ends, but without the noise that shells make of that.
            Self::Closed => Code::Done,
            Self::Output(_) => Code::Failed,
            Self::Config(_) => Code::Usage,
            Self::Other { code, .. } => *code,
            Self::Find(error) => match error {
                FindError::NotRunning { .. } => Code::NotRunning,
                FindError::BadUrl(_) | FindError::Directory { .. } | FindError::NoProject(_) => {
                    Code::Usage
                }
            },
            Self::Client(error) => match error {
                ClientError::NotRunning(_) | ClientError::Broken(_) => Code::NotRunning,
                ClientError::TimedOut => Code::TimeUp,
                ClientError::Refused { status, code, .. } => match (code.as_str(), status) {
                    ("unknown_process", _) => Code::UnknownProcess,
                    (_, 400) => Code::Usage,
                    _ => Code::Failed,
                },
                ClientError::Unintelligible(_) => Code::Failed,
            },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Output(cause),
        }
    }
}

fn hint(error: &FindError) -> String {
    match error {
        FindError::NotRunning { project_dir } => {
            format!("; start it with: bpm run {}", quoted(project_dir))
        }
        FindError::NoProject(_) => {
            "; bpm init writes one, bpm -C DIR or --url says where the project is".to_owned()
        }
        FindError::BadUrl(_) | FindError::Directory { .. } => String::new(),
    }
}

fn client_hint(error: &ClientError) -> String {
    match error {
        ClientError::NotRunning(_) => {
            ": the daemon does not run; start it in the project's directory with: bpm run"
                .to_owned()
        }
        ClientError::Refused { status: 401, .. } => {
            format!(
                "; the token lies in the state folder of the user whose daemon it is, and is taken \
                 from {TOKEN_VARIABLE}"
            )
        }
        _ => String::new(),
    }
}

/// A path as a shell wants it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/-_.+@:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_does_not_run_is_said_with_the_command_that_starts_it() {
        let failure = Failure::from(FindError::NotRunning {
            project_dir: "/home/u/it's mine".into(),
        });
        assert_eq!(failure.code(), Code::NotRunning);
        assert_eq!(
            failure.to_string(),
            r"/home/u/it's mine: its daemon does not run; start it with: bpm run '/home/u/it'\''s mine'"
        );
        let failure = Failure::from(ClientError::NotRunning(
            "http://localhost:3001/mcp".to_owned(),
        ));
        assert_eq!(failure.code(), Code::NotRunning);
        assert!(failure.to_string().ends_with("with: bpm run"), "{failure}");
    }

    #[test]
    fn refusals_end_by_their_reasons() {
        let refused = |status, code: &str| {
            Failure::from(ClientError::Refused {
                status,
                code: code.to_owned(),
                message: String::new(),
                known: Vec::new(),
            })
            .code()
        };
        assert_eq!(refused(404, "unknown_process"), Code::UnknownProcess);
        assert_eq!(refused(404, "no_such_log"), Code::Failed);
        assert_eq!(refused(400, "bad_request"), Code::Usage);
        assert_eq!(refused(401, "unauthorized"), Code::Failed);
        assert_eq!(refused(503, "unavailable"), Code::Failed);
        let up = Failure::from(ClientError::TimedOut);
        assert_eq!(up.code(), Code::TimeUp);
        let broken = Failure::from(ClientError::ended());
        assert_eq!(broken.code(), Code::NotRunning);
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(closed.code(), Code::Done);
    }
}
