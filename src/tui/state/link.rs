//! The connection, as far as the screen knows it.

use tokio::time::Instant;

/// How the daemon is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It is looked for.
    Seeking,
    /// It answers.
    Up {
        /// Where.
        url: String,
    },
    /// It does not, or no longer.
    Down {
        /// Why.
        why: String,
        /// What can be done about it.
        advice: Option<String>,
        /// When the next attempt is made.
        again: Instant,
    },
}

impl Link {
    /// Whether it answers.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}
