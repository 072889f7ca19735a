//! The daemon's own log: on stderr, through the same queue as what processes print, so that lines do
//! not mix and a blocked reader does not stop the daemon.
//!
//! Where journald reads, it knows the time itself and takes the level from the priority; without
//! either, a line is its text.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env,
    io::{self, Write},
    panic, thread,
};

use bpm_actors::logs::{
    Stream,
    journal::{self, Priority},
    passthrough::Passthrough,
};
use env_logger::{Builder, Target, WriteStyle};
use log::LevelFilter;

/// Names the filter; without it `RUST_LOG` is asked, and without that it is `info`.
const FILTER: &str = "BPM_LOG";

/// Starts it. Called once.
pub(super) fn start(outputs: &Passthrough) {
    let filter = env::var(FILTER)
        .or_else(|_| env::var("RUST_LOG"))
        .unwrap_or_else(|_| "info".into());
    let colours =
        std::io::IsTerminal::is_terminal(&std::io::stderr()) && env::var_os("NO_COLOR").is_none();
    let outlet = outputs.outlet(Stream::Stderr);
    let mut builder = Builder::new();
    builder
        // They report every connection as news; a filter that names them still gets them.
        .filter_module("rmcp", LevelFilter::Warn)
        .filter_module("tracing", LevelFilter::Warn)
        .filter_module("actix_server", LevelFilter::Warn)
        .parse_filters(&filter)
        .format_target(false)
        .write_style(if colours {
            WriteStyle::Always
        } else {
            WriteStyle::Never
        })
        .target(Target::Pipe(Box::new(outlet.clone())));
    if outlet.is_journal() {
        builder.format(|output, record| {
            let priority = Priority::of_log(record.level());
            output.write_all(&journal::lines(priority, &record.args().to_string()))
        });
        // Not through the queue, which may be what panicked.
        panic::set_hook(Box::new(|panic| {
            let thread = thread::current();
            let name = thread.name().unwrap_or("<unnamed>");
            // Empty but where RUST_BACKTRACE asks for it.
            let trace = Backtrace::capture();
            let text = match trace.status() {
                BacktraceStatus::Captured => format!("thread '{name}' {panic}\n{trace}"),
                _ => format!("thread '{name}' {panic}"),
            };
            let _ = io::stderr().write_all(&journal::complaint(&text));
        }));
    }
    builder.init();
}
