//! The signals that the daemon is told something with.

use std::{
    fs::{self, File},
    io,
};

use futures_util::{StreamExt, stream::SelectAll};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The daemon is to end.
    End,
    /// It is to read its configuration again.
    Reload,
}

type Arrivals = SelectAll<futures_util::stream::BoxStream<'static, ()>>;

/// SIGTERM, SIGINT and SIGQUIT, which end the daemon, and SIGHUP, which makes it read its configuration
/// again, unless `nohup` had it ignored. Where the terminal that it was started in is closed, SIGHUP
/// means what it was made for: the daemon ends as every program in the foreground does.
pub(super) struct Signals {
    arrivals: Arrivals,
    hangups: Option<Signal>,
    began: Surroundings,
}

/// Whether the process has a controlling terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surroundings {
    Terminal,
    None,
}

impl Surroundings {
    /// The kernel takes the terminal away from everybody in its session before it sends SIGHUP.
    fn now() -> Self {
        match File::open("/dev/tty") {
            Ok(_) => Self::Terminal,
            Err(_) => Self::None,
        }
    }
}

impl Signals {
    /// Takes them over from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let kinds = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::quit(),
        ];
        let hangup = SignalKind::hangup();
        let hangups = (!is_ignored(hangup)).then(|| signal(hangup)).transpose()?;
        let signals: Result<Vec<Signal>, _> = kinds.into_iter().map(signal).collect();
        let arrivals = signals?.into_iter().map(|signal| {
            futures_util::stream::unfold(signal, |mut signal| async move {
                signal.recv().await.map(|()| ((), signal))
            })
            .boxed()
        });
        Ok(Self {
            arrivals: arrivals.collect(),
            hangups,
            began: Surroundings::now(),
        })
    }

    /// Waits for the next one that ends the daemon.
    pub(super) async fn next(&mut self) {
        // It has no end: a stream of signals goes on as long as the process does.
        let _ = self.arrivals.next().await;
    }

    /// Waits for the next one of any kind.
    pub(super) async fn any(&mut self) -> Told {
        let hangup = async {
            match &mut self.hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.arrivals.next() => Told::End,
            _ = hangup => match (self.began, Surroundings::now()) {
                (Surroundings::Terminal, Surroundings::None) => {
                    log::info!("SIGHUP, and the terminal that the daemon was started in is closed");
                    Told::End
                }
                _ => Told::Reload,
            },
        }
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
