//! Reads what a child prints: in portions, so that the thread is never held for long, and no longer
//! than the child lives, even if a descendant keeps the pipe.

use std::{io, mem, os::fd::OwnedFd, time::Duration};

use tokio::{
    net::unix::pipe,
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    build::nursery::{Child, Pulse},
    exit::Exit,
};

const PORTION: usize = 64 << 10;

/// How long a silent pipe is waited for after the child ended: a server that it left behind may hold
/// it for hours.
const LINGER: Duration = Duration::from_millis(200);

/// How much is read after the child ended. What it printed itself was in the pipe by then, and a
/// pipe holds no more (`/proc/sys/fs/pipe-max-size`).
const LEFT_IN_PIPE: usize = 1 << 20;

/// One output of a child.
pub(crate) struct Output {
    pipe: pipe::Receiver,
    pulse: Pulse,
    patience: Patience,
    buffer: Box<[u8]>,
}

enum Patience {
    /// The child lives.
    Unlimited,
    /// It does not.
    Until { deadline: Instant, allowance: usize },
}

impl Output {
    pub(crate) fn new(pipe: OwnedFd, pulse: Pulse) -> io::Result<Self> {
        Ok(Self {
            pipe: pipe::Receiver::from_owned_fd(pipe)?,
            pulse,
            patience: Patience::Unlimited,
            buffer: vec![0; PORTION].into_boxed_slice(),
        })
    }

    /// The next bytes; `None` when there will be no more of this child.
    pub(crate) async fn next(&mut self) -> Option<&[u8]> {
        loop {
            // One portion at a time: whoever else lives on this thread comes in between.
            yield_now().await;
            self.notice_exit();
            let allowance = match self.patience {
                Patience::Unlimited => PORTION,
                Patience::Until { allowance: 0, .. } => return None,
                Patience::Until { allowance, .. } => allowance.min(PORTION),
            };
            tokio::select! {
                biased;
                ready = self.pipe.readable() => ready.ok()?,
                () = end_of_patience(&mut self.pulse, &self.patience) => match self.patience {
                    Patience::Unlimited => continue,
                    Patience::Until { .. } => return None,
                },
            }
            match self.pipe.try_read(&mut self.buffer[..allowance]) {
                Ok(0) => return None,
                Ok(read) => {
                    if let Patience::Until { allowance, .. } = &mut self.patience {
                        *allowance -= read;
                    }
                    return Some(&self.buffer[..read]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
    }

    fn notice_exit(&mut self) {
        if matches!(self.patience, Patience::Unlimited) && !self.pulse.life().is_alive() {
            self.patience = Patience::Until {
                deadline: Instant::now() + LINGER,
                allowance: LEFT_IN_PIPE,
            };
        }
    }
}

async fn end_of_patience(pulse: &mut Pulse, patience: &Patience) {
    match patience {
        Patience::Unlimited => {
            if pulse.exit().await.is_none() && pulse.life().is_alive() {
                // Nobody will ever tell: only the end of the pipe can.
                std::future::pending::<()>().await;
            }
        }
        Patience::Until { deadline, .. } => sleep_until(*deadline).await,
    }
}

/// A line without its newline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Whole(Vec<u8>),
    /// One that was longer than the limit, and how long it was.
    Dropped(usize),
}

/// Puts lines together from portions. Holds no more than one line of `limit` bytes.
pub(crate) struct Lines {
    limit: usize,
    pending: Vec<u8>,
    /// Bytes of the present line that were not kept.
    dropped: usize,
}

impl Lines {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            pending: Vec::new(),
            dropped: 0,
        }
    }

    /// Adds a portion; answers the lines that it completes.
    pub(crate) fn push(&mut self, mut portion: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', portion) {
            self.extend(&portion[..end]);
            lines.push(self.take());
            portion = &portion[end + 1..];
        }
        self.extend(portion);
        lines
    }

    /// The last line, if it had no newline.
    pub(crate) fn finish(mut self) -> Option<Line> {
        let empty = self.pending.is_empty() && self.dropped == 0;
        (!empty).then(|| self.take())
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.dropped > 0 || self.pending.len() + bytes.len() > self.limit {
            self.dropped += mem::take(&mut self.pending).len() + bytes.len();
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }

    fn take(&mut self) -> Line {
        match mem::take(&mut self.dropped) {
            0 => Line::Whole(mem::take(&mut self.pending)),
            dropped => Line::Dropped(dropped),
        }
    }
}

/// What a short-lived child printed.
#[derive(Debug)]
pub(crate) struct Captured {
    /// How it ended, if anybody can tell.
    pub(crate) exit: Option<Exit>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Waits for a child that prints little. Of each output the first `limit` bytes are kept.
pub(crate) async fn capture(child: Child, limit: usize) -> io::Result<Captured> {
    let mut pulse = child.pulse;
    let stdout = Output::new(child.stdout, pulse.clone())?;
    let stderr = Output::new(child.stderr, pulse.clone())?;
    let (stdout, stderr, exit) =
        tokio::join!(take(stdout, limit), take(stderr, limit), pulse.exit());
    Ok(Captured {
        exit,
        stdout,
        stderr,
    })
}

async fn take(mut output: Output, limit: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while let Some(bytes) = output.next().await {
        let room = limit - taken.len();
        taken.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
    taken
}

/// At most `limit` bytes of `text`, cut between two characters, with a sign that it was cut.
pub(crate) fn head(text: &str, limit: usize) -> String {
    const SIGN: &str = "…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(SIGN.len()));
    format!("{}{SIGN}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Line {
        Line::Whole(text.into())
    }

    #[test]
    fn lines_are_put_together_over_portions() {
        let mut lines = Lines::new(100);
        assert_eq!(lines.push(b"one\ntw"), [whole("one")]);
        assert_eq!(lines.push(b"o\n\nthr"), [whole("two"), whole("")]);
        assert_eq!(lines.push(b"ee"), []);
        assert_eq!(lines.finish(), Some(whole("three")));
    }

    #[test]
    fn a_line_over_the_limit_is_dropped_and_the_next_one_is_not() {
        let mut lines = Lines::new(4);
        assert_eq!(lines.push(b"1234\n123"), [whole("1234")]);
        assert_eq!(lines.push(b"45"), []);
        assert_eq!(lines.pending.capacity(), 0, "what is dropped is not held");
        assert_eq!(lines.push(b"6\nok\n"), [Line::Dropped(6), whole("ok")]);
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(head("abc", 3), "abc");
        assert_eq!(head("abcdefgh", 6), "abc…");
        assert_eq!(head("ääää", 6), "ä…");
    }
}
