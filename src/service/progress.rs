//! Whoever waits for something may want to hear meanwhile that it goes on.

use std::future::Future;

/// Receives, while somebody waits, what is being done.
pub trait Progress {
    /// Takes one note, such as `building 12 s`.
    fn tell(&mut self, note: String) -> impl Future<Output = ()> + Send;
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl Progress for Unheard {
    async fn tell(&mut self, _note: String) {}
}
