//! The real daemon, with real cargo, real children and real clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod activation;
mod answers;
mod api;
mod artifacts;
mod builds;
mod cargo;
mod chaos;
mod cli;
mod crashes;
mod direnv;
mod door;
mod fairness;
mod history;
mod logs;
mod mcp;
mod modes;
mod npm;
mod orders;
mod outputs;
mod probes;
mod questions;
mod readiness;
mod reload;
mod restarts;
mod rollbacks;
mod search;
mod sockets;
mod start;
mod support;
mod swap;
mod trees;
mod tui;
mod waits;
mod watchdog;
