//! The builder with real children and real cargo, and scripts in the place of cargo where the order
//! of things matters.

mod cargo;
mod direnv;
mod findings;
mod heard;
mod order;
mod sources;
mod spawner;
mod stage;
