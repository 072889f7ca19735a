//! The HTTP API beside `/mcp`.

mod orders;
