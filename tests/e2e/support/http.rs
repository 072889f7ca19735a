//! HTTP by hand, so that a test can also send what no client would.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::LIMIT;

/// Requests to one port, each on a connection of its own.
pub(crate) struct Http {
    port: u16,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body, which is JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Http {
    pub(crate) fn new(port: u16) -> Self {
        Self { port }
    }

    /// Sends bytes as they are and reads to the end.
    #[track_caller]
    pub(crate) fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT * 2)).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// Posts a body to `/mcp` with the usual headers and these.
    #[track_caller]
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!(
            "POST /mcp HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        let usual = [
            ("Host", "localhost"),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        let given = |name: &str| {
            headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        for (name, value) in usual.iter().filter(|(name, _)| !given(name)).chain(headers) {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        self.raw(&[request.as_bytes(), b"\r\n", body].concat())
    }

    /// One request without a body.
    #[track_caller]
    pub(crate) fn ask(&self, line: &str) -> Answer {
        let head = "Host: localhost\r\nConnection: close\r\n\r\n";
        self.raw(format!("{line} HTTP/1.1\r\n{head}").as_bytes())
    }

    /// One JSON-RPC request.
    #[track_caller]
    pub(crate) fn rpc(&self, method: &str, params: &Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.post(&[], body.to_string().as_bytes());
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }
}
