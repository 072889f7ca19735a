//! What a test asks of logs, and reads in the answers.

use serde_json::Value;

use super::{Daemon, eventually};

/// The text of an answer that is no error.
#[track_caller]
pub(crate) fn search(daemon: &Daemon, arguments: &Value) -> String {
    let answer = daemon.call("search_logs", arguments);
    assert_eq!(answer["isError"], false, "{arguments}: {answer}");
    answer["content"][0]["text"].as_str().unwrap().to_owned()
}

/// Waits until an answer has this text.
#[track_caller]
pub(crate) fn found(daemon: &Daemon, arguments: &Value, text: &str) -> String {
    eventually(&format!("found {text:?}"), || {
        let found = daemon.text("search_logs", arguments);
        if found.contains(text) {
            Ok(found)
        } else {
            Err((found, daemon.output()))
        }
    })
}

/// The lines of the log in an answer, without the marks before them.
pub(crate) fn lines(answer: &str) -> Vec<&str> {
    let of_log = |line| {
        let mark = ["   ", " * "];
        mark.into_iter()
            .find_map(|mark| str::strip_prefix(line, mark))
    };
    answer.lines().filter_map(of_log).collect()
}
