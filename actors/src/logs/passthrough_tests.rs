use std::sync::mpsc;

use super::*;

const PATIENT: Duration = Duration::from_mins(1);

/// An output whose reader takes one write per permission, and shows what it got.
struct Gate {
    open: mpsc::Receiver<()>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A dropped permission means: from now on freely.
        let _ = self.open.recv();
        self.seen.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gate() -> (mpsc::Sender<()>, Arc<Mutex<Vec<u8>>>, Box<Gate>) {
    let (sender, open) = mpsc::channel();
    let seen = Arc::default();
    let gate = Box::new(Gate {
        open,
        seen: Arc::clone(&seen),
    });
    (sender, seen, gate)
}

fn text(seen: &Mutex<Vec<u8>>) -> String {
    String::from_utf8(seen.lock().unwrap().clone()).unwrap()
}

#[test]
fn lines_come_whole_and_in_order_with_their_prefix() {
    let (open, seen, gate) = gate();
    drop(open);
    let passthrough = Passthrough::to_one(gate).unwrap();
    let mut logger = passthrough.outlet(Stream::Stderr).clone();
    {
        let mut batch = passthrough.outlet(Stream::Stdout).batch(b"[web] ");
        batch.line(b"one");
        batch.line(b"\x1b[1mtwo\xff");
    }
    logger.write_all(b"a log line without its end").unwrap();
    assert_eq!(passthrough.flush(PATIENT), Flushed::Entirely);
    let expected = b"[web] one\n[web] \x1b[1mtwo\xff\na log line without its end\n";
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_blocked_reader_stops_nobody_and_is_told_what_it_missed() {
    let (open, seen, gate) = gate();
    let passthrough = Passthrough::to_two(gate, Box::new(io::sink())).unwrap();
    let line = [b'x'; 1_000];
    let sent = 3 * Outlet::ROOM / line.len();
    for _ in 0..sent {
        passthrough.outlet(Stream::Stdout).batch(b"").line(&line);
    }
    assert!(passthrough.outlet(Stream::Stdout).queue.lock().queued() <= Outlet::ROOM);
    assert_eq!(
        passthrough.flush(Duration::from_millis(1)),
        Flushed::TimedOut
    );

    drop(open);
    assert_eq!(passthrough.flush(PATIENT), Flushed::Entirely);
    passthrough.outlet(Stream::Stdout).batch(b"").line(b"after");
    assert_eq!(passthrough.flush(PATIENT), Flushed::Entirely);
    let seen = text(&seen);
    let kept = seen.lines().filter(|line| line.starts_with('x')).count();
    let missed = grouped((sent - kept) as u64);
    let notice =
        format!("[bpm] {missed} lines were not passed on: the reader of this output is slow");
    let last: Vec<_> = seen.lines().rev().take(2).collect();
    assert_eq!(last, ["after", &notice]);
}

#[test]
fn a_notice_comes_when_half_of_the_room_is_free_again() {
    let mut state = State::default();
    let line = vec![b'x'; Outlet::ROOM / 4];
    for _ in 0..6 {
        state.push([&line, b"", b""], 1);
    }
    assert_eq!((state.queued(), state.dropped), (Outlet::ROOM, 2));
    state.waiting.truncate(Outlet::ROOM / 2);
    state.push([b"a\n", b"", b""], 1);
    assert_eq!(state.dropped, 3, "more than half is still taken");
    state.waiting.clear();
    state.push([b"b\n", b"", b""], 1);
    let expected = "[bpm] 3 lines were not passed on: the reader of this output is slow\nb\n";
    assert_eq!(String::from_utf8(state.waiting).unwrap(), expected);
}

#[test]
fn a_closed_output_is_forgotten_silently() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let passthrough = Passthrough::to_one(Box::new(writer)).unwrap();
    for _ in 0..3 {
        passthrough
            .outlet(Stream::Stdout)
            .batch(b"[web] ")
            .line(b"line");
        assert_eq!(passthrough.flush(PATIENT), Flushed::Entirely);
    }
    assert_eq!(passthrough.outlet(Stream::Stdout).queue.lock().queued(), 0);
}

#[test]
fn what_was_passed_on_before_the_last_handle_went_is_still_written() {
    let (mut reader, writer) = io::pipe().unwrap();
    let passthrough = Passthrough::to_one(Box::new(writer)).unwrap();
    passthrough.outlet(Stream::Stdout).batch(b"").line(b"last");
    drop(passthrough);
    let mut seen = String::new();
    io::Read::read_to_string(&mut reader, &mut seen).unwrap();
    assert_eq!(seen, "last\n", "and the thread has closed the output");
}

#[test]
fn an_output_that_somebody_made_non_blocking_loses_nothing() {
    let (mut reader, writer) = io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    let output = Descriptor::output(writer.into());
    let outlet = Outlet::start("test", output, Patience::None, Form::Plain).unwrap();
    for _ in 0..1_000 {
        outlet.batch(b"").line(&[b'x'; 999]);
    }
    drop(outlet);
    let mut seen = Vec::new();
    io::Read::read_to_end(&mut reader, &mut seen).unwrap();
    assert_eq!(seen.len(), 1_000_000);
}

#[actix::test]
async fn only_a_file_is_waited_for_and_not_for_long() {
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let half = vec![b'x'; Outlet::ROOM / 2];
    for (patience, waits) in [(Patience::None, 0), (Patience::Brief, 1)] {
        let (open, _, gate) = gate();
        let outlet = Outlet::start("test", gate, patience, Form::Plain).unwrap();
        outlet.batch(b"").line(&half);
        outlet.room().await;
        outlet.room().await;
        assert_eq!(start.elapsed().as_secs(), waits, "the second wait is none");
        drop(open);
    }
}

#[actix::test]
async fn a_sender_goes_on_as_soon_as_the_file_has_moved() {
    let (open, _, gate) = gate();
    let outlet = Outlet::start("test", gate, Patience::Brief, Form::Plain).unwrap();
    outlet.batch(b"").line(&vec![b'x'; Outlet::ROOM - 1]);
    let sender = outlet.clone();
    let waiting = actix::spawn(async move { sender.room().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(open);
    waiting.await.unwrap();
    assert!(outlet.queue.lock().queued() <= Outlet::ROOM / 2);
}

#[test]
fn where_journald_reads_every_line_carries_a_priority_before_its_prefix() {
    let (open, seen, gate) = gate();
    drop(open);
    let passthrough = Passthrough::to_journal(gate).unwrap();
    assert!(passthrough.outlet(Stream::Stdout).is_journal());
    passthrough
        .outlet(Stream::Stderr)
        .batch(b"[web] ")
        .otherwise(Priority::ERROR)
        .line(b"\x1b[33mno level\x1b[0m");
    passthrough
        .outlet(Stream::Stdout)
        .batch(b"[web] ")
        .line(b"WARN slow");
    assert_eq!(passthrough.flush(PATIENT), Flushed::Entirely);
    assert_eq!(text(&seen), "<3>[web] no level\n<4>[web] WARN slow\n");
}

#[test]
fn the_notice_about_lines_that_found_no_room_is_a_warning_in_the_journal() {
    let (open, seen, gate) = gate();
    let passthrough = Passthrough::to_journal(gate).unwrap();
    let outlet = passthrough.outlet(Stream::Stdout);
    outlet.batch(b"").line(&vec![b'x'; Outlet::ROOM - 4_000]);
    outlet.batch(b"").line(&[b'y'; 4_000]);
    drop(open);
    assert_eq!(passthrough.flush(PATIENT), Flushed::Entirely);
    assert!(
        text(&seen).ends_with(
            "x\n<4>[bpm] 1 lines were not passed on: the reader of this output is slow\n"
        )
    );
}
