//! The HTTP API beside `/mcp`.

mod events;
mod logs;
mod orders;
