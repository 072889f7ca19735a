//! Answers that go on, read line by line.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use super::LIMIT;

/// The lines of an answer that goes on. The connection ends with it.
pub(crate) struct Lines<S: Read = TcpStream> {
    body: BufReader<Chunked<S>>,
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: u64,
    pub(crate) data: Value,
}

impl Lines {
    /// Asks a port, with these further headers, each with its line end.
    #[track_caller]
    pub(crate) fn ask(port: u16, line: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self::over(stream, line, headers)
    }
}

impl<S: Read + Write> Lines<S> {
    /// Asks over a connection.
    #[track_caller]
    pub(crate) fn over(mut stream: S, line: &str, headers: &str) -> Self {
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        )
        .unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head:?}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let (left, over) = (0, false);
        let chunked = Chunked { stream, left, over };
        Self {
            body: BufReader::new(chunked),
        }
    }
}

impl<S: Read> Lines<S> {
    /// The next line, without its end; none at the end of the answer, also where it was cut.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.body.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end_matches('\n').to_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no more lines came"),
            Err(_) => None,
        }
    }

    /// The next line, which is JSON; signs of life are passed over.
    #[track_caller]
    pub(crate) fn json(&mut self) -> Value {
        let mut line = self.line().unwrap();
        while line.is_empty() {
            line = self.line().unwrap();
        }
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The next event; comments are passed over.
    #[track_caller]
    pub(crate) fn event(&mut self) -> Event {
        let (mut kind, mut id, mut data) = (String::new(), 0, None);
        loop {
            let line = self.line().unwrap();
            match line.split_once(": ") {
                Some(("event", it)) => it.clone_into(&mut kind),
                Some(("id", it)) => id = it.parse().unwrap(),
                Some(("data", it)) => data = Some(serde_json::from_str(it).unwrap()),
                _ => {}
            }
            if line.is_empty()
                && let Some(data) = data.take()
            {
                return Event { kind, id, data };
            }
        }
    }
}

/// Takes the chunks of a body apart.
struct Chunked<S: Read> {
    stream: BufReader<S>,
    /// What is left of this chunk.
    left: usize,
    over: bool,
}

impl<S: Read> Read for Chunked<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.over {
            return Ok(0);
        }
        if self.left == 0 {
            let mut size = String::new();
            // Behind each chunk but the first there is a line end.
            while size.trim().is_empty() {
                size.clear();
                if self.stream.read_line(&mut size)? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            self.left = usize::from_str_radix(size.trim(), 16).unwrap();
            self.over = self.left == 0;
        }
        let most = buffer.len().min(self.left);
        let read = self.stream.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}
