//! Lines of logs: what is asked of `/api/logs`, and what it answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{error::ClientError, query::Query};

/// Which lines are wanted. The default is the newest run of every process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Whose; where none is named, those of all.
    pub processes: Vec<String>,
    /// Of runs or of builds.
    pub kind: LogKind,
    /// Which run or build, by its id.
    pub run: Option<u64>,
    /// Which run or build, by its place: from 1 the oldest ones, from -1 backwards the newest.
    pub index: Option<i64>,
    /// Not before: an age (`5m`), a time (RFC 3339) or a cursor.
    pub since: Option<String>,
    /// Not after; as `since`.
    pub until: Option<String>,
    /// Only what came behind this place: `7:1042`, or `main=7:1042,web=8:3` for several processes.
    pub after_cursor: Option<String>,
    /// A regular expression that they match.
    pub pattern: Option<String>,
    /// Whether capitals and small letters are the same to it.
    pub ignore_case: bool,
    /// Whether those are wanted that do not match.
    pub invert: bool,
    /// At least as bad as this: `fatal`, `error`, `warn`, `info`, `debug`, `trace`.
    pub level: Option<String>,
    /// Only of this stream.
    pub stream: Option<LogStream>,
    /// How many lines around each match.
    pub context_lines: Option<usize>,
    /// Only the first ones.
    pub head: Option<usize>,
    /// Only the last ones.
    pub tail: Option<usize>,
    /// Whether to go on with what is printed from now on.
    pub follow: bool,
}

impl LogFilter {
    /// As the query of an URL.
    pub(super) fn query(&self) -> String {
        let mut query = Query::default();
        for process in &self.processes {
            query.push("process", process);
        }
        let kind = match self.kind {
            LogKind::Run => None,
            LogKind::Build => Some("build"),
        };
        let stream = self.stream.map(|stream| match stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        });
        query
            .maybe("kind", kind)
            .maybe("run", self.run)
            .maybe("index", self.index)
            .maybe("since", self.since.as_ref())
            .maybe("until", self.until.as_ref())
            .maybe("after_cursor", self.after_cursor.as_ref())
            .maybe("pattern", self.pattern.as_ref())
            .flag("ignore_case", self.ignore_case)
            .flag("invert", self.invert)
            .maybe("level", self.level.as_ref())
            .maybe("stream", stream)
            .maybe("context_lines", self.context_lines)
            .maybe("head", self.head)
            .maybe("tail", self.tail)
            .flag("follow", self.follow);
        query.finish()
    }
}

/// What printed lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogKind {
    /// Runs of the program.
    #[default]
    Run,
    /// Builds.
    Build,
}

/// Which of the two outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One item of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// A line.
    Line(LogLine),
    /// Something about the lines.
    Notice(Notice),
}

/// One line that was printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Whose.
    pub process: String,
    /// Id of the run, or of the build.
    pub run: u64,
    /// Its number among the lines of both streams, from 1.
    pub seq: u64,
    /// When it was stored.
    pub at: Timestamp,
    /// Where it was printed to.
    pub stream: LogStream,
    /// As printed, with its colours; what is not UTF-8 is replaced.
    pub text: String,
    /// Whether a build printed it.
    #[serde(default, skip_serializing_if = "is_not")]
    pub build: bool,
    /// Whether it only surrounds a match.
    #[serde(default, skip_serializing_if = "is_not")]
    pub context: bool,
}

impl LogLine {
    /// The place behind it, within its process.
    #[must_use]
    pub fn cursor(&self) -> String {
        format!("{}:{}", self.run, self.seq)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_not(flag: &bool) -> bool {
    !flag
}

/// Something about the lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// Lines that belong here are not kept any more.
    Gap {
        /// Whose.
        process: Option<String>,
        /// How many, if that is known.
        lines: Option<u64>,
    },
    /// What follows is of a newer run or build.
    RunChanged {
        /// Whose.
        process: String,
        /// Its id.
        run: u64,
    },
    /// Lines were left out because this reader was too slow for them.
    Dropped {
        /// Whose.
        process: Option<String>,
        /// How many, if that is known.
        lines: Option<u64>,
    },
    /// One that this program does not know.
    #[serde(other)]
    Other,
}

impl LogItem {
    /// Reads one line of the answer.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(json: &[u8]) -> Result<Self, ClientError> {
        // Nearly all are lines.
        if let Ok(line) = serde_json::from_slice(json) {
            return Ok(Self::Line(line));
        }
        serde_json::from_slice(json)
            .map(Self::Notice)
            .map_err(|error| ClientError::Unintelligible(format!("a line of a log: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_query_without_what_is_usual() {
        assert_eq!(LogFilter::default().query(), "");
        let all = LogFilter {
            processes: vec!["main".to_owned(), "web".to_owned()],
            kind: LogKind::Build,
            index: Some(-2),
            since: Some("2026-11-23T10:00:00Z".to_owned()),
            pattern: Some("a&b=[cä] +%".to_owned()),
            invert: true,
            stream: Some(LogStream::Stderr),
            tail: Some(5),
            follow: true,
            ..LogFilter::default()
        };
        assert_eq!(
            all.query(),
            "?process=main&process=web&kind=build&index=-2&since=2026-11-23T10%3A00%3A00Z\
             &pattern=a%26b%3D%5Bc%C3%A4%5D%20%2B%25&invert=true&stream=stderr&tail=5&follow=true"
        );
    }

    #[test]
    fn lines_and_notices_are_told_apart() {
        let json = r#"{"process":"main","run":7,"seq":3,"at":"2026-11-23T10:00:00Z","stream":"stdout","text":"\u001b[1mx"}"#;
        let LogItem::Line(line) = LogItem::read(json.as_bytes()).unwrap() else {
            panic!("no line");
        };
        assert_eq!(
            (line.cursor().as_str(), line.build, line.context),
            ("7:3", false, false)
        );
        assert_eq!(serde_json::to_string(&line).unwrap(), json);
        for (json, notice) in [
            (
                r#"{"notice":"gap","process":"main","lines":null}"#,
                Notice::Gap {
                    process: Some("main".to_owned()),
                    lines: None,
                },
            ),
            (
                r#"{"notice":"run_changed","process":"main","run":8}"#,
                Notice::RunChanged {
                    process: "main".to_owned(),
                    run: 8,
                },
            ),
            (
                r#"{"notice":"dropped","process":"main","lines":17}"#,
                Notice::Dropped {
                    process: Some("main".to_owned()),
                    lines: Some(17),
                },
            ),
            (r#"{"notice":"something new","x":1}"#, Notice::Other),
        ] {
            assert_eq!(
                LogItem::read(json.as_bytes()).unwrap(),
                LogItem::Notice(notice)
            );
        }
        assert!(LogItem::read(b"{}").is_err());
    }
}
