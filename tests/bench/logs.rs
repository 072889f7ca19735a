//! What the log store costs, against the same work without it in the same run: a child that floods
//! it, searches, the end of a long history, memory, and what a flood does to other answers.
//!
//! `tests/bench/README.md` says how it is started and what the figures mean.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark talks to a terminal, fails by panicking, and is timed by the clock"
)]

#[path = "logs/client.rs"]
mod client;
mod daemon;
#[path = "logs/echo.rs"]
mod echo;
#[path = "logs/flood.rs"]
mod flood;
#[path = "logs/history.rs"]
mod history;
#[path = "logs/memory.rs"]
mod memory;
#[path = "logs/program.rs"]
mod program;
#[path = "logs/search.rs"]
mod search;
#[path = "logs/stage.rs"]
mod stage;
mod summary;
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests of the real daemon need more of it"
)]
#[path = "../e2e/support/mod.rs"]
mod support;
mod tables;
#[path = "logs/text.rs"]
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(program::ASKED) {
        return program::run(&arguments.next().unwrap());
    }
    tables::print(&[
        ("flood", || flood::measure().to_string()),
        ("search", || search::measure().to_string()),
        ("history", || history::measure().to_string()),
        ("memory", || memory::measure().to_string()),
    ])
}
