//! The program that is restarted: a web server that listens after a while, says so, and drains on
//! SIGTERM. It is this benchmark's own executable.

use std::{
    env, fs, io, net::TcpListener as Listener, os::unix::net::UnixDatagram, process::ExitCode,
    thread, time::Duration,
};

use listenfd::ListenFd;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// The argument that makes this executable the program.
pub(crate) const ASKED: &str = "--as-program";
/// The variable with its address, if it is neither handed a socket nor given `PORT`.
pub(crate) const ADDRESS: &str = "BENCH_ADDRESS";
/// The variable with the path of a datagram socket that wants to hear of its progress.
pub(crate) const HEARER: &str = "BENCH_HEARER";
/// It runs.
pub(crate) const MAIN: &[u8] = b"main";
/// It is ready.
pub(crate) const READY: &[u8] = b"ready";
/// The line that it prints when it is ready.
pub(crate) const LINE: &str = "it serves";
/// The file in its directory that says how many milliseconds it sleeps before it listens.
pub(crate) const DELAY: &str = "delay";
/// The file that it makes when it is ready is this and its pid.
pub(crate) const FILE: &str = "ready-";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const LONGEST_REQUEST: usize = 1024;

pub(crate) fn run() -> ExitCode {
    tell(HEARER, MAIN);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(serve()).unwrap();
    ExitCode::SUCCESS
}

async fn serve() -> io::Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    // Of one that had this pid before.
    let file = format!("{FILE}{}", std::process::id());
    let _ = fs::remove_file(&file);
    if let Some(delay) = fs::read_to_string(DELAY)
        .ok()
        .and_then(|it| it.parse().ok())
    {
        thread::sleep(Duration::from_millis(delay));
    }
    let listener = listen()?;
    tell(HEARER, READY);
    tell("NOTIFY_SOCKET", b"READY=1");
    println!("{LINE}");
    fs::write(&file, "")?;

    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            // What waits in the queue of a listener that is closed would be cut.
            biased;
            _ = stop.recv() => break,
            accepted = listener.accept() => {
                // An older run may have been faster.
                if let Ok((stream, _)) = accepted {
                    open.spawn(answer(stream));
                }
            }
            Some(_) = open.join_next() => {}
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
    Ok(())
}

fn listen() -> io::Result<TcpListener> {
    let listener = match ListenFd::from_env().take_tcp_listener(0)? {
        Some(handed) => handed,
        None => match env::var("PORT") {
            Ok(port) => Listener::bind(format!("127.0.0.1:{port}"))?,
            Err(_) => Listener::bind(env::var(ADDRESS).unwrap())?,
        },
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = Vec::with_capacity(LONGEST_REQUEST);
    while !request.ends_with(b"\r\n\r\n") {
        if request.len() >= LONGEST_REQUEST || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(ANSWER).await
}

/// Sends a word to the socket that a variable names, if there is one.
fn tell(variable: &str, word: &[u8]) {
    if let Some(path) = env::var_os(variable) {
        let socket = UnixDatagram::unbound().unwrap();
        // Between two measurements nobody hears it.
        let _ = socket.send_to(word, path);
    }
}
