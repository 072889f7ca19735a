//! Only what is new, and only what lies between two times.

use std::{thread, time::Duration};

use serde_json::json;

use super::{cursor, echoes, found, lines, refused, says, search};
use crate::support::{Daemon, Project};

#[test]
fn a_cursor_gives_exactly_what_is_new_and_says_when_there_is_nothing() {
    let project = Project::new("cursor");
    project.config(&echoes("main"));
    let daemon = project.start();
    says(&project, &daemon, "main", "a1 a2 a3");
    let first = search(&daemon, &json!({}));
    assert_eq!(lines(&first), ["a1", "a2", "a3"]);
    let mut at = cursor(&first);
    assert_eq!(at, "1:3");
    for (words, expected, next) in [("b1 b2", &["b1", "b2"][..], "1:5"), ("c1", &["c1"], "1:6")] {
        let nothing = search(&daemon, &json!({"after_cursor": at}));
        assert_eq!(lines(&nothing), [""; 0], "{nothing}");
        assert!(nothing.contains("nothing new"), "{nothing}");
        assert_eq!(cursor(&nothing), at);
        says(&project, &daemon, "main", words);
        let new = search(&daemon, &json!({"after_cursor": at}));
        assert_eq!(lines(&new), expected, "{new}");
        assert!(
            !new.contains("run_changed") && !new.contains("gap"),
            "{new}"
        );
        at = cursor(&new);
        assert_eq!(at, next);
    }
    // The cursor counts what was looked at, not what matched.
    let none = search(&daemon, &json!({"after_cursor": "1:3", "pattern": "c"}));
    assert_eq!(lines(&none), ["c1"], "{none}");
    assert_eq!(cursor(&none), "1:6");
    let between = search(&daemon, &json!({"after_cursor": "1:1", "until": "1:4"}));
    assert_eq!(lines(&between), ["a2", "a3", "b1"], "{between}");
    // Who wants the first ones goes on behind them.
    let head = search(&daemon, &json!({"after_cursor": "1:1", "head": 2}));
    assert_eq!(
        (lines(&head), cursor(&head)),
        (vec!["a2", "a3"], "1:3".into())
    );
    let rest = search(&daemon, &json!({"after_cursor": "1:3", "head": 9}));
    assert_eq!(
        (lines(&rest), cursor(&rest)),
        (vec!["b1", "b2", "c1"], "1:6".into())
    );
}

#[test]
fn a_cursor_leads_into_the_next_run_and_says_that_it_is_another() {
    let project = Project::new("run-changed");
    project.config(&echoes("main"));
    let daemon = project.start();
    says(&project, &daemon, "main", "a1 a2");
    let at = cursor(&search(&daemon, &json!({})));
    says(&project, &daemon, "main", "a3");
    std::fs::remove_file(project.dir().join("main.there")).unwrap();
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    says(&project, &daemon, "main", "b1 b2");
    let new = search(&daemon, &json!({"after_cursor": at}));
    // Its shell may say more when it is stopped.
    let stdout = search(&daemon, &json!({"after_cursor": at, "stream": "stdout"}));
    assert_eq!(lines(&stdout), ["a3", "b1", "b2"], "{stdout}");
    assert!(new.contains("run_changed"), "{new}");
    assert!(new.contains("run 1") && new.contains("run 2"), "{new}");
    assert!(new.contains("stopped: signal 15 (SIGTERM)"), "{new}");
    assert_eq!(cursor(&new), "2:2");

    // And over the end of the daemon.
    daemon.stop();
    std::fs::remove_file(project.dir().join("main.there")).unwrap();
    let daemon = project.start();
    says(&project, &daemon, "main", "c1");
    let stdout = search(&daemon, &json!({"after_cursor": "2:1", "stream": "stdout"}));
    assert_eq!(lines(&stdout), ["b2", "c1"], "{stdout}");
    assert!(stdout.contains("run_changed"), "{stdout}");
    assert_eq!(cursor(&stdout), "3:1");
}

#[test]
fn what_is_gone_behind_a_cursor_is_counted() {
    let project = Project::new("gap");
    let flood = "[ -p turn ] || mkfifo turn; echo one; echo two; read -r go < turn
seq -f 'a line that pushes older ones out of the memory, number %.0f' 1 60000
echo end; exec sleep 1000";
    project.file("main.sh", flood).config(
        "[logs]\ndisk = false\nmemory_bytes = \"1M\"\n\
         [process.main]\ntype = \"command\"\ncommand = [\"sh\", \"main.sh\"]\n",
    );
    let daemon = project.start_quiet();
    let at = cursor(&found(&daemon, &json!({}), "two"));
    assert_eq!(at, "1:2");
    std::fs::write(project.dir().join("turn"), "go\n").unwrap();
    found(&daemon, &json!({"tail": 1, "index": -1}), "end");
    let new = search(&daemon, &json!({"after_cursor": at}));
    assert!(new.contains("gap"), "{new:.400}");
    assert_eq!(lines(&new).last(), Some(&"end"));
    assert_eq!(cursor(&new), "1:60003");
}

#[test]
fn a_wrong_cursor_is_refused_with_the_form_of_a_right_one() {
    let project = Project::new("bad-cursor");
    project.config(&echoes("main"));
    let daemon = project.start();
    says(&project, &daemon, "main", "a1");
    for wrong in ["", "1", "1:x", ":", "one:2", "1:2:3"] {
        let text = refused(&daemon, &json!({"after_cursor": wrong}));
        assert!(text.contains("after_cursor"), "{wrong}: {text}");
    }
    let number = refused(&daemon, &json!({"after_cursor": 7}));
    assert!(number.contains("after_cursor"), "{number}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "lines must differ in the time at which they came"
)]
fn a_moment() -> jiff::Timestamp {
    thread::sleep(Duration::from_millis(30));
    let now = jiff::Timestamp::now();
    thread::sleep(Duration::from_millis(30));
    now
}

#[test]
fn since_and_until_take_times_ages_and_cursors() {
    let project = Project::new("since");
    project.config(&echoes("main"));
    let daemon = project.start();
    let born = a_moment();
    says(&project, &daemon, "main", "early1 early2");
    let middle = a_moment();
    says(&project, &daemon, "main", "late1 late2");
    let end = a_moment();
    let all = ["early1", "early2", "late1", "late2"];
    let found = |arguments: serde_json::Value| {
        let text = search(&daemon, &arguments);
        let lines = lines(&text).into_iter().map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(found(json!({"since": middle})), all[2..]);
    assert_eq!(found(json!({"until": middle})), all[..2]);
    assert_eq!(found(json!({"since": born, "until": end})), all);
    assert_eq!(
        found(json!({"since": born, "until": middle, "tail": 1})),
        all[1..2]
    );
    for age in ["600s", "10m", "2h", "1d"] {
        assert_eq!(found(json!({"since": age})), all, "{age}");
        assert_eq!(found(json!({"until": age})), [""; 0], "{age}");
    }
    assert_eq!(found(json!({"since": end})), [""; 0]);
    let empty = search(&daemon, &json!({"until": "1h"}));
    assert!(empty.lines().count() > 1, "says why it is empty: {empty}");
    // In another zone it is the same time.
    let zoned = middle.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
    let zoned = zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string();
    assert_eq!(found(json!({"since": zoned})), all[2..]);
    assert_eq!(found(json!({"until": "1:3"})), all[..3]);
    assert_eq!(
        found(json!({"after_cursor": "1:1", "until": middle, "pattern": "."})),
        all[1..2]
    );
    for wrong in ["yesterday", "5", "5 parsecs", "-5m", "2026-13-01T00:00:00Z"] {
        let text = refused(&daemon, &json!({"since": wrong}));
        assert!(text.contains("since"), "{wrong}: {text}");
        let text = refused(&daemon, &json!({"until": wrong}));
        assert!(text.contains("until"), "{wrong}: {text}");
    }
}

#[test]
fn since_reaches_back_into_the_runs_before() {
    let project = Project::new("since-runs");
    project.config(&echoes("main"));
    let daemon: Daemon = project.start();
    says(&project, &daemon, "main", "a1 a2");
    std::fs::remove_file(project.dir().join("main.there")).unwrap();
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    says(&project, &daemon, "main", "b1");
    let stdout = |mut arguments: serde_json::Value| {
        arguments["stream"] = json!("stdout");
        search(&daemon, &arguments)
    };
    let all = stdout(json!({"since": "1h"}));
    assert_eq!(lines(&all), ["a1", "a2", "b1"], "{all}");
    let newest = stdout(json!({"since": "1h", "index": -1}));
    assert_eq!(lines(&newest), ["b1"], "{newest}");
    let first = stdout(json!({"since": "1h", "run": 1}));
    assert_eq!(lines(&first), ["a1", "a2"], "{first}");
}
