//! The daemon and its clients.

pub mod arguments;
pub mod config;
pub mod daemon;
pub mod mcp;
pub mod service;
pub mod unit;
