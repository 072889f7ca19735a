//! The thread behind an output: it alone waits for the reader.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    sync::PoisonError,
};

use rustix::event::{PollFd, PollFlags, poll};

use super::{Outlet, Phase, Queue, State};

/// The thread of one output.
pub(super) fn write_all(queue: &Queue, mut output: impl Write) {
    let mut taken = Vec::new();
    while take(queue, &mut taken) {
        for piece in taken.chunks(Outlet::PIECE) {
            let written = output.write_all(piece).and_then(|()| output.flush());
            let mut state = queue.lock();
            state.in_flight -= piece.len();
            state.stuck = false;
            if written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
                *state = State {
                    phase: Phase::Broken,
                    ..State::default()
                };
                queue.idle.notify_all();
                queue.progress.notify_waiters();
                return;
            }
            drop(state);
            queue.progress.notify_waiters();
        }
        taken.clear();
    }
}

/// Waits for something to write and takes all of it. False if nothing will come any more.
fn take(queue: &Queue, taken: &mut Vec<u8>) -> bool {
    let mut state = queue.lock();
    while state.waiting.is_empty() {
        if state.dropped > 0 {
            state.notice();
            break;
        }
        // After a flood the memory is given back.
        taken.shrink_to(Outlet::PIECE);
        state.waiting.shrink_to(Outlet::PIECE);
        queue.idle.notify_all();
        if state.phase != Phase::Open {
            return false;
        }
        state.asleep = true;
        state = queue
            .work
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
        state.asleep = false;
    }
    std::mem::swap(&mut state.waiting, taken);
    state.in_flight = taken.len();
    true
}

/// A descriptor that others may have made non-blocking behind our back (terminals are shared).
pub(super) struct Descriptor(File);

impl Descriptor {
    pub(super) fn output(fd: OwnedFd) -> Self {
        Self(File::from(fd))
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
