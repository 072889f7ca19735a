//! Somebody who connects all the time.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::time::Instant;

use super::ask;

/// Comes again and again until he leaves.
pub(crate) struct Visitor {
    leave: Sender<()>,
    visits: JoinHandle<Seen>,
}

/// What a visitor saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often he was answered.
    pub(crate) answers: u32,
    /// How often nobody listened.
    pub(crate) refused: u32,
    /// The longest time from one answer to the next.
    pub(crate) outage: Duration,
}

impl Visitor {
    /// He comes from now on.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let (leave, left) = mpsc::channel();
        let visits = thread::spawn(move || {
            let (mut seen, mut answered) = (Seen::default(), Instant::now());
            let pause = Duration::from_millis(2);
            while left.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                match ask(address, "/") {
                    Ok(_) => {
                        seen.answers += 1;
                        seen.outage = seen.outage.max(answered.elapsed());
                        answered = Instant::now();
                    }
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => seen.refused += 1,
                    // Whom the old one served while it ended.
                    Err(_) => {}
                }
            }
            seen
        });
        Self { leave, visits }
    }

    /// He comes no more.
    pub(crate) fn leaves(self) -> Seen {
        drop(self.leave);
        self.visits.join().unwrap()
    }
}
