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
mod summary;
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests of the real daemon need more of it"
)]
#[path = "../e2e/support/mod.rs"]
mod support;
mod tables;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(program::ASKED) {
        return program::run();
    }
    tables::print(&[
        ("pause", || pause::measure().to_string()),
        ("ready", || ready::measure().to_string()),
        ("crash", || crash::measure().to_string()),
    ])
}
