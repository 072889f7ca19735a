//! The store with a history on disk.

use std::path::Path;

use super::*;
use crate::{
    artifact::{
        DescribeDiagnosis, DescribeKnown, Diagnosed, Diagnosis, Known, KnownDiagnosis, WhichBuild,
    },
    build::known::{Identity, Origin, Severity},
    ids::Sequence,
    logs::{
        SetLimits,
        archive::{Archive, ArchiveLimits, Closed, clock::Clock},
    },
    report::BuildOutcome,
    spec::LogSettings,
};

/// A store as the next daemon has it. The one before needs a moment to go.
async fn store_in(root: &Path, memory: Limits) -> Addr<LogStoreActor> {
    let limits = ArchiveLimits::from(&LogSettings::default());
    let mut archive = Archive::open(root, limits);
    while archive.is_err() {
        tokio::task::yield_now().await;
        archive = Archive::open(root, limits);
    }
    let passthrough = Passthrough::to_one(Box::new(io::sink())).unwrap();
    LogStoreActor::with_archive(passthrough, (memory, memory), archive.ok()).start()
}

async fn print(store: &Addr<LogStoreActor>, key: LogKey, text: &str) {
    let bytes = Bytes::from(text.to_owned());
    let stream = Stream::Stdout;
    store.send(Append { key, stream, bytes }).await.unwrap();
}

#[actix::test]
async fn what_earlier_daemons_recorded_is_found_by_its_index() {
    let root = tempfile::tempdir().unwrap();
    for n in 1..=12 {
        let store = store_in(root.path(), Limits::default()).await;
        open(&store, run(n), vec![]).await;
        print(&store, run(n), &format!("I am {n}\n")).await;
        // The tenth is killed with its daemon.
        if n != 10 {
            crash(&store, n).await;
        }
    }
    let store = store_in(root.path(), Limits::default()).await;
    open(&store, run(13), vec![]).await;
    print(&store, run(13), "I am 13\n").await;
    for (index, n, ending) in [
        (0, 1, Some("crashed: signal 9 (SIGKILL)")),
        (9, 10, Some("ended with the daemon")),
        (-2, 12, Some("crashed: signal 9 (SIGKILL)")),
        (-1, 13, None),
    ] {
        let found = found(&store, index).await;
        assert_eq!(found.logs[0].source, Source::Run(RunId(n)));
        assert_eq!(found.text, format!("   I am {n}\n"));
        assert_eq!(found.logs[0].ending.as_deref(), ending, "run {n}");
        assert_eq!((found.kept, found.evicted), (1, 0));
    }
    let refused = ask(&store, LogKind::Runs, 13, everything()).await;
    assert_eq!(
        refused,
        Err(NoSuchLog::Index {
            index: 13,
            kept: 13,
            removed: None
        })
    );
}

#[actix::test]
async fn what_memory_has_no_room_for_is_read_from_disk() {
    let root = tempfile::tempdir().unwrap();
    let memory = Limits {
        bytes: 300_000,
        ..Limits::default()
    };
    let store = store_in(root.path(), memory).await;
    open(&store, run(1), vec![]).await;
    let lines: Vec<_> = (1..=100_000).map(|n| format!("line {n}\n")).collect();
    for lines in lines.chunks(777) {
        print(&store, run(1), &lines.concat()).await;
    }
    print(&store, run(1), "unfinished").await;
    let query = Query {
        pattern: Some(Pattern::parse("^line 5$|^line 99999$|unfinished").unwrap()),
        ..everything()
    };
    let found = ask(&store, LogKind::Runs, -1, query.clone()).await.unwrap();
    assert_eq!(found.text, " * line 5\n--\n * line 99999\n");
    assert_eq!((found.kept, found.evicted), (100_000, 0));
    crash(&store, 1).await;
    let found = ask(&store, LogKind::Runs, -1, query).await.unwrap();
    assert_eq!((found.kept, found.matched), (100_001, 3));
}

#[actix::test]
async fn errors_of_a_run_that_only_the_disk_has_are_not_new() {
    let root = tempfile::tempdir().unwrap();
    let store = store_in(root.path(), Limits::default()).await;
    open(&store, run(1), vec![]).await;
    print(&store, run(1), "ERROR old\n").await;
    drop(store);
    let store = store_in(root.path(), Limits::default()).await;
    open(&store, run(2), vec![]).await;
    print(&store, run(2), "ERROR old\nERROR new\n").await;
    let ask = DescribeErrorLines {
        key: run(2),
        unlike: Some(run(1)),
        count: 5,
    };
    assert_eq!(store.send(ask).await.unwrap(), ["ERROR new"]);
}

#[actix::test]
async fn runs_and_builds_are_counted_apart() {
    let root = tempfile::tempdir().unwrap();
    let store = store_in(root.path(), Limits::default()).await;
    open(&store, run(1), vec![]).await;
    open(&store, build(1), vec![]).await;
    print(&store, build(1), "warning: unused\n").await;
    drop(store);
    let store = store_in(root.path(), Limits::default()).await;
    for index in [-1, 0] {
        let found = ask(&store, LogKind::Builds, index, everything()).await;
        assert_eq!(found.unwrap().text, "   warning: unused\n");
    }
    assert_eq!(found(&store, -1).await.kept, 0);
}

#[actix::test]
async fn what_becomes_too_old_leaves_at_that_moment_however_quiet_everybody_is() {
    tokio::time::pause();
    let root = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        keep_days: 2,
        segment_bytes: 100,
        ..ArchiveLimits::from(&LogSettings::default())
    };
    let (start, wall) = (Instant::now(), SystemTime::now());
    let clock = Clock::new(move || wall + start.elapsed());
    let archive = Archive::open_by(root.path(), limits, clock).unwrap();
    let passthrough = Passthrough::to_one(Box::new(io::sink())).unwrap();
    let memory = (Limits::default(), Limits::default());
    let store = LogStoreActor::with_archive(passthrough, memory, Some(archive)).start();
    let names = || {
        let entries = std::fs::read_dir(root.path().join("main")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|it| it.contains(".log")).collect();
        names.sort_unstable();
        names
    };
    let hours = |hours| tokio::time::sleep(Duration::from_hours(hours));
    open(&store, run(1), vec![]).await;
    print(&store, run(1), &"long line\n".repeat(20)).await;
    print(&store, run(1), "on in a new file\n").await;
    hours(10).await;
    open(&store, run(2), vec![]).await;
    crash(&store, 2).await;
    let all = ["run-000001.0001.log", "run-000001.log", "run-000002.log"];
    assert_eq!(names(), all);
    hours(37).await;
    assert_eq!(names(), all);
    hours(2).await;
    assert_eq!(names(), all[1..]);
    hours(8).await;
    assert_eq!(names(), all[1..]);
    hours(2).await;
    assert_eq!(names(), all[1..2], "it still takes lines");
    print(&store, run(1), "after two days\n").await;
    let path = root.path().join("main/run-000001.log");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, "on in a new file\nafter two days\n");
}

#[actix::test]
async fn runs_behind_a_cursor_that_were_removed_as_a_whole_are_a_gap() {
    let root = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        keep_logs: 3,
        ..ArchiveLimits::from(&LogSettings::default())
    };
    let archive = Archive::open(root.path(), limits).unwrap();
    let passthrough = Passthrough::to_one(Box::new(io::sink())).unwrap();
    let memory = Limits {
        logs: 1,
        ..Limits::default()
    };
    let store = LogStoreActor::with_archive(passthrough, (memory, memory), Some(archive)).start();
    for n in [2, 4, 6, 8, 10, 12] {
        open(&store, run(n), vec![]).await;
        print(&store, run(n), "one\n").await;
        crash(&store, n).await;
    }
    for (cursor, kept, gone) in [
        ("1:1", 3, GoneLogs::Counted(3)),
        ("2:1", 3, GoneLogs::Counted(3)),
        ("4:1", 3, GoneLogs::Uncounted),
        ("6:1", 3, GoneLogs::Counted(1)),
        ("8:1", 2, GoneLogs::NONE),
    ] {
        let after = Some(cursor.parse().unwrap());
        let search = Search {
            processes: vec![run(1).process],
            kind: LogKind::Runs,
            which: Which::All,
            query: Query {
                after,
                ..everything()
            },
        };
        let found = store.send(search).await.unwrap().unwrap();
        assert_eq!(
            (found.kept, found.gone, found.gone_logs),
            (kept, 0, gone),
            "{cursor}"
        );
    }
}

/// A build with its findings; what is known after it tells builds apart.
async fn diagnosed(store: &Addr<LogStoreActor>, n: u64) -> (Arc<Diagnosis>, Arc<Known>) {
    open(store, build(n), vec![]).await;
    let mut known = Known::default();
    let finding = Identity::of(Severity::Error, None, &[], &format!("error {n}!"), "");
    let origin = Origin {
        severity: Severity::Error,
        unit: None,
    };
    known.add(finding, origin).unwrap();
    let diagnosis = Diagnosis {
        mode: Mode::Dev,
        outcome: BuildOutcome::Failed,
        error_count: usize::try_from(n).unwrap(),
        warning_count: 0,
        new_count: None,
        findings: Vec::new(),
    };
    let (diagnosis, known) = (Arc::new(diagnosis), Arc::new(known));
    let fact = Diagnosed {
        process: build(n).process,
        build: BuildId(n),
        diagnosis: Arc::clone(&diagnosis),
        known: Arc::clone(&known),
    };
    store.send(fact).await.unwrap();
    let (process, ending) = (build(n).process, BuildEnding::Failed);
    let ended = BuildEnded {
        process,
        build: BuildId(n),
        ending,
    };
    store.send(ended).await.unwrap();
    (diagnosis, known)
}

#[actix::test]
async fn findings_of_builds_outlive_the_daemon_and_the_next_one_compares_with_the_last() {
    let root = tempfile::tempdir().unwrap();
    let store = store_in(root.path(), Limits::default()).await;
    let (first, _) = diagnosed(&store, 1).await;
    let (_, known) = diagnosed(&store, 2).await;
    open(&store, build(3), vec![]).await;
    drop(store);

    let store = store_in(root.path(), Limits::default()).await;
    open(&store, build(4), vec![]).await;
    let process = || build(1).process;
    let ask = |which| {
        store.send(DescribeDiagnosis {
            process: process(),
            which,
        })
    };
    let found = KnownDiagnosis::Found {
        build: BuildId(1),
        diagnosis: first,
    };
    assert_eq!(ask(WhichBuild::Index(0)).await.unwrap(), Ok(found));
    for (build, expected) in [
        (3, KnownDiagnosis::Unknown(BuildId(3))),
        (4, KnownDiagnosis::UnderWay(BuildId(4))),
        (9, KnownDiagnosis::Unknown(BuildId(9))),
    ] {
        let which = WhichBuild::Id(BuildId(build));
        assert_eq!(ask(which).await.unwrap(), Ok(expected));
    }
    let before = |build| {
        let (process, before) = (process(), BuildId(build));
        store.send(DescribeKnown { process, before })
    };
    assert_eq!(before(4).await.unwrap(), Some(known));
    assert_eq!(before(1).await.unwrap(), None);
}

#[actix::test]
async fn without_a_history_findings_are_known_as_long_as_the_daemon_lives() {
    let passthrough = Passthrough::to_one(Box::new(io::sink())).unwrap();
    let store = LogStoreActor::new(passthrough).start();
    let (diagnosis, _) = diagnosed(&store, 1).await;
    let (process, which) = (build(1).process, WhichBuild::Index(-1));
    let found = store.send(DescribeDiagnosis { process, which }).await;
    let expected = KnownDiagnosis::Found {
        build: BuildId(1),
        diagnosis,
    };
    assert_eq!(found.unwrap(), Ok(expected));
    let (process, before) = (build(1).process, BuildId(2));
    let known = store.send(DescribeKnown { process, before }).await;
    assert_eq!(known.unwrap(), None);
}

#[actix::test]
async fn a_history_that_could_not_be_opened_is_tried_again_when_a_run_begins() {
    tokio::time::pause();
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("logs");
    std::fs::write(&root, "no folder").unwrap();
    let limits = ArchiveLimits::from(&LogSettings::default());
    Archive::open(&root, limits).unwrap_err();
    let passthrough = Passthrough::to_one(Box::new(io::sink())).unwrap();
    let memory = (Limits::default(), Limits::default());
    let store = LogStoreActor::with_archive(passthrough, memory, None)
        .waiting_for(Some(Closed::now(
            &root,
            limits,
            Sequence::new(),
            Sequence::new(),
        )))
        .start();
    let file = |n: u64| std::fs::read_to_string(root.join(format!("main/run-00000{n}.log"))).ok();
    std::fs::remove_file(&root).unwrap();

    open(&store, run(1), vec![]).await;
    print(&store, run(1), "too early\n").await;
    assert_eq!(file(1), None);
    tokio::time::advance(Duration::from_secs(31)).await;
    open(&store, run(2), vec![]).await;
    print(&store, run(1), "in memory\n").await;
    print(&store, run(2), "on disk\n").await;
    assert_eq!((file(1), file(2).as_deref()), (None, Some("on disk\n")));
}

#[actix::test]
async fn a_history_that_opens_late_is_not_mixed_with_runs_of_the_same_numbers() {
    tokio::time::pause();
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("logs");
    let earlier = store_in(&root, Limits::default()).await;
    for n in 1..=3 {
        open(&earlier, run(n), vec![]).await;
        print(&earlier, run(n), &format!("run {n} of an earlier daemon\n")).await;
        crash(&earlier, n).await;
    }
    drop(earlier);
    let limits = ArchiveLimits::from(&LogSettings::default());
    let hidden = parent.path().join("hidden");
    std::fs::rename(&root, &hidden).unwrap();
    std::fs::write(&root, "no folder").unwrap();
    Archive::open(&root, limits).unwrap_err();
    let passthrough = Passthrough::to_one(Box::new(io::sink())).unwrap();
    let memory = (Limits::default(), Limits::default());
    let runs = Sequence::new();
    let store = LogStoreActor::with_archive(passthrough, memory, None)
        .waiting_for(Some(Closed::now(
            &root,
            limits,
            runs.clone(),
            Sequence::new(),
        )))
        .start();
    let next = || {
        let RunId(n) = runs.next();
        n
    };
    let first = next();
    open(&store, run(first), vec![]).await;
    print(&store, run(first), "while it was closed\n").await;
    std::fs::remove_file(&root).unwrap();
    std::fs::rename(&hidden, &root).unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    let second = next();
    open(&store, run(second), vec![]).await;
    print(&store, run(second), "while it opened\n").await;
    assert_eq!(found(&store, -1).await.text, "   while it opened\n");
    let third = next();
    open(&store, run(third), vec![]).await;
    print(&store, run(third), "on disk\n").await;

    assert_eq!((first, second, third), (1, 2, 4));
    let file = |n: u64| std::fs::read_to_string(root.join(format!("main/run-00000{n}.log"))).ok();
    let earlier = |n| Some(format!("run {n} of an earlier daemon\n"));
    assert_eq!(
        [file(1), file(2), file(3), file(4)],
        [earlier(1), earlier(2), earlier(3), Some("on disk\n".into())]
    );
    let mut texts = Vec::new();
    for index in 0..3 {
        texts.push(found(&store, index).await.text);
    }
    assert_eq!(
        texts,
        [
            "   while it was closed\n",
            "   while it opened\n",
            "   on disk\n"
        ],
        "what earlier daemons have is for the next one: numbers mean one run"
    );
    let missing = ask(&store, LogKind::Runs, 3, everything()).await;
    assert!(missing.is_err(), "{missing:?}");
    drop(store);
    let next = store_in(&root, Limits::default()).await;
    assert_eq!(
        found(&next, 2).await.text,
        "   run 3 of an earlier daemon\n"
    );
    assert_eq!(found(&next, -1).await.text, "   on disk\n");
}

#[actix::test]
async fn new_limits_hold_for_what_is_kept_already() {
    let root = tempfile::tempdir().unwrap();
    let store = store_in(root.path(), Limits::default()).await;
    let line = format!("{}\n", "x".repeat(1000));
    for n in 1..=4 {
        open(&store, run(n), vec![]).await;
        print(&store, run(n), &line.repeat(400)).await;
        crash(&store, n).await;
    }
    let files = || {
        let names = std::fs::read_dir(root.path().join("main")).unwrap();
        names
            .filter(|it| {
                it.as_ref()
                    .is_ok_and(|it| it.path().extension() == Some("log".as_ref()))
            })
            .count()
    };
    assert_eq!(files(), 4);
    let limits = SetLimits {
        settings: LogSettings {
            keep_bytes: 1 << 20,
            ..LogSettings::default()
        },
        processes: vec!["main".parse().unwrap()],
    };
    store.send(limits).await.unwrap();
    assert!(files() < 4, "{} files", files());
}
