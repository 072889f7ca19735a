//! The real daemon, with real cargo, real children and real clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod builds;
mod chaos;
mod door;
mod logs;
mod mcp;
mod outputs;
mod search;
mod start;
mod support;
