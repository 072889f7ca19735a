//! The MCP endpoint over a real socket: actors are doubles, everything between is real.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod diagnostics;
mod door;
mod hostile;
mod logs;
mod protocol;
mod resources;
mod restarts;
mod status;
mod support;
mod tools;
mod waits;

#[path = "../support/doubles.rs"]
mod doubles;
