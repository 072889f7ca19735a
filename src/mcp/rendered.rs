//! The answer to `get_status`, made once for all who ask at the same moment.
//!
//! Screens poll the status; most of its cost is to write it down twice, as JSON and as text. So an
//! answer is kept for a tenth of a second, as long as nothing happens: what is published meanwhile
//! is in the next answer, only ages are that much too small.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use rmcp::model::{CallToolResult, ContentBlock};
use tokio::time::Instant;

use super::text;
use crate::service::{Service, StatusWatch};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_millis(100);

/// Makes and keeps the answer. Clones share it.
#[derive(Clone)]
pub(super) struct Rendered {
    service: Service,
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    watch: StatusWatch,
    answer: Option<(Instant, Arc<Answer>)>,
}

/// One answer.
pub(super) struct Answer {
    /// As rmcp takes it.
    pub(super) result: CallToolResult,
    /// As a client of the older protocol receives it.
    pub(super) json: Bytes,
}

impl Rendered {
    /// Nothing yet.
    pub(super) fn new(service: Service) -> Self {
        let kept = Kept {
            watch: service.watch_status(),
            answer: None,
        };
        Self {
            service,
            kept: Arc::new(Mutex::new(kept)),
        }
    }

    /// The status.
    pub(super) async fn now(&self) -> Arc<Answer> {
        self.service.refresh().await;
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Arc<Answer> {
        // What a panic left behind is only an older answer.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = kept.watch.changed();
        if let Some((made, answer)) = &kept.answer
            && !changed
            && now.saturating_duration_since(*made) < KEPT
        {
            return Arc::clone(answer);
        }
        let answer = Arc::new(self.make(now));
        kept.answer = Some((now, Arc::clone(&answer)));
        answer
    }

    fn make(&self, now: Instant) -> Answer {
        let report = self.service.status(now);
        let mut result = CallToolResult::success(vec![ContentBlock::text(text::status(&report))]);
        result.structured_content = serde_json::to_value(&report).ok();
        let mut older = result.clone();
        // The older protocol has no such field; rmcp drops it as well.
        older.result_type = None;
        let json = serde_json::to_vec(&older).unwrap_or_default().into();
        Answer { result, json }
    }
}
