//! The HTTP API beside `/mcp`.

mod entrances;
mod events;
mod logs;
mod orders;
mod usage;
