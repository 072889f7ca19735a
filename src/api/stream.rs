//! Answers that go on: they are written as there is something to say, at the reader's pace.
//!
//! At most one piece waits for the reader, so nothing grows behind one who is slow, and nobody else
//! waits for him. One who takes nothing for [`PATIENCE`] is cut off. Where there is nothing to say for
//! [`BEAT`], a sign of life is written, so that he can tell silence from a connection that is dead.

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
/// How long an answer is silent before it gives a sign of life.
const BEAT: Duration = Duration::from_secs(15);
/// How many answers may go on at the same time: connections are left for orders.
const MOST_STREAMS: usize = 200;
/// How long an answer goes on after the end of the daemon has come: what was said last is there, and
/// need only be written.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Whoever may write answers that go on.
#[derive(Debug)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    /// The daemon ends, and all of them with it.
    shutdown: CancellationToken,
}

/// How an answer that goes on is written.
#[derive(Debug)]
pub(super) struct Format {
    /// Its media type.
    kind: &'static str,
    /// A sign of life, which says nothing and is passed over by readers.
    beat: &'static [u8],
}

/// Server-sent events; a comment is the sign of life.
pub(super) const EVENTS: Format = Format {
    kind: "text/event-stream",
    beat: b":\n\n",
};

/// JSON values, one a line; an empty line is the sign of life.
pub(super) const NDJSON: Format = Format {
    kind: "application/x-ndjson",
    beat: b"\n",
};

/// How far an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// It goes on with what happens, until the daemon ends or is asked elsewhere.
    Endless,
    /// It goes on with what happens until that has an end of its own. It never ends earlier of its own
    /// accord: that would look whole.
    Ending,
    /// It ends with what there is, and never earlier either.
    Past,
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

    /// An answer that `write` writes.
    pub(super) fn answer<W>(
        &self,
        request: &HttpRequest,
        format: &'static Format,
        stretch: Stretch,
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
            let mut write = std::pin::pin!(write);
            let written = tokio::select! {
                written = &mut write => written,
                () = reader.closed() => Ok(()),
                () = shutdown.cancelled(), if stretch != Stretch::Past => {
                    match (timeout(LAST_WORDS, write).await, stretch) {
                        (Ok(written), _) => written,
                        (Err(_), Stretch::Endless) => Ok(()),
                        (Err(_), _) => Err(Gone::Source),
                    }
                }
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
            let piece = match timeout(BEAT, pieces.recv()).await {
                Ok(piece) => piece?,
                Err(_) => Bytes::from_static(format.beat),
            };
            Some((Ok::<_, std::convert::Infallible>(piece), pieces))
        });
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, format.kind))
            .insert_header((CACHE_CONTROL, "no-store"))
            .streaming(pieces)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{body::to_bytes, test::TestRequest};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// All that is written, until it ends.
    async fn answer<W>(
        streams: &Streams,
        format: &'static Format,
        stretch: Stretch,
        write: impl FnOnce(Pen) -> W,
    ) -> Bytes
    where
        W: Future<Output = Result<(), Gone>> + 'static,
    {
        let request = TestRequest::default().to_http_request();
        let place = streams.place().unwrap();
        let answer = streams.answer(&request, format, stretch, place, write);
        to_bytes(answer.into_body()).await.unwrap()
    }

    #[actix_web::test]
    async fn silence_is_told_from_a_dead_connection_by_a_sign_of_life_every_15_seconds() {
        tokio::time::pause();
        let streams = Streams::new(CancellationToken::new());
        for (format, expected) in [(&EVENTS, "a:\n\n:\n\nb"), (&NDJSON, "a\n\nb")] {
            let written = answer(&streams, format, Stretch::Endless, |pen| async move {
                pen.write("a").await?;
                sleep(BEAT * 2 + BEAT / 2).await;
                pen.write("b").await
            });
            assert_eq!(written.await, expected);
        }
    }

    #[actix_web::test]
    async fn at_the_end_of_the_daemon_who_follows_is_let_go_and_who_does_not_gets_all() {
        let shutdown = CancellationToken::new();
        let streams = Streams::new(shutdown.clone());
        let end = shutdown.clone();
        let written = answer(&streams, &NDJSON, Stretch::Past, |pen| async move {
            pen.write("a").await?;
            end.cancel();
            tokio::task::yield_now().await;
            pen.write("b").await
        });
        assert_eq!(written.await, "ab");
        for stretch in [Stretch::Endless, Stretch::Ending] {
            let written = answer(&streams, &NDJSON, stretch, |pen| async move {
                pen.write("last").await?;
                pen.write("words").await?;
                std::future::pending().await
            });
            assert_eq!(written.await, "lastwords");
        }
    }

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
