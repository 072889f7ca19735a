//! A connection that was accepted while no child answered. It is never dropped: its bytes stay
//! unread, and it is tried again until a child answers or the client hangs up.

use std::{pin::pin, rc::Rc, time::Duration};

use tokio::{
    io::Interest,
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch},
};

use super::{
    Route, conversation, dial,
    hall::{Attempt, Call, Hall},
};

/// The pause between two attempts grows from this
const SHORTEST: Duration = Duration::from_millis(3);

/// to this. A connection that is not through by then is given up and tried again, too: the child's
/// queue was full, and the kernel would not try again for a whole second.
const LONGEST: Duration = Duration::from_millis(50);

pub(super) struct Visit {
    client: TcpStream,
    routes: watch::Receiver<Option<Route>>,
    hall: Rc<Hall>,
    /// Missing where two doors let somebody in at the same time and only one place was left.
    room: Option<OwnedSemaphorePermit>,
}

impl Visit {
    pub(super) fn new(
        client: TcpStream,
        routes: watch::Receiver<Option<Route>>,
        hall: Rc<Hall>,
        room: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            client,
            routes,
            hall,
            room,
        }
    }

    /// Waits for a child to answer, then holds the conversation. `first` came of the first attempt.
    pub(super) async fn stay(mut self, first: Attempt) {
        let through = wait(&self.client, &mut self.routes, &self.hall, first).await;
        drop(self.room);
        if let Some(call) = through {
            conversation::hold(self.client, call, self.hall).await;
        } else {
            drop(self.client);
            self.hall.freed();
        }
    }
}

/// `None` when the client hung up or the relay ended.
async fn wait(
    client: &TcpStream,
    routes: &mut watch::Receiver<Option<Route>>,
    hall: &Hall,
    mut attempt: Attempt,
) -> Option<Call> {
    let mut hang_up = pin!(hang_up(client));
    let mut turn = None;
    let mut pause = SHORTEST;
    loop {
        attempt = match attempt {
            Attempt::Through(call) => return Some(call),
            Attempt::Pending(call) => tokio::select! {
                biased;
                completed = dial::completed(&call.server) => match completed {
                    Ok(()) => {
                        hall.answered.notify_waiters();
                        return Some(call);
                    }
                    Err(_) => Attempt::Refused,
                },
                () = &mut hang_up => return None,
                changed = routes.changed() => {
                    changed.ok()?;
                    // No byte went there; nobody waits for it before the old child is told to stop.
                    drop(call);
                    hall.attempt()
                }
                () = tokio::time::sleep(LONGEST) => Attempt::Refused,
            },
            Attempt::Refused | Attempt::Exhausted(_) => tokio::select! {
                biased;
                () = &mut hang_up => return None,
                changed = routes.changed() => {
                    changed.ok()?;
                    pause = SHORTEST;
                    hall.attempt()
                }
                () = hall.answered.notified(), if turn.is_none() => hall.attempt(),
                () = next_try(&hall.turn, &mut turn, pause) => {
                    pause = (pause * 2).min(LONGEST);
                    hall.attempt()
                }
            },
            Attempt::Nowhere => tokio::select! {
                biased;
                () = &mut hang_up => return None,
                changed = routes.changed() => {
                    changed.ok()?;
                    pause = SHORTEST;
                    hall.attempt()
                }
            },
        };
    }
}

/// Returns when it is on us to try again. Only one tries at a time: many who all do would cost the
/// child its start.
async fn next_try<'a>(
    turns: &'a Semaphore,
    turn: &mut Option<SemaphorePermit<'a>>,
    pause: Duration,
) {
    if turn.is_none() {
        *turn = turns.acquire().await.ok();
    }
    tokio::time::sleep(pause).await;
}

/// Returns when the client is gone: it reset the connection, or ended it without having said
/// anything. One that asked and then closed its side may still wait for the answer.
async fn hang_up(client: &TcpStream) {
    if let Ok(1..) = client.peek(&mut [0]).await {
        // An error of waiting is as good an end as the one that was waited for.
        let _ = client.ready(Interest::ERROR).await;
    }
}
