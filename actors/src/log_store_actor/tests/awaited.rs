//! Lines that somebody waits for.

use super::*;

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
