//! The daemon and its clients.

mod api;
pub mod arguments;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod http;
pub mod mcp;
pub mod service;
pub mod tui;
