//! What an agent may ask about logs beyond a pattern, in the answers of the real daemon.

mod budget;
mod builds;
mod cursors;
mod lines;

use std::fs;

use regex::Regex;
use serde_json::{Value, json};

use crate::support::{Daemon, Project, eventually, found, lines, search};

/// What is said to one who asks like this and gets nothing.
#[track_caller]
fn refused(daemon: &Daemon, arguments: &Value) -> String {
    let answer = daemon.call("search_logs", arguments);
    assert_eq!(answer["isError"], true, "{arguments}: {answer}");
    answer["content"][0]["text"].as_str().unwrap().to_owned()
}

/// The cursor with which to ask for what is new later.
#[track_caller]
fn cursor(answer: &str) -> String {
    let cursor = r#"(?m)(?:^|[^_])cursor:? "?((?:[\w-]+=)?\d+:\d+(?:,[\w-]+=\d+:\d+)*)"#;
    let found = Regex::new(cursor).unwrap().captures(answer);
    found.unwrap_or_else(|| panic!("no cursor in {answer}"))[1].to_owned()
}

/// A process that says what a test tells it to: the words of each order, a line each. Its fifo never
/// ends, because it could write to it, too.
fn echoes(name: &str) -> String {
    format!(
        "[process.{name}]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", '''\n\
         [ -p {name}.says ] || mkfifo {name}.says; exec 3<>{name}.says; touch {name}.there\n\
         while read -r words <&3; do for word in $words; do echo $word; done; done''']\n"
    )
}

/// Lets it say this, and waits until the last of it is stored.
#[track_caller]
fn says(project: &Project, daemon: &Daemon, name: &str, words: &str) {
    eventually(&format!("{name} listens"), || {
        let there = project.dir().join(format!("{name}.there")).exists();
        if there { Ok(()) } else { Err(daemon.output()) }
    });
    fs::write(
        project.dir().join(format!("{name}.says")),
        format!("{words}\n"),
    )
    .unwrap();
    let last = words.rsplit(' ').next().unwrap();
    found(
        daemon,
        &json!({"process": name, "index": -1, "tail": 1}),
        last,
    );
}

/// One process that prints this file and stays.
fn printed(name: &str, text: &str) -> (Project, Daemon) {
    let project = Project::new(name);
    project.file("text", text).config(
        "[process.main]\ntype = \"command\"\n\
         command = [\"sh\", \"-c\", \"cat text; exec sleep 1000\"]\n",
    );
    let daemon = project.start();
    let last = text.lines().last().unwrap();
    found(&daemon, &json!({"tail": 1, "index": -1}), last);
    (project, daemon)
}
