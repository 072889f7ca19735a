//! A server that answers one request at a time with what it is told.

use std::{fmt::Write as _, net::Ipv4Addr, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};

use super::super::{Address, Client, Target};

/// Listens until it is dropped.
pub(super) struct StandIn {
    address: Address,
    listener: Listener,
    _folder: TempDir,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl StandIn {
    pub(super) async fn tcp() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            address: Address::parse(&format!("127.0.0.1:{port}")).unwrap(),
            listener: Listener::Tcp(listener),
            _folder: tempfile::tempdir().unwrap(),
        }
    }

    #[expect(clippy::unused_async, reason = "as the other one")]
    pub(super) async fn unix() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        Self {
            listener: Listener::Unix(UnixListener::bind(&path).unwrap()),
            address: Address::Unix(path),
            _folder: folder,
        }
    }

    /// A client of it.
    pub(super) fn client(&self, token: Option<&str>) -> Client {
        Client::new(Target {
            address: self.address.clone(),
            token: token.map(str::to_owned),
            url: "http://localhost:3001/mcp".to_owned(),
            project_dir: None,
        })
    }

    /// Answers one request with this status and a body in these pieces; gives what was asked.
    pub(super) async fn answers(&self, status: &str, body: &[&str]) -> String {
        self.says(status, body, "0\r\n\r\n").await
    }

    /// Like [`StandIn::answers`], but hangs up before the end.
    pub(super) async fn breaks_off(&self, body: &[&str]) -> String {
        self.says("200 OK", body, "").await
    }

    /// Answers one request with these pieces, after each of which it is silent for so long; then it says
    /// nothing more until the client hangs up.
    pub(super) async fn falls_silent(&self, pieces: &[&str], pause: Duration) {
        match &self.listener {
            Listener::Tcp(listener) => {
                hesitate(listener.accept().await.unwrap().0, pieces, pause).await;
            }
            Listener::Unix(listener) => {
                hesitate(listener.accept().await.unwrap().0, pieces, pause).await;
            }
        }
    }

    async fn says(&self, status: &str, body: &[&str], end: &str) -> String {
        let mut answer = format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in body {
            write!(answer, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
        }
        answer.push_str(end);
        match &self.listener {
            Listener::Tcp(listener) => serve(listener.accept().await.unwrap().0, &answer).await,
            Listener::Unix(listener) => serve(listener.accept().await.unwrap().0, &answer).await,
        }
    }
}

async fn hesitate(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    pieces: &[&str],
    pause: Duration,
) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0);
    }
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in pieces {
        let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
        stream.write_all(chunk.as_bytes()).await.unwrap();
        tokio::time::sleep(pause).await;
    }
    while stream.read_buf(&mut asked).await.is_ok_and(|read| read > 0) {}
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut asked = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&asked).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0, "{text}");
    }
}
