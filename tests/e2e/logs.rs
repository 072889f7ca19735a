//! What processes print is kept as it came and belongs to the run that printed it.

use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Project, eventually, is_alive, marked, peak_memory, pid_in, project::lives, signal,
};

/// A process that is a shell script, whose next attempt after a crash comes soon.
const SHELL: &str = r#"
release_crash_backoff_initial_seconds = 0.05
release_crash_backoff_max_seconds = 0.1
dev_crash_wait_seconds = 0.05
[process.main]
type = "command"
command = ["sh", "main.sh"]
"#;

fn prints(name: &str, script: &str) -> Project {
    let project = Project::new(name);
    project.file("main.sh", script).config(SHELL);
    project
}

/// Waits until this is in the log.
#[track_caller]
fn logged(daemon: &Daemon, arguments: &Value, text: &str) -> String {
    eventually(&format!("logged {text:?}"), || {
        let found = daemon.text("search_logs", arguments);
        if found.contains(text) {
            Ok(found)
        } else {
            Err(found)
        }
    })
}

/// The lines of an answer without its first one.
fn lines(answer: &str) -> Vec<&str> {
    let below_head = answer
        .lines()
        .skip_while(|line| !line.starts_with("cursor "));
    below_head.skip(1).collect()
}

/// What is printed is kept in 15 MiB of memory alone.
fn in_memory(project: &Project) {
    let config = project.read(".mcp-run");
    let logs = "[logs]\ndisk = false\nmemory_bytes = \"20M\"\n";
    project.file(".mcp-run", &format!("{config}\n{logs}"));
}

#[test]
fn a_byte_that_is_not_utf8_kills_no_child_and_hides_no_neighbour() {
    let project = prints(
        "utf8",
        r"printf 'caf\351 au lait\n\377\376\0nul\n'; echo after; exec sleep 1000",
    );
    let daemon = project.start();
    let text = logged(&daemon, &json!({}), "after");
    assert_eq!(
        lines(&text),
        [
            "   caf\u{fffd} au lait",
            "   \u{fffd}\u{fffd}\u{2400}nul",
            "   after"
        ]
    );
    let main = daemon.until_state("main", "running");
    assert_eq!((&main["run"], &main["crashes"]), (&json!(1), &json!(0)));
    assert!(is_alive(pid_in(&main)));
}

#[test]
fn a_line_of_200_megabytes_without_a_newline_takes_bounded_memory_and_is_kept_in_pieces() {
    let project = prints(
        "long-line",
        "head -c 200000000 /dev/zero | tr '\\0' x; echo the end of it; echo done > done; exec sleep 1000",
    );
    in_memory(&project);
    let daemon = Daemon::start_into(&project, Stdio::null(), Stdio::piped());
    eventually("printed", || {
        let done = project.read("done");
        if done.is_empty() { Err(done) } else { Ok(()) }
    });
    let text = logged(&daemon, &json!({}), "the end of it");
    assert!(text.contains("[continues]\n"), "{text:.2000}");
    assert!(!text.contains("; 0 evicted"), "{text:.200}");
    assert!(text.len() <= 40_000);
    let pieces = daemon.text("search_logs", &json!({"pattern": "^x+$", "head": 0}));
    let kept = pieces
        .split(": ")
        .nth(1)
        .and_then(|it| it.split(' ').next());
    let kept: u64 = kept.unwrap().replace(',', "").parse().unwrap();
    assert!(
        (170..=256).contains(&kept),
        "15 MiB in pieces of 64 KiB, three or four of them in a block: {pieces}"
    );
    let peak = peak_memory(daemon.pid());
    assert!(peak < 100, "{peak} MiB");
}

#[test]
fn colours_are_removed_for_agents_and_kept_for_people() {
    let project = prints(
        "colours",
        r"printf '\033[1;31merror\033[0m: no\n'; exec sleep 1000",
    );
    let daemon = project.start();
    let text = logged(&daemon, &json!({"pattern": "^error: no$"}), "error");
    assert_eq!(lines(&text), [" * error: no"]);
    daemon.prints("[main] \u{1b}[1;31merror\u{1b}[0m: no\n");
}

#[test]
fn the_last_words_of_a_dying_run_belong_to_it_and_not_to_the_next() {
    let project = prints(
        "last-words",
        "if [ -e born ]; then echo second; exec sleep 1000; fi\n\
         touch born; echo first; printf 'no newline at the end'; kill -9 $$",
    );
    let daemon = project.start();
    let second = logged(&daemon, &json!({}), "second");
    assert_eq!(lines(&second), ["   second"]);
    // The new one prints while the old one is still read to its end.
    let first = logged(&daemon, &json!({"index": -2}), "no newline at the end");
    assert!(
        first.starts_with("main run 1 (crashed: signal 9 (SIGKILL), release) in "),
        "{first}"
    );
    assert_eq!(lines(&first), ["   first", "   no newline at the end"]);
}

#[test]
fn a_grandchild_that_holds_the_pipe_delays_neither_the_next_run_nor_the_last_words() {
    let project = prints(
        "pipe-holder",
        "if [ -e born ]; then echo second; exec sleep 1000; fi\n\
         touch born; setsid sh -c 'trap \"\" TERM HUP; echo grandchild; echo $$ > holder; while :; do sleep 1000; done' &\n\
         until [ -s holder ]; do :; done; printf 'last words'; exit 3",
    );
    let daemon = project.start();
    logged(&daemon, &json!({}), "second");
    // Its shell may still say on stderr that its own child was killed.
    let first = json!({"index": -2, "stream": "stdout"});
    let first = logged(&daemon, &first, "last words");
    assert!(first.contains("(crashed: exit code 3, "), "{first}");
    assert_eq!(lines(&first), ["   grandchild", "   last words"]);
    let holder: u32 = project.read("holder").trim().parse().unwrap();
    assert!(!is_alive(holder));
}

#[test]
fn a_run_whose_pipe_is_held_by_somebody_who_escaped_ends_all_the_same() {
    // Without the mark, in a session of its own, and its parent gone before anybody looked.
    let project = prints(
        "escaped",
        "if [ -e born ]; then echo second; exec sleep 1000; fi\n\
         touch born; (setsid env -i sh -c 'echo $$ > holder; exec sleep 50' &)\n\
         until [ -s holder ]; do :; done; echo last words; exit 3",
    );
    let daemon = project.start();
    logged(&daemon, &json!({}), "second");
    let first = logged(&daemon, &json!({"index": 0}), "last words");
    assert!(first.contains("(crashed: exit code 3, "), "{first}");
    assert_eq!(lines(&first), ["   last words"]);
    let holder: u32 = project.read("holder").trim().parse().unwrap();
    daemon.stop();
    assert!(!is_alive(holder), "ended with the daemon at the latest");
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn what_the_rest_of_a_tree_prints_in_its_grace_is_kept_when_the_leader_ended_first() {
    // As `npm run dev` with a server that tidies up: longer than a pipe is read after the end of a
    // tree. It looks at the clock without a child, who would be asked to end as well.
    let project = prints(
        "grace-output",
        r"if [ -e born ]; then echo second; exec sleep 1000; fi
touch born
now() { read -r seconds rest < /proc/uptime; now=${seconds%.*}${seconds#*.}; }
tidy_up() {
    trap '' TERM
    now; until=$((now + 40)); while [ $now -lt $until ]; do now; done
    echo flushed; echo printed > witness; exit 0
}
(trap tidy_up TERM; echo ready; while :; do sleep 0.02; done) &
wait
",
    );
    let daemon = project.start();
    logged(&daemon, &json!({}), "ready");
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert_eq!(project.read("witness"), "printed\n", "no broken pipe");
    // Its shell says on stderr whom the signal ended.
    let first = json!({"index": 0, "stream": "stdout"});
    let first = logged(&daemon, &first, "flushed");
    assert!(
        first.starts_with("main run 1 (stopped: signal 15 (SIGTERM), "),
        "{first}"
    );
    assert_eq!(lines(&first), ["   ready", "   flushed"]);
}

#[test]
fn both_streams_keep_their_order_and_nothing_is_written_into_the_text() {
    // Each line waits until the one before was read. A pipe of its own for each turn: the second
    // `read` on the same one could meet the end that the first writer still holds.
    let project = prints(
        "streams",
        "mkfifo one two; echo alpha; read go < one; echo beta >&2; read go < two; echo gamma; exec sleep 1000",
    );
    let daemon = project.start();
    for (shown, turn) in [("alpha", "one"), ("beta", "two")] {
        logged(&daemon, &json!({}), shown);
        std::fs::write(project.dir().join(turn), "go\n").unwrap();
    }
    let all = logged(&daemon, &json!({}), "gamma");
    assert_eq!(
        lines(&all),
        ["   alpha", "   stderr| beta", "   gamma"],
        "{all}"
    );
    let found = |arguments: Value| daemon.text("search_logs", &arguments);
    assert_eq!(lines(&found(json!({"pattern": "^beta"}))), [" * beta"]);
    assert_eq!(
        lines(&found(json!({"stream": "stdout"}))),
        ["   alpha", "   gamma"]
    );
    assert_eq!(lines(&found(json!({"stream": "stderr"}))), ["   beta"]);
    let none = found(json!({"pattern": "alpha", "stream": "stderr"}));
    assert!(none.contains("0 of 1 lines of stderr matched"), "{none}");
    assert!(
        none.lines().nth(1).unwrap().contains("matches none"),
        "{none}"
    );
    daemon.prints("[main] beta\n");
}

#[test]
fn text_without_a_newline_is_visible_soon() {
    let project = prints("prompt", "printf 'Password: '; exec sleep 1000");
    let daemon = project.start();
    let text = logged(&daemon, &json!({}), "Password: ");
    assert_eq!(lines(&text), ["   Password:  [no newline yet]"]);
    daemon.prints("[main] Password: \n");
}

#[test]
fn runs_are_found_from_both_ends_and_an_index_that_is_not_kept_says_which_are() {
    let project = prints(
        "index",
        "n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > n; echo this is start $n; exec sleep 1000",
    );
    let daemon = project.start();
    for n in 1..=3 {
        logged(&daemon, &json!({}), &format!("start {n}"));
        if n < 3 {
            let answer = daemon.restart("main");
            assert_eq!(answer["outcome"], "restarted", "{answer}");
        }
    }
    for (index, run, state) in [
        (-1, 3, "running"),
        (-2, 2, "stopped: signal 15 (SIGTERM)"),
        (-3, 1, "stopped: signal 15 (SIGTERM)"),
        (0, 1, "stopped: signal 15 (SIGTERM)"),
        (2, 3, "running"),
    ] {
        let text = daemon.text("search_logs", &json!({"index": index}));
        assert!(text.contains(&format!("this is start {run}\n")), "{text}");
        assert!(
            text.starts_with(&format!("main run {run} ({state}, ")),
            "{text}"
        );
    }
    for index in [3, -4, 1000, i64::MIN, i64::MAX] {
        let answer = daemon.call("search_logs", &json!({"index": index}));
        assert_eq!(answer["isError"], true);
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(
            text.contains("3 are kept, so -3 to -1 and 0 to 2 do"),
            "{text}"
        );
    }
}

#[test]
fn more_than_ten_thousand_lines_are_kept_and_those_that_left_are_counted() {
    let project = prints(
        "many-lines",
        "seq -f 'line %.0f' 1 60000; echo half; read go < turn; \
         seq -f 'a much longer line that fills the memory sooner %.0f' 1 600000; echo end; exec sleep 1000",
    );
    in_memory(&project);
    mkfifo(&project, "turn");
    let daemon = Daemon::start_into(&project, Stdio::null(), Stdio::piped());
    let text = logged(&daemon, &json!({"head": 1}), ": 60,001 lines");
    assert!(text.contains("; 0 evicted"), "{text}");
    assert_eq!(lines(&text), ["   line 1"]);

    std::fs::write(project.dir().join("turn"), "go\n").unwrap();
    let text = logged(&daemon, &json!({"pattern": "^end$"}), " * end");
    let number = |before: &str| -> u64 {
        let (head, _) = text.split_once(before).unwrap();
        let digits = head.rsplit(' ').next().unwrap().replace(',', "");
        digits.parse().unwrap_or_else(|_| panic!("{text}"))
    };
    let (kept, evicted) = (number(" lines matched"), number(" evicted"));
    assert_eq!(kept + evicted, 660_002, "{text}");
    assert!(kept > 100_000, "{text}");
    assert!(evicted > 60_000, "{text}");
}

#[test]
fn the_last_run_before_a_kill_of_the_child_can_be_read_while_it_backs_off() {
    let project = Project::new("kill-and-read");
    project
        .rust(&lives("hello from main"))
        .config("release_crash_backoff_initial_seconds = 300\n[process.main]\ntype = \"rust\"\n");
    let daemon = project.start();
    logged(&daemon, &json!({}), "hello from main");
    let main = daemon.until("main", "a pid", |process| process["pid"].is_u64());
    signal(pid_in(&main), Signal::SIGKILL);
    daemon.until_state("main", "backing_off");
    let text = daemon.logs("main");
    assert!(
        text.starts_with("main run 1 (crashed: signal 9 (SIGKILL), release) in "),
        "{text}"
    );
    assert_eq!(lines(&text), ["   hello from main"]);
}

#[test]
fn a_program_that_cannot_be_started_says_why_wherever_somebody_looks() {
    let project = Project::new("no-program");
    project.config(
        "release_crash_backoff_initial_seconds = 300\n\
         [process.main]\ntype = \"command\"\ncommand = [\"no-such-program\", \"x\"]\n",
    );
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    let events = main["events"].to_string();
    assert!(events.contains("no-such-program"), "{events}");
    let text = daemon.logs("main");
    assert!(text.contains("has not run yet"), "{text}");
    assert!(text.contains("no-such-program"), "{text}");
    daemon.prints("no-such-program");
    let answer = daemon.call("restart", &json!({}));
    assert_eq!(answer["isError"], true);
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("no-such-program"), "{text}");
}

fn mkfifo(project: &Project, name: &str) {
    let path = project.dir().join(name);
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}
