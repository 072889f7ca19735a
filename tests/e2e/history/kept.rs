//! How much of the history is kept, where, and who may read it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::json;

use super::{counted, folder, found, lines, on_disk, script, search, until_on_disk};
use crate::support::{Project, eventually};

/// The size of everything in a folder, in bytes.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| entry.metadata().unwrap().len()).sum()
}

#[test]
fn the_oldest_runs_go_when_there_is_too_much_and_those_of_others_stay() {
    const RUNS: u64 = 8;
    let project = Project::new("keep-bytes");
    // 400 KB each time.
    let loud = "n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > n
seq -f 'a line that helps to fill the place that there is, number %.0f' 1 6000
echo this was start $n; exec sleep 1000
";
    project.file("loud.sh", loud).config(
        "[logs]\nkeep_bytes = \"1M\"\nmemory_bytes = \"1M\"\n\
         [process.quiet]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", \"echo quiet as ever; exec sleep 1000\"]\n\
         [process.loud]\ntype = \"command\"\ncommand = [\"sh\", \"loud.sh\"]\n",
    );
    let daemon = project.start_quiet();
    let quiet = daemon.until("quiet", "a run", |it| it["run"].is_u64())["run"].clone();
    let first = daemon.until("loud", "a run", |it| it["run"].is_u64())["run"].clone();
    for n in 1..=RUNS {
        let last = json!({"process": "loud", "tail": 1});
        found(&daemon, &last, &format!("this was start {n}"));
        if n < RUNS {
            let answer = daemon.restart("loud");
            assert_eq!(answer["outcome"], "restarted", "{answer}");
        }
    }
    eventually("within its bound", || {
        let size = size(&folder(&project).join("loud"));
        // The one that is written is never removed.
        if size <= (1 << 20) + 500_000 {
            Ok(())
        } else {
            Err(size)
        }
    });
    daemon.stop();

    // Without what is in memory.
    let daemon = project.start_quiet();
    let last = json!({"process": "loud", "index": -2, "tail": 1});
    let newest = found(&daemon, &last, &format!("this was start {RUNS}"));
    assert!(newest.contains("; 0 evicted"), "{newest}");
    let gone = daemon.call("search_logs", &json!({"process": "loud", "run": first}));
    assert_eq!(gone["isError"], true, "{gone}");
    let text = gone["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("removed") || text.contains("kept"),
        "says why: {text}"
    );
    let others = search(&daemon, &json!({"process": "quiet", "run": quiet}));
    assert_eq!(lines(&others)[0], "quiet as ever");
    assert_eq!(counted(&others), 1, "{others}");
}

#[test]
fn a_run_that_is_longer_than_what_is_kept_counts_what_left() {
    const LINES: u64 = 150_000;
    let project = Project::new("long-run");
    // 12 MB: more than a segment.
    project
        .file(
            "main.sh",
            &format!(
                "seq -f 'one of the many lines of a run that is longer than what is kept of it, %.0f' 1 {LINES}; \
                 echo the end; exec sleep 1000"
            ),
        )
        .config(
            "[logs]\nkeep_bytes = \"2M\"\nmemory_bytes = \"1M\"\n\
             [process.main]\ntype = \"command\"\ncommand = [\"sh\", \"main.sh\"]\n",
        );
    let daemon = project.start_quiet();
    let text = found(&daemon, &json!({"tail": 1}), "the end");
    assert_eq!(lines(&text), ["the end"]);
    let all = search(&daemon, &json!({"head": 0}));
    let evicted = regex::Regex::new(r"; ([\d,]+) evicted").unwrap();
    let evicted: u64 = evicted.captures(&all).unwrap()[1]
        .replace(',', "")
        .parse()
        .unwrap();
    assert_eq!(counted(&all) + evicted, LINES + 1, "{all}");
    assert!(evicted > 0, "12 MB are not kept in 2: {all}");
    let size = size(&folder(&project).join("main"));
    assert!(size < 11 << 20, "{size}");
}

#[test]
fn without_disk_nothing_is_written_and_everything_else_is_as_ever() {
    let project = Project::new("no-disk");
    project.config(
        "[logs]\ndisk = false\n\
         [process.main]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", \"echo only in memory; exec sleep 1000\"]\n",
    );
    let daemon = project.start();
    found(&daemon, &json!({}), "only in memory");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    found(&daemon, &json!({"index": -2}), "only in memory");
    found(&daemon, &json!({"run": 1}), "only in memory");
    daemon.stop();
    assert_eq!(on_disk(&project, "main", 1), b"");
    let logs = folder(&project);
    let entries = fs::read_dir(logs).map_or(0, Iterator::count);
    assert_eq!(entries, 0);
}

#[test]
fn nobody_else_may_read_the_history() {
    let project = script("private", "echo a secret; exec sleep 1000");
    let daemon = project.start();
    found(&daemon, &json!({}), "a secret");
    until_on_disk(&project, "main", 1, b"a secret\n");
    let mut open = vec![folder(&project)];
    let mut files = 0;
    while let Some(folder) = open.pop() {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 2, "text and index");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
