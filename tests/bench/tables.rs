//! Which tables are made, and that all of them come at the end, behind the progress.

use std::process::ExitCode;

/// A table: its name on the command line, and what makes it.
pub(crate) type Table = (&'static str, fn() -> String);

/// Makes those that are named, or all. Without `--bench` none: `cargo test --benches` builds and
/// starts a benchmark, too, and wants no figures.
pub(crate) fn print(tables: &[Table]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let asked = arguments.iter().filter(|it| !it.starts_with('-'));
    let asked: Vec<&String> = asked.collect();
    let wanted = |name| asked.is_empty() || asked.iter().any(|it| *it == name);
    let tables = tables.iter().filter(|(name, _)| wanted(name));
    let made: Vec<String> = tables.map(|(_, make)| make()).collect();
    print!("{}", made.join("\n"));
    ExitCode::SUCCESS
}
