//! The daemon and its clients.

pub mod mcp;
pub mod service;
