//! Follows one run of cargo: its messages are understood, its words go to the log.

use std::io;

use actix::Recipient;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::{
    build::{
        binary::Products,
        complaint::{Complaint, News},
        diagnostics::Diagnostics,
        messages::{self, Message},
        nursery::Child,
        output::{Line, Lines, Output},
    },
    exit::Exit,
    ids::{BuildId, ProcessName},
    logs::{Append, LogKey, Source, Stream},
};

/// cargo's messages are shorter; what is longer is dropped.
const LONGEST_MESSAGE: usize = 16 << 20;

/// A message of this length takes so long to understand that a thread does it.
const LONG_MESSAGE: usize = 256 << 10;

/// All that a run of cargo told.
pub(crate) struct Told {
    /// How it ended, if anybody can tell.
    pub(crate) exit: Option<Exit>,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) products: Products,
    pub(crate) complaint: Complaint,
}

impl Told {
    /// Whether cargo ended by itself. Then what it left behind is meant to live on (the server of a
    /// compiler cache); otherwise that is its compilers, which nobody waits for any more.
    pub(crate) fn is_orderly(&self) -> bool {
        matches!(self.exit, Some(Exit::Code(_)))
    }
}

/// Reads both outputs until cargo has ended and they have, too; whoever holds them longer is not
/// waited for. What is found is added to `diagnostics`; `waits` is called with the name of the lock
/// when cargo waits for one.
pub(crate) async fn follow(
    child: Child,
    log: &LogWriter,
    diagnostics: Diagnostics,
    waits: impl AsyncFn(&str),
) -> io::Result<Told> {
    let mut pulse = child.pulse;
    let mut stdout = Output::new(child.stdout, pulse.clone())?;
    let mut stderr = Output::new(child.stderr, pulse.clone())?;
    let messages = async {
        let mut lines = Lines::new(LONGEST_MESSAGE);
        let mut heard = Heard {
            diagnostics,
            products: Products::default(),
        };
        while let Some(portion) = stdout.next().await {
            heard.take(lines.push(portion), log).await;
        }
        heard.take(lines.finish().into_iter().collect(), log).await;
        heard
    };
    let complaint = async {
        let mut complaint = Complaint::new();
        while let Some(portion) = stderr.next().await {
            let news = complaint.push(portion);
            log.write(Stream::Stderr, portion.to_vec()).await;
            if let News::WaitsForLock(what) = news {
                if !portion.ends_with(b"\n") {
                    log.write(Stream::Stderr, b"\n".to_vec()).await;
                }
                waits(&what).await;
            }
        }
        complaint
    };
    let (heard, complaint, exit) = tokio::join!(messages, complaint, pulse.exit());
    Ok(Told {
        exit,
        diagnostics: heard.diagnostics,
        products: heard.products,
        complaint,
    })
}

/// What cargo's messages told so far.
struct Heard {
    diagnostics: Diagnostics,
    products: Products,
}

impl Heard {
    async fn take(&mut self, lines: Vec<Line>, log: &LogWriter) {
        let (mut rendered, mut foreign) = (Vec::new(), Vec::new());
        for line in lines {
            let line = match line {
                Line::Whole(line) => line,
                Line::Dropped(length) => {
                    foreign.extend(format!("(a line of {length} bytes was left out)\n").bytes());
                    continue;
                }
            };
            let (message, line) = understand(line).await;
            match message {
                Message::Artifact(artifact) => {
                    self.diagnostics.note_artifact(&artifact);
                    self.products.note(artifact);
                }
                Message::BuildScript(script) => self.products.note_script(script),
                Message::Compiler(message) => {
                    rendered.extend(self.diagnostics.note(message).unwrap_or_default().bytes());
                }
                Message::Other => {}
                Message::Foreign => {
                    foreign.extend(line);
                    foreign.push(b'\n');
                }
            }
        }
        log.write(Stream::Stderr, rendered).await;
        log.write(Stream::Stdout, foreign).await;
    }
}

async fn understand(line: Vec<u8>) -> (Message, Vec<u8>) {
    if line.len() < LONG_MESSAGE {
        return (messages::parse(&line), line);
    }
    let understood = spawn_blocking(move || (messages::parse(&line), line)).await;
    // Broken off only when the daemon ends.
    understood.unwrap_or((Message::Other, Vec::new()))
}

/// Writes into the log of one build.
pub(crate) struct LogWriter {
    pub(crate) process: ProcessName,
    pub(crate) build: BuildId,
    pub(crate) append: Recipient<Append>,
}

impl LogWriter {
    pub(crate) fn key(&self) -> LogKey {
        LogKey {
            process: self.process.clone(),
            source: Source::Build(self.build),
        }
    }

    /// Returns when the store has the bytes, so that cargo is slowed rather than memory filled.
    pub(crate) async fn write(&self, stream: Stream, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let append = Append {
            key: self.key(),
            stream,
            bytes: Bytes::from(bytes),
        };
        if let Err(error) = self.append.send(append).await {
            log::debug!("{}: the log takes nothing: {error}", self.process);
        }
    }
}
