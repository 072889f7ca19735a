//! The actor with real pipes. What the daemon's output received is the event that tests wait for.

mod awaited;
mod ends;
mod history;
mod searches;
mod walks;

use std::{
    io::{self, PipeWriter, Write},
    os::fd::OwnedFd,
    sync::mpsc,
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

use super::*;
use crate::{
    exit::Exit,
    ids::{BuildId, RunId},
    logs::{
        Append, AwaitLine, BuildEnded, BuildEnding, Crashed, DescribeErrorLines, DescribeLastLines,
        OpenLog, Stopped, TreeEnded,
    },
    pattern::Pattern,
    restart::Shutdown,
    search::{Found, GoneLogs, NoSuchLog, Query, Search, Which},
    spec::Mode,
};

/// An output of the daemon that tells what was written.
struct Told(UnboundedSender<String>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output whose reader has fallen asleep, until it is dropped.
struct Blocked(mpsc::Receiver<()>);

impl Write for Blocked {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Output {
    received: UnboundedReceiver<String>,
    text: String,
}

impl Output {
    /// Waits until the output shows this.
    async fn shows(&mut self, text: &str) {
        while !self.text.contains(text) {
            let more = self.received.recv().await;
            self.text += &more
                .unwrap_or_else(|| panic!("the output closed without {text:?}: {:?}", self.text));
        }
    }
}

fn store() -> (Addr<LogStoreActor>, Output) {
    let (sender, received) = unbounded_channel();
    let passthrough = Passthrough::to_one(Box::new(Told(sender))).unwrap();
    (
        LogStoreActor::new(passthrough).start(),
        Output {
            received,
            text: String::new(),
        },
    )
}

fn silent_store() -> Addr<LogStoreActor> {
    LogStoreActor::new(Passthrough::to_one(Box::new(io::sink())).unwrap()).start()
}

fn main() -> ProcessName {
    "main".parse().unwrap()
}

fn run(run: u64) -> LogKey {
    LogKey {
        process: main(),
        source: Source::Run(RunId(run)),
    }
}

fn build(build: u64) -> LogKey {
    LogKey {
        process: main(),
        source: Source::Build(BuildId(build)),
    }
}

async fn open(store: &Addr<LogStoreActor>, key: LogKey, outputs: Vec<(Stream, OwnedFd)>) {
    store
        .send(OpenLog {
            key,
            mode: Mode::Dev,
            at: UNIX_EPOCH,
            preface: Bytes::new(),
            outputs,
        })
        .await
        .unwrap();
}

/// Opens a log and gives the write end of its stdout.
async fn open_stdout(store: &Addr<LogStoreActor>, key: LogKey) -> PipeWriter {
    let (reader, writer) = io::pipe().unwrap();
    open(store, key, vec![(Stream::Stdout, reader.into())]).await;
    writer
}

async fn crash(store: &Addr<LogStoreActor>, run: u64) {
    let exit = Exit::Signal(9);
    store
        .send(Crashed {
            process: main(),
            run: RunId(run),
            exit,
        })
        .await
        .unwrap();
}

async fn stop(store: &Addr<LogStoreActor>, run: u64) {
    let exit = Exit::Code(0);
    store
        .send(Stopped {
            process: main(),
            run: RunId(run),
            exit,
        })
        .await
        .unwrap();
}

async fn end_tree(store: &Addr<LogStoreActor>, run: u64) {
    store
        .send(TreeEnded {
            process: main(),
            run: RunId(run),
        })
        .await
        .unwrap();
}

async fn last_lines(store: &Addr<LogStoreActor>, key: LogKey) -> Vec<String> {
    store
        .send(DescribeLastLines { key, count: 100 })
        .await
        .unwrap()
}

fn everything() -> Query {
    Query {
        budget: 40_000,
        ..Query::default()
    }
}

async fn ask(
    store: &Addr<LogStoreActor>,
    kind: LogKind,
    index: i64,
    query: Query,
) -> Result<Found, NoSuchLog> {
    store
        .send(Search {
            processes: vec![main()],
            kind,
            which: Which::Index(index),
            query,
        })
        .await
        .unwrap()
}

async fn found(store: &Addr<LogStoreActor>, index: i64) -> Found {
    ask(store, LogKind::Runs, index, everything())
        .await
        .unwrap()
}

#[actix::test]
async fn a_byte_that_is_not_utf8_ends_no_reader_and_kills_no_child() {
    let (store, mut output) = store();
    let mut stdout = open_stdout(&store, run(1)).await;
    stdout.write_all(b"before\n\xff\xfe\0\n").unwrap();
    output.shows("[main] before").await;
    stdout.write_all(b"after\n").unwrap();
    output.shows("[main] after").await;
    assert_eq!(
        found(&store, -1).await.text,
        "   before\n   \u{fffd}\u{fffd}\u{2400}\n   after\n"
    );
}

#[actix::test]
async fn a_blocked_output_of_the_daemon_stalls_no_child_and_loses_no_stored_line() {
    let (wake, asleep) = mpsc::channel();
    let passthrough = Passthrough::to_one(Box::new(Blocked(asleep))).unwrap();
    let store = LogStoreActor::new(passthrough).start();
    let mut stdout = open_stdout(&store, run(1)).await;
    let line = [b"x".repeat(99), b"\n".to_vec()].concat();
    let child = tokio::task::spawn_blocking(move || {
        let block = line.repeat(1_000);
        (0..120).try_for_each(|_| stdout.write_all(&block))
    });
    child.await.unwrap().unwrap();
    crash(&store, 1).await;
    assert_eq!(last_lines(&store, run(1)).await.len(), 100);
    let found = found(&store, -1).await;
    assert_eq!(found.kept + found.evicted, 120_000);
    drop(wake);
}

#[actix::test]
async fn a_closed_output_of_the_daemon_kills_no_child() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let store = LogStoreActor::new(Passthrough::to_one(Box::new(writer)).unwrap()).start();
    let mut stdout = open_stdout(&store, run(1)).await;
    let child =
        tokio::task::spawn_blocking(move || (0..1_000).try_for_each(|n| writeln!(stdout, "{n}")));
    child.await.unwrap().unwrap();
    crash(&store, 1).await;
    assert_eq!(last_lines(&store, run(1)).await.last().unwrap(), "999");
}

#[actix::test]
async fn fifty_megabytes_without_a_newline_are_kept_in_pieces_within_the_memory() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let child = tokio::task::spawn_blocking(move || {
        let block = vec![b'x'; 1_000_000];
        (0..50).try_for_each(|_| stdout.write_all(&block))
    });
    child.await.unwrap().unwrap();
    crash(&store, 1).await;
    let last = last_lines(&store, run(1)).await;
    assert!(
        last.iter()
            .rev()
            .skip(1)
            .all(|line| line.ends_with(" [continues]"))
    );
    let found = found(&store, -1).await;
    assert_eq!(found.kept + found.evicted, 50_000_000_u64.div_ceil(65_536));
    assert!(found.kept * 65_536 <= 16 * 1024 * 1024 && found.evicted > 0);
    assert!(
        found.text.len() <= 40_000 && found.shortened > 0,
        "the answer is bounded, too"
    );
}

#[actix::test]
async fn what_a_pipe_holds_at_the_end_is_stored_before_its_event_has_told_of_it() {
    let (store, mut output) = store();
    let mut stdout = open_stdout(&store, run(1)).await;
    stdout.write_all(b"start\n").unwrap();
    output.shows("[main] start\n").await;
    // The store is asked before the runtime looks for events.
    stdout.write_all(b"last words\n").unwrap();
    store.send(crate::restart::Shutdown).await.unwrap();
    assert_eq!(last_lines(&store, run(1)).await, ["start", "last words"]);
}

#[actix::test]
async fn text_without_a_newline_is_visible_after_a_short_silence() {
    tokio::time::pause();
    let (store, mut output) = store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let start = Instant::now();
    stdout.write_all(b"first\nName: ").unwrap();
    output.shows("[main] Name: \n").await;
    assert!(
        start.elapsed() >= Duration::from_millis(100)
            && start.elapsed() < Duration::from_millis(105)
    );
    assert_eq!(
        found(&store, -1).await.text,
        "   first\n   Name:  [no newline yet]\n"
    );
    stdout.write_all(b"Bob\n").unwrap();
    output.shows("[main] Bob\n").await;
    assert_eq!(
        found(&store, -1).await.text,
        "   first\n   Name:  [no newline yet]\n   Bob\n"
    );
}

#[actix::test]
async fn what_came_while_the_store_had_no_processor_is_no_silence() {
    tokio::time::pause();
    let (store, mut output) = store();
    let mut stdout = open_stdout(&store, run(1)).await;
    // A flood, whose pipe is not watched but read every moment.
    for n in 0..9 {
        writeln!(stdout, "line {n}").unwrap();
        output.shows(&format!("[main] line {n}\n")).await;
    }
    stdout.write_all(b"last\nName: ").unwrap();
    output.shows("[main] last\n").await;
    stdout.write_all(b"Bob\n").unwrap();
    // The alarm is due before anybody had a turn to see these bytes.
    tokio::time::advance(Duration::from_millis(150)).await;
    output.shows("Bob\n").await;
    let text = found(&store, -1).await.text;
    assert!(text.ends_with("   last\n   Name: Bob\n"), "{text}");
}
