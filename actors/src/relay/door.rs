//! Takes connections in at one listener, while they have somewhere to go.

use std::{cell::RefCell, io, rc::Rc, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, watch},
    task::JoinSet,
};

use super::{
    Route, conversation,
    hall::{Attempt, Hall},
    visit::Visit,
};

pub(super) struct Door {
    listener: TcpListener,
    routes: watch::Receiver<Option<Route>>,
    hall: Rc<Hall>,
    visits: Rc<RefCell<JoinSet<()>>>,
}

impl Door {
    pub(super) fn new(
        listener: TcpListener,
        routes: watch::Receiver<Option<Route>>,
        hall: &Rc<Hall>,
        visits: &Rc<RefCell<JoinSet<()>>>,
    ) -> Self {
        Self {
            listener,
            routes,
            hall: Rc::clone(hall),
            visits: Rc::clone(visits),
        }
    }

    /// Accepts until the relay ends.
    pub(super) async fn attend(mut self) {
        loop {
            if self.routes.wait_for(Option::is_some).await.is_err() {
                return;
            }
            // Nobody is let in while there is no room for one more who must wait. It is not kept
            // for him: an idle door would keep it from the others.
            drop(self.hall.room.acquire().await);
            let Ok(seat) = Arc::clone(&self.hall.seats).acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                biased;
                changed = self.routes.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                accepted = self.listener.accept() => accepted,
            };
            let admitted = accepted.and_then(|(client, _)| self.admit(client, seat));
            match admitted {
                Ok(()) => {}
                // He left before he was let in.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => self.hall.recover(&error).await,
            }
        }
    }

    /// Connects it with the child at once, if the child answers; else it waits.
    ///
    /// The child is called here and not in the new task: that way a burst cannot take all
    /// descriptors for one side of connections that then lack the other.
    fn admit(&self, client: TcpStream, seat: OwnedSemaphorePermit) -> io::Result<()> {
        let mut visits = self.visits.borrow_mut();
        while visits.try_join_next().is_some() {}
        let hall = Rc::clone(&self.hall);
        let (attempt, outcome) = match self.hall.attempt() {
            Attempt::Through(call) => {
                visits.spawn_local(async move {
                    conversation::hold(client, call, hall).await;
                    drop(seat);
                });
                return Ok(());
            }
            Attempt::Exhausted(error) => (Attempt::Refused, Err(error)),
            attempt => (attempt, Ok(())),
        };
        let room = Arc::clone(&hall.room).try_acquire_owned().ok();
        let visit = Visit::new(client, self.routes.clone(), hall, room);
        visits.spawn_local(async move {
            visit.stay(attempt).await;
            drop(seat);
        });
        outcome
    }
}
