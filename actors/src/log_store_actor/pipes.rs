//! The pipes of living children: when one has bytes, how much is read, when it is given up.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::OwnedFd,
    rc::Rc,
};

use actix::prelude::*;
use futures_util::stream;
use rustix::{
    io::{ioctl_fionbio, ioctl_fionread},
    pipe::fcntl_setpipe_size,
};
use tokio::{
    net::unix::pipe::Receiver,
    time::{Instant, sleep},
};

use super::{
    LogStoreActor, Phase,
    pace::{GATHER, Pace, Wait},
};
use crate::logs::{LogKey, Stream, passthrough::Outlet};

/// Names one pipe. Never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PipeId(u64);

/// A pipe that is read.
#[derive(Debug)]
pub(super) struct Pipe {
    key: LogKey,
    stream: Stream,
    output: Rc<Output>,
    /// The stream that tells when there is something to read.
    task: SpawnHandle,
}

/// A pipe has bytes, or has ended.
struct Readable(PipeId);

/// How many bytes are read at once.
const READ: usize = 256 * 1024;
/// How many reads one pipe gets before the others have their turn.
const TURN: usize = 4;
/// How much a child may print before it is slowed, where the system permits. Not more: the capacity
/// counts against the user's limit (64 MiB in all), beyond which all his new pipes become tiny.
const CAPACITY: usize = 256 * 1024;
/// The same for one who needed all of that: no pipe is larger without privileges.
const LARGE: usize = 1024 * 1024;
/// What one read gave.
enum Got {
    Bytes(usize),
    Nothing,
    End,
}

/// What is read, and how it is waited for.
#[derive(Debug)]
struct Output {
    pipe: OwnedFd,
    pace: Cell<Pace>,
    /// The event that it can be read. As long as it is there, the kernel does work for every write.
    event: RefCell<Option<Rc<Receiver>>>,
}

impl Output {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&pipe, true)?;
        Ok(Self {
            pipe,
            pace: Cell::new(Pace::new(CAPACITY)),
            event: RefCell::default(),
        })
    }

    async fn can_be_read(&self) {
        if self.pace.get().wait != Wait::Event {
            self.event.take();
        }
        match self.pace.get().wait {
            Wait::Event => match self.event() {
                Ok(event) => {
                    // An error shows again in the read that follows.
                    let _ = event.readable().await;
                }
                Err(error) => {
                    log::warn!("cannot wait for a pipe, so it is read all the time: {error}");
                    sleep(GATHER).await;
                }
            },
            Wait::Moment => sleep(GATHER).await,
            Wait::No => {}
        }
    }

    fn event(&self) -> io::Result<Rc<Receiver>> {
        let mut event = self.event.borrow_mut();
        if let Some(event) = &*event {
            return Ok(Rc::clone(event));
        }
        let new = Rc::new(Receiver::from_owned_fd(self.pipe.try_clone()?)?);
        *event = Some(Rc::clone(&new));
        Ok(new)
    }

    /// One read. The event, where there is one, has to know what it gave.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.event.borrow() {
            Some(event) => event.try_read(buffer),
            None => Ok(rustix::io::read(&self.pipe, buffer)?),
        }
    }

    /// One read of what is there now, whether or not the event has told of it yet.
    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.pipe, buffer)?)
    }

    /// A turn brought so many bytes.
    fn had_turn(&self, got: usize) {
        let mut pace = self.pace.get();
        pace.had_turn(got, Instant::now());
        if pace.is_full(got) && pace.capacity < LARGE {
            // A smaller pipe only means more turns.
            let _ = fcntl_setpipe_size(&self.pipe, LARGE);
            pace.capacity = LARGE;
        }
        self.pace.set(pace);
    }
}

impl LogStoreActor {
    /// Reads a pipe from now on.
    pub(super) fn watch(
        &mut self,
        key: &LogKey,
        stream: Stream,
        output: OwnedFd,
        ctx: &mut Context<Self>,
    ) {
        // A smaller pipe only means more turns.
        let _ = fcntl_setpipe_size(&output, CAPACITY);
        let output = match Output::new(output) {
            Ok(output) => Rc::new(output),
            Err(error) => {
                log::error!("{}: cannot read its {stream:?}: {error}", key.process);
                return;
            }
        };
        let Some(live) = self.live.get_mut(key) else {
            return;
        };
        live.open += 1;
        let id = self.next_pipe;
        self.next_pipe = PipeId(id.0 + 1);
        let outlet = self.passthrough.outlet(stream).clone();
        let turns = readiness(id, Rc::clone(&output), outlet);
        let task = ctx.add_stream(turns);
        let key = key.clone();
        self.pipes.insert(
            id,
            Pipe {
                key,
                stream,
                output,
                task,
            },
        );
    }

    /// Reads what all pipes of a log hold at this moment: as much as is in them now, however fast
    /// somebody goes on writing.
    pub(super) fn read_the_rest(&mut self, key: &LogKey) {
        let of_log = self.pipes.iter().filter(|(_, pipe)| pipe.key == *key);
        let pipes: Vec<PipeId> = of_log.map(|(id, _)| *id).collect();
        for id in pipes {
            let output = self.pipes.get(&id).map(|pipe| Rc::clone(&pipe.output));
            let held = output.and_then(|output| ioctl_fionread(&output.pipe).ok());
            let mut left = held
                .and_then(|bytes| usize::try_from(bytes).ok())
                .unwrap_or(0);
            while left > 0
                && let Got::Bytes(count) = self.read(id, Output::read_now)
            {
                left = left.saturating_sub(count);
            }
        }
    }

    /// Reads no pipe of this log any more.
    pub(super) fn forget_pipes(&mut self, key: &LogKey, ctx: &mut Context<Self>) {
        for (_, pipe) in self.pipes.extract_if(|_, pipe| pipe.key == *key) {
            ctx.cancel_future(pipe.task);
        }
    }

    /// One read, stored.
    fn read(&mut self, id: PipeId, read: impl Fn(&Output, &mut [u8]) -> io::Result<usize>) -> Got {
        let Some(pipe) = self.pipes.get(&id) else {
            return Got::Nothing;
        };
        let (key, stream, output) = (pipe.key.clone(), pipe.stream, Rc::clone(&pipe.output));
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(READ, 0);
        let got = match read(&output, &mut buffer) {
            Ok(0) => Got::End,
            Ok(count) => {
                self.take(&key, stream, &buffer[..count]);
                Got::Bytes(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Got::Bytes(0),
            Err(error) => {
                log::warn!("{}: {stream:?} can be read no more: {error}", key.process);
                Got::End
            }
        };
        self.buffer = buffer;
        got
    }

    /// A pipe has ended.
    fn ended(&mut self, id: PipeId, ctx: &mut Context<Self>) {
        let Some(pipe) = self.pipes.remove(&id) else {
            return;
        };
        ctx.cancel_future(pipe.task);
        let Some(live) = self.live.get_mut(&pipe.key) else {
            return;
        };
        live.open -= 1;
        if live.open == 0 && live.phase != Phase::Running {
            self.close(&pipe.key, ctx);
        }
    }
}

impl StreamHandler<Readable> for LogStoreActor {
    fn handle(&mut self, Readable(id): Readable, ctx: &mut Context<Self>) {
        let mut got = 0;
        for _ in 0..TURN {
            match self.read(id, Output::read) {
                Got::Bytes(count) => {
                    got += count;
                    // A flood is no reason for others to wait for this processor.
                    std::thread::yield_now();
                }
                Got::Nothing => break,
                Got::End => {
                    self.ended(id, ctx);
                    return;
                }
            }
        }
        if let Some(pipe) = self.pipes.get(&id) {
            pipe.output.had_turn(got);
            let key = pipe.key.clone();
            self.listen_for_silence(&key, ctx);
        }
    }

    /// One pipe has ended; the store has not.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

/// Tells each time the pipe can be read, at the pace at which it is read.
fn readiness(
    id: PipeId,
    output: Rc<Output>,
    outlet: Outlet,
) -> impl futures_util::Stream<Item = Readable> {
    stream::unfold((output, outlet), move |(output, outlet)| async move {
        // One turn each: in a flood, the other stream and the other pipes are not kept waiting.
        tokio::task::yield_now().await;
        outlet.room().await;
        output.can_be_read().await;
        Some((Readable(id), (output, outlet)))
    })
}
