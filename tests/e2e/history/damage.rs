//! Files that somebody, or a power cut, has damaged.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{counted, folder, found, lines, search, segments, until_on_disk};
use crate::support::Project;

const LINES: u64 = 3_000;

/// What is done to the index or the text of a finished run.
type Damage = fn(log: &Path, index: &Path);

const DAMAGES: [(&str, Damage); 8] = [
    ("index-gone", |_, index| fs::remove_file(index).unwrap()),
    ("index-empty", |_, index| fs::write(index, "").unwrap()),
    ("index-half", |_, index| {
        let length = fs::metadata(index).unwrap().len();
        // Within a record.
        cut(index, length / 2 + 3);
    }),
    ("index-garbage", |_, index| {
        let length = usize::try_from(fs::metadata(index).unwrap().len()).unwrap();
        let garbage: Vec<u8> = (0..=u8::MAX).cycle().skip(7).take(length).collect();
        fs::write(index, garbage).unwrap();
    }),
    ("index-garbage-behind", |_, index| {
        let mut bytes = fs::read(index).unwrap();
        bytes.extend((0..=u8::MAX).cycle().take(1000));
        fs::write(index, bytes).unwrap();
    }),
    ("index-zeros-behind", |_, index| {
        // As file systems leave it after a power cut.
        let mut bytes = fs::read(index).unwrap();
        bytes.extend([0; 4096]);
        fs::write(index, bytes).unwrap();
    }),
    ("text-half", |log, _| {
        let length = fs::metadata(log).unwrap().len();
        cut(log, length / 2 + 3);
    }),
    ("text-gone", |log, _| fs::remove_file(log).unwrap()),
];

fn cut(path: &Path, length: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

#[test]
fn whatever_happened_to_the_files_all_lines_that_are_there_are_found() {
    let project = Project::new("damage");
    let mut config = String::new();
    for (name, _) in DAMAGES {
        writeln!(
            config,
            "[process.{name}]\ntype = \"command\"\ncommand = [\"sh\", \"main.sh\"]"
        )
        .unwrap();
    }
    let print = format!("seq -f 'numbered %.0f, and some more text' 1 {LINES}; exec sleep 1000");
    project.file("main.sh", &print).config(&config);
    let expected: Vec<String> = (1..=LINES)
        .map(|n| format!("numbered {n}, and some more text"))
        .collect();
    let text = expected.join("\n") + "\n";
    let daemon = project.start();
    let runs: Vec<u64> = DAMAGES
        .iter()
        .map(|(name, _)| {
            let process = daemon.until(name, "a run", |it| it["run"].is_u64());
            process["run"].as_u64().unwrap()
        })
        .collect();
    for ((name, _), run) in DAMAGES.iter().zip(&runs) {
        until_on_disk(&project, name, *run, text.as_bytes());
    }
    daemon.stop();
    for ((name, damage), run) in DAMAGES.iter().zip(&runs) {
        let [log]: [PathBuf; 1] = segments(&project, name, *run).try_into().unwrap();
        damage(&log, &log.with_extension("idx"));
    }

    project.file("main.sh", "echo next; exec sleep 1000");
    let daemon = project.start();
    for ((name, _), run) in DAMAGES.iter().zip(&runs) {
        found(&daemon, &json!({"process": name}), "next");
        if *name == "text-gone" {
            // Nothing can be found; whatever is answered must be an answer.
            daemon.call("search_logs", &json!({"process": name, "run": run}));
            continue;
        }
        let of = |more: Value| {
            let mut arguments = json!({"process": name, "run": run});
            for (key, value) in more.as_object().unwrap() {
                arguments[key] = value.clone();
            }
            search(&daemon, &arguments)
        };
        let there = if *name == "text-half" {
            let [log]: [PathBuf; 1] = segments(&project, name, *run).try_into().unwrap();
            let text = fs::read_to_string(log).unwrap();
            text.split_inclusive('\n')
                .filter(|it| it.ends_with('\n'))
                .count() as u64
        } else {
            LINES
        };
        let whole = of(json!({"pattern": "^numbered [0-9]+, and some more text$", "head": 0}));
        assert_eq!(counted(&whole), there, "{name}: {whole}");
        let all = counted(&of(json!({"head": 0})));
        // Half of a line may be left of one that was cut.
        assert!(
            all == there || (all == there + 1 && there < LINES),
            "{name}: {all}"
        );
        let head = of(json!({"head": 3}));
        assert_eq!(lines(&head), expected[..3], "{name}");
        let last = format!("^numbered {there},");
        let last = of(json!({"pattern": last}));
        assert_eq!(counted(&last), 1, "{name}: {last}");
        assert_eq!(
            lines(&last),
            [expected[usize::try_from(there).unwrap() - 1].as_str()],
            "{name}"
        );
    }
    for (name, _) in DAMAGES {
        assert_eq!(daemon.process(name)["crashes"], 0, "{name}");
    }
}

#[test]
fn files_that_are_none_of_ours_are_left_alone_and_disturb_nobody() {
    let project = super::script("strangers", "echo mine; exec sleep 1000");
    let daemon = project.start();
    found(&daemon, &json!({}), "mine");
    daemon.stop();
    let strangers = [
        "main/notes.txt",
        "main/run-.log",
        "main/run-abc.log",
        "main/run-99999999999999999999999.log",
        "main/run-000007.log.gz",
        "stranger/run-x.idx",
    ];
    let logs = folder(&project);
    for name in strangers {
        let path = logs.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "strange").unwrap();
    }
    fs::create_dir(logs.join("main/run-000005.log")).unwrap();
    let daemon = project.start();
    found(&daemon, &json!({}), "mine");
    let first = search(&daemon, &json!({"run": 1}));
    assert_eq!(lines(&first)[0], "mine");
    daemon.stop();
    for name in strangers {
        assert_eq!(
            fs::read_to_string(logs.join(name)).unwrap(),
            "strange",
            "{name}"
        );
    }
}
