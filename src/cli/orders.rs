//! `bpm restart`, `bpm stop`, `bpm start`.

mod outcome;
mod phases;

use std::{collections::BTreeMap, time::Duration};

use bpm_actors::report::{Outcome, RestartReport};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use self::phases::Phase;
use super::{
    arguments::OrderArguments, code::Code, console::Console, failure::Failure, link::Link, names,
};
use crate::client::{ClientError, Event, Events, Order};

/// How often the time that something takes is brought up to date.
const BEAT: Duration = Duration::from_secs(1);
/// How long a look may take where the order is given no time.
const LOOK: Duration = Duration::from_secs(1);

/// Gives an order to processes and waits for what comes of it.
///
/// # Errors
/// When the daemon does not take the order, or does not answer.
pub(super) async fn carry_out(
    link: Link,
    order: Order,
    arguments: &OrderArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    let client = link.client();
    // Before the order, so that nothing of it is missed.
    let look = async { tokio::join!(client.events(None, None), client.status()) };
    let looked = tokio::time::timeout(arguments.timeout.max(LOOK), look).await;
    let (events, status) = looked.map_err(|_| Failure::silent(client))?;
    let (mut events, status) = (events.ok(), status?);
    let names = names::chosen(&status, &arguments.names)?;
    let seconds = arguments.timeout.as_secs_f64();
    let mut answers: FuturesUnordered<_> = names
        .iter()
        .map(|name| async move { (name, client.order(order, name, Some(seconds)).await) })
        .collect();
    let mut watched = Watched::new(&names);
    let mut beat = tokio::time::interval(BEAT);
    let mut code = Code::Done;
    loop {
        tokio::select! {
            answer = answers.next() => match answer {
                None => break,
                Some((name, report)) => {
                    watched.phases.remove(name);
                    code = code.max(answered(name, report, arguments, console)?);
                }
            },
            event = heard(&mut events) => watched.hear(&event, console),
            _ = beat.tick(), if console.shows_progress() => watched.show(console),
        }
    }
    console.finish_progress();
    console.flush()?;
    Ok(code)
}

/// The next event. Without any the answers come all the same.
async fn heard(events: &mut Option<Events>) -> Event {
    if let Some(stream) = events
        && let Some(Ok(event)) = stream.next().await
    {
        return event;
    }
    *events = None;
    std::future::pending().await
}

/// Prints one answer.
fn answered(
    name: &str,
    report: Result<RestartReport, ClientError>,
    arguments: &OrderArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    console.finish_progress();
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            let hint = match error {
                ClientError::Broken(_) | ClientError::TimedOut => {
                    "; the order may be carried out all the same: see bpm status"
                }
                _ => "",
            };
            let failure = Failure::from(error);
            console.complain(&format!("{name}: {failure}{hint}"));
            return Ok(failure.code());
        }
    };
    if arguments.json {
        console.line(&super::json(&report))?;
    } else {
        for line in outcome::lines(&report, console.face) {
            console.line(&line)?;
        }
    }
    console.flush()?;
    Ok(code(&report))
}

fn code(report: &RestartReport) -> Code {
    match report.outcome {
        _ if report.ok => Code::Done,
        Outcome::Building | Outcome::Stopping => Code::TimeUp,
        _ => Code::Failed,
    }
}

/// What the processes are doing of which no answer has come yet.
struct Watched {
    phases: BTreeMap<String, Option<(Phase, Instant)>>,
}

impl Watched {
    fn new(names: &[String]) -> Self {
        Self {
            phases: names.iter().map(|name| (name.clone(), None)).collect(),
        }
    }

    fn hear(&mut self, event: &Event, console: &mut Console) {
        let Some(name) = &event.process else {
            return;
        };
        let Some(known) = self.phases.get_mut(name) else {
            return;
        };
        let Some(phase) = Phase::of(event) else {
            return;
        };
        if known.as_ref().is_some_and(|(known, _)| *known == phase) {
            return;
        }
        let text = format!("{name}: {phase}");
        *known = Some((phase, Instant::now()));
        if console.shows_progress() {
            self.show(console);
        } else {
            console.progress(&text);
        }
    }

    fn show(&self, console: &mut Console) {
        let phases = self.phases.iter().filter_map(|(name, phase)| {
            let (phase, since) = phase.as_ref()?;
            let seconds = since.elapsed().as_secs();
            Some(format!("{name}: {phase} {seconds} s"))
        });
        let text = phases.collect::<Vec<_>>().join(" · ");
        if !text.is_empty() {
            console.progress(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn the_exit_code_tells_what_came_of_it() {
        let mut report = samples::outcome();
        assert_eq!(code(&report), Code::Done);
        report.ok = false;
        for (outcome, expected) in [
            (Outcome::BuildFailed, Code::Failed),
            (Outcome::RolledBack, Code::Failed),
            (Outcome::Superseded, Code::Failed),
            (Outcome::Building, Code::TimeUp),
            (Outcome::Stopping, Code::TimeUp),
        ] {
            report.outcome = outcome;
            assert_eq!(code(&report), expected, "{outcome:?}");
        }
        assert!(Code::Failed > Code::TimeUp, "the graver one counts");
    }
}
