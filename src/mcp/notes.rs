//! Tells a client that asked for it what is being done while it waits.

use rmcp::{
    Peer, RoleServer,
    model::{ProgressNotificationParam, ProgressToken},
    service::RequestContext,
};
use tokio::time::Instant;

use crate::service::Progress;

/// Passes notes on as progress notifications; nobody hears them where no token was sent.
pub(super) struct Notes<'a> {
    client: Option<(&'a Peer<RoleServer>, ProgressToken)>,
    began: Instant,
}

impl<'a> Notes<'a> {
    /// Notes to whoever sent this request.
    pub(super) fn to(request: &'a RequestContext<RoleServer>) -> Self {
        let token = request.meta.get_progress_token();
        Self {
            client: token.map(|token| (&request.peer, token)),
            began: Instant::now(),
        }
    }

    /// Whether the client asked for them, and so waits as long as it hears some.
    pub(super) fn are_heard(&self) -> bool {
        self.client.is_some()
    }
}

impl Progress for Notes<'_> {
    async fn tell(&mut self, note: String) {
        let Some((peer, token)) = &self.client else {
            return;
        };
        let waited = self.began.elapsed().as_secs_f64();
        let note = ProgressNotificationParam::new(token.clone(), waited).with_message(note);
        if let Err(error) = peer.notify_progress(note).await {
            log::debug!("mcp: nobody hears of the progress: {error}");
        }
    }
}
