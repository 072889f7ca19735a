//! The daemon and its clients.

pub mod arguments;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod mcp;
pub mod service;
