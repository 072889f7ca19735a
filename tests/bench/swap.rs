//! What a restart costs, against the same program in the same run: the pause, how late a program is
//! found ready, and what handing sockets down adds to a start.
//!
//! `tests/bench/README.md` says how it is started and what the figures mean.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark talks to a terminal, fails by panicking, and is timed by the clock"
)]

#[path = "swap/crash.rs"]
mod crash;
mod daemon;
#[path = "swap/load.rs"]
mod load;
#[path = "swap/pause.rs"]
mod pause;
#[path = "swap/program.rs"]
mod program;
#[path = "swap/ready.rs"]
mod ready;
#[path = "swap/stage.rs"]
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

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(program::ASKED) {
        return program::run();
    }
    // `cargo test --benches` builds and starts it, too, and wants no figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let asked: Vec<&str> = asked
        .iter()
        .map(String::as_str)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let wanted = |name| asked.is_empty() || asked.contains(&name);
    let tables = [
        wanted("pause").then(|| pause::measure().to_string()),
        wanted("ready").then(|| ready::measure().to_string()),
        wanted("crash").then(|| crash::measure().to_string()),
    ];
    // All at the end, behind the progress.
    let tables: Vec<String> = tables.into_iter().flatten().collect();
    print!("{}", tables.join("\n"));
    ExitCode::SUCCESS
}
