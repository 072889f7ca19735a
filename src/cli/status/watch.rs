//! `bpm status --watch`: stays, and shows every change.

use std::{io::Write, time::Duration};

use futures_util::StreamExt;
use tokio::time::Instant;

use super::{aged::aged, screen};
use crate::{
    cli::{
        arguments::StatusArguments,
        code::Code,
        console::{Console, reader_gone},
        failure::Failure,
        link::Link,
    },
    client::{Client, ClientError, Events},
    service::StatusReport,
};

/// How long events are gathered that come together, so that each change is shown once.
const GATHER: Duration = Duration::from_millis(30);
/// How often ages are brought up to date on a terminal.
const BEAT: Duration = Duration::from_secs(1);

/// Shows the status whenever it changes, until somebody ends it.
///
/// # Errors
/// When the daemon does not answer at the beginning, or refuses.
pub(super) async fn watch(
    link: &mut Link,
    arguments: &StatusArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    let mut gone = std::pin::pin!(reader_gone());
    let mut seen = look(link.client()).await?;
    let mut beat = tokio::time::interval(BEAT);
    loop {
        show(&seen.report, seen.at, arguments, console)?;
        let heard = loop {
            tokio::select! {
                () = &mut gone => return Ok(Code::Done),
                event = seen.events.next() => break event,
                _ = beat.tick(), if console.face.is_terminal() && !arguments.json => {
                    show(&seen.report, seen.at, arguments, console)?;
                }
            }
        };
        let known = match heard {
            Some(Ok(_)) => seen.refresh(link.client()).await,
            Some(Err(error)) => Err(error),
            None => Err(ClientError::ended()),
        };
        match known {
            Ok(()) => {}
            Err(error) if error.may_pass() => {
                seen = tokio::select! {
                    () = &mut gone => return Ok(Code::Done),
                    again = link.again(console, look) => again?,
                };
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What was seen last, and what will be heard of changes.
struct Seen {
    report: StatusReport,
    at: Instant,
    events: Events,
}

async fn look(client: &Client) -> Result<Seen, ClientError> {
    // Listens first, so that no change is missed.
    let events = client.events(None, None).await?;
    let report = client.status().await?;
    let at = Instant::now();
    Ok(Seen { report, at, events })
}

impl Seen {
    /// Looks again because something happened.
    async fn refresh(&mut self, client: &Client) -> Result<(), ClientError> {
        let until = Instant::now() + GATHER;
        while let Ok(Some(Ok(_))) = tokio::time::timeout_at(until, self.events.next()).await {}
        (self.report, self.at) = (client.status().await?, Instant::now());
        Ok(())
    }
}

fn show(
    report: &StatusReport,
    at: Instant,
    arguments: &StatusArguments,
    console: &mut Console,
) -> Result<(), Failure> {
    console.refresh();
    if arguments.json {
        console.line(&crate::cli::json(report))?;
        return console.flush();
    }
    let report = aged(report, at.elapsed().as_secs_f64());
    let lines = screen::lines(&report, console.face);
    if console.face.is_terminal() {
        // Over what is there, so that nothing flickers; then clears what is left of it.
        let lines = lines.join("\x1b[K\r\n");
        write!(console.out, "\x1b[H{lines}\x1b[K\r\n\x1b[J")?;
    } else {
        for line in lines {
            console.line(&line)?;
        }
        console.line("")?;
    }
    console.flush()
}
