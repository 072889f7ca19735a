//! The daemon and its clients.
