//! Finds the daemon, hears what happens, asks for the status when something did.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::{
    sync::{mpsc, watch},
    time::{self, Instant, MissedTickBehavior},
};

use super::translate;
use crate::{
    client::{self, Client, ClientError, FindError, Which},
    tui::state::{link::Link, wish::Message},
};

/// Between two looks at what the processes use.
const USAGE: Duration = Duration::from_secs(2);
/// The waits before attempts; the last one repeats.
const WAITS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(5),
];

/// Why there is no connection.
struct Lost {
    why: String,
    advice: Option<String>,
}

/// Keeps a connection until nobody listens any more.
pub(super) async fn keep(
    which: Which,
    inbox: mpsc::Sender<Message>,
    found: watch::Sender<Option<Client>>,
    mut nudged: mpsc::Receiver<()>,
) {
    let mut failures = 0;
    // The last event that was heard: what happened while the connection was gone is told then.
    let mut heard = None;
    while !inbox.is_closed() {
        let lost = match client::find(&which).map(Client::new) {
            Ok(client) => {
                let mut link = Talk {
                    client,
                    inbox: &inbox,
                    found: &found,
                    nudged: &mut nudged,
                    heard: &mut heard,
                    failures: &mut failures,
                };
                let lost = link.talk().await;
                found.send_replace(None);
                lost
            }
            Err(error) => not_found(&error),
        };
        let wait = WAITS[failures.min(WAITS.len() - 1)];
        failures += 1;
        let again = Instant::now() + wait;
        let down = Link::Down {
            why: lost.why,
            advice: lost.advice,
            again,
        };
        if inbox.send(Message::Link(down)).await.is_err() {
            return;
        }
        tokio::select! {
            () = time::sleep_until(again) => {}
            asked = nudged.recv() => if asked.is_none() { return },
        }
    }
}

/// One connection, from its first word to its last.
struct Talk<'a> {
    client: Client,
    inbox: &'a mpsc::Sender<Message>,
    found: &'a watch::Sender<Option<Client>>,
    nudged: &'a mut mpsc::Receiver<()>,
    heard: &'a mut Option<u64>,
    failures: &'a mut usize,
}

impl Talk<'_> {
    async fn talk(&mut self) -> Lost {
        match self.try_talk().await {
            Ok(()) => Lost {
                why: "the daemon has ended".to_owned(),
                advice: self.advice(),
            },
            Err(error) => Lost {
                advice: self.advice_about(&error),
                why: match error {
                    // What broke in which layer helps nobody here.
                    ClientError::Broken(_) => "the connection broke".to_owned(),
                    error => error.to_string(),
                },
            },
        }
    }

    async fn try_talk(&mut self) -> Result<(), ClientError> {
        // First the events, then the status: no change falls in between.
        let mut events = self.client.events(*self.heard, None).await?;
        let status = self.client.status().await?;
        *self.failures = 0;
        self.found.send_replace(Some(self.client.clone()));
        let url = self.client.target().url.clone();
        self.tell(Message::Link(Link::Up { url })).await;
        self.tell(Message::Status(Box::new(status))).await;
        let mut usage = time::interval(USAGE);
        usage.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    None => return Ok(()),
                    Some(event) => {
                        let event = event?;
                        // One without a number says nothing about where to go on.
                        if event.id > 0 {
                            *self.heard = Some(event.id);
                        }
                        self.tell(Message::Event(translate::event(event))).await;
                    }
                },
                Some(()) = self.nudged.recv() => {
                    let status = self.client.status().await?;
                    self.tell(Message::Status(Box::new(status))).await;
                }
                _ = usage.tick() => match self.client.usage().await {
                    Ok(report) => self.tell(Message::Usage(translate::usage(report))).await,
                    Err(error) if error.may_pass() => return Err(error),
                    // The panel does without it.
                    Err(_) => {}
                },
            }
        }
    }

    async fn tell(&self, message: Message) {
        // When nobody listens, the task is about to be ended.
        let _ = self.inbox.send(message).await;
    }

    fn advice_about(&self, error: &ClientError) -> Option<String> {
        match error {
            ClientError::Refused { status: 401, .. } => Some(
                "it wants a token; run bpm-tui as the user of the daemon, in its project"
                    .to_owned(),
            ),
            ClientError::NotRunning(_) | ClientError::Broken(_) => self.advice(),
            _ => None,
        }
    }

    fn advice(&self) -> Option<String> {
        let dir = self.client.target().project_dir.as_ref()?;
        Some(start(&dir.display().to_string()))
    }
}

fn not_found(error: &FindError) -> Lost {
    match error {
        FindError::NotRunning { project_dir } => Lost {
            why: "the daemon does not run".to_owned(),
            advice: Some(start(&project_dir.display().to_string())),
        },
        FindError::NoProject(_) | FindError::BadUrl(_) | FindError::Directory { .. } => Lost {
            why: error.to_string(),
            advice: None,
        },
    }
}

fn start(dir: &str) -> String {
    format!("start it: background-process-manager {dir}")
}
