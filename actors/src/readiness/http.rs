//! One question over HTTP, as small as it can be: only the status of the answer counts.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How many bytes may come before the status of the final answer.
const LONGEST_HEAD: usize = 16 * 1024;

/// The request that a probe sends.
pub(super) fn request(path: &str, host: &str) -> String {
    let agent = concat!("background-process-manager/", env!("CARGO_PKG_VERSION"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// Sends `request` and returns the status of the answer, however long it takes; or why there is none.
pub(super) async fn ask(mut stream: TcpStream, request: &str) -> Result<u16, &'static str> {
    const CLOSED: &str = "closed the connection without an answer";
    let sent = stream.write_all(request.as_bytes()).await;
    // One who answers without reading is heard all the same.
    let _ = sent;
    let mut head = Vec::with_capacity(LONGEST_HEAD);
    loop {
        let mut rest = (&mut stream).take((LONGEST_HEAD - head.len()) as u64);
        match rest.read_buf(&mut head).await {
            Ok(0) if head.len() >= LONGEST_HEAD => return Err("did not answer in HTTP"),
            Ok(0) => {
                return Err(if head.is_empty() {
                    CLOSED
                } else {
                    "broke off its answer"
                });
            }
            Ok(_) => match status(&head) {
                Status::Incomplete => {}
                Status::Final(status) => return Ok(status),
                Status::None => return Err("did not answer in HTTP"),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(CLOSED),
        }
    }
}

/// Whether a service that answers so is ready.
pub(super) fn is_good(status: u16) -> bool {
    (200..400).contains(&status)
}

/// What the beginning of an answer says.
#[derive(Debug, PartialEq, Eq)]
enum Status {
    Incomplete,
    Final(u16),
    None,
}

fn status(mut head: &[u8]) -> Status {
    const VERSION: &[u8] = b"HTTP/1.";
    loop {
        let known = head.len().min(VERSION.len());
        if head[..known] != VERSION[..known] {
            return Status::None;
        }
        let Some(end) = memchr::memchr(b'\n', head) else {
            return Status::Incomplete;
        };
        let Some(status) = code(&head[..end]) else {
            return Status::None;
        };
        if !(100..200).contains(&status) {
            return Status::Final(status);
        }
        // An interim answer; the next one begins behind its empty line.
        let Some(next) = after_empty_line(head) else {
            return Status::Incomplete;
        };
        head = &head[next..];
    }
}

/// The code of a status line `HTTP/1.1 200 OK`.
fn code(line: &[u8]) -> Option<u16> {
    let mut words = line.split(u8::is_ascii_whitespace);
    let digits = words.nth(1)?;
    let text = std::str::from_utf8(digits).ok()?;
    (digits.len() == 3 && digits.iter().all(u8::is_ascii_digit)).then(|| text.parse().ok())?
}

fn after_empty_line(head: &[u8]) -> Option<usize> {
    let newlines = memchr::memchr_iter(b'\n', head);
    let mut line = 0;
    for newline in newlines {
        if matches!(&head[line..newline], b"" | b"\r") {
            return Some(newline + 1);
        }
        line = newline + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_the_final_answer_counts() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n", Status::Final(200)),
            ("HTTP/1.0 503\n", Status::Final(503)),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\n",
                Status::Final(302),
            ),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 20",
                Status::Incomplete,
            ),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n",
                Status::Incomplete,
            ),
            ("HTTP/1.1 2", Status::Incomplete),
            ("HT", Status::Incomplete),
            ("", Status::Incomplete),
            ("HTTP/1.1 +20 OK\r\n", Status::None),
            ("HTTP/1.1 2000 OK\r\n", Status::None),
            ("HTTP/1.1\r\n", Status::None),
            ("SSH-2.0-x\r\n", Status::None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head:?}");
        }
    }

    #[test]
    fn success_and_redirects_are_good() {
        assert!([200, 204, 301, 399].into_iter().all(is_good));
        assert!(![199, 400, 404, 500, 503].into_iter().any(is_good));
    }

    #[test]
    fn the_request_is_complete() {
        let request = request("/health?x=1", "127.0.0.1:8080");
        assert!(request.starts_with("GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
        assert!(request.contains("\r\nConnection: close\r\n"));
        assert!(request.ends_with("\r\n\r\n"));
    }
}
