//! One address that is knocked at until the run opens.
//!
//! A connection counts only when the run accepted it. Where an old and a new child share one accept
//! queue, a connection succeeds though nobody accepts, and the old one may take it: not a byte is
//! sent before it is known who has the other side. What somebody else took is kept open for a while,
//! so that his places are used up and the next connection has better chances.

use std::{collections::VecDeque, io, net::SocketAddr, thread, time::Duration};

use rustix::net::sockopt::set_socket_linger;
use tokio::{
    net::TcpStream,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{
    finding::{Finding, Slate},
    owner::{Owner, Run},
    pace::Pace,
    table::{Side, Table},
};

/// How many connections that somebody else took are kept; the oldest goes first.
const MOST_KEPT: usize = 32;
/// How long one is kept. An old child that serves one connection at a time waits for its first byte,
/// and its clients with it.
const KEPT: Duration = Duration::from_millis(250);
/// How long a connect may take on this host, where only a full queue delays it.
const PATIENCE_HERE: Duration = Duration::from_millis(200);
/// How long a connect may take elsewhere.
const PATIENCE_ELSEWHERE: Duration = Duration::from_secs(3);
/// How soon a new connection is looked at again, and how often: one who accepts at all mostly does so
/// before the next turn.
const GLANCE: Duration = Duration::from_micros(250);
const GLANCES: usize = 3;
/// How many more connections are made, one after the other, when an old child takes one for which the
/// run waits as well: who of the two is awake first may be the same for a long time.
const RUSH: usize = 32;
/// How often somebody whom we cannot see is looked for: between its accept and the descriptor in its
/// table, a process is not seen either.
const LOOKS: usize = 3;

/// Whether an old child may take what is meant for the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Nobody but the run is given the socket.
    Own,
    /// The daemon holds the socket, and an old child may have it too.
    Shared,
}

/// A connection that the run accepted.
pub(super) enum Opened {
    /// It is there.
    Here(TcpStream),
    /// The run closed it at once.
    Closed,
}

/// Why a knock did not tell that the run accepts.
enum Missed {
    /// An old child was faster.
    ToOld,
    Otherwise,
}

/// The address.
pub(super) struct Door {
    pub(super) address: SocketAddr,
    /// Its number among the addresses of the target.
    pub(super) number: usize,
    pub(super) queue: Queue,
    pub(super) run: Run,
    pub(super) slate: Slate,
    table: Table,
    pace: Pace,
    /// With the time that each was found out.
    kept: VecDeque<(Instant, TcpStream)>,
}

impl Door {
    pub(super) fn new(
        address: SocketAddr,
        number: usize,
        queue: Queue,
        run: Run,
        slate: Slate,
    ) -> Self {
        Self {
            address,
            number,
            queue,
            run,
            slate,
            table: Table::open(),
            pace: Pace::new(Instant::now()),
            kept: VecDeque::new(),
        }
    }

    pub(super) fn note(&self, finding: Finding) {
        self.slate.note(self.number, finding);
    }

    /// Knocks until the run accepts.
    pub(super) async fn opens(&mut self) -> Opened {
        loop {
            self.pace.turn().await;
            self.let_go();
            for knock in 0..=RUSH {
                match self.knock().await {
                    Ok(opened) => {
                        self.kept.clear();
                        return opened;
                    }
                    // It is ready, and only has no luck.
                    Err(Missed::ToOld) if knock > 0 || self.run_waits() => {}
                    Err(_) => break,
                }
            }
        }
    }

    /// Whether the run waits for connections, in a way that can be seen.
    fn run_waits(&self) -> bool {
        let listener = self.table.listener(self.address);
        listener.is_some_and(|inode| self.run.waits_at(inode))
    }

    async fn knock(&mut self) -> Result<Opened, Missed> {
        match self.connect().await {
            Some(stream) => self.accepted(stream).await,
            None => Err(Missed::Otherwise),
        }
    }

    async fn connect(&self) -> Option<TcpStream> {
        let here = self.address.ip().to_canonical().is_loopback();
        let patience = if here {
            PATIENCE_HERE
        } else {
            PATIENCE_ELSEWHERE
        };
        let connected = if here && self.queue == Queue::Shared {
            connect_and_sleep(self.address, patience).await
        } else {
            let connected = timeout(patience, TcpStream::connect(self.address)).await;
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        let stream = match connected {
            Ok(stream) => stream,
            Err(error) => {
                self.note(match error.kind() {
                    io::ErrorKind::ConnectionRefused => Finding::Refused,
                    io::ErrorKind::ConnectionReset => Finding::Lost,
                    io::ErrorKind::TimedOut => {
                        Finding::Unreachable("it does not answer".to_owned())
                    }
                    _ => Finding::Unreachable(error.to_string()),
                });
                return None;
            }
        };
        // Where nobody listens, the kernel may choose the target's own port for our side and so
        // connect us to ourselves. That must not keep the port from the child.
        if stream.local_addr().ok() == stream.peer_addr().ok() {
            let _ = set_socket_linger(&stream, Some(Duration::ZERO));
            self.note(Finding::Refused);
            return None;
        }
        Some(stream)
    }

    /// Waits until it is known who accepted a connection.
    async fn accepted(&mut self, stream: TcpStream) -> Result<Opened, Missed> {
        let mut unseen = 0;
        for look in 1.. {
            match self.table.side(&stream) {
                Side::Queued => self.note(Finding::Queued),
                Side::Closed => return self.closed().await,
                Side::Lost => {
                    self.note(Finding::Lost);
                    return Err(Missed::Otherwise);
                }
                Side::Accepted(inode) => match self.run.owner(inode).await {
                    Owner::Run => return Ok(Opened::Here(stream)),
                    Owner::Other(somebody) => {
                        self.keep(stream);
                        let (finding, missed) = match self.queue {
                            Queue::Own => (Finding::Taken(somebody), Missed::Otherwise),
                            Queue::Shared => (Finding::TakenByOld, Missed::ToOld),
                        };
                        self.note(finding);
                        return Err(missed);
                    }
                    Owner::Hidden => unseen += 1,
                },
                Side::Elsewhere => unseen += 1,
            }
            if unseen == LOOKS {
                return match self.queue {
                    // Nobody but whom the configuration means can be behind it.
                    Queue::Own => Ok(Opened::Here(stream)),
                    Queue::Shared => {
                        self.keep(stream);
                        self.note(Finding::Unseen);
                        Err(Missed::Otherwise)
                    }
                };
            }
            if look <= GLANCES {
                glance().await;
            } else {
                self.pace.turn().await;
                self.let_go();
            }
        }
        Err(Missed::Otherwise)
    }

    /// Somebody accepted and closed it already: the run, if nobody else can have been it.
    async fn closed(&self) -> Result<Opened, Missed> {
        if let Some(listener) = self.table.listener(self.address)
            && self.run.is_alone_with(listener).await
        {
            return Ok(Opened::Closed);
        }
        self.note(Finding::Closed);
        Err(Missed::Otherwise)
    }

    fn keep(&mut self, stream: TcpStream) {
        if self.kept.len() == MOST_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((Instant::now(), stream));
    }

    /// Closes those that were kept long enough.
    fn let_go(&mut self) {
        let now = Instant::now();
        while self
            .kept
            .front()
            .is_some_and(|(since, _)| now >= *since + KEPT)
        {
            self.kept.pop_front();
        }
    }
}

/// Connects and does nothing for a moment. A connection wakes all who wait for one, the newest first;
/// the kernel expects whoever woke it to sleep soon and keeps his processor for it, while an old child
/// is given another one. If that is free and ours is not, the old one is always faster.
async fn connect_and_sleep(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let connected = spawn_blocking(move || {
        let connected = std::net::TcpStream::connect_timeout(&address, patience);
        thread::park_timeout(GLANCE);
        connected
    });
    let stream = connected.await.map_err(io::Error::other)??;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// Waits for less than tokio's timer can, which counts whole milliseconds.
async fn glance() {
    // It neither panics nor is cancelled; if it were, the next look would come sooner.
    let _ = spawn_blocking(|| thread::park_timeout(GLANCE)).await;
}
