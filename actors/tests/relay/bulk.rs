//! Much at once.

use std::rc::Rc;

use futures_util::future::join4;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Notify,
};

use super::stage::{Stage, limited, listen};

/// Bytes that one side sends.
const TOTAL: usize = 200 << 20;

/// No power of two, so that a block which is lost or out of order is seen as such.
const PERIOD: usize = 65_521;

/// `length` bytes of what is sent, from `position` on.
fn slice_at(pattern: &[u8], position: usize, length: usize) -> &[u8] {
    let start = position % PERIOD;
    &pattern[start..start + length]
}

/// Long enough for any slice up to a period.
fn pattern(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut period: Vec<u8> = (0..PERIOD)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect();
    period.extend_from_within(..);
    period
}

async fn sends(mut to: impl AsyncWrite + Unpin, pattern: &[u8]) {
    let mut sent = 0;
    while sent < TOTAL {
        let length = PERIOD.min(TOTAL - sent);
        sent += to.write(slice_at(pattern, sent, length)).await.unwrap();
    }
    to.shutdown().await.unwrap();
}

/// Sends until nobody takes more, says so, then sends the rest.
async fn sends_into_a_jam(
    mut to: impl AsyncWrite + Unpin,
    pattern: &[u8],
    jammed: Rc<Notify>,
) -> usize {
    let mut sent = 0;
    let mut at_jam = None;
    while sent < TOTAL {
        let length = PERIOD.min(TOTAL - sent);
        let write = to.write(slice_at(pattern, sent, length));
        let patience = std::time::Duration::from_millis(300);
        if let Ok(count) = tokio::time::timeout(patience, write).await {
            sent += count.unwrap();
        } else {
            at_jam.get_or_insert(sent);
            jammed.notify_one();
        }
    }
    to.shutdown().await.unwrap();
    at_jam.unwrap_or(sent)
}

/// Reads to the end; every byte must be the one that was sent.
async fn hears(mut from: impl AsyncRead + Unpin, pattern: &[u8], step: usize) {
    let mut buffer = vec![0; step];
    let mut heard = 0;
    loop {
        let count = from.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        assert!(
            buffer[..count] == *slice_at(pattern, heard, count),
            "wrong after {heard} bytes"
        );
        heard += count;
    }
    assert_eq!(heard, TOTAL);
}

#[actix::test]
async fn every_byte_of_much_traffic_arrives_in_both_directions() {
    limited(async {
        let stage = Stage::new("127.0.0.1");
        let child = listen("127.0.0.1", 0);
        stage.route(1, &child);
        let (mut client, mut server) = stage.meet(&child).await;
        let (questions, answers) = (pattern(1), pattern(2));
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();

        join4(
            sends(to_client, &questions),
            hears(from_server, &questions, PERIOD),
            sends(to_server, &answers),
            // One that always lags behind.
            hears(from_client, &answers, 8_000),
        )
        .await;
    })
    .await;
}

#[actix::test]
async fn a_reader_that_stands_still_stops_the_sender_and_loses_nothing() {
    limited(async {
        let stage = Stage::new("127.0.0.1");
        let child = listen("127.0.0.1", 0);
        stage.route(1, &child);
        let (mut client, mut server) = stage.meet(&child).await;
        let answers = pattern(3);
        let jammed = Rc::new(Notify::new());
        let (from_client, _) = client.split();
        let (_, to_server) = server.split();

        let (at_jam, ()) = tokio::join!(
            sends_into_a_jam(to_server, &answers, Rc::clone(&jammed)),
            async {
                jammed.notified().await;
                hears(from_client, &answers, PERIOD).await;
            }
        );
        // Only what the system's own buffers hold is on its way.
        assert!(at_jam < TOTAL / 2, "{at_jam} bytes");
    })
    .await;
}
