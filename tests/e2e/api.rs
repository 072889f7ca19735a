//! The HTTP API beside `/mcp`.

mod events;
mod orders;
