//! A client and a child that are connected: bytes both ways until either side ends it.

use std::{cell::Cell, pin::pin, rc::Rc};

use futures_util::future::{Either, select};
use tokio::{io::Interest, net::TcpStream};

use super::{
    carry::{End, carry},
    hall::{Call, Hall},
};

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Both sides said all they had to say.
    Complete,
    /// One side broke off; the other learns it the same way.
    Broken,
}

/// Returns when both sides are closed.
pub(super) async fn hold(client: TcpStream, call: Call, hall: Rc<Hall>) {
    let Call { server, claim } = call;
    if converse(&client, &server, &hall).await == Ending::Broken {
        for side in [&client, &server] {
            // Closing then sends a reset. Where it fails, the connection is dead already.
            let _ = side.set_zero_linger();
        }
    }
    drop((client, server));
    // Not earlier: who waits for the run to drain finds the sockets closed.
    drop(claim);
    hall.freed();
}

async fn converse(client: &TcpStream, server: &TcpStream, hall: &Hall) -> Ending {
    // The second side to close need not be told: its socket is closed next.
    let half_closed = Cell::new(false);
    let up = pin!(carry(client, server, hall, &half_closed));
    let down = pin!(carry(server, client, hall, &half_closed));
    let (first, other, ended) = match select(up, down).await {
        Either::Left((end, other)) => (end, Either::Left(other), client),
        Either::Right((end, other)) => (end, Either::Right(other), server),
    };
    let second = match first {
        End::Unreadable => return Ending::Broken,
        // What it had said before it died is still passed on. Then its end is found by reading.
        End::Unwritable => other.await,
        End::Closed => match select(other, pin!(failed(ended))).await {
            Either::Left((end, _)) => end,
            // All that it had to say was read, so nobody but us will learn that it broke off.
            Either::Right(_) => return Ending::Broken,
        },
    };
    if (first, second) == (End::Closed, End::Closed) {
        Ending::Complete
    } else {
        Ending::Broken
    }
}

/// Returns when the connection of a side that has closed its half breaks.
async fn failed(side: &TcpStream) {
    // An error of waiting is as good an end as the one that was waited for.
    let _ = side.ready(Interest::ERROR).await;
}
