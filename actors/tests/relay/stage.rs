//! A relay on a thread of its own, and what the tests look at it with.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek},
    net::SocketAddr,
    time::Duration,
};

use actix::Arbiter;
use bpm_actors::{
    ids::RunId,
    relay::{Relay, Route},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};

pub(crate) struct Stage {
    pub(crate) relay: Relay,
    /// Where it takes connections.
    pub(crate) address: SocketAddr,
    arbiter: Arbiter,
}

impl Stage {
    pub(crate) fn new(ip: &str) -> Self {
        let listener = listen(ip, 0);
        let address = listener.local_addr().unwrap();
        let arbiter = Arbiter::new();
        let relay = Relay::start(vec![listener.into_std().unwrap()], &arbiter.handle()).unwrap();
        Self {
            relay,
            address,
            arbiter,
        }
    }

    pub(crate) fn route(&self, run: u64, child: &TcpListener) {
        self.route_to(run, child.local_addr().unwrap().port());
    }

    pub(crate) fn route_to(&self, run: u64, port: u16) {
        let run = RunId(run);
        self.relay.route(Some(Route { run, port }));
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A new connection, and the child's end of it. A byte has passed through it: the relay knows
    /// that it is there.
    pub(crate) async fn meet(&self, child: &TcpListener) -> (TcpStream, TcpStream) {
        let mut client = self.connect().await;
        client.write_all(b"!").await.unwrap();
        let (mut server, _) = child.accept().await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
        (client, server)
    }

    /// Whether the relay still has a socket for this client.
    pub(crate) fn holds(&self, client: SocketAddr) -> bool {
        let (ours, theirs) = (hex(self.address), hex(client));
        sockets(&mut table()).any(|it| {
            it.local == ours && it.remote == theirs && !["06", "07"].contains(&it.state.as_str())
        })
    }

    /// Drops this handle of the relay; its thread lives on.
    pub(crate) fn end(self) -> (SocketAddr, Arbiter) {
        (self.address, self.arbiter)
    }
}

/// Listens with a queue that is long enough for every test.
pub(crate) fn listen(ip: &str, port: u16) -> TcpListener {
    let address = SocketAddr::new(ip.parse().unwrap(), port);
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(1024).unwrap()
}

/// How many connections nobody has accepted yet.
pub(crate) fn backlog(address: SocketAddr) -> usize {
    backlog_in(&mut table(), address)
}

/// The same, for who cannot open a file.
pub(crate) fn backlog_in(table: &mut File, address: SocketAddr) -> usize {
    const LISTEN: &str = "0A";
    let local = hex(address);
    // Those that listen stand before the others, which may be many.
    let found = sockets(table).find(|it| it.local == local && it.state == LISTEN);
    found.unwrap().unread
}

/// A row of /proc/net/tcp.
struct Socket {
    local: String,
    remote: String,
    state: String,
    unread: usize,
}

/// The kernel's table of TCP sockets.
pub(crate) fn table() -> File {
    File::open("/proc/net/tcp").unwrap()
}

fn sockets(table: &mut File) -> impl Iterator<Item = Socket> {
    table.rewind().unwrap();
    BufReader::new(table).lines().skip(1).map(|row| {
        let row = row.unwrap();
        let fields: Vec<&str> = row.split_whitespace().collect();
        let (_, unread) = fields[4].split_once(':').unwrap();
        Socket {
            local: fields[1].to_owned(),
            remote: fields[2].to_owned(),
            state: fields[3].to_owned(),
            unread: usize::from_str_radix(unread, 16).unwrap(),
        }
    })
}

/// 127.0.0.1 as that table has it.
fn hex(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        panic!("the table has no {address}");
    };
    let ip = u32::from_ne_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X}", address.port())
}

const PATIENCE: Duration = Duration::from_mins(1);

/// Fails a test that waits for ever.
pub(crate) async fn limited<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, test).await.unwrap()
}

/// Waits until it is so; what the kernel shows has no event.
pub(crate) async fn eventually(mut is_so: impl FnMut() -> bool, what: &str) {
    let until = tokio::time::Instant::now() + PATIENCE / 2;
    while !is_so() {
        assert!(tokio::time::Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// As far as the system lets us.
pub(crate) fn raise_descriptor_limit() {
    limit_descriptors(getrlimit(Resource::Nofile).maximum);
}

/// This process gets no descriptor from this number on.
pub(crate) fn limit_descriptors(current: Option<u64>) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}
