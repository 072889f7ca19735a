//! `bpm events`.

use futures_util::{FutureExt, StreamExt};

use super::{
    arguments::EventsArguments,
    clock,
    code::Code,
    console::{Console, Face, reader_gone},
    failure::Failure,
    harmless,
    link::Link,
    paint::{Colours, Paint},
    words::word,
};
use crate::client::{ClientError, Event, Events};

/// How many are shown when nobody says.
const USUAL: usize = 20;

/// How many a daemon keeps.
const MOST: usize = 1_000;

/// Shows what happened and, with `--follow`, what happens.
///
/// # Errors
/// When the daemon does not answer.
pub(super) async fn events(
    mut link: Link,
    arguments: &EventsArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    let client = link.client();
    if !arguments.follow {
        let past = client.past_events(arguments.lines.unwrap_or(USUAL)).await?;
        return all(past, arguments, console).await;
    }
    let mut events = client.events(None, arguments.lines).await?;
    let mut gone = std::pin::pin!(reader_gone());
    let mut seen = None;
    loop {
        let ended = tokio::select! {
            () = &mut gone => return Ok(Code::Done),
            ended = pass_on(&mut events, &mut seen, arguments, console) => ended?,
        };
        if !ended.may_pass() {
            return Err(ended.into());
        }
        events = tokio::select! {
            () = &mut gone => return Ok(Code::Done),
            events = link.again(console, async |client| {
                // Who has seen nothing has seen nothing of the new daemon either.
                let all = seen.is_none().then_some(MOST);
                client.events(seen, all).await
            }) => events?,
        };
    }
}

/// Prints what happened before.
async fn all(
    mut events: Events,
    arguments: &EventsArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    while let Some(event) = events.next().await {
        print(&event?, arguments, console)?;
    }
    Ok(Code::Done)
}

/// Prints what arrives until there is no more; tells why.
async fn pass_on(
    events: &mut Events,
    seen: &mut Option<u64>,
    arguments: &EventsArguments,
    console: &mut Console,
) -> Result<ClientError, Failure> {
    loop {
        let next = if let Some(next) = events.next().now_or_never() {
            next
        } else {
            console.flush()?;
            events.next().await
        };
        match next {
            None => return Ok(ClientError::ended()),
            Some(Err(error)) => return Ok(error),
            Some(Ok(event)) => {
                *seen = Some(event.id).filter(|id| *id > 0).or(*seen);
                print(&event, arguments, console)?;
            }
        }
    }
}

fn print(event: &Event, arguments: &EventsArguments, console: &mut Console) -> Result<(), Failure> {
    if arguments.json {
        return console.line(&super::json(event));
    }
    if event.kind == Event::GAP {
        console.flush()?;
        console.note("-- events missing here: not kept any more");
        return Ok(());
    }
    console.line(&line(event, console.face))
}

/// An event as people read it.
fn line(event: &Event, face: Face) -> String {
    let paint = match event.kind.as_str() {
        "crashed" | "build_failed" | "rolled_back" | "config_invalid" => Paint::Bad,
        "backing_off" | "stopped" => Paint::Warning,
        "started" | "restarted" | "swapped" | "build_done" => Paint::Good,
        "build_started" => Paint::Busy,
        Event::STATE => Paint::Dim,
        _ => Paint::Plain,
    };
    let colours = face.colours;
    let time = colours.paint(Paint::Dim, &clock::time(event.at, face));
    let kind = harmless::line(&event.kind, Colours::Off);
    let kind = colours.paint(paint, &format!("{kind:13}"));
    let process = event.process.as_deref().unwrap_or("-");
    let process = harmless::line(process, Colours::Off);
    let text = harmless::line(&event.text, Colours::Off);
    let text = match (text.is_empty(), event.state, event.mode) {
        (true, Some(state), _) => {
            let serving = if event.serving == Some(true) {
                ", serving"
            } else {
                ""
            };
            format!("{}{serving}", word(state))
        }
        (true, None, Some(mode)) => mode.to_string(),
        _ => text,
    };
    format!("{time} {process} {kind} {text}")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use bpm_actors::report::StateName;

    use super::*;

    fn event(kind: &str, text: &str) -> Event {
        Event {
            id: 42,
            kind: kind.to_owned(),
            process: Some("main".to_owned()),
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
            text: text.to_owned(),
            state: None,
            serving: None,
            run: None,
            mode: None,
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        let crashed = event("crashed", "exit code 1\nand\x1b[2J more");
        assert_eq!(
            line(&crashed, Face::PLAIN),
            "2026-11-23T10:00:00.000Z main crashed       exit code 1␊and more"
        );
    }

    #[test]
    fn a_change_of_state_without_words_says_the_state() {
        let mut changed = event("state", "");
        changed.state = Some(StateName::Building);
        changed.serving = Some(true);
        assert!(line(&changed, Face::PLAIN).ends_with("main state         building, serving"));
        let mode = Event {
            process: None,
            mode: Some(bpm_actors::spec::Mode::Dev),
            ..event("mode", "")
        };
        assert!(line(&mode, Face::PLAIN).ends_with("Z - mode          dev"));
    }
}
