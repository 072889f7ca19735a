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
#[path = "swap/summary.rs"]
mod summary;
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests of the real daemon need more of it"
)]
#[path = "../e2e/support/mod.rs"]
mod support;
#[path = "logs/text.rs"]
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(program::ASKED) {
        return program::run(&arguments[1]);
    }
    // `cargo test --benches` builds and starts it, too, and wants no figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let asked: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let wanted = |name| asked.is_empty() || asked.contains(&name);
    let tables = [
        wanted("flood").then(|| flood::measure().to_string()),
        wanted("search").then(|| search::measure().to_string()),
        wanted("history").then(|| history::measure().to_string()),
        wanted("memory").then(|| memory::measure().to_string()),
    ];
    // All at the end, behind the progress.
    let tables: Vec<String> = tables.into_iter().flatten().collect();
    print!("{}", tables.join("\n"));
    ExitCode::SUCCESS
}
