//! The load: clients that each make one new connection after another, at a fixed rate.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const CLIENTS: u32 = 4;
/// Between two connections of one client.
const EVERY: Duration = Duration::from_millis(2);
/// When a request counts as cut.
const PATIENCE: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// New connections per second.
pub(crate) const RATE: u128 = CLIENTS as u128 * 1_000_000 / EVERY.as_micros();

pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of the requests.
#[derive(Default)]
pub(crate) struct Tally {
    /// When answers were complete.
    done: Vec<Instant>,
    /// Connections that were refused.
    pub(crate) refused: usize,
    /// Connections that broke or ended before the answer was complete.
    pub(crate) cut: usize,
    /// The longest time to a complete answer.
    pub(crate) slowest: Duration,
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let begin = Instant::now();
        let clients = (0..CLIENTS).map(|number| {
            let over = Arc::clone(&over);
            let first = begin + EVERY * number / CLIENTS;
            thread::spawn(move || client(address, first, &over))
        });
        Self {
            clients: clients.collect(),
            over,
        }
    }

    pub(crate) fn end(self) -> Tally {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            let tally = client.join().unwrap();
            all.done.extend(tally.done);
            all.refused += tally.refused;
            all.cut += tally.cut;
            all.slowest = all.slowest.max(tally.slowest);
        }
        all.done.sort_unstable();
        all
    }
}

impl Tally {
    /// The longest time between two complete answers.
    pub(crate) fn longest_gap(&self) -> Duration {
        let gaps = self.done.windows(2).map(|two| two[1] - two[0]);
        gaps.max().unwrap()
    }
}

fn client(address: SocketAddr, mut due: Instant, over: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    while !over.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let begin = Instant::now();
        match ask(address) {
            Ok(()) => {
                tally.done.push(Instant::now());
                tally.slowest = tally.slowest.max(begin.elapsed());
            }
            Err(Failed::Refused) => tally.refused += 1,
            Err(Failed::Cut) => tally.cut += 1,
        }
        // Turns that were missed are not made up for.
        due = (due + EVERY).max(Instant::now());
    }
    tally
}

enum Failed {
    Refused,
    Cut,
}

fn ask(address: SocketAddr) -> Result<(), Failed> {
    let mut stream = TcpStream::connect(address).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Failed::Refused,
        _ => Failed::Cut,
    })?;
    let mut answer = Vec::with_capacity(128);
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.write_all(REQUEST))
        .and_then(|()| stream.read_to_end(&mut answer))
        .map_err(|_| Failed::Cut)?;
    if answer.ends_with(b"\r\n\r\nok") {
        Ok(())
    } else {
        Err(Failed::Cut)
    }
}
