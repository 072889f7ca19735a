//! Orders that were given here, and what came of them.

use bpm_actors::report::{Outcome, RestartReport};
use tokio::time::Instant;

use super::messages::Tone;
use crate::client::Order;

/// One order to one process.
#[derive(Clone, Debug, PartialEq)]
pub enum Ordered {
    /// It was given and is not answered yet.
    Waiting(Order),
    /// It was answered.
    Done {
        /// Which.
        order: Order,
        /// When the answer came.
        at: Instant,
        /// What came of it.
        report: Box<RestartReport>,
    },
    /// It could not be given.
    Failed {
        /// Which.
        order: Order,
        /// When that was known.
        at: Instant,
        /// Why.
        why: String,
    },
}

/// What came of an order, in one line: `swapped, pause 0 ms`.
#[must_use]
pub fn in_words(report: &RestartReport) -> (Tone, String) {
    let run = report
        .run
        .map_or(String::new(), |run| format!(" (run {run})"));
    let built = report.build_seconds.map_or(String::new(), |seconds| {
        format!(", built in {seconds:.1} s")
    });
    let because = match (&report.reason, &report.exit) {
        (Some(reason), _) => format!(" because {reason}"),
        (None, Some(exit)) => format!(" because it ended with {}", exit.text),
        (None, None) => String::new(),
    };
    let took = |ms: Option<f64>| ms.map_or(String::new(), |ms| format!(" in {}", duration(ms)));
    match report.outcome {
        Outcome::Swapped => (
            Tone::Good,
            format!("swapped{}{built}{run}", took(report.ready_after_ms)),
        ),
        Outcome::Restarted => (
            Tone::Good,
            format!("restarted{}{built}{run}", took(report.pause_ms)),
        ),
        Outcome::Started => (Tone::Good, format!("started{built}{run}")),
        Outcome::Running => (Tone::Plain, format!("runs already{run}")),
        Outcome::Building => (Tone::Plain, "still building".to_owned()),
        Outcome::Stopping => (Tone::Plain, "still stopping".to_owned()),
        Outcome::BuildFailed => {
            let errors = match report.error_count {
                1 => "1 error".to_owned(),
                count => format!("{count} errors"),
            };
            (Tone::Bad, format!("build failed: {errors}"))
        }
        Outcome::RolledBack => (Tone::Bad, format!("rolled back{because}")),
        Outcome::Crashed => (Tone::Bad, format!("crashed{because}")),
        Outcome::NotReady => (Tone::Bad, format!("not ready{because}")),
        Outcome::Superseded => (Tone::Plain, "superseded by a later order".to_owned()),
        Outcome::Stopped => (Tone::Plain, "stopped".to_owned()),
        Outcome::ShuttingDown => (Tone::Warning, "the daemon ends".to_owned()),
    }
}

fn duration(ms: f64) -> String {
    if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}
