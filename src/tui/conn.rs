//! The connection: tasks that read what the daemon says and tell the state over one bounded channel,
//! and what carries out the state's wishes. It must not know what is on the screen.
//!
//! The daemon is looked for anew before every attempt, because it may come back at another port.

mod link;
mod log;
mod translate;

use std::collections::BTreeMap;

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinHandle},
};

use super::state::{
    feed::FeedId,
    wish::{Message, Wish},
};
use crate::client::{Client, Order, Which};

/// How many messages may wait. When the screen is slow, reading waits, and in the end the daemon
/// leaves lines out and says so.
const WAITING: usize = 16;
/// How long an order may take; a cold build is long.
const ORDER_SECONDS: f64 = 3600.0;

/// All that goes on with the daemon; ends when it is dropped.
pub struct Conn {
    inbox: mpsc::Sender<Message>,
    /// Whom to ask; none while there is no connection.
    client: watch::Receiver<Option<Client>>,
    /// Asks for the status, or for the next attempt at once.
    nudge: mpsc::Sender<()>,
    link: JoinHandle<()>,
    feeds: BTreeMap<FeedId, AbortHandle>,
}

impl Conn {
    /// Begins to look for the daemon; gives what the state is told.
    #[must_use]
    pub fn begin(which: Which) -> (Self, mpsc::Receiver<Message>) {
        let (inbox, messages) = mpsc::channel(WAITING);
        let (found, client) = watch::channel(None);
        let (nudge, nudged) = mpsc::channel(1);
        let link = tokio::spawn(link::keep(which, inbox.clone(), found, nudged));
        let conn = Self {
            inbox,
            client,
            nudge,
            link,
            feeds: BTreeMap::new(),
        };
        (conn, messages)
    }

    /// Does what the state wishes, as far as it concerns the daemon.
    pub fn perform(&mut self, wish: Wish) {
        match wish {
            Wish::Quit | Wish::Copy(_) => {}
            Wish::Refresh => {
                // One that waits already will do.
                let _ = self.nudge.try_send(());
            }
            Wish::Unfollow(feed) => {
                if let Some(task) = self.feeds.remove(&feed) {
                    task.abort();
                }
            }
            Wish::Follow {
                feed,
                topic,
                after,
                reach,
            } => {
                self.feeds.retain(|_, task| !task.is_finished());
                let Some(client) = self.client() else {
                    return;
                };
                let inbox = self.inbox.clone();
                let task = tokio::spawn(log::follow(client, inbox, feed, topic, after, reach));
                self.feeds.insert(feed, task.abort_handle());
            }
            Wish::Older { topic, before } => {
                self.ask(move |client| async move {
                    let first = before.first;
                    let lines = match client {
                        Some(client) => log::older(&client, &topic, before).await,
                        None => Err("the daemon is away".to_owned()),
                    };
                    Some(Message::Older {
                        topic,
                        first,
                        lines,
                    })
                });
            }
            Wish::FindErrors { process, build } => {
                self.ask(move |client| async move {
                    let lines = log::errors(&client?, &process, build).await;
                    Some(Message::Errors {
                        process,
                        build,
                        lines,
                    })
                });
            }
            Wish::Order { process, order } => {
                self.ask(move |client| async move {
                    let result = ordered(client, order, &process).await;
                    Some(Message::Ordered {
                        process,
                        order,
                        result,
                    })
                });
            }
        }
    }

    /// The connection is gone, and with it all that was read over it.
    pub fn cut(&mut self) {
        for task in std::mem::take(&mut self.feeds).into_values() {
            task.abort();
        }
    }

    fn client(&self) -> Option<Client> {
        self.client.borrow().clone()
    }

    fn ask<F>(&self, asked: impl FnOnce(Option<Client>) -> F)
    where
        F: Future<Output = Option<Message>> + Send + 'static,
    {
        let inbox = self.inbox.clone();
        let answer = asked(self.client());
        tokio::spawn(async move {
            if let Some(message) = answer.await {
                // Nobody listens when the screen is gone.
                let _ = inbox.send(message).await;
            }
        });
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.cut();
        self.link.abort();
    }
}

async fn ordered(
    client: Option<Client>,
    order: Order,
    process: &str,
) -> Result<Box<bpm_actors::report::RestartReport>, String> {
    let client = client.ok_or("the daemon is away")?;
    let report = client.order(order, process, Some(ORDER_SECONDS)).await;
    report.map(Box::new).map_err(|error| error.to_string())
}
