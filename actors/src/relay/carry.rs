//! One direction of a conversation: everything that one socket says, to the other, at once.
//!
//! Small traffic is copied through one buffer that all share; only what the receiver does not take
//! at once is kept for this direction alone, and nothing more is read until it is gone. When reads
//! keep filling the buffer, the bytes go through a pipe without being copied.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use tokio::{io::Interest, net::TcpStream, task::yield_now};

use super::hall::{BUFFER, Hall};

/// Why a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The sender closed it, and everything was passed on.
    Closed,
    /// The sender's connection broke.
    Unreadable,
    /// The receiver's connection broke. What it has said may still be there to be read.
    Unwritable,
}

/// Full reads in a row after which traffic counts as bulk.
const FULL_READS: u32 = 2;

/// A splice that moves less than this is small traffic,
const SMALL: usize = 16 << 10;

/// and so many of them in a row end the bulk.
const SMALL_READS: u32 = 4;

/// After so many bytes the other connections get their turn.
const SHARE: usize = 512 << 10;

/// What one round did.
enum Round {
    /// It moved so many bytes.
    Moved(usize),
    /// This cannot be done now.
    NoPipe,
}

/// Carries until the direction ends. The sender's close is passed on if it is the first of the two.
pub(super) async fn carry(
    from: &TcpStream,
    to: &TcpStream,
    hall: &Hall,
    half_closed: &Cell<bool>,
) -> End {
    match carry_all(from, to, hall).await {
        End::Closed => {
            if !half_closed.replace(true) {
                // It fails when the receiver is gone, which reading from it tells as well.
                let _ = rustix::net::shutdown(to, rustix::net::Shutdown::Write);
            }
            End::Closed
        }
        end => end,
    }
}

async fn carry_all(from: &TcpStream, to: &TcpStream, hall: &Hall) -> End {
    // Rounds in a row that speak for the other way.
    let mut votes = 0;
    let mut is_bulk = false;
    let mut since_turn = 0;
    loop {
        let round = if is_bulk {
            pass(from, to, hall).await
        } else {
            copy(from, to, hall).await
        };
        let moved = match round {
            Ok(Round::Moved(0)) => return End::Closed,
            Ok(Round::Moved(moved)) => moved,
            Ok(Round::NoPipe) => {
                (is_bulk, votes) = (false, 0);
                continue;
            }
            Err(end) => return end,
        };
        let (is_vote, needed) = if is_bulk {
            (moved < SMALL, SMALL_READS)
        } else {
            (moved == BUFFER, FULL_READS)
        };
        votes = if is_vote { votes + 1 } else { 0 };
        if votes == needed {
            (is_bulk, votes) = (!is_bulk, 0);
        }
        since_turn += moved;
        if since_turn >= SHARE {
            since_turn = 0;
            yield_now().await;
        }
    }
}

/// One read and the writes that pass it on.
async fn copy(from: &TcpStream, to: &TcpStream, hall: &Hall) -> Result<Round, End> {
    let (moved, rest) = poll_fn(|cx| poll_copy(cx, from, to, hall)).await?;
    let mut rest = &rest[..];
    while !rest.is_empty() {
        poll_fn(|cx| to.poll_write_ready(cx))
            .await
            .map_err(|_| End::Unwritable)?;
        let written = write_some(to, rest).map_err(|_| End::Unwritable)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(Round::Moved(moved))
}

/// Answers how many bytes were read, and those of them that were not taken at once.
fn poll_copy(
    cx: &mut Context<'_>,
    from: &TcpStream,
    to: &TcpStream,
    hall: &Hall,
) -> Poll<Result<(usize, Vec<u8>), End>> {
    let buffer = &mut *hall.buffer.borrow_mut();
    loop {
        if ready!(from.poll_read_ready(cx)).is_err() {
            return Poll::Ready(Err(End::Unreadable));
        }
        let bytes = match read_some(from, buffer) {
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return Poll::Ready(Err(End::Unreadable)),
        };
        let written = if bytes.is_empty() {
            Ok(0)
        } else {
            write_some(to, bytes)
        };
        return Poll::Ready(match written {
            Ok(written) => {
                let rest = bytes.get(written..).unwrap_or_default().to_vec();
                Ok((bytes.len(), rest))
            }
            Err(_) => Err(End::Unwritable),
        });
    }
}

/// Reads once. A short read means that nothing is left, so it also clears the readiness: the next
/// look costs no call.
fn read_some(from: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut short = None;
    let outcome = from.try_io(Interest::READABLE, || {
        let capacity = buffer.len();
        let (count, _) = retry(|| recv(from, &mut *buffer, RecvFlags::empty()))?;
        if (1..capacity).contains(&count) {
            short = Some(count);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(count)
    });
    short.map_or(outcome, Ok)
}

/// Writes once; 0 when the receiver takes nothing now.
///
/// It does not ask the reactor first, which knows nothing of a new connection yet: its first bytes
/// go out without a turn.
fn write_some(to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let write = || retry(|| send(to, bytes, SendFlags::NOSIGNAL));
    match write() {
        // Once more, so that the reactor sees that it has to wait.
        Err(Errno::AGAIN) => match to.try_io(Interest::WRITABLE, || Ok(write()?)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            outcome => outcome,
        },
        outcome => Ok(outcome?),
    }
}

/// One filling of a pipe, and the emptying. The pipe is ours only while bytes are under way.
async fn pass(from: &TcpStream, to: &TcpStream, hall: &Hall) -> Result<Round, End> {
    let (moved, mut pipe) = loop {
        poll_fn(|cx| from.poll_read_ready(cx))
            .await
            .map_err(|_| End::Unreadable)?;
        let Some(mut pipe) = hall.pipes.lend() else {
            return Ok(Round::NoPipe);
        };
        let filled = from.try_io(Interest::READABLE, || Ok(retry(|| pipe.fill(from))?));
        match filled {
            Ok(moved) => break (moved, pipe),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if is_unsupported(&error) => {
                hall.pipes.forsake();
                return Ok(Round::NoPipe);
            }
            Err(_) => return Err(End::Unreadable),
        }
    };
    while !pipe.is_empty() {
        poll_fn(|cx| to.poll_write_ready(cx))
            .await
            .map_err(|_| End::Unwritable)?;
        match to.try_io(Interest::WRITABLE, || Ok(retry(|| pipe.pour(to))?)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(End::Unwritable),
        }
    }
    Ok(Round::Moved(moved))
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
    )
}

fn retry<T>(call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    rustix::io::retry_on_intr(call)
}
