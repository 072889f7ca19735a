//! A web server that takes the socket that it is handed, and that drops nobody when it is told to
//! leave: it stops accepting, answers whom it has accepted, and exits. Those who come meanwhile wait
//! in the socket's backlog for the next one. Change the greeting, ask for a restart, and look at
//! `curl http://127.0.0.1:8080/` all the time.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use listenfd::ListenFd;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level::pipe,
};

const GREETING: &str = "Hello, world!";

/// Where it listens when nobody hands it a socket.
const ALONE: &str = "127.0.0.1:8080";
/// How many connections are served at a time; others wait in the backlog.
const MOST_OPEN: usize = 256;
/// The most that is read of one request, in bytes.
const LONGEST_REQUEST: u64 = 16 * 1024;
/// How long a client may take for each part of its request.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let listener = match ListenFd::from_env().take_tcp_listener(0)? {
        Some(handed) => handed,
        None => TcpListener::bind(ALONE)?,
    };
    // An older child shares the socket: it may be the one that takes what `poll` saw here.
    listener.set_nonblocking(true)?;
    // A signal makes this end readable.
    let (stop, signalled) = UnixStream::pair()?;
    pipe::register(SIGTERM, signalled.try_clone()?)?;
    pipe::register(SIGINT, signalled)?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut open: Vec<JoinHandle<()>> = Vec::new();
    while let Some(connection) = next(&listener, &stop)? {
        open.retain(|thread| !thread.is_finished());
        if open.len() >= MOST_OPEN {
            // A panic was printed where it happened; the others are answered all the same.
            let _ = open.swap_remove(0).join();
        }
        open.push(thread::spawn(move || {
            if let Err(error) = answer(connection) {
                eprintln!("request failed: {error}");
            }
        }));
    }
    println!("leaving: {} to answer", open.len());
    for thread in open {
        let _ = thread.join();
    }
    Ok(())
}

/// The next connection; `None` when this process is to leave.
fn next(listener: &TcpListener, stop: &UnixStream) -> io::Result<Option<TcpStream>> {
    loop {
        let mut watched = [
            PollFd::new(stop, PollFlags::IN),
            PollFd::new(listener, PollFlags::IN),
        ];
        match poll(&mut watched, None) {
            Err(Errno::INTR) => continue,
            polled => polled?,
        };
        if !watched[0].revents().is_empty() {
            return Ok(None);
        }
        match listener.accept() {
            Ok((connection, _)) => return Ok(Some(connection)),
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether the next `accept` may succeed: somebody else was faster, or the client gave up.
fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    )
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut request = BufReader::new((&connection).take(LONGEST_REQUEST));
    let mut first_line = String::new();
    if request.read_line(&mut first_line)? == 0 {
        return Ok(());
    }
    // The headers say nothing that matters here, but they must be taken off the wire.
    let mut header = String::new();
    while request.read_line(&mut header)? > 2 {
        header.clear();
    }

    let mut words = first_line.split_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some("/")) => ("200 OK", GREETING),
        (Some("GET"), Some("/health")) => ("200 OK", "fine"),
        (Some("GET"), Some(_)) => ("404 Not Found", "There are only / and /health"),
        _ => ("405 Method Not Allowed", "There is only GET"),
    };
    write!(
        connection,
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\r\n\
         {body}\n",
        body.len() + 1,
    )?;
    // To close while something unread lies here would reset the connection and take the answer with
    // it: the client closes first.
    connection.shutdown(Shutdown::Write)?;
    io::copy(&mut (&connection).take(LONGEST_REQUEST), &mut io::sink())?;
    Ok(())
}
