//! What the machine itself does: a block of bytes goes to a thread over TCP and comes back.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::support::LIMIT;

/// About as many bytes as the question and the answer of `get_status` have of their own.
const BLOCK: usize = 300;

/// A connection to a thread that sends back what it gets, and ends with the connection.
pub(crate) struct Echo(TcpStream);

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut block = [0; BLOCK];
            while stream.read_exact(&mut block).is_ok() {
                stream.write_all(&block).unwrap();
            }
        });
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(stream)
    }

    /// How long one block takes there and back.
    pub(crate) fn call(&mut self) -> Duration {
        let mut block = [b'x'; BLOCK];
        let begin = Instant::now();
        self.0.write_all(&block).unwrap();
        self.0.read_exact(&mut block).unwrap();
        begin.elapsed()
    }
}
