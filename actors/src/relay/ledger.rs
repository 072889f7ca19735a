//! Where new connections go, and how many belong to each run.
//!
//! A connection is entered before it is made: the claim is taken in the same breath as the look at
//! the route. So once the route has changed, no connection to the old run can come up unseen.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use crate::ids::RunId;

use super::Route;

/// Shared by the handles and the relay's thread.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    book: Mutex<Book>,
    /// Rings when a run may have become drained.
    fewer: Notify,
}

#[derive(Debug, Default)]
struct Book {
    route: Option<Route>,
    /// No run stands here with zero.
    claims: BTreeMap<RunId, usize>,
}

/// A connection to a run that is there or being made; over when it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    ledger: Arc<Ledger>,
    run: RunId,
}

impl Ledger {
    /// From now on claims are for `to`; whoever listens to the bell learns it.
    pub(super) fn set_route(&self, to: Option<Route>, bell: &watch::Sender<Option<Route>>) {
        {
            let mut book = self.book();
            if book.route == to {
                return;
            }
            book.route = to;
            // Under the lock, so that two callers ring in the order in which they wrote.
            bell.send_replace(to);
        }
        self.fewer.notify_waiters();
    }

    /// Enters a connection to the run that is the route now, if there is one.
    pub(super) fn claim(self: &Arc<Self>) -> Option<(Route, Claim)> {
        let mut book = self.book();
        let route = book.route?;
        *book.claims.entry(route.run).or_default() += 1;
        let ledger = Arc::clone(self);
        Some((
            route,
            Claim {
                ledger,
                run: route.run,
            },
        ))
    }

    /// Returns when `run` is not the route and nobody has a claim on it.
    pub(super) async fn drained(&self, run: RunId) {
        loop {
            let mut fewer = pin!(self.fewer.notified());
            // Before the look: a change right after it is not missed.
            fewer.as_mut().enable();
            if self.book().is_drained(run) {
                return;
            }
            fewer.await;
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn is_drained(&self, run: RunId) -> bool {
        self.route.is_none_or(|route| route.run != run) && !self.claims.contains_key(&run)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        {
            let mut book = self.ledger.book();
            let Some(count) = book.claims.get_mut(&self.run) else {
                return;
            };
            *count -= 1;
            if *count > 0 {
                return;
            }
            book.claims.remove(&self.run);
        }
        self.ledger.fewer.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn to(run: u64) -> Route {
        let run = RunId(run);
        Route { run, port: 1 }
    }

    #[test]
    fn a_run_is_drained_when_it_is_not_the_route_and_its_last_claim_is_gone() {
        let (bell, _) = watch::channel(None);
        let ledger = Arc::new(Ledger::default());
        let is_drained = |run| ledger.drained(RunId(run)).now_or_never().is_some();
        assert!(is_drained(1), "nobody ever knew it");

        ledger.set_route(Some(to(1)), &bell);
        assert!(!is_drained(1), "it is the route");
        let (_, first) = ledger.claim().unwrap();
        let (_, second) = ledger.claim().unwrap();
        ledger.set_route(Some(to(2)), &bell);
        assert!(!is_drained(1), "two are there");

        let mut waiting = Box::pin(ledger.drained(RunId(1)));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(second);
        assert!(waiting.as_mut().now_or_never().is_some());
        assert!(!is_drained(2));
    }

    #[test]
    fn without_a_route_nothing_can_be_claimed() {
        let (bell, _) = watch::channel(None);
        let ledger = Arc::new(Ledger::default());
        assert!(ledger.claim().is_none());

        ledger.set_route(Some(to(1)), &bell);
        let (route, _claim) = ledger.claim().unwrap();
        assert_eq!(route, to(1));

        ledger.set_route(None, &bell);
        assert!(ledger.claim().is_none());
    }
}
