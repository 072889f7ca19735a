//! Whether what serves was built from the sources as they are now.
//!
//! That takes a look at every source file, on a thread that may block. An answer is kept for some
//! times as long as the look took: whoever polls the status keeps nobody from work.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bpm_actors::{
    artifact::Sources,
    report::{Behind, ProcessReport},
};
use tokio::{
    task::spawn_blocking,
    time::{Duration, Instant, timeout},
};

/// An answer is kept for so many times the time that it took.
const SHARE: u32 = 20;
/// How long a reader waits for a look. A slow file system must not keep him from all else.
const PATIENCE: Duration = Duration::from_millis(50);

/// What was found out last about one process. Clones share it.
#[derive(Clone, Default)]
pub struct Freshness(Arc<Mutex<Known>>);

/// What is known of the files.
#[derive(Default)]
struct Known {
    sources: Sources,
    changed: bool,
    /// When to look again; `None` while somebody looks.
    next_look: Option<Instant>,
}

impl Freshness {
    /// Looks at the files, if that is due, and waits a moment for what comes of it.
    pub(super) async fn look(&self, sources: Sources) {
        if sources.files.is_empty() || !self.begin(&sources) {
            return;
        }
        let this = self.clone();
        let look = spawn_blocking(move || {
            let began = Instant::now();
            let changed = sources.changed();
            let took = began.elapsed();
            let mut known = this.lock();
            if is_same(&known.sources, &sources) {
                known.changed = changed;
                known.next_look = Some(began + took * SHARE);
            }
        });
        // Who does not wait to the end is told what was known before.
        let _ = timeout(PATIENCE, look).await;
    }

    /// Whether it is time for a look at these, which begins then.
    fn begin(&self, sources: &Sources) -> bool {
        let mut known = self.lock();
        if !is_same(&known.sources, sources) {
            *known = Known {
                sources: sources.clone(),
                changed: false,
                next_look: Some(Instant::now()),
            };
        }
        let due = known.next_look.is_some_and(|at| at <= Instant::now());
        if due {
            known.next_look = None;
        }
        due
    }

    /// Why what serves is not what is on disk: what the process says itself, else what was seen of
    /// its files.
    pub(super) fn behind(&self, sources: &Sources, report: &ProcessReport) -> Option<Behind> {
        if report.behind.is_some() || report.run.is_none() {
            return report.behind;
        }
        let known = self.lock();
        let changed = known.changed && is_same(&known.sources, sources);
        changed.then_some(Behind::SourcesChanged)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // What a panic left behind is only an older look.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether both are of the same build.
fn is_same(one: &Sources, other: &Sources) -> bool {
    Arc::ptr_eq(&one.files, &other.files)
}
