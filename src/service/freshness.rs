//! Whether what serves was built from the sources as they are now.
//!
//! That takes a look at every source file, so an answer is kept for some times as long as it took:
//! whoever polls the status keeps nobody from work.

use std::sync::{Arc, Mutex, PoisonError};

use bpm_actors::{
    artifact::Sources,
    report::{Behind, ProcessReport},
    restart::Snapshot,
};
use tokio::time::{Duration, Instant};

/// An answer is kept for so many times the time that it took.
const SHARE: u32 = 20;

/// What was found out last about one process. Clones share it.
#[derive(Clone, Default)]
pub struct Freshness(Arc<Mutex<Option<Look>>>);

/// One look at the files.
struct Look {
    sources: Sources,
    at: Instant,
    took: Duration,
    changed: bool,
}

impl Freshness {
    /// Why what serves is not what is on disk: what the process says itself, else what its files say.
    pub(super) fn behind(&self, snapshot: &dyn Snapshot, report: &ProcessReport) -> Option<Behind> {
        if report.behind.is_some() || report.run.is_none() {
            return report.behind;
        }
        let sources = snapshot.sources();
        self.changed(sources).then_some(Behind::SourcesChanged)
    }

    fn changed(&self, sources: Sources) -> bool {
        if sources.files.is_empty() {
            return false;
        }
        // What a panic left behind is only an older look.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(look) = last.as_ref()
            && Arc::ptr_eq(&look.sources.files, &sources.files)
            && now < look.at + look.took * SHARE
        {
            return look.changed;
        }
        let changed = sources.changed();
        let took = now.elapsed();
        *last = Some(Look {
            sources,
            at: now,
            took,
            changed,
        });
        changed
    }
}
