//! The relay: takes TCP connections at a public port and passes them on to the private port of the
//! newest ready child.
//!
//! A process's actor says where new connections go; connections that are there stay with the child
//! that they were made to. While there is nowhere to go, nothing is accepted and connections wait in
//! the backlog. It knows neither processes nor their life, only runs and ports.
//!
//! ```text
//!            Door, one per listener          Visit                     conversation
//!  backlog ─► accepts while there is ─► waits for a child ─► bytes both ways until either
//!             a route and room          that answers         side ends it
//!                                  Hall: what all of them share on the relay's thread
//!                                  Ledger: where to, and who is with whom; shared with the handles
//! ```

mod carry;
mod conversation;
mod dial;
mod door;
mod hall;
mod ledger;
mod pipes;
mod private_port;
mod visit;

use std::{
    cell::RefCell,
    fmt, io,
    net::TcpListener,
    rc::Rc,
    sync::{Arc, Weak},
};

use actix::ArbiterHandle;
use tokio::{sync::watch, task::JoinSet};

use crate::ids::RunId;

use self::{door::Door, hall::Hall, ledger::Ledger};

pub use self::private_port::{listens, private_port};

/// A relay at work. Clones share it; it ends with the last clone: the listeners are closed and so is
/// every connection.
#[derive(Clone)]
pub struct Relay(Arc<Handle>);

/// Where new connections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// To this run,
    pub run: RunId,
    /// at this port of a loopback address (127.0.0.1 or `::1`, whichever answers).
    pub port: u16,
}

/// What the clones share. When it goes, the bell's end tells the relay's thread.
struct Handle {
    ledger: Arc<Ledger>,
    bell: watch::Sender<Option<Route>>,
    /// The same sockets once more, for a relay that takes over from this one.
    listeners: Vec<TcpListener>,
}

/// A relay that may have ended.
#[derive(Clone)]
pub struct WeakRelay(Weak<Handle>);

impl WeakRelay {
    /// The relay, if it has not ended.
    #[must_use]
    pub fn upgrade(&self) -> Option<Relay> {
        self.0.upgrade().map(Relay)
    }
}

impl Relay {
    /// Begins to relay what comes to `listeners`, on the thread of `arbiter`.
    ///
    /// # Errors
    /// When a listener cannot be made non-blocking, or there is no descriptor left.
    pub fn start(listeners: Vec<TcpListener>, arbiter: &ArbiterHandle) -> io::Result<Self> {
        for listener in &listeners {
            listener.set_nonblocking(true)?;
            // What is accepted inherits it, which saves a call for each connection.
            rustix::net::sockopt::set_tcp_nodelay(listener, true)?;
        }
        let kept = listeners.iter().map(TcpListener::try_clone);
        let kept = kept.collect::<io::Result<_>>()?;
        let ledger = Arc::new(Ledger::default());
        let (bell, routes) = watch::channel(None);
        // It fails only when the thread is gone, and then the listeners are closed with it.
        let shared = Arc::clone(&ledger);
        arbiter.spawn_fn(move || {
            actix::spawn(serve(listeners, routes, shared));
        });
        Ok(Self(Arc::new(Handle {
            ledger,
            bell,
            listeners: kept,
        })))
    }

    /// Its public sockets.
    #[must_use]
    pub fn listeners(&self) -> &[TcpListener] {
        &self.0.listeners
    }

    /// The same, but it does not keep the relay alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakRelay {
        WeakRelay(Arc::downgrade(&self.0))
    }

    /// From now on new connections go there; with `None` they wait.
    pub fn route(&self, to: Option<Route>) {
        self.0.ledger.set_route(to, &self.0.bell);
    }

    /// Returns when this run has no connection left and gets no new one: from then on its child may
    /// be told to stop and nobody notices. A connection that is just being made to it counts; one
    /// that waits for a child to answer counts for nobody. Does not keep the relay alive.
    pub fn drained(&self, run: RunId) -> impl Future<Output = ()> + use<> {
        let ledger = Arc::clone(&self.0.ledger);
        async move { ledger.drained(run).await }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Relay").field(&self.0.ledger).finish()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whoever waits for a run to drain is told, also when it was the route until now.
        self.ledger.set_route(None, &self.bell);
    }
}

/// Lives on the relay's thread from the start until the last handle is gone.
async fn serve(
    listeners: Vec<TcpListener>,
    mut routes: watch::Receiver<Option<Route>>,
    ledger: Arc<Ledger>,
) {
    let hall = Rc::new(Hall::new(ledger));
    let visits = Rc::new(RefCell::new(JoinSet::new()));
    let mut doors = JoinSet::new();
    for listener in listeners {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                let door = Door::new(listener, routes.clone(), &hall, &visits);
                doors.spawn_local(door.attend());
            }
            Err(error) => log::error!("relay: cannot watch its port: {error}"),
        }
    }
    while routes.changed().await.is_ok() {}
    doors.shutdown().await;
    visits.borrow_mut().abort_all();
}
