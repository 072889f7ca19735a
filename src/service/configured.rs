//! What the configuration comes to at the moment. A reload publishes a new one.

use std::sync::Arc;

use tokio::sync::watch;

use super::Member;

/// What the configuration comes to.
#[derive(Clone, Default)]
pub struct Configured {
    /// The processes, in the order of the file.
    pub members: Vec<Member>,
    /// Where MCP is served.
    pub url: String,
    /// What is wrong with the file as it is now, so that an older one holds; `None` where nothing is.
    pub error: Option<String>,
}

/// Where it is published.
pub type ConfiguredBoard = watch::Receiver<Arc<Configured>>;

impl Configured {
    /// A board on which this stands for ever.
    #[must_use]
    pub fn fixed(self) -> ConfiguredBoard {
        watch::channel(Arc::new(self)).1
    }
}
