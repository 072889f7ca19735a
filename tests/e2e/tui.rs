//! `bpm-tui` in a real terminal, against a real daemon.

mod cuts;
mod endings;
mod keys;
mod load;
mod orders;
mod sizes;
