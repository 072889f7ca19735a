//! Answers that go on: they are written as there is something to say, at the reader's pace.
//!
//! At most one piece waits for the reader, so nothing grows behind one who is slow, and nobody else
//! waits for him. One who takes nothing for [`PATIENCE`] is cut off.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
};
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::http::{
    peer::Peer,
    refusal::{Code, Refusal},
};

/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many answers may go on at the same time: connections are left for orders.
const MOST_STREAMS: usize = 200;

/// Whoever may write answers that go on.
#[derive(Debug)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    /// The daemon ends, and all of them with it.
    shutdown: CancellationToken,
}

/// Why an answer ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The reader is gone, or took nothing for too long.
    Reader,
    /// There is nobody left to ask for the rest. The connection is cut: a clean end would look whole.
    Source,
}

/// Where an answer is written.
#[derive(Debug)]
pub(super) struct Pen(mpsc::Sender<Bytes>);

impl Pen {
    /// Writes a piece, when the reader has taken the one before.
    ///
    /// # Errors
    /// When he is gone, or took nothing for too long.
    pub(super) async fn write(&self, piece: impl Into<Bytes>) -> Result<(), Gone> {
        match timeout(PATIENCE, self.0.send(piece.into())).await {
            Ok(sent) => sent.map_err(|_| Gone::Reader),
            Err(_) => Err(Gone::Reader),
        }
    }
}

impl Streams {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST_STREAMS)),
            shutdown,
        }
    }

    /// A place among those that go on; kept as long as the answer does.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| {
            let message = format!("{MOST_STREAMS} streams are open already; close one");
            Refusal::new(Code::Unavailable, message)
        })
    }

    /// An answer of this type that `write` writes.
    pub(super) fn answer<W>(
        &self,
        request: &HttpRequest,
        kind: &'static str,
        place: OwnedSemaphorePermit,
        write: impl FnOnce(Pen) -> W,
    ) -> HttpResponse
    where
        W: Future<Output = Result<(), Gone>> + 'static,
    {
        let (pen, pieces) = mpsc::channel(1);
        let reader = pen.clone();
        let peer = request.conn_data::<Peer>().cloned();
        let shutdown = self.shutdown.clone();
        let write = write(Pen(pen));
        actix_web::rt::spawn(async move {
            let written = tokio::select! {
                written = write => written,
                () = reader.closed() => Ok(()),
                () = shutdown.cancelled() => Ok(()),
            };
            drop(place);
            // One who hung up has closed the connection already.
            if let Err(gone) = written
                && !reader.is_closed()
                && let Some(peer) = peer
            {
                if gone == Gone::Reader {
                    log::info!(
                        "http: cut off a reader who took nothing for {} s",
                        PATIENCE.as_secs()
                    );
                }
                peer.cut();
            }
        });
        let pieces = unfold(pieces, |mut pieces: mpsc::Receiver<Bytes>| async {
            let piece = pieces.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(piece), pieces))
        });
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, kind))
            .insert_header((CACHE_CONTROL, "no-store"))
            .streaming(pieces)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_takes_nothing_is_given_up_after_30_seconds() {
        let (pen, mut pieces) = mpsc::channel(1);
        let pen = Pen(pen);
        pen.write("a").await.unwrap();
        let begun = Instant::now();
        assert_eq!(pen.write("b").await, Err(Gone::Reader));
        assert_eq!(begun.elapsed(), PATIENCE);
        // One who is only slow is not.
        assert_eq!(pieces.recv().await, Some("a".into()));
        pen.write("c").await.unwrap();
        drop(pieces);
        assert_eq!(pen.write("d").await, Err(Gone::Reader));
        assert_eq!(begun.elapsed(), PATIENCE);
    }
}
