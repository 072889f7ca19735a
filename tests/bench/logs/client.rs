//! A client that keeps its connection, as agents' clients do.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::LIMIT;

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn of(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT * 2)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Calls a tool: its text, and the time from the first byte of the request to the last of the
    /// answer.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> (String, Duration) {
        let params = json!({"name": tool, "arguments": arguments});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let body = body.to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let begin = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let answer = self.answer();
        let took = begin.elapsed();
        let value: Value = serde_json::from_slice(&answer)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&answer)));
        let result = &value["result"];
        assert_ne!(result["isError"], true, "{tool} {arguments}: {value}");
        let text = result["content"][0]["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("{tool} {arguments}: {value}"));
        (text.to_owned(), took)
    }

    fn answer(&mut self) -> Vec<u8> {
        let status = self.line();
        assert!(status.contains(" 200 "), "{status}");
        let mut length = None;
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let mut body = Vec::new();
        if let Some(length) = length {
            body.resize(length, 0);
            self.stream.read_exact(&mut body).unwrap();
            return body;
        }
        // In chunks.
        loop {
            let length = usize::from_str_radix(&self.line(), 16).unwrap();
            let at = body.len();
            body.resize(at + length, 0);
            self.stream.read_exact(&mut body[at..]).unwrap();
            assert_eq!(self.line(), "");
            if length == 0 {
                return body;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
