//! The thread that speaks to the service manager. A service manager that does not read (a frozen one,
//! or one that is being debugged) blocks who sends to it, and that must not be the daemon.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use sd_notify::NotifyState;

/// How many notes wait for a service manager that is slow; the rest is lost on it.
const ROOM: usize = 32;

/// What is told.
#[derive(Debug)]
pub(super) enum Note {
    Ready,
    Reloading,
    /// The end has begun, and takes so long at most.
    Stopping(Duration),
    Status(String),
    Alive,
    /// Nothing; the one who waits knows that all before it was told.
    Flush(SyncSender<()>),
}

/// Speaks in the order in which it is asked to. Clones share the thread.
#[derive(Clone, Debug)]
pub(super) struct Voice(SyncSender<Note>);

impl Voice {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there are no threads left.
    pub(super) fn raise() -> io::Result<Self> {
        let (sender, notes) = sync_channel(ROOM);
        thread::Builder::new()
            .name("notify".into())
            .spawn(move || speak(&notes))?;
        Ok(Self(sender))
    }

    /// Never waits.
    pub(super) fn say(&self, note: Note) {
        if let Err(error) = self.0.try_send(note) {
            log::debug!("the service manager does not listen: {error}");
        }
    }

    /// Waits until everything was said, or for so long.
    pub(super) fn flush(&self, limit: Duration) {
        let (sender, said) = sync_channel(1);
        self.say(Note::Flush(sender));
        // Whether it heard all or not, there is nothing else to do.
        let _ = said.recv_timeout(limit);
    }
}

fn speak(notes: &Receiver<Note>) {
    let mut known = None;
    for note in notes {
        let sent = match &note {
            Note::Ready => sd_notify::notify(&[NotifyState::Ready]),
            Note::Reloading => NotifyState::monotonic_usec_now()
                .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
            Note::Stopping(longest) => {
                let longest = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
                let extend = NotifyState::ExtendTimeoutUsec(longest);
                sd_notify::notify(&[NotifyState::Stopping, extend])
            }
            Note::Status(text) => sd_notify::notify(&[NotifyState::Status(text)]),
            Note::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
            Note::Flush(waits) => {
                // Who waited may have given up.
                let _ = waits.send(());
                Ok(())
            }
        };
        // What is wrong with the socket is said once, not with every sign of life.
        let problem = sent.err().map(|error| error.to_string());
        if let Some(error) = problem.as_ref().filter(|_| problem != known) {
            log::warn!("cannot tell the service manager: {error}");
        }
        known = problem;
    }
}
