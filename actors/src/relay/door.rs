//! Takes connections in at one listener, while they have somewhere to go.

use std::{cell::RefCell, io, rc::Rc};

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
        // Room for one who must wait is there before he is let in; who goes through needs none, so
        // it serves the next.
        let mut room = None;
        loop {
            if self.routes.wait_for(Option::is_some).await.is_err() {
                return;
            }
            if room.is_none() {
                room = self.hall.room.clone().acquire_owned().await.ok();
            }
            let accepted = tokio::select! {
                biased;
                changed = self.routes.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                accepted = self.listener.accept() => accepted,
            };
            let admitted = accepted.and_then(|(client, _)| self.admit(client, &mut room));
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
    fn admit(&self, client: TcpStream, room: &mut Option<OwnedSemaphorePermit>) -> io::Result<()> {
        let mut visits = self.visits.borrow_mut();
        while visits.try_join_next().is_some() {}
        let hall = Rc::clone(&self.hall);
        let (attempt, outcome) = match self.hall.attempt() {
            Attempt::Through(call) => {
                visits.spawn_local(conversation::hold(client, call, hall));
                return Ok(());
            }
            Attempt::Exhausted(error) => (Attempt::Refused, Err(error)),
            attempt => (attempt, Ok(())),
        };
        let visit = Visit::new(client, self.routes.clone(), hall, room.take());
        visits.spawn_local(visit.stay(attempt));
        outcome
    }
}
