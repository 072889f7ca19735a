//! When a log ends: with its run, its tree, its pipes or the daemon.

use super::*;

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
