//! The MCP endpoint over a real socket: actors are doubles, everything between is real.

mod door;
mod hostile;
mod logs;
mod protocol;
mod restarts;
mod status;
mod support;
mod tools;

#[path = "../support/doubles.rs"]
mod doubles;
