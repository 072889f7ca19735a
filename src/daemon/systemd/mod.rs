//! What the daemon tells its service manager (`sd_notify(3)`): that it serves, what it does, that it
//! lives, that it ends.
//!
//! The daemon's start and end ask for it. Without `NOTIFY_SOCKET` in the environment nothing is sent
//! and nothing wakes up; without `WATCHDOG_USEC` no actor is asked for its heartbeat.

mod heart;
mod status_line;
mod voice;

pub(super) use self::heart::Pulse;

use std::{env, time::Duration};

use tokio::time::{Instant, sleep};

use self::voice::{Note, Voice};
use crate::service::Service;

/// What the end takes beside the grace period: those who are killed, and the last lines.
const MARGIN: Duration = Duration::from_secs(15);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whoever started the daemon and wants to hear of it, if anybody.
#[derive(Clone, Debug)]
pub(super) struct ServiceManager {
    voice: Option<Voice>,
    /// How long it waits for a sign of life.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names.
    pub(super) fn of_environment() -> Self {
        let listens = env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        let voice = listens.then(Voice::raise).and_then(|voice| {
            voice
                .inspect_err(|error| log::warn!("cannot tell the service manager: {error}"))
                .ok()
        });
        let watchdog = sd_notify::watchdog_enabled();
        Self {
            watchdog: watchdog.filter(|limit| voice.is_some() && !limit.is_zero()),
            voice,
        }
    }

    /// The endpoint serves, and the processes were asked to start; or a reload is over.
    pub(super) fn ready(&self) {
        self.tell(Note::Ready);
    }

    /// The configuration is read again; [`ServiceManager::ready`] says when that is over.
    pub(super) fn reloading(&self) {
        self.tell(Note::Reloading);
    }

    /// The end has begun. It takes the grace period of a process and a little more: the unit may
    /// know a shorter one, from before a reload.
    pub(super) fn stopping(&self, grace: Duration) {
        self.tell(Note::Stopping(grace + MARGIN));
    }

    /// Waits a moment until it has heard everything.
    pub(super) fn fall_silent(&self) {
        if let Some(voice) = &self.voice {
            voice.flush(LAST_WORDS);
        }
    }

    /// Tells what the processes do, whenever the text of that changes. It has no end.
    pub(super) async fn keep_informed(self, service: Service) {
        if self.voice.is_none() {
            return;
        }
        let mut watch = service.watch_status();
        let mut told = String::new();
        loop {
            watch.mark_seen();
            let status = service.status(Instant::now());
            let line = status_line::line(&status);
            if line != told {
                self.tell(Note::Status(line.clone()));
                told = line;
            }
            match status_line::lasts(&status) {
                Some(time) => {
                    tokio::select! {
                        () = watch.published() => {}
                        () = sleep(time) => {}
                    }
                }
                None => watch.published().await,
            }
        }
    }

    /// Gives signs of life as long as everybody in `pulse` does, if a watchdog waits for them. Returns
    /// only when somebody is gone who must not be: his name.
    pub(super) async fn keep_alive(self, pulse: Pulse) -> String {
        let Some(limit) = self.watchdog else {
            return std::future::pending().await;
        };
        heart::beat(&pulse, limit / 3, || self.tell(Note::Alive)).await
    }

    fn tell(&self, note: Note) {
        if let Some(voice) = &self.voice {
            voice.say(note);
        }
    }
}
