//! A real server over doubles, and ways to talk to it.

use std::{net::TcpListener, time::Duration};

use actix_web::dev::ServerHandle;
use background_process_manager::{http, mcp};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{JsonObject, ProtocolVersion},
    service::RunningService,
    transport::StreamableHttpClientTransport,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::doubles::{Cast, Doubles, Script, main_process, web_process};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

/// A server that ends with its owner.
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) doubles: Doubles,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: tokio::task::JoinHandle<std::io::Result<()>>,
    _handle: ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// One process, `main`, whose restarts go well.
pub(crate) fn one() -> Running {
    run(Cast::new().with(main_process(), Script::Succeed))
}

/// `main`, and a sidecar `web` whose restarts never end.
pub(crate) fn two() -> Running {
    run(Cast::new()
        .with(main_process(), Script::Succeed)
        .with(web_process(), Script::Hold))
}

/// A server over this cast.
pub(crate) fn run(cast: Cast) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let doubles = cast.start();
    let shutdown = CancellationToken::new();
    let server = http::serve(vec![listener], doubles.service.clone(), shutdown.clone()).unwrap();
    Running {
        port,
        doubles,
        shutdown,
        _handle: server.handle(),
        ended: actix_web::rt::spawn(server),
    }
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The text of a tool's result.
    pub(crate) fn text(&self) -> String {
        let json = self.json();
        let text = json["result"]["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("no text: {self:?}"))
            .to_owned()
    }

    pub(crate) fn is_error(&self) -> bool {
        self.json()["result"]["isError"] == true
    }
}

impl Running {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, mcp::PATH)
    }

    /// Opens a connection and writes these bytes.
    pub(crate) async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        // A server that has refused may close before all is written.
        _ = stream.write_all(bytes).await;
        stream
    }

    /// Writes these bytes, reads until the server closes or is silent for too long.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.send(bytes).await;
        let mut answer = Vec::new();
        let read = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
        let read = read.expect("the server neither answered nor closed");
        assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
        parse(&answer)
    }

    /// One request with these lines between the request line and the body.
    pub(crate) async fn request(&self, line: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut bytes = format!("{line}\r\nConnection: close\r\n").into_bytes();
        for header in headers {
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let length = format!("Content-Length: {}\r\n\r\n", body.len());
        bytes.extend_from_slice(length.as_bytes());
        bytes.extend_from_slice(body);
        self.exchange(&bytes).await
    }

    /// A POST to the endpoint as curl would send it.
    pub(crate) async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        let headers = [
            "Host: localhost",
            "Content-Type: application/json",
            "Accept: */*",
        ];
        let line = "POST /mcp HTTP/1.1";
        self.request(line, &headers, body.as_ref()).await
    }

    /// A tool call as an older client sends it.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let params = json!({"name": tool, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        self.post(call.to_string()).await
    }

    /// rmcp's client, shaking hands as in 2025-11-25.
    pub(crate) async fn older<C: ClientHandler>(&self, client: C) -> RunningService<RoleClient, C> {
        self.client(client, ClientLifecycleMode::Initialize).await
    }

    /// rmcp's client in 2026-07-28.
    pub(crate) async fn newer<C: ClientHandler>(&self, client: C) -> RunningService<RoleClient, C> {
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        self.client(client, ClientLifecycleMode::Discover { preferred_versions })
            .await
    }

    async fn client<C: ClientHandler>(
        &self,
        client: C,
        lifecycle: ClientLifecycleMode,
    ) -> RunningService<RoleClient, C> {
        let transport = StreamableHttpClientTransport::from_uri(self.url());
        client
            .serve_with_lifecycle(transport, lifecycle)
            .await
            .unwrap()
    }
}

/// The arguments of a call.
pub(crate) fn arguments(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    // An interim answer (100 Continue) comes before the real one.
    let text = match text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n") {
        Some(rest) => rest,
        None => &text,
    };
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no HTTP answer: {text:?}")),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}
