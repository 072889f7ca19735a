//! Passes lines on to the daemon's own stdout and stderr, from whichever thread they come.
//!
//! A reader of those outputs may be slow, blocked or gone; nobody here ever waits for him. Each
//! output has a bounded queue and a thread that does the blocking writes. What finds no room is
//! dropped and counted, and a notice says so as soon as there is room again. The log store and the
//! daemon's logger send here.

mod writer;

use std::{
    io::{self, Write},
    os::fd::AsFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use memchr::memchr_iter;
use tokio::sync::Notify;

use self::writer::{Descriptor, write_all};
use crate::logs::{
    Stream,
    journal::{self, Priority},
    text::grouped,
};

/// The daemon's two outputs. Clones share them.
#[derive(Clone, Debug)]
pub struct Passthrough {
    stdout: Outlet,
    stderr: Outlet,
}

/// Linux's `/dev/null`.
const NULL_DEVICE: (u32, u32) = (1, 3);

/// How [`Passthrough::flush`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Everything was written, or its reader is gone.
    Entirely,
    /// The time was over first.
    TimedOut,
}

impl Passthrough {
    /// The standard outputs of this process. Where both are the same file, they share one queue, so
    /// that their lines cannot mix.
    ///
    /// # Errors
    /// When a descriptor or a thread cannot be had.
    pub fn standard() -> io::Result<Self> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let (out, err) = (rustix::fs::fstat(&stdout)?, rustix::fs::fstat(&stderr)?);
        let regular =
            |stat: &rustix::fs::Stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
        let patience = |stat| {
            if regular(stat) {
                Patience::Brief
            } else {
                Patience::None
            }
        };
        let discards = |stat: &rustix::fs::Stat| {
            let device = (
                rustix::fs::major(stat.st_rdev),
                rustix::fs::minor(stat.st_rdev),
            );
            let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
            kind.is_char_device() && device == NULL_DEVICE
        };
        let form = |is_journal| {
            if is_journal {
                Form::Journal
            } else {
                Form::Plain
            }
        };
        let forms = [journal::is_behind(&stdout), journal::is_behind(&stderr)].map(form);
        let first = Descriptor::output(stdout.as_fd().try_clone_to_owned()?);
        let stdout = if discards(&out) {
            Outlet::unread()
        } else {
            Outlet::start("stdout", first, patience(&out), forms[0])?
        };
        let stderr = if (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino) {
            stdout.clone()
        } else if discards(&err) {
            Outlet::unread()
        } else {
            let second = Descriptor::output(stderr.as_fd().try_clone_to_owned()?);
            Outlet::start("stderr", second, patience(&err), forms[1])?
        };
        Ok(Self { stdout, stderr })
    }

    /// Two outputs that are different files.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn to_two(
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
    ) -> io::Result<Self> {
        Ok(Self {
            stdout: Outlet::start("stdout", stdout, Patience::None, Form::Plain)?,
            stderr: Outlet::start("stderr", stderr, Patience::None, Form::Plain)?,
        })
    }

    /// One output for both that leads to journald.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn to_journal(output: Box<dyn Write + Send>) -> io::Result<Self> {
        let stdout = Outlet::start("journal", output, Patience::None, Form::Journal)?;
        let stderr = stdout.clone();
        Ok(Self { stdout, stderr })
    }

    /// One output for both.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn to_one(output: Box<dyn Write + Send>) -> io::Result<Self> {
        let stdout = Outlet::start("output", output, Patience::None, Form::Plain)?;
        let stderr = stdout.clone();
        Ok(Self { stdout, stderr })
    }

    /// Where lines of `stream` go.
    #[must_use]
    pub fn outlet(&self, stream: Stream) -> &Outlet {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    /// Blocks until all that was passed on so far is written, for the orderly end.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> Flushed {
        let ends = tokio::time::Instant::now() + timeout;
        let first = self.stdout.flush(timeout);
        let rest = ends.saturating_duration_since(tokio::time::Instant::now());
        match (first, self.stderr.flush(rest)) {
            (Flushed::Entirely, Flushed::Entirely) => Flushed::Entirely,
            _ => Flushed::TimedOut,
        }
    }
}

/// One output. As a [`Write`], each call takes whole lines; a missing newline is added.
#[derive(Clone, Debug)]
pub struct Outlet {
    queue: Arc<Queue>,
    /// Tells the thread when the last handle is gone.
    _open: Arc<Open>,
}

/// Whether a sender may be asked to wait for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Never: a reader may be behind the output.
    None,
    /// For a moment: it is a file, which no reader can block.
    Brief,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// As they came.
    #[default]
    Plain,
    /// For journald; see [`journal`].
    Journal,
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    /// There is something to do for the thread.
    work: Condvar,
    /// Everything is written.
    idle: Condvar,
    /// Something was written.
    progress: Notify,
    patience: Patience,
}

#[derive(Debug, Default)]
struct State {
    form: Form,
    /// Whole lines that the thread has not taken yet.
    waiting: Vec<u8>,
    /// Bytes that the thread has taken and not written yet.
    in_flight: usize,
    /// Lines dropped since the last notice.
    dropped: u64,
    phase: Phase,
    /// The thread sleeps, so it must be woken.
    asleep: bool,
    /// A sender waited in vain; no other does before something was written.
    stuck: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// All senders are gone.
    Closing,
    /// The reader is gone, or there never was one.
    Broken,
}

impl State {
    fn queued(&self) -> usize {
        self.waiting.len() + self.in_flight
    }

    fn notice(&mut self) {
        let count = grouped(std::mem::take(&mut self.dropped));
        let notice =
            format!("[bpm] {count} lines were not passed on: the reader of this output is slow\n");
        match self.form {
            Form::Plain => self.waiting.extend_from_slice(notice.as_bytes()),
            Form::Journal => self
                .waiting
                .extend(journal::lines(Priority::WARNING, &notice)),
        }
    }

    /// Takes whole lines, or drops and counts them. Once lines were dropped, half of the room must
    /// be free before others are taken, so that notices stay few.
    fn push(&mut self, parts: [&[u8]; 3], lines: u64) {
        let limit = if self.dropped > 0 {
            Outlet::ROOM / 2
        } else {
            Outlet::ROOM
        };
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.phase == Phase::Broken {
            return;
        }
        if self.queued() + length > limit {
            self.dropped += lines;
            return;
        }
        if self.dropped > 0 {
            self.notice();
        }
        for part in parts {
            self.waiting.extend_from_slice(part);
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: &State) {
        let idle = state.waiting.is_empty() && state.dropped == 0;
        if state.asleep && (state.phase != Phase::Open || !idle) {
            self.work.notify_one();
        }
    }
}

impl Outlet {
    /// How many bytes wait at most for the reader.
    pub const ROOM: usize = 8 * 1024 * 1024;
    /// How many bytes are written at once.
    const PIECE: usize = 64 * 1024;
    /// How long a sender waits for a file that does not move.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// One that nobody reads, so that nothing need be written.
    fn unread() -> Self {
        let queue = Arc::new(Queue {
            state: Mutex::new(State {
                phase: Phase::Broken,
                ..State::default()
            }),
            work: Condvar::new(),
            idle: Condvar::new(),
            progress: Notify::new(),
            patience: Patience::None,
        });
        let open = Arc::new(Open(Arc::clone(&queue)));
        Self { queue, _open: open }
    }

    /// Whether anybody can see what is passed on.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.queue.lock().phase != Phase::Broken
    }

    /// Whether lines are written as journald takes them. What comes by [`Write`] must be so already.
    #[must_use]
    pub fn is_journal(&self) -> bool {
        self.queue.lock().form == Form::Journal
    }

    fn start(
        name: &str,
        output: impl Write + Send + 'static,
        patience: Patience,
        form: Form,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            state: Mutex::new(State {
                form,
                ..State::default()
            }),
            work: Condvar::new(),
            idle: Condvar::new(),
            progress: Notify::new(),
            patience,
        });
        let writer = Arc::clone(&queue);
        thread::Builder::new()
            .name(format!("pass {name}"))
            .spawn(move || write_all(&writer, output))?;
        let open = Arc::new(Open(Arc::clone(&queue)));
        Ok(Self { queue, _open: open })
    }

    /// Begins a batch of lines; nobody else's lines come between them. As long as it lives, all
    /// other senders wait, so nothing must be logged by whoever holds it.
    #[must_use]
    pub fn batch<'a>(&'a self, prefix: &'a [u8]) -> Batch<'a> {
        Batch {
            queue: &self.queue,
            state: self.queue.lock(),
            prefix,
            otherwise: Priority::INFO,
            written: Vec::new(),
        }
    }

    /// Waits, where the output is a file, until half of the room is free: a file is never blocked by
    /// a reader, so its lines need not be dropped. Returns at once for any other output.
    pub async fn room(&self) {
        if self.queue.patience == Patience::None {
            return;
        }
        loop {
            let progress = self.queue.progress.notified();
            let mut progress = std::pin::pin!(progress);
            progress.as_mut().enable();
            let wait = {
                let state = self.queue.lock();
                state.phase == Phase::Open && !state.stuck && state.queued() > Self::ROOM / 2
            };
            if !wait {
                return;
            }
            if tokio::time::timeout(Self::PATIENCE, progress)
                .await
                .is_err()
            {
                self.queue.lock().stuck = true;
            }
        }
    }

    fn flush(&self, timeout: Duration) -> Flushed {
        let pending = |state: &mut State| {
            state.phase != Phase::Broken && (state.queued() > 0 || state.dropped > 0)
        };
        let state = self.queue.lock();
        let waited = self.queue.idle.wait_timeout_while(state, timeout, pending);
        let (state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        if result.timed_out() {
            Flushed::TimedOut
        } else {
            Flushed::Entirely
        }
    }
}

impl Write for Outlet {
    /// Never waits and never fails.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let end: &[u8] = if lines.is_empty() || lines.ends_with(b"\n") {
            b""
        } else {
            b"\n"
        };
        let count = memchr_iter(b'\n', lines).count() + end.len();
        let mut state = self.queue.lock();
        state.push([lines, end, b""], count as u64);
        self.queue.wake(&state);
        Ok(lines.len())
    }

    /// Does nothing: see [`Passthrough::flush`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Consecutive lines with one prefix.
#[derive(Debug)]
pub struct Batch<'a> {
    queue: &'a Queue,
    state: MutexGuard<'a, State>,
    prefix: &'a [u8],
    otherwise: Priority,
    /// Where lines are written for journald.
    written: Vec<u8>,
}

impl Batch<'_> {
    /// The priority, where journald reads, of lines that do not name their level.
    #[must_use]
    pub fn otherwise(mut self, priority: Priority) -> Self {
        self.otherwise = priority;
        self
    }

    /// Passes on one line; `line` is without newline.
    pub fn line(&mut self, line: &[u8]) {
        match self.state.form {
            Form::Plain => self.state.push([self.prefix, line, b"\n"], 1),
            Form::Journal => {
                self.written.clear();
                journal::line(self.prefix, line, self.otherwise, &mut self.written);
                self.state.push([&self.written, b"", b""], 1);
            }
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.queue.wake(&self.state);
    }
}

#[derive(Debug)]
struct Open(Arc<Queue>);

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        self.0.wake(&state);
    }
}

#[cfg(test)]
#[path = "passthrough_tests.rs"]
mod tests;
