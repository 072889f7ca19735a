//! What an agent gets when it searches, in the answers of the real daemon.

use serde_json::{Value, json};

use crate::support::{Daemon, Project, eventually};

/// One process that prints this and stays.
fn printed(name: &str, script: &str) -> (Project, Daemon) {
    let project = Project::new(name);
    project
        .file(
            "main.sh",
            &format!("{script}\necho complete > done; exec sleep 1000\n"),
        )
        .config("[process.main]\ntype = \"command\"\ncommand = [\"sh\", \"main.sh\"]\n");
    let daemon = project.start();
    eventually("printed", || {
        let done = project.read("done");
        if done.is_empty() {
            Err(daemon.output())
        } else {
            Ok(())
        }
    });
    (project, daemon)
}

#[track_caller]
fn search(daemon: &Daemon, arguments: &Value) -> String {
    let answer = daemon.call("search_logs", arguments);
    assert_eq!(answer["isError"], false, "{arguments}: {answer}");
    assert!(
        answer.get("structuredContent").is_none(),
        "logs are text alone, else clients show no text: {answer}"
    );
    answer["content"][0]["text"].as_str().unwrap().to_owned()
}

/// Waits for the last line, which may still be in the pipe.
#[track_caller]
fn settled(daemon: &Daemon, last: &str) {
    eventually(last, || {
        let text = search(daemon, &json!({"tail": 1}));
        if text.contains(last) {
            Ok(())
        } else {
            Err(text)
        }
    });
}

fn lines(answer: &str) -> Vec<&str> {
    let below_head = answer
        .lines()
        .skip_while(|line| !line.starts_with("cursor "));
    below_head.skip(1).collect()
}

#[test]
fn head_and_tail_count_matches_tail_wins_and_context_is_never_cut() {
    let (_project, daemon) = printed("extent", "seq -f 'n%02.0f' 1 30");
    settled(&daemon, "n30");
    let found = |arguments: Value| search(&daemon, &arguments);
    let text = found(json!({"pattern": "n[12]0", "context_lines": 1, "tail": 1}));
    assert_eq!(lines(&text), ["   n19", " * n20", "   n21"]);
    assert!(text.contains(": 2 of 30 lines matched, showing the last 1; 0 evicted\n"));
    let text = found(json!({"pattern": "n[12]0", "context_lines": 1, "head": 1}));
    assert_eq!(lines(&text), ["   n09", " * n10", "   n11"]);
    let both = json!({"pattern": "n.5", "head": 1, "tail": 2});
    assert_eq!(lines(&found(both)), [" * n15", "--", " * n25"]);
    let all = found(json!({"pattern": "n[12]0", "context_lines": 1}));
    assert_eq!(
        lines(&all),
        [
            "   n09", " * n10", "   n11", "--", "   n19", " * n20", "   n21"
        ]
    );
    assert_eq!(
        lines(&found(json!({"head": 2}))),
        ["   n01", "   n02"],
        "no pattern, no mark"
    );
    assert_eq!(lines(&found(json!({"tail": 2}))), ["   n29", "   n30"]);
    let huge = found(json!({"pattern": "n15", "context_lines": u64::MAX, "tail": 1}));
    assert_eq!(lines(&huge).len(), 30);
}

#[test]
fn a_pattern_is_case_sensitive_and_a_bad_one_shows_where() {
    let (_project, daemon) = printed("pattern", "echo Error: no; echo error: yes");
    settled(&daemon, "error: yes");
    assert_eq!(
        lines(&search(&daemon, &json!({"pattern": "error"}))),
        [" * error: yes"]
    );
    assert_eq!(
        lines(&search(&daemon, &json!({"pattern": "(?i)error"}))).len(),
        2
    );
    let bad = daemon.call("search_logs", &json!({"pattern": "one(two"}));
    assert_eq!(bad["isError"], true);
    let text = bad["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("one(two\n       ^"), "points at it: {text}");
    assert!(text.contains("unclosed group"), "{text}");
}

#[test]
fn wrong_types_and_unknown_names_are_refused_and_never_ignored() {
    let (_project, daemon) = printed("types", "echo hello");
    settled(&daemon, "hello");
    for (arguments, words) in [
        (json!({"index": "-2"}), "`index`"),
        (json!({"head": -1}), "`head`"),
        (json!({"tail": "5"}), "`tail`"),
        (json!({"context_lines": 1.5}), "`context_lines`"),
        (json!({"stream": "both"}), "`stream`"),
        (json!({"grep": "x"}), "`grep`"),
        (json!({"process": "man"}), "did you mean `main`"),
    ] {
        let answer = daemon.call("search_logs", &arguments);
        assert_eq!(answer["isError"], true, "{arguments}: {answer}");
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(words), "{arguments}: {text}");
    }
}

#[test]
fn an_answer_stays_below_40_kilobytes_in_a_flood_and_says_what_it_left_out() {
    // Every line of the flood is of another kind: long, coloured, of many bytes a character.
    let (_project, daemon) = printed(
        "flood",
        r"i=0; while [ $i -lt 4000 ]; do printf '%d \033[32m漢字漢字漢字漢字\033[0m \001\002 %0100d\n' $i $i; i=$((i+1)); done
           head -c 300000 /dev/zero | tr '\0' y; echo; echo the end",
    );
    settled(&daemon, "the end");
    for arguments in [
        json!({}),
        json!({"head": 100_000}),
        json!({"tail": 100_000}),
        json!({"pattern": "."}),
        json!({"pattern": "9", "context_lines": 3}),
        json!({"pattern": "y", "collapse": "none"}),
        json!({"pattern": "^y", "context_lines": 10_000, "tail": 1}),
    ] {
        let text = search(&daemon, &arguments);
        assert!(text.len() <= 40_000, "{arguments}: {}", text.len());
        assert!(
            text.len() > 8_000,
            "{arguments}: what fits is shown, not {}",
            text.len()
        );
        assert!(
            text.contains(" left out; after_cursor ") || text.contains("cut out of the middle"),
            "{arguments}: {text:.300}"
        );
    }
    let many = search(&daemon, &json!({"pattern": "漢字", "tail": 3}));
    assert_eq!(lines(&many).len(), 3, "what was asked for is there: {many}");
}

#[test]
fn a_search_in_which_all_lines_match_with_context_is_answered_as_fast_as_any() {
    let (_project, daemon) = printed("all-match", "seq -f 'line %.0f' 1 200000");
    settled(&daemon, "line 200000");
    // Quadratic, this would be 200,000 × 200,000 steps: minutes, where the client gives up.
    let text = search(
        &daemon,
        &json!({"pattern": "line", "context_lines": 200_000}),
    );
    assert!(
        text.contains(" of 200,000 lines matched, showing the last"),
        "{text:.300}"
    );
    let text = search(&daemon, &json!({"pattern": "(line|\\d)*$", "head": 3}));
    assert_eq!(lines(&text), [" * line 1", " * line 2", " * line 3"]);
}

#[test]
fn an_empty_answer_says_why() {
    let project = Project::new("empty");
    project.config(
        "[process.quiet]\ntype = \"command\"\ncommand = [\"sleep\", \"1000\"]\n\
         [process.loud]\ntype = \"npm\"\ncommand = [\"sh\", \"-c\", \"echo out; exec sleep 1000\"]\n",
    );
    let daemon = project.start();
    let quiet = json!({"process": "quiet"});
    daemon.until("quiet", "a run", |process| process["run"].is_u64());
    eventually("opened", || {
        let text = daemon.text("search_logs", &quiet);
        if text.contains("has printed nothing yet") {
            Ok(())
        } else {
            Err(text)
        }
    });
    let text = daemon.text("search_build_log", &json!({"process": "loud"}));
    assert!(
        text.contains("nothing is built for a process of type npm"),
        "{text}"
    );
    eventually("both", || {
        let text = daemon.text("search_logs", &json!({}));
        if text.contains("quiet run ") && text.ends_with("   loud| out\n") {
            Ok(())
        } else {
            Err(text)
        }
    });
    let unknown = daemon.call("search_logs", &json!({"process": "main"}));
    assert_eq!(unknown["isError"], true);
    let text = unknown["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("known: quiet, loud"), "{text}");
}
