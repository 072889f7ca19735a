//! The signals that end the daemon.

use std::{fs, io};

use futures_util::{StreamExt, stream::SelectAll};
use tokio::signal::unix::{Signal, SignalKind, signal};

type Arrivals = SelectAll<futures_util::stream::BoxStream<'static, ()>>;

/// SIGTERM, SIGINT, SIGQUIT and, unless `nohup` had it ignored, SIGHUP: none of them may leave
/// children behind.
pub(super) struct Signals {
    arrivals: Arrivals,
}

impl Signals {
    /// Takes them over from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let mut kinds = vec![
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::quit(),
        ];
        if !is_ignored(SignalKind::hangup()) {
            kinds.push(SignalKind::hangup());
        }
        let signals: Result<Vec<Signal>, _> = kinds.into_iter().map(signal).collect();
        let arrivals = signals?.into_iter().map(|signal| {
            futures_util::stream::unfold(signal, |mut signal| async move {
                signal.recv().await.map(|()| ((), signal))
            })
            .boxed()
        });
        Ok(Self {
            arrivals: arrivals.collect(),
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        // It has no end: a stream of signals goes on as long as the process does.
        let _ = self.arrivals.next().await;
    }
}

/// Whether the process was started with this signal ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
