//! The history with real files. What a reader finds is what counts, and what lies on the disk.

mod keeping;
mod model;

use std::{io, os::unix::fs::PermissionsExt, time::UNIX_EPOCH};

use tempfile::TempDir;

use super::{weave::Frozen, *};
use crate::{
    ids::{BuildId, RunId},
    logs::{
        Stream,
        chunk::LineEnd,
        part::Part,
        shelf::{Log, Moment, Snapshot},
    },
};

const LIMITS: ArchiveLimits = ArchiveLimits {
    keep_bytes: 1 << 30,
    keep_days: 14,
    keep_logs: 1_000,
    segment_bytes: 1 << 20,
    index_bytes: 1 << 20,
};

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

/// One line as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    number: u64,
    bytes: Vec<u8>,
    stream: Stream,
    end: LineEnd,
    at: SystemTime,
}

/// A log as the store has it, and all that it ever stored.
struct Told {
    key: LogKey,
    log: Log,
    stored: Vec<Stored>,
    clock: u64,
}

impl Told {
    fn begin(archive: &mut Archive, key: LogKey) -> Self {
        archive.begin(&key, Mode::Release, UNIX_EPOCH + Duration::from_secs(5));
        let log = Log::new(key.source, Mode::Release, UNIX_EPOCH);
        Self {
            key,
            log,
            stored: Vec::new(),
            clock: 10_000,
        }
    }

    fn print(&mut self, archive: &mut Archive, stream: Stream, bytes: &[u8]) {
        self.clock += 3;
        let at = UNIX_EPOCH + Duration::from_millis(self.clock);
        let now = Instant::now();
        let (key, stored) = (&self.key, &mut self.stored);
        let moment = Moment { now, at };
        self.log.take(stream, bytes, moment, &mut |stretch| {
            archive.append(key, &stretch);
            stored.extend(lines_of(stretch.chunk(), stretch.positions()));
        });
    }

    fn flush(&mut self, archive: &mut Archive, stream: Stream, end: LineEnd) {
        let at = UNIX_EPOCH + Duration::from_millis(self.clock);
        let (key, stored) = (&self.key, &mut self.stored);
        self.log.flush(stream, end, at, &mut |stretch| {
            archive.append(key, &stretch);
            stored.extend(lines_of(stretch.chunk(), stretch.positions()));
        });
    }

    fn lines(&mut self, archive: &mut Archive, count: usize) {
        for _ in 0..count {
            let line = format!("line {}\n", self.stored.len() + 1);
            self.print(archive, Stream::Stdout, line.as_bytes());
        }
    }
}

fn lines_of(
    chunk: &crate::logs::chunk::Chunk,
    positions: std::ops::Range<usize>,
) -> impl Iterator<Item = Stored> {
    positions.map(|position| {
        let line = chunk.line(position);
        Stored {
            number: chunk.first() + position as u64,
            bytes: line.bytes.to_vec(),
            stream: line.stream,
            end: line.end,
            at: chunk.at(position),
        }
    })
}

/// What is read from disk alone.
fn snapshot(archive: &mut Archive, key: &LogKey) -> Snapshot {
    let frozen = Frozen {
        source: key.source,
        memory: None,
        disk: archive.stored(key),
    };
    assert!(frozen.disk.is_some(), "{key:?} is not on disk");
    frozen.thaw()
}

fn lines(snapshot: &Snapshot) -> Vec<Stored> {
    let mut lines = Vec::new();
    for part in &snapshot.parts {
        let blocks = part.blocks().unwrap();
        assert_eq!(part.first(), blocks[0].first());
        for stream in [None, Some(Stream::Stderr), Some(Stream::Stdout)] {
            let count: usize = blocks.iter().map(|block| block.count(stream)).sum();
            assert_eq!(part.count(stream), count);
        }
        assert_eq!(part.ended(), blocks.last().unwrap().ended());
        for block in blocks {
            let chunk = block.load().unwrap();
            assert_eq!(
                (chunk.first(), chunk.len()),
                (block.first(), block.count(None))
            );
            lines.extend(lines_of(&chunk, 0..chunk.len()));
        }
    }
    lines
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn numbers(archive: &mut Archive, key: &LogKey) -> Vec<u64> {
    let lines = lines(&snapshot(archive, key));
    lines.into_iter().map(|line| line.number).collect()
}

fn kept(archive: &Archive) -> (Vec<u64>, Vec<u64>) {
    let kept = |kind| archive.logs(&main(), kind);
    (kept(LogKind::Runs), kept(LogKind::Builds))
}

#[test]
fn what_was_printed_lies_in_the_file_byte_for_byte_and_comes_back_with_all_that_is_known() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let mut told = Told::begin(&mut archive, run(7));
    told.print(&mut archive, Stream::Stdout, b"one\n\xff\x1b[1mtwo\n\nhalf");
    told.print(&mut archive, Stream::Stderr, b"err\n");
    told.flush(&mut archive, Stream::Stdout, LineEnd::Silence);
    told.print(&mut archive, Stream::Stdout, b" and half\nlast");
    let long = vec![b'x'; 200_000];
    told.print(&mut archive, Stream::Stderr, &long);
    told.flush(&mut archive, Stream::Stdout, LineEnd::End);
    told.flush(&mut archive, Stream::Stderr, LineEnd::End);

    let while_it_goes_on = snapshot(&mut archive, &run(7));
    assert_eq!(lines(&while_it_goes_on), told.stored);
    assert_eq!(while_it_goes_on.ending, None);
    archive.end(&run(7), Some("crashed: signal 9 (SIGKILL)"));
    assert_eq!(lines(&while_it_goes_on), told.stored);

    let text = fs::read(root.path().join("main/run-000007.log")).unwrap();
    let mut expected = b"one\n\xff\x1b[1mtwo\n\nerr\nhalf and half\n".to_vec();
    expected.extend(&long[..3 * 65_536]);
    expected.extend(b"last");
    expected.extend(&long[3 * 65_536..]);
    assert!(text == expected, "{}", String::from_utf8_lossy(&text));

    drop(archive);
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let found = snapshot(&mut archive, &run(7));
    assert_eq!(lines(&found), told.stored);
    assert_eq!(found.ending.as_deref(), Some("crashed: signal 9 (SIGKILL)"));
    assert_eq!((found.mode, found.evicted), (Mode::Release, 0));
    assert_eq!(found.began, UNIX_EPOCH + Duration::from_secs(5));
    assert!(matches!(found.parts[..], [Part::Disk(_)]));
}

#[test]
fn the_run_of_a_daemon_that_was_killed_does_not_go_on() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.lines(&mut archive, 3);
    drop(archive);
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let found = snapshot(&mut archive, &run(1));
    assert_eq!(found.ending.as_deref(), Some("ended with the daemon"));
    assert_eq!(lines(&found), told.stored);
    assert_eq!((archive.last_run(), archive.last_build()), (1, 0));
}

#[test]
fn a_long_log_continues_in_new_files_and_the_newest_keeps_its_name() {
    let root = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        segment_bytes: 50,
        ..LIMITS
    };
    let mut archive = Archive::open(root.path(), limits).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.lines(&mut archive, 9);
    let before = snapshot(&mut archive, &run(1));
    told.lines(&mut archive, 9);
    assert_eq!(
        lines(&before),
        told.stored[..9],
        "also after its file was renamed"
    );
    let folder = root.path().join("main");
    let expected = [
        "run-000001.0001.idx",
        "run-000001.0001.log",
        "run-000001.0002.idx",
        "run-000001.0002.log",
        "run-000001.idx",
        "run-000001.log",
    ];
    assert_eq!(names(&folder), expected);
    assert_eq!(lines(&snapshot(&mut archive, &run(1))), told.stored);
    archive.end(&run(1), Some("stopped: exit code 0"));
    let found = snapshot(&mut archive, &run(1));
    assert_eq!((found.parts.len(), lines(&found)), (3, told.stored));
    assert_eq!(found.ending.as_deref(), Some("stopped: exit code 0"));
}

#[test]
fn a_daemon_that_died_while_it_renamed_leaves_nothing_torn_apart() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.print(&mut archive, Stream::Stderr, b"one\ntwo\n");
    drop(archive);
    let folder = root.path().join("main");
    fs::rename(
        folder.join("run-000001.log"),
        folder.join("run-000001.0001.log"),
    )
    .unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    assert_eq!(lines(&snapshot(&mut archive, &run(1))), told.stored);
}

#[test]
fn a_second_daemon_is_refused_until_the_first_one_has_gone() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path(), LIMITS).unwrap();
    let refused = Archive::open(root.path(), LIMITS).unwrap_err();
    let text = format!("{}: in use by another daemon", root.path().display());
    assert_eq!(refused.to_string(), text);
    drop(archive);
    Archive::open(root.path(), LIMITS).unwrap();
}

#[test]
fn a_root_that_cannot_be_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Archive::open(&file.join("logs"), LIMITS).unwrap_err();
    assert!(matches!(refused, ArchiveError::Io { .. }));
    assert!(refused.to_string().contains("file/logs: "), "{refused}");
}

#[test]
fn files_and_folders_are_for_their_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let logs = root.path().join("logs");
    let mut archive = Archive::open(&logs, LIMITS).unwrap();
    Told::begin(&mut archive, run(1)).lines(&mut archive, 1);
    let mode = |path: &str| {
        let path = logs.join(path);
        path.metadata().unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("main")), (0o700, 0o700));
    let files = ["main/run-000001.log", "main/run-000001.idx"];
    assert_eq!(files.map(mode), [0o600; 2]);
}

#[test]
fn a_gigabyte_is_opened_without_a_look_into_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("main");
    fs::create_dir(&folder).unwrap();
    for id in 1..=128_u64 {
        for (extension, size) in [("log", 8 << 20), ("idx", 1 << 20)] {
            let path = folder.join(format!("run-{id:06}.{extension}"));
            File::create(path).unwrap().set_len(size).unwrap();
        }
    }
    let limits = ArchiveLimits {
        keep_bytes: 2 << 30,
        ..LIMITS
    };
    let start = Instant::now();
    let archive = Archive::open(root.path(), limits).unwrap();
    // Two milliseconds when nothing else runs; to read it takes a hundred times as long.
    assert!(start.elapsed() < Duration::from_millis(200));
    assert_eq!(archive.logs(&main(), LogKind::Runs).len(), 128);
    assert_eq!(archive.last_run(), 128);
}

#[actix::test]
async fn a_full_disk_turns_the_history_off_for_half_a_minute_and_the_gap_shows() {
    tokio::time::pause();
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.lines(&mut archive, 2);
    let writer = |archive: &mut Archive| {
        let live = archive.live.get_mut(&run(1)).unwrap();
        live.writer.is_some()
    };
    let live = archive.live.get_mut(&run(1)).unwrap();
    live.writer
        .as_mut()
        .unwrap()
        .fill_disk(|files| &mut files.index);
    told.lines(&mut archive, 2);
    assert!(!writer(&mut archive) && archive.off_until.is_some());
    let text = || fs::read_to_string(root.path().join("main/run-000001.log")).unwrap();
    assert_eq!(text(), "line 1\nline 2\n", "no half of a batch is left");
    let almost = PAUSE.checked_sub(Duration::from_millis(1)).unwrap();
    tokio::time::advance(almost).await;
    told.lines(&mut archive, 1);
    assert!(!writer(&mut archive));
    assert_eq!(numbers(&mut archive, &run(1)), [1, 2]);
    tokio::time::advance(Duration::from_millis(1)).await;
    told.lines(&mut archive, 2);
    assert!(writer(&mut archive) && archive.off_until.is_none());
    assert_eq!(numbers(&mut archive, &run(1)), [1, 2, 6, 7]);
    assert_eq!(text(), "line 6\nline 7\n");
    // What is missing is in memory.
    let frozen = Frozen {
        source: run(1).source,
        memory: Some(told.log.snapshot()),
        disk: archive.stored(&run(1)),
    };
    assert_eq!(lines(&frozen.thaw()), told.stored);
}

#[test]
fn a_batch_that_did_not_fit_is_no_line() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.lines(&mut archive, 2);
    let live = archive.live.get_mut(&run(1)).unwrap();
    let writer = live.writer.as_mut().unwrap();
    writer.fill_disk(|files| &mut files.log);
    told.lines(&mut archive, 1);
    assert!(archive.off_until.is_some());
    assert_eq!(numbers(&mut archive, &run(1)), [1, 2]);
    archive.end(&run(1), Some("crashed"));
    let ending = snapshot(&mut archive, &run(1)).ending;
    assert_eq!(ending.as_deref(), Some("ended with the daemon"));
}

#[actix::test]
async fn a_folder_that_somebody_removed_is_noticed_and_made_again() {
    tokio::time::pause();
    let root = tempfile::tempdir().unwrap();
    let logs = root.path().join("logs");
    let mut archive = Archive::open(&logs, LIMITS).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.lines(&mut archive, 1);
    fs::remove_dir_all(&logs).unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    told.lines(&mut archive, 1);
    assert!(archive.off_until.is_none(), "the others go on, too");
    assert_eq!(numbers(&mut archive, &run(1)), [2]);
    let second = Archive::open(&logs, LIMITS);
    assert!(matches!(second, Err(ArchiveError::InUse(_))));
}

#[actix::test]
async fn a_run_that_begins_is_a_reason_to_try_again() {
    tokio::time::pause();
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let in_the_way = root.path().join("main");
    fs::write(&in_the_way, "").unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.lines(&mut archive, 1);
    assert!(archive.off_until.is_some());
    archive.end(&run(1), Some("crashed"));
    assert!(kept(&archive).0.is_empty());
    fs::remove_file(&in_the_way).unwrap();
    let mut told = Told::begin(&mut archive, run(2));
    assert!(archive.off_until.is_none());
    told.lines(&mut archive, 1);
    assert_eq!(numbers(&mut archive, &run(2)), [1]);
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let root = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        segment_bytes: 50,
        ..LIMITS
    };
    let mut archive = Archive::open(root.path(), limits).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    told.lines(&mut archive, 20);
    archive.end(&run(1), None);
    let before = snapshot(&mut archive, &run(1));
    fs::remove_file(root.path().join("main/run-000001.0001.log")).unwrap();
    let error = before.parts[0].blocks().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(before.chunks().count(), before.parts.len() - 1);
    drop(archive);
    let mut archive = Archive::open(root.path(), limits).unwrap();
    let after = snapshot(&mut archive, &run(1));
    assert_eq!(
        lines(&after),
        told.stored[usize::try_from(after.evicted).unwrap()..]
    );
    assert!(after.evicted > 0);
}
