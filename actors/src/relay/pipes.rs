//! Pipes through which bulk traffic passes without being copied. Lent only while bytes move.

use std::{
    cell::{Cell, RefCell},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    io::{self, Errno},
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};

/// How many may be lent at a time. Beyond that, bytes are copied.
const MOST: usize = 64;

/// How many are kept open while nobody needs them.
const KEPT: usize = 8;

/// Bytes that one may hold; the system may grant less.
const SIZE: usize = 256 << 10;

#[derive(Default)]
pub(super) struct Pipes {
    idle: RefCell<Vec<Pipe>>,
    lent: Cell<usize>,
    /// The system cannot splice sockets; asked once.
    is_useless: Cell<bool>,
}

struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

/// A pipe on loan. It goes back when it is dropped, unless there are bytes left in it.
pub(super) struct Loan<'a> {
    pipes: &'a Pipes,
    pipe: Option<Pipe>,
    /// Bytes in it.
    holds: usize,
}

impl Pipes {
    /// An empty pipe, if there is one to be had.
    pub(super) fn lend(&self) -> Option<Loan<'_>> {
        if self.is_useless.get() || self.lent.get() >= MOST {
            return None;
        }
        let idle = self.idle.borrow_mut().pop();
        let pipe = idle.or_else(Pipe::open)?;
        self.lent.set(self.lent.get() + 1);
        Some(Loan {
            pipes: self,
            pipe: Some(pipe),
            holds: 0,
        })
    }

    /// Lends none from now on.
    pub(super) fn forsake(&self) {
        self.is_useless.set(true);
        self.idle.borrow_mut().clear();
    }
}

impl Pipe {
    fn open() -> Option<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // A smaller one works, too.
        let _ = fcntl_setpipe_size(&writer, SIZE);
        Some(Self { reader, writer })
    }
}

impl Loan<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.holds == 0
    }

    /// Moves what the socket has into this pipe, which is empty: only so [`Errno::AGAIN`] says
    /// something about the socket. Answers how many bytes.
    pub(super) fn fill(&mut self, socket: impl AsFd) -> io::Result<usize> {
        debug_assert!(self.is_empty(), "a full pipe looks like a silent socket");
        let Some(pipe) = &self.pipe else {
            return Err(Errno::BADF);
        };
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let moved = splice(socket, None, &pipe.writer, None, SIZE, flags)?;
        self.holds = moved;
        Ok(moved)
    }

    /// Moves what is in this pipe to the socket, as far as it takes it.
    pub(super) fn pour(&mut self, socket: impl AsFd) -> io::Result<()> {
        let Some(pipe) = &self.pipe else {
            return Err(Errno::BADF);
        };
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let moved = splice(&pipe.reader, None, socket, None, self.holds, flags)?;
        if moved == 0 {
            return Err(Errno::PIPE);
        }
        self.holds = self.holds.saturating_sub(moved);
        Ok(())
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.pipes.lent.set(self.pipes.lent.get() - 1);
        let mut idle = self.pipes.idle.borrow_mut();
        if self.holds == 0 && idle.len() < KEPT {
            idle.extend(self.pipe.take());
        }
    }
}
