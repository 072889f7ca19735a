//! A history that cannot be written: a full disk, a folder that is none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::{counted, folder, found, lines, on_disk, script, search};
use crate::support::{Daemon, Project, eventually};

/// A small file system, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        Self::run("mount", &["-t", "tmpfs", "-o", "size=4M", "tmpfs"], at);
        Self(at.to_owned())
    }

    /// Makes space.
    fn grow(&self) {
        Self::run("mount", &["-o", "remount,size=64M"], &self.0);
    }

    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "the test mounts")]
    fn run(program: &str, arguments: &[&str], at: &Path) {
        let output = Command::new(program).args(arguments).arg(at).output();
        let output = output.unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        assert!(
            output.status.success(),
            "this test needs the right to mount a tmpfs (root, or CAP_SYS_ADMIN in a container): \
             {program} {arguments:?} {}: {}",
            at.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Small {
    #[expect(clippy::disallowed_methods, reason = "the test mounts")]
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// The warnings of a daemon about its history.
fn warnings(daemon: &Daemon) -> Vec<String> {
    let output = daemon.output();
    let lines = output.lines().filter(|line| {
        let words = ["history", "logs", "No space"];
        line.contains("WARN") && words.iter().any(|word| line.contains(word))
    });
    lines.map(str::to_owned).collect()
}

#[test]
fn a_full_disk_costs_one_warning_and_the_history_goes_on_once_there_is_space() {
    let project = script(
        "full",
        "[ -p turn ] || mkfifo turn; exec 3<>turn; echo begins\n\
         while read -r count <&3; do seq -f 'a line that takes its place on the disk, number %.0f' 1 $count; echo \"printed $count\"; done",
    );
    let disk = Small::mount(&project.state_home());
    let daemon = project.start_quiet();
    found(&daemon, &json!({}), "begins");
    let turn = |count: u64| {
        fs::write(project.dir().join("turn"), format!("{count}\n")).unwrap();
        found(&daemon, &json!({"tail": 1}), &format!("printed {count}"));
    };
    turn(10);
    assert_eq!(warnings(&daemon), [""; 0]);
    // More than fits.
    turn(120_000);
    let told = eventually("a warning", || {
        let warnings = warnings(&daemon);
        if warnings.is_empty() {
            Err(daemon.output())
        } else {
            Ok(warnings)
        }
    });
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("space") && told[0].contains("logs"),
        "says what and where: {told:?}"
    );
    // Live, from memory, and nobody was stopped.
    turn(50);
    turn(20_000);
    let text = search(&daemon, &json!({"pattern": "^printed"}));
    assert_eq!(
        lines(&text),
        [
            "printed 10",
            "printed 120000",
            "printed 50",
            "printed 20000"
        ],
        "{text}"
    );
    assert_eq!(
        counted(&search(&daemon, &json!({"head": 0}))),
        1 + 11 + 120_001 + 51 + 20_001
    );
    let main = daemon.until_state("main", "running");
    assert_eq!((&main["run"], &main["crashes"]), (&json!(1), &json!(0)));
    assert_eq!(warnings(&daemon).len(), 1, "{:#?}", warnings(&daemon));

    disk.grow();
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    eventually("written again", || {
        let text = on_disk(&project, "main", 2);
        if text.starts_with(b"begins\n") {
            Ok(())
        } else {
            Err((String::from_utf8_lossy(&text).into_owned(), daemon.output()))
        }
    });
    assert_eq!(warnings(&daemon).len(), 1, "{:#?}", warnings(&daemon));
    daemon.stop();

    // What was on the disk before it was full is found.
    let daemon = project.start_quiet();
    daemon.until("main", "the third run", |main| main["run"] == 3);
    let first = search(&daemon, &json!({"run": 1, "head": 3}));
    assert_eq!(lines(&first)[0], "begins", "{first}");
    let second = search(&daemon, &json!({"run": 2, "head": 1}));
    assert_eq!(lines(&second)[0], "begins", "{second}");
    drop(daemon);
    drop(disk);
}

#[test]
fn a_daemon_starts_on_a_full_disk() {
    let project = script("full-start", "echo here I am; exec sleep 1000");
    let _disk = Small::mount(&project.state_home());
    let fill = project.state_home().join("fill");
    let all = fs::write(fill, vec![0; 8 << 20]).unwrap_err();
    assert_eq!(all.kind(), std::io::ErrorKind::StorageFull);
    let daemon = project.start();
    found(&daemon, &json!({}), "here I am");
    let main = daemon.until_state("main", "running");
    assert_eq!(main["crashes"], 0, "{}", daemon.output());
    daemon.stop();
}

#[test]
fn a_history_that_cannot_be_opened_costs_one_warning_and_nothing_else() {
    let project = script("no-folder", "echo here I am; exec sleep 1000");
    let daemon = project.start();
    found(&daemon, &json!({}), "here I am");
    daemon.stop();
    let logs = folder(&project);
    fs::remove_dir_all(&logs).unwrap();
    fs::write(&logs, "no folder").unwrap();

    let daemon = project.start();
    found(&daemon, &json!({}), "here I am");
    let told = warnings(&daemon);
    assert_eq!(told.len(), 1, "{}", daemon.output());
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    let text = found(&daemon, &json!({}), "here I am");
    assert!(text.contains("(running, "), "{text}");
    let before = search(&daemon, &json!({"index": -2}));
    assert_eq!(lines(&before)[0], "here I am", "from memory: {before}");
    assert_eq!(fs::read_to_string(&logs).unwrap(), "no folder");
    daemon.stop();
}

#[test]
fn a_history_whose_folder_is_removed_under_the_daemon_stops_nobody() {
    let project = script(
        "removed",
        "[ -p turn ] || mkfifo turn; exec 3<>turn; echo begins; while read -r word <&3; do echo \"said $word\"; done",
    );
    let daemon = project.start();
    found(&daemon, &json!({}), "begins");
    fs::remove_dir_all(folder(&project)).unwrap();
    for word in ["one", "two"] {
        fs::write(project.dir().join("turn"), format!("{word}\n")).unwrap();
        found(&daemon, &json!({}), &format!("said {word}"));
    }
    let first = search(&daemon, &json!({}));
    assert_eq!(lines(&first), ["begins", "said one", "said two"], "{first}");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    found(&daemon, &json!({"run": 2}), "begins");
    assert_eq!(daemon.until_state("main", "running")["crashes"], 0);
    daemon.stop();
}

#[test]
fn a_second_daemon_of_the_project_writes_nothing() {
    let project = script("second", "echo mine; exec sleep 1000");
    let daemon = project.start();
    found(&daemon, &json!({}), "mine");
    let state = |project: &Project| {
        let mut names: Vec<PathBuf> = fs::read_dir(folder(project).join("main"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort_unstable();
        names
    };
    let before = state(&project);
    let (code, ..) = Daemon::refuses(Daemon::command(&project));
    assert_eq!(code, Some(1));
    assert_eq!(state(&project), before);
}
