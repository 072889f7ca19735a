//! What turns a request into an artifact: direnv, cargo, and the copy that is run.
//!
//! Used by the [`BuilderActor`](crate::builder_actor) alone, except [`environment`], which also says
//! what a run's environment is made of. Decisions are values (`queue`, `messages`, `binary`,
//! `known`, `watches`, `search_path`); children are started only through [`crate::children::Children`]. It
//! must not know what a build is for, nor what becomes of an artifact.

pub mod environment;

pub(crate) mod artifacts;
pub(crate) mod binary;
pub(crate) mod cargo;
pub(crate) mod cargo_env;
pub(crate) mod compile;
pub(crate) mod complaint;
pub(crate) mod diagnostics;
pub(crate) mod direnv;
pub(crate) mod follow;
pub(crate) mod inputs;
pub(crate) mod job;
pub(crate) mod known;
pub(crate) mod messages;
pub(crate) mod nursery;
pub(crate) mod output;
pub(crate) mod queue;
pub(crate) mod search_path;
pub(crate) mod source_path;
pub(crate) mod watches;
