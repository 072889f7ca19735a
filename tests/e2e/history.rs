//! What processes printed is on disk, byte for byte, and is found again after the daemon's end.

mod builds;
mod damage;
mod full;
mod kept;
mod kills;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{Project, eventually, found, lines, search};

/// The folder of all logs.
fn folder(project: &Project) -> PathBuf {
    let projects = project.state_home().join("background-process-manager");
    let project = fs::read_dir(projects).unwrap().next().unwrap().unwrap();
    project.path().join("logs")
}

/// The segments of a run, oldest first, as a shell's glob gives them.
fn segments(project: &Project, process: &str, run: u64) -> Vec<PathBuf> {
    let folder = folder(project).join(process);
    let of_run = format!("run-{run:06}.");
    let entries = fs::read_dir(folder).map(|it| it.flatten().collect::<Vec<_>>());
    let paths = entries.unwrap_or_default().into_iter().map(|it| it.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "log"))
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&of_run)
        })
        .collect();
    paths.sort_unstable();
    paths
}

/// Everything that is on disk of a run.
fn on_disk(project: &Project, process: &str, run: u64) -> Vec<u8> {
    let segments = segments(project, process, run).into_iter();
    // One may be renamed between the two.
    segments
        .flat_map(|path| fs::read(path).unwrap_or_default())
        .collect()
}

/// Waits until exactly this is on disk.
#[track_caller]
fn until_on_disk(project: &Project, process: &str, run: u64, expected: &[u8]) {
    eventually(&format!("{process} run {run} on disk"), || {
        let found = on_disk(project, process, run);
        if found == expected {
            return Ok(());
        }
        let same = found.iter().zip(expected).take_while(|(a, b)| a == b);
        let same = same.count();
        let from = same.saturating_sub(20);
        let around = |bytes: &[u8]| {
            let part = &bytes[from..bytes.len().min(same + 60)];
            String::from_utf8_lossy(part).into_owned()
        };
        let (found_there, expected_there) = (around(&found), around(expected));
        let lengths = (found.len(), expected.len());
        Err((lengths, same, found_there, expected_there))
    });
}

/// How many lines there are, or match, by the first line of an answer.
#[track_caller]
fn counted(answer: &str) -> u64 {
    let first = answer.lines().next().unwrap();
    let number = regex::Regex::new(r": ([\d,]+) (?:of [\d,]+ )?lines").unwrap();
    let number = number.captures(first);
    let number = &number.unwrap_or_else(|| panic!("no count in {first}"))[1];
    number.replace(',', "").parse().unwrap()
}

/// One process that is this shell script; after a crash it is left alone.
fn script(name: &str, script: &str) -> Project {
    let project = Project::new(name);
    project.file("main.sh", script).config(
        "release_crash_backoff_initial_seconds = 300\n\
         [process.main]\ntype = \"command\"\ncommand = [\"sh\", \"main.sh\"]\n",
    );
    project
}

#[test]
fn a_run_is_on_disk_byte_for_byte_whatever_it_printed() {
    let project = script(
        "bytes",
        r"printf 'caf\351 au lait\n\377\376\0nul\n\n\033[1mbold\033[0m\r\n\tno newline at the end'; exit 3",
    );
    let daemon = project.start();
    daemon.until_state("main", "backing_off");
    let bytes = b"caf\xe9 au lait\n\xff\xfe\0nul\n\n\x1b[1mbold\x1b[0m\r\n\tno newline at the end";
    until_on_disk(&project, "main", 1, bytes);
    let before = search(&daemon, &json!({}));
    daemon.stop();

    // The next daemon shows what this one did.
    project.file("main.sh", "echo second; exec sleep 1000");
    let daemon = project.start();
    found(&daemon, &json!({}), "second");
    let after = search(&daemon, &json!({"index": -2}));
    assert_eq!(lines(&after), lines(&before));
    assert!(
        after.starts_with("main run 1 (crashed: exit code 3, "),
        "{after}"
    );
    assert_eq!(
        on_disk(&project, "main", 1),
        bytes,
        "nothing is added by whoever reads"
    );
}

#[test]
fn both_streams_keep_their_order_over_the_end_of_the_daemon() {
    let project = script(
        "both",
        "mkfifo one two; echo alpha; read go < one; echo beta >&2; read go < two; echo gamma; exec sleep 1000",
    );
    let daemon = project.start();
    for (shown, turn) in [("alpha", "one"), ("beta", "two")] {
        found(&daemon, &json!({}), shown);
        fs::write(project.dir().join(turn), "go\n").unwrap();
    }
    found(&daemon, &json!({}), "gamma");
    until_on_disk(&project, "main", 1, b"alpha\nbeta\ngamma\n");
    daemon.stop();

    project.file("main.sh", "echo next; exec sleep 1000");
    let daemon = project.start();
    found(&daemon, &json!({}), "next");
    let of = |mut arguments: Value| {
        arguments["index"] = json!(-2);
        search(&daemon, &arguments)
    };
    // The shell may say more on stderr when it is stopped.
    let first = of(json!({"head": 3}));
    assert_eq!(lines(&first), ["alpha", "stderr| beta", "gamma"], "{first}");
    assert_eq!(lines(&of(json!({"stream": "stdout"}))), ["alpha", "gamma"]);
    assert_eq!(lines(&of(json!({"pattern": "^beta$"}))), ["beta"]);
}

#[test]
fn runs_go_on_counting_and_are_found_by_number_and_index_after_the_daemons_end() {
    let project = script(
        "counting",
        "n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > n; echo this is start $n; exec sleep 1000",
    );
    let daemon = project.start();
    found(&daemon, &json!({}), "start 1");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    found(&daemon, &json!({}), "start 2");
    daemon.stop();

    let mut daemon = project.start();
    found(&daemon, &json!({}), "start 3");
    assert_eq!(daemon.until_state("main", "running")["run"], 3);
    // As after a power cut.
    daemon.signal(nix::sys::signal::Signal::SIGKILL);
    daemon.ends();
    drop(daemon);

    let daemon = project.start();
    found(&daemon, &json!({}), "start 4");
    let stopped = "stopped: signal 15 (SIGTERM)";
    for (arguments, run, state) in [
        (json!({}), 4, "running"),
        (json!({"index": -1}), 4, "running"),
        (json!({"index": -2}), 3, ""),
        (json!({"index": -3}), 2, stopped),
        (json!({"index": 0}), 1, stopped),
        (json!({"run": 1}), 1, stopped),
        (json!({"run": 2}), 2, stopped),
        (json!({"run": 3}), 3, ""),
        (json!({"run": 4}), 4, "running"),
    ] {
        let text = search(&daemon, &arguments);
        assert!(
            text.starts_with(&format!("main run {run} ({state}")),
            "{arguments}: {text}"
        );
        assert_eq!(
            lines(&text)[0],
            format!("this is start {run}"),
            "{arguments}"
        );
    }
    let killed = search(&daemon, &json!({"run": 3}));
    assert!(
        !killed.starts_with("main run 3 (running"),
        "nobody runs any more: {killed}"
    );
    for arguments in [json!({"run": 5}), json!({"index": -5})] {
        let answer = daemon.call("search_logs", &arguments);
        assert_eq!(answer["isError"], true, "{arguments}: {answer}");
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("kept"), "says which there are: {text}");
    }
    let both = daemon.call("search_logs", &json!({"run": 1, "index": -1}));
    assert_eq!(both["isError"], true, "{both}");
}

#[test]
fn a_long_run_is_rotated_into_files_that_follow_each_other() {
    const LINES: u64 = 200_000;
    let project = script(
        "rotated",
        &format!(
            "seq -f 'a line of a hundred bytes, so that a few hundred thousand of them fill some files %013.0f' 1 {LINES}; \
             echo complete > done; exec sleep 1000"
        ),
    );
    let daemon = project.start_quiet();
    let expected: Vec<u8> = (1..=LINES)
        .flat_map(|n| {
            format!(
                "a line of a hundred bytes, so that a few hundred thousand of them fill some files {n:013}\n"
            )
            .into_bytes()
        })
        .collect();
    until_on_disk(&project, "main", 1, &expected);
    let segments = segments(&project, "main", 1);
    assert!(segments.len() >= 2, "{segments:?}");
    let newest = segments.last().unwrap();
    assert!(
        newest.ends_with("run-000001.log"),
        "`tail -F` follows this one: {segments:?}"
    );
    assert_eq!(counted(&search(&daemon, &json!({"head": 0}))), LINES);
    daemon.stop();

    project.file("main.sh", "echo next; exec sleep 1000");
    let daemon = project.start_quiet();
    found(&daemon, &json!({}), "next");
    let all = search(&daemon, &json!({"run": 1, "head": 0}));
    assert_eq!(counted(&all), LINES);
    assert!(all.lines().next().unwrap().contains("; 0 evicted"), "{all}");
    let sevens = search(&daemon, &json!({"run": 1, "pattern": "7777$", "head": 0}));
    assert_eq!(counted(&sevens), LINES / 10_000);
    let first = search(&daemon, &json!({"run": 1, "head": 1}));
    assert!(lines(&first)[0].ends_with(" 0000000000001"), "{first}");
    let last = search(&daemon, &json!({"run": 1, "tail": 1}));
    assert!(lines(&last)[0].ends_with(" 0000000200000"), "{last}");
}
