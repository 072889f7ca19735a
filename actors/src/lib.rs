//! The actors of background-process-manager and the messages they exchange.
//!
//! # Theory of operation
//!
//! * [`ProcessActor`](process_actor), one per `[process.*]` entry, owns the life of one process. What
//!   it does next is decided by a pure state machine ([`lifecycle`]); the actor translates messages
//!   into its events and performs its effects.
//! * [`BuilderActor`](builder_actor) turns a request into an [`artifact`]: direnv, cargo, a copy.
//! * [`LogStoreActor`](log_store_actor) reads every pipe, keeps the lines, searches them.
//! * [`ModeActor`](mode_actor) is the idle clock.
//! * The [`reaper`] owns every child process and knows which trees are alive. It and the first two
//!   live on one thread, so a start and its registration cannot be torn apart by an exit; the log
//!   store has a thread of its own.
//!
//! * What happens is told by [`events`], to whoever follows.
//! * What keeps connections: [`sockets`] are held and handed down ([`chain_load`] gives a child its
//!   `LISTEN_PID`), or a [`relay`], on a thread of its own, passes connections on to private ports.
//! * What tells that a new child is ready: [`readiness`] probes it, [`notify`] hears it.
//! * What tells that the actors themselves are alive: each answers a [`beat`].
//!
//! Commands are imperative and answer a `Result`, facts are past tense and answer nothing, questions
//! are `Describe…` or `Search`. Nothing here knows MCP, TOML or a terminal, and of HTTP only the
//! one request by which `readiness` asks a child.

pub mod artifact;
pub mod back_off;
pub mod beat;
pub mod build;
pub mod builder_actor;
pub mod chain_load;
pub mod children;
pub mod events;
pub mod exit;
pub mod history;
pub mod ids;
pub mod leftovers;
pub mod lifecycle;
pub mod log_store_actor;
pub mod logs;
pub mod mode_actor;
pub mod notify;
pub mod pattern;
pub mod proc_table;
pub mod process_actor;
pub mod readiness;
pub mod reaper;
pub mod relay;
pub mod report;
pub mod restart;
pub mod search;
pub mod sockets;
pub mod spec;
pub mod usage;
