//! The history with real files. What a reader finds is what counts, and what lies on the disk.

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

/// A finished log of `bytes` bytes, whose files are `age` days old.
fn finished(archive: &mut Archive, root: &TempDir, key: &LogKey, bytes: usize, age: u32) {
    let mut told = Told::begin(archive, key.clone());
    told.print(archive, Stream::Stdout, &b"1234567\n".repeat(bytes / 8));
    archive.end(key, Some("ended"));
    let (kind, id) = kind_and_id(key.source);
    let name = names::log_name(kind, id, names::NEWEST);
    let path = root.path().join("main").join(name);
    let modified = SystemTime::now() - Duration::from_hours(24) * age;
    for path in [path.with_extension("idx"), path] {
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(modified).unwrap();
    }
}

fn kept(archive: &Archive) -> (Vec<u64>, Vec<u64>) {
    let kept = |kind| archive.logs(&main(), kind);
    (kept(LogKind::Runs), kept(LogKind::Builds))
}

#[test]
fn the_oldest_leave_when_it_is_too_much_but_builds_keep_an_eighth() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    finished(&mut archive, &root, &build(1), 4_000, 9);
    for id in 1..=6 {
        finished(
            &mut archive,
            &root,
            &run(id),
            60_000,
            8 - u32::try_from(id).unwrap(),
        );
    }
    drop(archive);
    let limits = ArchiveLimits {
        keep_bytes: 256 * 1024,
        ..LIMITS
    };
    let mut archive = Archive::open(root.path(), limits).unwrap();
    // Each takes 60 KiB and 4 KiB of index.
    assert_eq!(kept(&archive), (vec![4, 5, 6], vec![1]));
    let removed = |archive: &Archive| archive.removed(&main(), LogKind::Runs);
    let three = Removed {
        first: 1,
        last: 3,
        count: 3,
    };
    assert_eq!(removed(&archive), Some(three));
    assert_eq!(archive.removed(&main(), LogKind::Builds), None);
    // Builds that take more than that leave in their turn.
    for id in 2..=4 {
        finished(&mut archive, &root, &build(id), 60_000, 9);
    }
    drop(archive);
    let archive = Archive::open(root.path(), limits).unwrap();
    assert_eq!(removed(&archive).map(|removed| removed.first), Some(1));
    let (runs, builds) = kept(&archive);
    assert!(
        !runs.is_empty() && !builds.is_empty(),
        "{runs:?} {builds:?}"
    );
    assert!(!builds.contains(&1), "{builds:?}");
}

#[test]
fn ids_go_on_behind_what_was_removed() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    finished(&mut archive, &root, &run(41), 100, 20);
    finished(&mut archive, &root, &build(42), 100, 20);
    drop(archive);
    for _ in 0..2 {
        let archive = Archive::open(root.path(), LIMITS).unwrap();
        assert_eq!(kept(&archive), (vec![], vec![]));
        assert_eq!((archive.last_run(), archive.last_build()), (41, 42));
        assert_eq!(names(&root.path().join("main")), ["removed"]);
    }
}

#[test]
fn what_is_too_old_leaves_when_the_next_run_begins() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    finished(&mut archive, &root, &run(1), 100, 15);
    finished(&mut archive, &root, &run(2), 100, 13);
    drop(archive);
    let mut archive = Archive::open(
        root.path(),
        ArchiveLimits {
            keep_days: 0,
            ..LIMITS
        },
    )
    .unwrap();
    assert_eq!(kept(&archive).0, [1, 2], "0 is no limit");
    archive.limits.keep_days = 14;
    Told::begin(&mut archive, run(3));
    assert_eq!(kept(&archive).0, [2, 3]);
}

#[test]
fn no_more_logs_than_allowed_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        keep_logs: 3,
        ..LIMITS
    };
    let mut archive = Archive::open(root.path(), limits).unwrap();
    for id in 1..=5 {
        finished(&mut archive, &root, &run(id), 8, 0);
    }
    assert_eq!(kept(&archive).0, [3, 4, 5]);
}

#[test]
fn a_flood_removes_the_beginning_of_its_own_log_and_the_newest_file_stays() {
    let root = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        keep_bytes: 100 * 1024,
        segment_bytes: 12 * 1024,
        ..LIMITS
    };
    let mut archive = Archive::open(root.path(), limits).unwrap();
    let mut told = Told::begin(&mut archive, run(1));
    for _ in 0..100 {
        told.print(&mut archive, Stream::Stdout, &b"flood\n".repeat(1_000));
    }
    let found = snapshot(&mut archive, &run(1));
    let lines = lines(&found);
    let evicted = usize::try_from(found.evicted).unwrap();
    assert_eq!(lines, told.stored[evicted..]);
    assert!(evicted > 0 && lines.len() > 8_000, "{evicted}");
    let size: u64 = names(&root.path().join("main"))
        .iter()
        .map(|name| {
            root.path()
                .join("main")
                .join(name)
                .metadata()
                .unwrap()
                .len()
        })
        .sum();
    assert!(size < limits.keep_bytes + 20 * 1024, "{size}");
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

/// What a build found that takes so many bytes.
fn findings(bytes: usize) -> Findings {
    let diagnosis = crate::artifact::Diagnosis {
        mode: Mode::Dev,
        outcome: crate::report::BuildOutcome::Failed,
        error_count: 1,
        warning_count: 0,
        new_count: None,
        findings: vec![crate::artifact::Diagnostic {
            level: "error".to_owned(),
            code: None,
            file: None,
            line: None,
            column: None,
            message: "x".repeat(bytes),
            rendered: String::new(),
            new: false,
        }],
    };
    Findings {
        diagnosis: Arc::new(diagnosis),
        known: Arc::default(),
    }
}

#[test]
fn findings_count_as_bytes_of_their_build_leave_with_its_log_and_are_no_log() {
    let root = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        keep_bytes: 1_000_000,
        segment_bytes: 200_000,
        ..LIMITS
    };
    let mut archive = Archive::open(root.path(), limits).unwrap();
    for n in 1..=10 {
        let mut log = Told::begin(&mut archive, build(n));
        log.lines(&mut archive, 1);
        archive.keep(&main(), BuildId(n), &findings(150_000));
        archive.end(&build(n), Some("failed"));
    }
    let kept = archive.logs(&main(), LogKind::Builds);
    assert_eq!(kept, [6, 7, 8, 9, 10]);
    let folder = root.path().join("main");
    let json = || {
        let mut names = names(&folder);
        names.retain(|name| Path::new(name).extension().is_some_and(|it| it == "json"));
        names
    };
    let expected: Vec<_> = kept.iter().map(|n| format!("build-{n:06}.json")).collect();
    assert_eq!(json(), expected);
    assert_eq!(archive.findings(&main(), BuildId(1)), None);
    assert_eq!(archive.found_before(&main(), BuildId(9)), Some(BuildId(8)));

    // Neither what is too large nor a build of which there is no log.
    archive.keep(&main(), BuildId(10), &findings(300_000));
    archive.keep(&main(), BuildId(11), &findings(1));
    assert_eq!(json(), expected);
    drop(archive);

    // Somebody removed a log, and left what was found.
    for extension in ["log", "idx"] {
        fs::remove_file(folder.join("build-000008").with_extension(extension)).unwrap();
    }
    let archive = Archive::open(root.path(), limits).unwrap();
    assert_eq!(archive.logs(&main(), LogKind::Builds), [6, 7, 9, 10]);
    assert_eq!(json().len(), 4);
    assert_eq!((archive.last_run(), archive.last_build()), (0, 10));
}

#[test]
fn findings_that_cannot_be_written_stop_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let mut log = Told::begin(&mut archive, build(1));
    // Nothing can be renamed to this.
    fs::create_dir_all(root.path().join("main/build-000001.json/sub")).unwrap();
    archive.keep(&main(), BuildId(1), &findings(1));
    log.lines(&mut archive, 2);
    assert_eq!(numbers(&mut archive, &build(1)), [1, 2]);
    assert_eq!(archive.findings(&main(), BuildId(1)), None);
    let left = names(&root.path().join("main"));
    assert!(!left.contains(&"draft".to_owned()), "{left:?}");
}

#[test]
fn files_with_absurd_numbers_are_left_alone_and_ids_do_not_go_on_behind_them() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    let mut log = Told::begin(&mut archive, run(7));
    log.lines(&mut archive, 1);
    archive.end(&run(7), Some("ended"));
    drop(archive);
    let folder = root.path().join("main");
    let absurd = [
        "run-1000000000.idx",
        "run-18446744073709551615.log",
        "run-999999999999.log",
        "run-000007.4294967294.log",
        "build-18446744073709551615.json",
    ];
    for name in absurd {
        fs::write(folder.join(name), "not ours").unwrap();
    }
    let told = format!("runs 1 {0} {0}\nbuilds 1 2 3\n", u64::MAX);
    fs::write(folder.join("removed"), told).unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    assert_eq!((archive.last_run(), archive.last_build()), (7, 2));
    assert_eq!(kept(&archive), (vec![7], vec![]));
    // As with a daemon that comes to the same number again.
    let mut log = Told::begin(&mut archive, run(7));
    log.lines(&mut archive, 1);
    for name in absurd {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "not ours");
    }
}
