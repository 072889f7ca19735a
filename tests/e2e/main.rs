//! The real daemon, with real cargo, real children and real clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod artifacts;
mod builds;
mod chaos;
mod crashes;
mod direnv;
mod door;
mod logs;
mod mcp;
mod modes;
mod npm;
mod outputs;
mod restarts;
mod search;
mod sockets;
mod start;
mod support;
mod swap;
mod trees;
