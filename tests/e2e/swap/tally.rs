//! What a crowd went through.

use std::{collections::BTreeMap, fmt, time::Duration};

use tokio::time::Instant;

use super::client::Loss;

/// Visitors a second, on average and at least.
const LEAST: f64 = 1_000.0;

/// What they went through.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) losses: Vec<Lost>,
    /// Visitors who were answered.
    pub(super) visits: u32,
    /// How long they came.
    pub(super) took: Duration,
    /// The longest that a visitor was here.
    pub(super) longest: Duration,
    /// Slow requests that were answered.
    pub(super) patients: usize,
    /// Connections of regulars that saw another server take over, and lived on.
    pub(super) survivors: usize,
}

/// A connection that went wrong.
#[derive(Clone)]
pub(super) struct Lost {
    pub(super) how: Loss,
    pub(super) who: &'static str,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

impl Tally {
    /// Everybody got what he wanted, and there were enough.
    #[track_caller]
    pub(super) fn lost_nobody(&self) {
        assert!(self.losses.is_empty(), "{self}\n{:#?}", self.losses);
        self.was_heavy();
    }

    /// There were enough.
    #[track_caller]
    pub(super) fn was_heavy(&self) {
        assert!(self.is_heavy_after(self.took, LEAST), "{self}");
        assert!(self.patients > 0, "{self}");
    }

    /// Some outlived the time of their server.
    #[track_caller]
    pub(super) fn has_survivors(&self) {
        assert!(self.survivors > 0, "{self}");
    }

    /// Whether there were enough in this time, with a little to spare.
    pub(super) fn is_ahead_after(&self, took: Duration) -> bool {
        self.is_heavy_after(took, LEAST * 1.1)
    }

    fn is_heavy_after(&self, took: Duration, least: f64) -> bool {
        f64::from(self.visits) >= least * took.as_secs_f64()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut losses: BTreeMap<_, usize> = BTreeMap::new();
        for lost in &self.losses {
            *losses.entry((lost.who, &lost.how)).or_default() += 1;
        }
        write!(
            f,
            "{} visitors in {:.1} s ({:.0} a second; the longest stayed {:.0} ms), {} slow answers, \
             {} connections that outlived the time of their server; lost: {losses:?}",
            self.visits,
            self.took.as_secs_f64(),
            f64::from(self.visits) / self.took.as_secs_f64(),
            self.longest.as_secs_f64() * 1000.0,
            self.patients,
            self.survivors
        )
    }
}

impl fmt::Debug for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            how,
            who,
            began,
            ended,
        } = self;
        let took = ended.duration_since(*began);
        write!(f, "{who} {how:?} at {began:?}, after {took:?}")
    }
}
