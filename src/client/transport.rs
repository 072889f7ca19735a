//! One HTTP request, on a connection of its own.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use http_body::Body;
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
    time::{Sleep, sleep},
};

use super::{
    error::ClientError,
    target::{Address, Target},
};

/// How long it may take until somebody accepts.
const CONNECT: Duration = Duration::from_secs(5);
/// The most that an answer may hold that is read as a whole, in bytes.
const MOST: usize = 16 << 20;

/// What is asked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    /// JSON; empty where there is nothing to say.
    pub(super) body: Bytes,
}

impl Request {
    /// A question.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }
}

/// The body of an answer, which may still be arriving.
#[derive(Debug)]
pub(super) struct Answer {
    body: Incoming,
    connection: JoinHandle<()>,
    /// Where it may go on: how long nothing has come.
    silence: Option<Silence>,
}

/// A silence is measured in periods, the first of which begins when somebody waits, so that a program
/// that was itself held up does not take that for a silence of the daemon.
#[derive(Debug)]
struct Silence {
    /// When the period ends; `None` while nobody waits.
    period: Option<Pin<Box<Sleep>>>,
    /// How many have passed.
    passed: u32,
}

/// How long a period is: as long as a daemon is silent at most.
const PERIOD: Duration = Duration::from_secs(15);
/// After how many without a byte the connection is dead.
const MOST_PERIODS: u32 = 3;

impl Silence {
    const NONE: Self = Self {
        period: None,
        passed: 0,
    };

    /// Ready when it has lasted too long.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.passed < MOST_PERIODS {
            let period = self.period.get_or_insert_with(|| Box::pin(sleep(PERIOD)));
            ready!(period.as_mut().poll(context));
            self.period = None;
            self.passed += 1;
        }
        Poll::Ready(())
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Hangs up, so that the daemon does no work for nobody.
        self.connection.abort();
    }
}

/// Asks; answers as soon as it is known that there is an answer.
///
/// # Errors
/// When nobody answers, or with a refusal.
pub(super) async fn send(target: &Target, request: Request) -> Result<Answer, ClientError> {
    match &target.address {
        Address::Unix(path) => {
            let stream = connected(target, UnixStream::connect(path)).await?;
            send_over(stream, target, request).await
        }
        Address::Tcp { host, port } => {
            let stream = connected(target, TcpStream::connect((host.as_str(), *port))).await?;
            // Requests are small and written at once.
            let _ = stream.set_nodelay(true);
            send_over(stream, target, request).await
        }
    }
}

async fn connected<S>(
    target: &Target,
    connecting: impl Future<Output = io::Result<S>>,
) -> Result<S, ClientError> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(cause)) if matches!(cause.kind(), ConnectionRefused | NotFound) => {
            Err(ClientError::NotRunning(target.url.clone()))
        }
        Ok(Err(cause)) => Err(ClientError::Broken(cause)),
        Err(_) => Err(ClientError::TimedOut),
    }
}

async fn send_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    request: Request,
) -> Result<Answer, ClientError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(ClientError::broken)?;
    let connection = tokio::spawn(async {
        // What goes wrong is told to whoever waits for the answer.
        let _ = connection.await;
    });
    let mut asked = http::Request::builder()
        .method(request.method)
        .uri(request.path)
        .header(HOST, target.address.authority());
    for (name, value) in request.headers {
        asked = asked.header(name, value);
    }
    if let Some(token) = &target.token {
        asked = asked.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if !request.body.is_empty() {
        asked = asked.header(CONTENT_TYPE, "application/json");
    }
    let asked = asked
        .body(Full::new(request.body))
        .map_err(ClientError::broken)?;
    let answer = sender
        .send_request(asked)
        .await
        .map_err(ClientError::broken);
    let (head, body) = match answer {
        Ok(answer) => answer.into_parts(),
        Err(error) => {
            connection.abort();
            return Err(error);
        }
    };
    let answer = Answer {
        body,
        connection,
        silence: None,
    };
    if head.status == StatusCode::OK {
        return Ok(answer);
    }
    let body = answer.whole().await?;
    Err(ClientError::refused(head.status.as_u16(), &body))
}

impl Answer {
    /// One that may go on: it breaks where the daemon gives no sign of life for too long.
    pub(super) fn going_on(mut self) -> Self {
        self.silence = Some(Silence::NONE);
        self
    }

    /// All of it.
    ///
    /// # Errors
    /// When the connection breaks before its end, or it is too large.
    pub(super) async fn whole(mut self) -> Result<Bytes, ClientError> {
        let mut whole = BytesMut::new();
        while let Some(bytes) = std::future::poll_fn(|context| self.poll_bytes(context)).await {
            whole.extend_from_slice(&bytes?);
            if whole.len() > MOST {
                let what = format!("more than {MOST} bytes");
                return Err(ClientError::Unintelligible(what));
            }
        }
        Ok(whole.freeze())
    }

    /// What has arrived; `None` behind its end.
    pub(super) fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ClientError>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                let Some(silence) = &mut self.silence else {
                    return Poll::Pending;
                };
                ready!(silence.poll(context));
                return Poll::Ready(Some(Err(ClientError::silent(PERIOD * MOST_PERIODS))));
            };
            if let Some(silence) = &mut self.silence {
                *silence = Silence::NONE;
            }
            return Poll::Ready(match frame {
                None => None,
                Some(Err(error)) => Some(Err(ClientError::broken(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => Some(Ok(bytes)),
                    // Trailers say nothing.
                    Err(_) => continue,
                },
            });
        }
    }
}
