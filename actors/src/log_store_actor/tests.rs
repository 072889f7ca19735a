//! The actor with real pipes. What the daemon's output received is the event that tests wait for.

mod history;
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
    search::{Found, NoSuchLog, Query, Search, Which},
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
async fn a_dying_run_keeps_its_last_words_while_the_next_one_already_prints() {
    let store = silent_store();
    let mut old = open_stdout(&store, run(1)).await;
    old.write_all(b"panicked at main.rs\nwithout newline")
        .unwrap();
    crash(&store, 1).await;
    let mut new = open_stdout(&store, run(2)).await;
    new.write_all(b"second run\n").unwrap();
    old.write_all(b", really").unwrap();
    drop(old);
    assert_eq!(
        last_lines(&store, run(1)).await,
        ["panicked at main.rs", "without newline, really"]
    );
    drop(new);
    crash(&store, 2).await;
    assert_eq!(last_lines(&store, run(2)).await, ["second run"]);
    // Only of the newest one it is said that an older one is kept.
    assert!(found(&store, -1).await.has_older);
    assert!(!found(&store, -2).await.has_older);
    assert_eq!(
        found(&store, -2).await.logs[0].ending.as_deref(),
        Some("crashed: signal 9 (SIGKILL)")
    );
}

#[actix::test]
async fn a_grandchild_that_holds_the_pipe_delays_the_end_by_a_bounded_time() {
    tokio::time::pause();
    let store = silent_store();
    let mut held = open_stdout(&store, run(1)).await;
    held.write_all(b"last words").unwrap();
    crash(&store, 1).await;
    let start = Instant::now();
    assert_eq!(last_lines(&store, run(1)).await, ["last words"]);
    assert!(
        start.elapsed() <= PATIENCE + Duration::from_millis(5),
        "{:?}",
        start.elapsed()
    );
    assert!(held.write_all(b"later\n").is_err(), "the pipe is closed");
    assert_eq!(found(&store, -1).await.kept, 1);
}

#[actix::test]
async fn after_a_stop_the_rest_of_the_tree_prints_into_the_log_until_it_has_ended() {
    tokio::time::pause();
    let (store, mut output) = store();
    let mut held = open_stdout(&store, run(1)).await;
    stop(&store, 1).await;
    assert_eq!(
        found(&store, -1).await.logs[0].ending.as_deref(),
        Some("stopped: exit code 0"),
        "known at once"
    );
    let parked = actix::spawn(store.send(DescribeLastLines {
        key: run(1),
        count: 9,
    }));
    tokio::time::sleep(PATIENCE * 40).await;
    held.write_all(b"saved\n").unwrap();
    output.shows("[main] saved\n").await;
    assert!(!parked.is_finished(), "more may come");
    held.write_all(b"bye").unwrap();
    let start = Instant::now();
    end_tree(&store, 1).await;
    assert_eq!(parked.await.unwrap().unwrap(), ["saved", "bye"]);
    assert!(
        start.elapsed() <= PATIENCE + Duration::from_millis(5),
        "{:?}",
        start.elapsed()
    );
    assert!(held.write_all(b"later\n").is_err(), "the pipe is closed");
}

#[actix::test]
async fn after_a_stop_the_end_of_the_pipes_ends_the_log_before_the_tree_does() {
    let store = silent_store();
    let mut held = open_stdout(&store, run(1)).await;
    stop(&store, 1).await;
    held.write_all(b"closes its output, lives on").unwrap();
    drop(held);
    assert_eq!(
        last_lines(&store, run(1)).await,
        ["closes its output, lives on"]
    );
    end_tree(&store, 1).await;
    let found = found(&store, -1).await;
    assert_eq!(
        (found.kept, found.logs[0].ending.as_deref()),
        (1, Some("stopped: exit code 0"))
    );
}

#[actix::test]
async fn after_a_crash_the_end_of_the_tree_prolongs_nothing() {
    tokio::time::pause();
    let store = silent_store();
    let _held = open_stdout(&store, run(1)).await;
    crash(&store, 1).await;
    let start = Instant::now();
    let parked = actix::spawn(store.send(DescribeLastLines {
        key: run(1),
        count: 1,
    }));
    tokio::time::sleep(PATIENCE / 2).await;
    end_tree(&store, 1).await;
    parked.await.unwrap().unwrap();
    assert!(
        start.elapsed() <= PATIENCE + Duration::from_millis(5),
        "{:?}",
        start.elapsed()
    );
}

#[actix::test]
async fn a_grandchild_that_never_stops_printing_cannot_keep_the_log_open() {
    let store = silent_store();
    let mut held = open_stdout(&store, run(1)).await;
    let grandchild =
        tokio::task::spawn_blocking(move || while held.write_all(&[b'\n'; 4096]).is_ok() {});
    crash(&store, 1).await;
    last_lines(&store, run(1)).await;
    grandchild.await.unwrap();
}

#[actix::test]
async fn at_the_end_of_the_daemon_all_that_was_printed_is_stored_and_passed_on() {
    tokio::time::pause();
    let (store, mut output) = store();
    // One that crashed, one that stopped, and one that nobody could wait for; all pipes are held.
    let mut held = Vec::new();
    for n in 1..=3 {
        let mut stdout = open_stdout(&store, run(n)).await;
        stdout.write_all(&b"line\n".repeat(10_000)).unwrap();
        write!(stdout, "last of {n}").unwrap();
        held.push(stdout);
    }
    crash(&store, 1).await;
    stop(&store, 2).await;
    let start = Instant::now();
    store.send(Shutdown).await.unwrap();
    assert_eq!(
        start.elapsed(),
        Duration::ZERO,
        "there is no reason to wait"
    );
    for (n, mut stdout) in (1..).zip(held) {
        output.shows(&format!("[main] last of {n}\n")).await;
        assert_eq!(
            last_lines(&store, run(n)).await.last().unwrap(),
            &format!("last of {n}")
        );
        assert_eq!(found(&store, n.cast_signed() - 4).await.kept, 10_001);
        assert!(stdout.write_all(b"later\n").is_err(), "the pipe is closed");
    }
}

#[actix::test]
async fn the_end_of_the_daemon_is_delayed_neither_by_a_blocked_output_nor_by_one_who_goes_on_printing()
 {
    let (wake, asleep) = mpsc::channel();
    let passthrough = Passthrough::to_one(Box::new(Blocked(asleep))).unwrap();
    let store = LogStoreActor::new(passthrough).start();
    let mut stdout = open_stdout(&store, run(1)).await;
    let printing =
        tokio::task::spawn_blocking(move || while stdout.write_all(&[b'\n'; 4096]).is_ok() {});
    store.send(Shutdown).await.unwrap();
    printing.await.unwrap();
    drop(wake);
}

#[actix::test]
async fn last_lines_are_told_only_after_the_end() {
    let (store, mut output) = store();
    let mut stdout = open_stdout(&store, run(1)).await;
    stdout.write_all(b"one\n").unwrap();
    output.shows("[main] one").await;
    let parked = store.send(DescribeLastLines {
        key: run(1),
        count: 1,
    });
    let parked = actix::spawn(parked);
    // The search is answered after the question was parked.
    assert_eq!(found(&store, -1).await.kept, 1);
    assert!(!parked.is_finished());
    stdout.write_all(b"two\n").unwrap();
    drop(stdout);
    stop(&store, 1).await;
    assert_eq!(parked.await.unwrap().unwrap(), ["two"]);
    assert_eq!(
        found(&store, -1).await.logs[0].ending.as_deref(),
        Some("stopped: exit code 0")
    );
    assert!(
        last_lines(&store, run(9)).await.is_empty(),
        "nobody knows that run"
    );
}

#[actix::test]
async fn who_waits_for_a_log_that_must_leave_gets_what_it_had() {
    let (store, mut output) = store();
    let mut stdout = open_stdout(&store, run(1)).await;
    stdout.write_all(b"one\n").unwrap();
    output.shows("[main] one").await;
    let parked = actix::spawn(store.send(DescribeLastLines {
        key: run(1),
        count: 1,
    }));
    found(&store, -1).await;
    for next in 2..=11 {
        open(&store, run(next), vec![]).await;
    }
    assert_eq!(parked.await.unwrap().unwrap(), ["one"]);
    assert!(stdout.write_all(b"nobody reads this\n").is_err());
}

#[actix::test]
async fn both_streams_are_kept_in_one_order_and_can_be_told_apart() {
    let (store, mut output) = store();
    let ((out_reader, mut out), (err_reader, mut err)) = (io::pipe().unwrap(), io::pipe().unwrap());
    let outputs = vec![
        (Stream::Stdout, out_reader.into()),
        (Stream::Stderr, err_reader.into()),
    ];
    open(&store, run(1), outputs).await;
    for n in 0..50 {
        writeln!(out, "alpha {n}").unwrap();
        output.shows(&format!("[main] alpha {n}\n")).await;
        writeln!(err, "beta {n}").unwrap();
        output.shows(&format!("[main] beta {n}\n")).await;
    }
    let expected: Vec<_> = (0..50)
        .map(|n| format!("   alpha {n}\n   stderr| beta {n}\n"))
        .collect();
    let expected = expected.concat();
    assert_eq!(found(&store, -1).await.text, expected);
    let pattern = Some(Pattern::parse("^beta 7$").unwrap());
    let stderr = Query {
        pattern,
        stream: Some(Stream::Stderr),
        ..everything()
    };
    let found = ask(&store, LogKind::Runs, -1, stderr).await.unwrap();
    assert_eq!((found.text.as_str(), found.kept), (" * beta 7\n", 50));
}

#[actix::test]
async fn ten_thousand_lines_and_more_are_kept_and_what_left_is_counted() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let child = tokio::task::spawn_blocking(move || {
        let lines: Vec<_> = (0..60_000).map(|n| format!("line {n}\n")).collect();
        stdout.write_all(lines.concat().as_bytes())
    });
    child.await.unwrap().unwrap();
    crash(&store, 1).await;
    last_lines(&store, run(1)).await;
    let found = found(&store, -1).await;
    assert_eq!((found.kept, found.evicted), (60_000, 0));
    assert!(found.text.len() <= 40_000 && found.text.ends_with("   line 59999\n"));
}

#[actix::test]
async fn a_retried_build_does_not_hide_the_log_of_the_one_that_failed() {
    let (store, mut output) = store();
    for (id, ending, text) in [
        (1, BuildEnding::Failed, "error: no\n"),
        (2, BuildEnding::Succeeded, "Finished\n"),
    ] {
        open(&store, build(id), vec![]).await;
        let bytes = Bytes::from(text);
        let stream = Stream::Stderr;
        store
            .send(Append {
                key: build(id),
                stream,
                bytes,
            })
            .await
            .unwrap();
        store
            .send(BuildEnded {
                process: main(),
                build: BuildId(id),
                ending,
            })
            .await
            .unwrap();
    }
    output
        .shows("[build main] error: no\n[build main] Finished\n")
        .await;
    for (index, text, ending) in [
        (-2, "   error: no\n", "failed"),
        (-1, "   Finished\n", "succeeded"),
    ] {
        let found = ask(&store, LogKind::Builds, index, everything())
            .await
            .unwrap();
        assert_eq!(
            (found.text.as_str(), found.logs[0].ending.as_deref()),
            (text, Some(ending))
        );
    }
    assert_eq!(
        ask(&store, LogKind::Runs, -1, everything()).await,
        Err(NoSuchLog::None)
    );
}

#[actix::test]
async fn the_last_ten_runs_are_kept_and_other_indexes_are_refused_with_words() {
    let store = silent_store();
    for n in 1..=12 {
        open(&store, run(n), vec![]).await;
    }
    assert_eq!(found(&store, 0).await.logs[0].source, Source::Run(RunId(3)));
    assert_eq!(
        found(&store, -1).await.logs[0].source,
        Source::Run(RunId(12))
    );
    for index in [10, -11, i64::MAX, i64::MIN] {
        let refused = ask(&store, LogKind::Runs, index, everything())
            .await
            .unwrap_err();
        let text = format!("index {index} does not exist: 10 are kept, so -10 to -1 and 0 to 9 do");
        assert_eq!(refused.to_string(), text);
    }
}

#[actix::test]
async fn what_is_new_since_a_cursor_comes_from_all_later_runs() {
    let (store, mut output) = store();
    let mut first = open_stdout(&store, run(3)).await;
    first.write_all(b"one\ntwo\n").unwrap();
    output.shows("two\n").await;
    let seen = found(&store, -1).await.cursor;
    assert_eq!(seen.to_string(), "3:2");
    let new = Query {
        after: Some(seen),
        ..everything()
    };
    let ask_all = async |query: &Query| {
        let search = Search {
            processes: vec![main()],
            kind: LogKind::Runs,
            which: Which::All,
            query: query.clone(),
        };
        store.send(search).await.unwrap()
    };
    assert_eq!(ask_all(&new).await.unwrap().kept, 0);
    first.write_all(b"three\n").unwrap();
    output.shows("three\n").await;
    crash(&store, 3).await;
    let mut second = open_stdout(&store, run(5)).await;
    second.write_all(b"four\n").unwrap();
    output.shows("four\n").await;
    let found = ask_all(&new).await.unwrap();
    assert_eq!(
        found.text,
        "--- run 3 (crashed: signal 9 (SIGKILL), dev)\n   three\n--- run 5 (running, dev)\n   four\n"
    );
    assert_eq!((found.gone, found.cursor.to_string().as_str()), (0, "5:1"));
    let ahead = Query {
        after: Some("6:1".parse().unwrap()),
        ..everything()
    };
    let refused = ask_all(&ahead).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the cursor names number 6, but the newest is 5"
    );
}

#[actix::test]
async fn a_run_is_found_by_its_number_among_several_processes() {
    let (store, mut output) = store();
    let web = LogKey {
        process: "web".parse().unwrap(),
        source: Source::Run(RunId(2)),
    };
    let mut one = open_stdout(&store, run(1)).await;
    let mut other = open_stdout(&store, web.clone()).await;
    one.write_all(b"of main\n").unwrap();
    output.shows("of main\n").await;
    other.write_all(b"of web\n").unwrap();
    output.shows("of web\n").await;
    let both = async |which| {
        let search = Search {
            processes: vec![main(), web.process.clone()],
            kind: LogKind::Runs,
            which,
            query: everything(),
        };
        store.send(search).await.unwrap()
    };
    let merged = both(Which::Index(-1)).await.unwrap();
    assert_eq!(merged.text, "   main| of main\n   web| of web\n");
    assert_eq!(merged.cursor.to_string(), "main=1:1,web=2:1");
    let found = both(Which::Number(2)).await.unwrap();
    assert_eq!(found.text, "   web| of web\n");
    assert_eq!(found.without, [main()]);
    assert_eq!(
        both(Which::Number(9)).await,
        Err(NoSuchLog::Number {
            number: 9,
            kept: 1,
            oldest: 1,
            newest: 1,
            removed: None
        })
    );
}

#[actix::test]
async fn whoever_leaves_before_his_answer_takes_no_place_from_others() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let child = tokio::task::spawn_blocking(move || {
        stdout.write_all(&b"aaaaaaaaaaaaaaaaaaaa\n".repeat(50_000))
    });
    child.await.unwrap().unwrap();
    crash(&store, 1).await;
    last_lines(&store, run(1)).await;
    let pattern = Some(Pattern::parse("b$").unwrap());
    let query = Query {
        pattern,
        ..everything()
    };
    for _ in 0..50 {
        let search = Search {
            processes: vec![main()],
            kind: LogKind::Runs,
            which: Which::Index(-1),
            query: query.clone(),
        };
        let asked = actix::spawn(store.send(search));
        tokio::task::yield_now().await;
        asked.abort();
    }
    assert_eq!(
        ask(&store, LogKind::Runs, -1, query).await.unwrap().matched,
        0
    );
}

#[actix::test]
async fn error_lines_of_a_run_that_goes_on_are_those_that_the_run_before_did_not_print() {
    let (store, mut output) = store();
    let mut old = open_stdout(&store, run(1)).await;
    old.write_all(b"12:00 ERROR old\nERROR older\n").unwrap();
    output.shows("ERROR older").await;
    let mut new = open_stdout(&store, run(2)).await;
    new.write_all(b"up\n12:01 ERROR old\n\x1b[31mERROR\x1b[0m new\nERROR last\n")
        .unwrap();
    output.shows("ERROR last").await;

    let ask = |key, unlike, count| store.send(DescribeErrorLines { key, unlike, count });
    let lines = ask(run(2), Some(run(1)), 5).await.unwrap();
    assert_eq!(lines, ["ERROR new", "ERROR last"]);
    let lines = ask(run(2), None, 2).await.unwrap();
    assert_eq!(lines, ["12:01 ERROR old", "ERROR new"]);
    let lines = ask(run(2), Some(run(7)), 1).await.unwrap();
    assert_eq!(lines, ["12:01 ERROR old"], "there is no run 7");
    assert!(ask(run(7), Some(run(1)), 5).await.unwrap().is_empty());
}

fn await_line(
    store: &Addr<LogStoreActor>,
    key: LogKey,
    pattern: &str,
) -> JoinHandle<Option<String>> {
    let pattern = Pattern::parse(pattern).unwrap();
    let asked = store.send(AwaitLine { key, pattern });
    actix::spawn(async { asked.await.unwrap() })
}

#[actix::test]
async fn a_line_that_is_stored_already_is_found_at_once_and_the_first_one_counts() {
    let (store, mut output) = store();
    let mut stdout = open_stdout(&store, run(1)).await;
    stdout
        .write_all(b"starting\nport \x1b[1m8080\x1b[0m\nport 9090\n")
        .unwrap();
    output.shows("port 9090").await;
    let line = await_line(&store, run(1), r"^port \d+$").await.unwrap();
    assert_eq!(line.as_deref(), Some("port 8080"));
}

#[actix::test]
async fn a_line_is_awaited_as_an_agent_reads_it_and_each_asker_gets_his_own() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let ready = await_line(&store, run(1), "^ready on 80$");
    let bye = await_line(&store, run(1), "bye");
    // The answer to a later question shows that both are on the list.
    assert_eq!(found(&store, -1).await.kept, 0);
    stdout.write_all(b"not yet\nready on \x1b[32m8").unwrap();
    stdout.write_all(b"0\x1b[0m\r\nready on 80\n").unwrap();
    assert_eq!(ready.await.unwrap().as_deref(), Some("ready on 80"));
    assert!(!bye.is_finished());
    stdout.write_all(b"bye").unwrap();
    let line = bye.await.unwrap();
    assert_eq!(
        line.as_deref(),
        Some("bye [no newline yet]"),
        "it has no newline"
    );
}

#[actix::test]
async fn no_line_that_matches_is_answered_when_the_log_ends_or_is_not_there() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let never = await_line(&store, run(1), "ready");
    let last = await_line(&store, run(1), "^last$");
    assert_eq!(found(&store, -1).await.kept, 0);
    stdout.write_all(b"one\nlast").unwrap();
    drop(stdout);
    crash(&store, 1).await;
    assert_eq!(last.await.unwrap().as_deref(), Some("last"));
    assert_eq!(never.await.unwrap(), None);
    for (key, pattern, line) in [
        (run(1), "ready", None),
        (run(1), "one", Some("one")),
        (run(2), "one", None),
    ] {
        let answer = await_line(&store, key, pattern).await.unwrap();
        assert_eq!(answer.as_deref(), line, "{pattern}");
    }
}

#[actix::test]
async fn no_line_is_missed_between_a_look_at_a_large_log_and_the_wait() {
    const LINES: usize = 2_000;
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    let child = tokio::task::spawn_blocking(move || {
        let ballast = ("x".repeat(99) + "\n").repeat(10);
        let lines = (0..LINES).map(|n| format!("{ballast}line {n}\n"));
        stdout.write_all(lines.collect::<String>().as_bytes())
    });
    // Asked one after the other while the child prints: some lines are there, some are to come.
    for n in (0..LINES).step_by(40) {
        let line = await_line(&store, run(1), &format!("^line {n}$")).await;
        assert_eq!(line.unwrap(), Some(format!("line {n}")));
    }
    child.await.unwrap().unwrap();
}

#[actix::test]
async fn whoever_stops_waiting_for_a_line_is_forgotten() {
    let store = silent_store();
    let mut stdout = open_stdout(&store, run(1)).await;
    for _ in 0..3 {
        let asked = await_line(&store, run(1), "ready");
        assert_eq!(found(&store, -1).await.kept, 0);
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
    }
    let stays = await_line(&store, run(1), "ready");
    assert_eq!(found(&store, -1).await.kept, 0);
    assert_eq!(store.send(CountAskers(run(1))).await.unwrap(), 1);
    stdout.write_all(b"ready\n").unwrap();
    assert_eq!(stays.await.unwrap().as_deref(), Some("ready"));
    assert_eq!(store.send(CountAskers(run(1))).await.unwrap(), 0);
}

/// How many wait for a line of a log.
#[derive(Message)]
#[rtype(result = "usize")]
struct CountAskers(LogKey);

impl Handler<CountAskers> for LogStoreActor {
    type Result = usize;

    fn handle(&mut self, CountAskers(key): CountAskers, _: &mut Self::Context) -> usize {
        self.live[&key].awaited.len()
    }
}
