//! What is kept and what leaves, and what is no file of ours.

use super::*;

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
fn a_file_that_cannot_be_removed_holds_up_no_other() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(root.path(), LIMITS).unwrap();
    finished(&mut archive, &root, &run(1), 60_000, 20);
    for id in 2..=4 {
        let age = 8 - u32::try_from(id).unwrap();
        finished(&mut archive, &root, &run(id), 60_000, age);
    }
    // Nobody removes a folder like a file, not even root.
    let first = root.path().join("main/run-000001.log");
    std::fs::remove_file(&first).unwrap();
    std::fs::create_dir(&first).unwrap();
    archive.set_limits(ArchiveLimits {
        keep_bytes: 150 * 1024,
        ..LIMITS
    });
    // 60 KiB and 4 KiB of index each.
    assert_eq!(kept(&archive).0, [1, 4]);
    archive.set_limits(ArchiveLimits {
        keep_logs: 1,
        ..LIMITS
    });
    assert_eq!(kept(&archive).0, [1, 4], "the oldest is the surplus");
    std::fs::remove_dir(&first).unwrap();
    archive.let_go();
    assert_eq!(kept(&archive).0, [4], "it leaves as soon as it can");
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
