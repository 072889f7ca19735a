//! What the doors, the visits and the conversations of a relay share on its thread.

use std::{
    cell::{Cell, RefCell},
    io,
    sync::Arc,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};
use tokio::{
    net::TcpStream,
    sync::{Notify, Semaphore},
    time::Instant,
};

use crate::ids::RunId;

use super::{
    dial::{Dialled, Family, dial},
    ledger::{Claim, Ledger},
    pipes::Pipes,
};

/// How many accepted connections may wait for a child to answer; the rest waits in the backlog.
const MOST_WAITING: usize = 256;

/// How many descriptors are left to the rest of the daemon, which has pipes, logs and other clients,
/// and to the pipes of bulk traffic.
const RESERVE: u64 = 256;

thread_local! {
    /// A permit for each connection that is let in, shared by all relays of the thread: they may not
    /// take every descriptor from the rest of the daemon.
    static SEATS: Arc<Semaphore> = Arc::new(Semaphore::new(most_seats(
        getrlimit(Resource::Nofile).current,
    )));
}

/// Bytes of the buffer that all small traffic passes through. A read that fills it is bulk.
pub(super) const BUFFER: usize = 64 << 10;

/// How long to leave the system alone when it has no descriptor for us, unless we free one earlier.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// How often that is worth a line in the log.
const COMPLAINT: Duration = Duration::from_mins(1);

pub(super) struct Hall {
    ledger: Arc<Ledger>,
    /// A permit for each connection, whichever relay it came to.
    pub(super) seats: Arc<Semaphore>,
    /// A permit for each connection that waits for a child to answer.
    pub(super) room: Arc<Semaphore>,
    /// One permit: its owner tries the child that refuses again and again, the others wait for his
    /// success.
    pub(super) turn: Semaphore,
    /// Rings when a child has answered.
    pub(super) answered: Notify,
    /// Rings when descriptors became free.
    freed: Notify,
    /// Which address worked for which run.
    worked: Cell<Option<(RunId, Family)>>,
    complained: Cell<Option<Instant>>,
    /// Never held across an await.
    pub(super) buffer: RefCell<Box<[u8]>>,
    pub(super) pipes: Pipes,
}

/// A connection to a child. The socket goes before the claim.
pub(super) struct Call {
    pub(super) server: TcpStream,
    pub(super) claim: Claim,
}

/// What came of trying the route's child once.
pub(super) enum Attempt {
    Through(Call),
    Pending(Call),
    /// It does not listen, or not yet.
    Refused,
    /// We have no descriptor for it.
    Exhausted(io::Error),
    /// There is no route.
    Nowhere,
}

impl Hall {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            seats: SEATS.with(Arc::clone),
            room: Arc::new(Semaphore::new(most_waiting(
                getrlimit(Resource::Nofile).current,
            ))),
            turn: Semaphore::new(1),
            answered: Notify::new(),
            freed: Notify::new(),
            worked: Cell::new(None),
            complained: Cell::new(None),
            buffer: RefCell::new(vec![0; BUFFER].into()),
            pipes: Pipes::default(),
        }
    }

    /// Tries the child that is the route now, at both addresses, without waiting.
    pub(super) fn attempt(&self) -> Attempt {
        let Some((route, claim)) = self.ledger.claim() else {
            return Attempt::Nowhere;
        };
        let known = self.worked.get().filter(|(run, _)| *run == route.run);
        let first = known.map_or(Family::V4, |(_, family)| family);
        for family in [first, first.other()] {
            match dial(family, route.port) {
                Ok(Dialled::Through(server)) => {
                    self.worked.set(Some((route.run, family)));
                    self.answered.notify_waiters();
                    return Attempt::Through(Call { server, claim });
                }
                Ok(Dialled::Pending(server)) => return Attempt::Pending(Call { server, claim }),
                Err(error) if is_exhaustion(&error) => return Attempt::Exhausted(error),
                Err(_) => {}
            }
        }
        Attempt::Refused
    }

    /// Waits until there may be descriptors again.
    pub(super) async fn recover(&self, error: &io::Error) {
        let now = Instant::now();
        let is_news = self.complained.get().is_none_or(|at| now >= at + COMPLAINT);
        if is_news {
            self.complained.set(Some(now));
            log::warn!("relay: cannot take a connection: {error}; new ones wait until others end");
        }
        tokio::select! {
            () = self.freed.notified() => {}
            () = tokio::time::sleep(EXHAUSTED) => {}
        }
    }

    /// Descriptors were closed.
    pub(super) fn freed(&self) {
        self.freed.notify_waiters();
    }
}

/// Each connection takes two descriptors.
fn most_seats(descriptors: Option<u64>) -> usize {
    let most = Semaphore::MAX_PERMITS;
    let pairs = descriptors.map(|limit| limit.saturating_sub(RESERVE.min(limit / 2)) / 2);
    pairs.map_or(most, |pairs| {
        usize::try_from(pairs).map_or(most, |pairs| pairs.clamp(1, most))
    })
}

/// Those who wait must never hold so many descriptors that none is left to connect them with.
fn most_waiting(descriptors: Option<u64>) -> usize {
    let share = descriptors.map_or(MOST_WAITING as u64, |limit| limit / 4);
    usize::try_from(share).map_or(MOST_WAITING, |share| share.clamp(1, MOST_WAITING))
}

fn is_exhaustion(error: &io::Error) -> bool {
    const EXHAUSTION: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| EXHAUSTION.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_rest_of_the_daemon() {
        assert_eq!(most_seats(None), Semaphore::MAX_PERMITS);
        assert_eq!(most_seats(Some(1_024)), 384);
        assert_eq!(most_seats(Some(64)), 16);
        assert_eq!(most_seats(Some(0)), 1);
    }

    #[test]
    fn those_who_wait_leave_most_of_the_descriptors_to_others() {
        assert_eq!(most_waiting(None), 256);
        assert_eq!(most_waiting(Some(20_000)), 256);
        assert_eq!(most_waiting(Some(256)), 64);
        assert_eq!(most_waiting(Some(0)), 1);
    }
}
