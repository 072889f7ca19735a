//! The real daemon, with real cargo, real children and real clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod artifacts;
mod crashes;
mod direnv;
mod modes;
mod npm;
mod restarts;
mod start;
mod support;
mod trees;
