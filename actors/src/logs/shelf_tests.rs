use proptest::prelude::*;

use super::*;
use crate::ids::RunId;

fn log(run: u64) -> Log {
    Log::new(Source::Run(RunId(run)), Mode::Dev, SystemTime::UNIX_EPOCH)
}

fn moment() -> Moment {
    Moment {
        now: Instant::now(),
        at: SystemTime::UNIX_EPOCH,
    }
}

fn lines(log: &Log) -> Vec<Vec<u8>> {
    let chunks: Vec<_> = log.snapshot().chunks().collect();
    let lines = chunks
        .iter()
        .flat_map(|chunk| (0..chunk.len()).map(|n| chunk.line(n).bytes.to_vec()));
    lines.collect()
}

fn print(shelf: &mut Shelf, run: u64, bytes: &[u8]) {
    let log = shelf.log_mut(Source::Run(RunId(run))).unwrap();
    log.take(Stream::Stdout, bytes, moment(), &mut |_| {});
    shelf.fit();
}

#[test]
fn the_eleventh_log_makes_the_oldest_leave() {
    let mut shelf = Shelf::new(Limits::default());
    for run in 1..=10 {
        assert!(shelf.open(log(run)).is_none());
    }
    assert_eq!(
        shelf.open(log(11)).map(|log| log.source),
        Some(Source::Run(RunId(1)))
    );
    assert_eq!(shelf.sources().count(), 10);
}

#[test]
fn memory_is_divided_among_processes_and_most_of_it_is_for_runs() {
    let (runs, builds) = Limits::divided(64 << 20, 2);
    assert_eq!((runs.bytes, builds.bytes), (24 << 20, 8 << 20));
    let (runs, builds) = Limits::divided(1 << 20, 50);
    assert!(runs.bytes >= 256 * 1024 && builds.bytes >= 256 * 1024);
}

#[test]
fn fifty_megabytes_without_a_newline_stay_within_the_memory() {
    let limits = Limits::default();
    let mut shelf = Shelf::new(limits);
    shelf.open(log(1));
    let piece = vec![b'x'; 256 * 1024];
    for _ in 0..200 {
        print(&mut shelf, 1, &piece);
        assert!(shelf.size() <= limits.bytes);
    }
    let log = shelf.log(Source::Run(RunId(1))).unwrap();
    // The last piece is not stored yet: it may still get its newline.
    assert_eq!(log.evicted + lines(log).len() as u64, 800 - 1);
    assert!(
        shelf.size() > limits.bytes / 2,
        "no more than necessary leaves"
    );
}

#[test]
fn empty_lines_count_with_their_index() {
    let limits = Limits::default();
    let mut shelf = Shelf::new(limits);
    shelf.open(log(1));
    for _ in 0..40 {
        print(&mut shelf, 1, &vec![b'\n'; 256 * 1024]);
        assert!(shelf.size() <= limits.bytes);
    }
    let log = shelf.log(Source::Run(RunId(1))).unwrap();
    assert_eq!(log.evicted + lines(log).len() as u64, 40 * 256 * 1024);
}

#[test]
fn the_lines_of_older_logs_leave_first() {
    let limits = Limits {
        logs: 10,
        bytes: 2 * 1024 * 1024,
    };
    let mut shelf = Shelf::new(limits);
    shelf.open(log(1));
    shelf.open(log(2));
    print(&mut shelf, 1, b"old\n");
    let flood = b"new line\n".repeat(100_000);
    print(&mut shelf, 2, &flood);
    print(&mut shelf, 2, &flood);
    let old = shelf.log(Source::Run(RunId(1))).unwrap();
    assert_eq!((old.evicted, lines(old).len()), (1, 0));
    let new = shelf.log(Source::Run(RunId(2))).unwrap();
    assert!(new.evicted > 0 && lines(new).len() > 10_000);
}

proptest! {
    #[test]
    fn what_is_kept_is_the_end_of_what_came_and_the_rest_is_counted(
        batches in prop::collection::vec((1_u64..4, prop::collection::vec(any::<u8>(), 0..40), 1_usize..3_000), 1..40),
    ) {
        let limits = Limits { logs: 10, bytes: 400 * 1024 };
        let mut shelf = Shelf::new(limits);
        for run in 1..4 {
            shelf.open(log(run));
        }
        let mut came = vec![Vec::new(); 4];
        for (run, bytes, times) in batches {
            let mut line: Vec<u8> = bytes.into_iter().filter(|&byte| byte != b'\n').collect();
            line.push(b'\n');
            print(&mut shelf, run, &line.repeat(times));
            line.pop();
            came[usize::try_from(run).unwrap()].extend(vec![line; times]);
            prop_assert!(shelf.size() <= limits.bytes);
        }
        for run in 1..4_u64 {
            let log = shelf.log(Source::Run(RunId(run))).unwrap();
            let came = &came[usize::try_from(run).unwrap()];
            let evicted = usize::try_from(log.evicted).unwrap();
            prop_assert_eq!(&lines(log)[..], &came[evicted..]);
        }
    }
}
