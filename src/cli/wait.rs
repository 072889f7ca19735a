//! `bpm wait`.

mod goal;

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use self::goal::{Goal, Verdict};
use super::{
    arguments::WaitArguments,
    code::Code,
    console::{Console, reader_gone},
    failure::Failure,
    harmless,
    link::Link,
    names,
};
use crate::{
    client::{Client, ClientError, Event, Events, LogFilter, LogItem, LogItems},
    service::StatusReport,
};

/// Waits until a process is ready, ends or prints a line.
///
/// # Errors
/// When the daemon does not answer at the beginning, or refuses.
pub(super) async fn wait(
    mut link: Link,
    arguments: &WaitArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    let begun = Instant::now();
    let until = begun.checked_add(arguments.timeout);
    // Nobody lives to see the end of a longer time.
    let until = until.unwrap_or_else(|| begun + Duration::from_hours(24 * 365));
    let look_until = if arguments.timeout.is_zero() {
        begun + LOOK
    } else {
        until
    };
    let looked = tokio::time::timeout_at(look_until, look(link.client(), arguments)).await;
    let Ok(looked) = looked else {
        return Err(Failure::silent(link.client()));
    };
    let (name, goal, at_once) = looked?;
    let came = if let Some(came) = at_once {
        Ok(Ok(came))
    } else {
        console.progress(&format!("{name}: waiting for {goal}"));
        let watched = tokio::time::timeout_at(until, watch(&mut link, &goal, &name, console));
        tokio::select! {
            came = watched => came,
            // Nobody wants to know any more.
            () = reader_gone() => return Ok(Code::Done),
        }
    };
    let Ok(came) = came else {
        console.complain(&format!("{name}: {goal} did not come in time"));
        return Ok(Code::TimeUp);
    };
    let (code, text) = came?;
    if code == Code::Done {
        let text = harmless::line(&text, console.face.colours);
        console.line(&text)?;
        console.flush()?;
    } else {
        console.complain(&text);
    }
    Ok(code)
}

/// How long a look may take where there is no time to wait.
const LOOK: Duration = Duration::from_secs(5);

/// Which process is meant, what must come, and what it has come to already.
async fn look(
    client: &Client,
    arguments: &WaitArguments,
) -> Result<(String, Goal, Option<(Code, String)>), Failure> {
    let status = client.status().await?;
    let name = names::chosen(&status, arguments.name.as_slice())?.remove(0);
    let goal = Goal::new(&arguments.awaited, process(&status, &name));
    let came = glance(client, &goal, &name, &status).await?;
    Ok((name, goal, came))
}

/// What it has come to already.
async fn glance(
    client: &Client,
    goal: &Goal,
    name: &str,
    status: &StatusReport,
) -> Result<Option<(Code, String)>, ClientError> {
    let verdict = goal.verdict(process(status, name));
    if let Goal::Line(pattern) = goal
        && let Some(line) = printed(client, pattern, name).await?
    {
        return Ok(Some((Code::Done, line)));
    }
    Ok(match verdict {
        Verdict::Open => None,
        Verdict::Met(text) => Some((Code::Done, text)),
        Verdict::Unmet(text) => Some((Code::Failed, text)),
    })
}

/// Watches until it has come or cannot come any more.
async fn watch(
    link: &mut Link,
    goal: &Goal,
    name: &str,
    console: &mut Console,
) -> Result<(Code, String), Failure> {
    let mut look = Look::at(link.client(), goal, name).await;
    loop {
        match look {
            Ok(mut looking) => match looking.until(link.client(), goal, name).await {
                Ok(came) => return Ok(came),
                Err(error) => look = Err(error),
            },
            Err(error) if error.may_pass() => {
                let again = link.again(console, async |client| Look::at(client, goal, name).await);
                look = Ok(again.await?);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// How long a daemon may take to hang up once it has stopped a process.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is heard of a process.
struct Look {
    events: Events,
    /// Where a line is waited for.
    lines: Option<LogItems>,
}

impl Look {
    async fn at(client: &Client, goal: &Goal, name: &str) -> Result<Self, ClientError> {
        let events = client.events(None, None).await?;
        let lines = match goal {
            Goal::Line(pattern) => Some(client.logs(&question(pattern, name)).await?),
            Goal::Ready | Goal::End(_) => None,
        };
        Ok(Self { events, lines })
    }

    async fn until(
        &mut self,
        client: &Client,
        goal: &Goal,
        name: &str,
    ) -> Result<(Code, String), ClientError> {
        loop {
            let status = client.status().await?;
            match goal.verdict(process(&status, name)) {
                Verdict::Open => {}
                Verdict::Met(text) => return Ok((Code::Done, text)),
                Verdict::Unmet(text) => {
                    // A daemon that ends stops everything before it hangs up.
                    let more = tokio::time::timeout(FAREWELL, self.events.next()).await;
                    let Ok(event) = more else {
                        // What it printed last may be on its way.
                        let came = glance(client, goal, name, &status).await?;
                        return Ok(came.unwrap_or((Code::Failed, text)));
                    };
                    heard(event)?;
                    continue;
                }
            }
            tokio::select! {
                line = next_line(&mut self.lines) => return Ok((Code::Done, line?)),
                event = self.events.next() => heard(event)?,
            }
        }
    }
}

/// Any event is a reason to look again.
fn heard(event: Option<Result<Event, ClientError>>) -> Result<(), ClientError> {
    event.unwrap_or_else(|| Err(ClientError::ended())).map(drop)
}

fn process<'s>(
    status: &'s StatusReport,
    name: &str,
) -> Option<&'s bpm_actors::report::ProcessReport> {
    status.processes.iter().find(|process| process.name == name)
}

fn question(pattern: &str, name: &str) -> LogFilter {
    LogFilter {
        processes: vec![name.to_owned()],
        pattern: Some(pattern.to_owned()),
        tail: Some(1),
        follow: true,
        ..LogFilter::default()
    }
}

/// The next line that matches.
async fn next_line(lines: &mut Option<LogItems>) -> Result<String, ClientError> {
    let Some(lines) = lines else {
        return std::future::pending().await;
    };
    loop {
        let item = lines.next().await;
        if let LogItem::Line(line) = item.unwrap_or_else(|| Err(ClientError::ended()))? {
            return Ok(line.text);
        }
    }
}

/// A line that was printed and matches.
async fn printed(
    client: &Client,
    pattern: &str,
    name: &str,
) -> Result<Option<String>, ClientError> {
    let question = LogFilter {
        follow: false,
        ..question(pattern, name)
    };
    let mut items = client.logs(&question).await?;
    while let Some(item) = items.next().await {
        if let LogItem::Line(line) = item? {
            return Ok(Some(line.text));
        }
    }
    Ok(None)
}
