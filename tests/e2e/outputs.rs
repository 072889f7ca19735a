//! The daemon's own stdout and stderr: what is passed on, and who may be slow or gone.

use std::{
    collections::HashMap,
    io::{PipeReader, pipe},
    process::Stdio,
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{
    Daemon, Project, eventually, is_alive, marked, peak_memory, pid_in, project::lives,
};

/// Prints 30 MB to each stream, then says in a file that it could.
const FLOOD: &str = r#"
[process.main]
type = "command"
command = ["sh", "main.sh"]
"#;

const SCRIPT: &str = "seq -f 'a line of the flood, which is not short %.0f' 1 500000 >&2\n\
    seq -f 'a line of the flood, which is not short %.0f' 1 500000\n\
    echo the end; echo done > done; exec sleep 1000\n";

fn flood(name: &str) -> Project {
    let project = Project::new(name);
    project.file("main.sh", SCRIPT).config(FLOOD);
    project
}

/// The child got rid of everything, the daemon answers, and ends in order.
#[track_caller]
fn nobody_is_stalled(project: &Project, mut daemon: Daemon) {
    eventually("printed", || {
        let done = project.read("done");
        if done.is_empty() { Err(done) } else { Ok(()) }
    });
    let main = daemon.until_state("main", "running");
    assert_eq!((&main["run"], &main["crashes"]), (&json!(1), &json!(0)));
    let text = eventually("searched", || {
        let text = daemon.text("search_logs", &json!({"pattern": "^the end$"}));
        if text.contains(" * the end") {
            Ok(text)
        } else {
            Err(text)
        }
    });
    assert!(text.contains("1 of "), "{text}");
    let again = daemon.restart("main");
    assert_eq!(again["outcome"], "restarted", "{again}");
    let peak = peak_memory(daemon.pid());
    assert!(peak < 120, "{peak} MiB");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0));
    assert_eq!(marked(&project.dir()), [0; 0]);
}

#[test]
fn outputs_that_nobody_reads_stall_neither_child_nor_answers_nor_the_end() {
    let project = flood("unread");
    let (reader, writer) = pipe().unwrap();
    let (other_reader, other) = pipe().unwrap();
    let daemon = Daemon::start_into(&project, writer.into(), other.into());
    nobody_is_stalled(&project, daemon);
    drop((reader, other_reader));
}

#[test]
fn one_unread_pipe_for_both_outputs_stalls_nobody_either() {
    let project = flood("unread-one");
    let (reader, writer) = pipe().unwrap();
    let both = writer.try_clone().unwrap();
    let daemon = Daemon::start_into(&project, writer.into(), both.into());
    nobody_is_stalled(&project, daemon);
    drop(reader);
}

#[test]
fn outputs_that_were_closed_kill_no_child() {
    let project = flood("closed");
    let closed = || -> Stdio {
        let (reader, writer): (PipeReader, _) = pipe().unwrap();
        drop(reader);
        writer.into()
    };
    let daemon = Daemon::start_into(&project, closed(), closed());
    nobody_is_stalled(&project, daemon);
}

#[test]
fn an_output_that_is_closed_while_it_is_written_kills_no_child() {
    let project = Project::new("closed-later");
    project
        .file(
            "main.sh",
            "mkfifo go; echo first; read go < go; echo second; echo third >&2; echo done > done; exec sleep 1000",
        )
        .config(FLOOD);
    let (reader, writer) = pipe().unwrap();
    let daemon = Daemon::start_into(&project, writer.into(), Stdio::piped());
    let pid = pid_in(&daemon.until("main", "a pid", |main| main["pid"].is_u64()));
    eventually("waits", || {
        let text = daemon.logs("main");
        if text.contains("first") {
            Ok(())
        } else {
            Err(text)
        }
    });
    drop(reader);
    std::fs::write(project.dir().join("go"), "go\n").unwrap();
    eventually("went on", || {
        let text = daemon.logs("main");
        if text.contains("second") && text.contains("third") {
            Ok(())
        } else {
            Err(text)
        }
    });
    daemon.prints("[main] third");
    assert!(is_alive(pid));
    assert_eq!(daemon.process("main")["crashes"], 0);
    daemon.stop();
}

#[test]
fn what_is_printed_last_before_the_daemon_ends_is_passed_on_even_if_its_pipe_is_held() {
    // Without a newline, and without the end of the pipe: the holder has neither the mark nor the
    // session of the rest.
    let project = Project::new("last-of-all");
    project
        .file(
            "main.sh",
            "(setsid env -i sh -c 'echo $$ > holder; exec sleep 50' &)\n\
             until [ -s holder ]; do :; done\n\
             trap 'printf \"last of all\"; echo done > done; exit 0' TERM\n\
             echo ready; while :; do sleep 0.02; done\n",
        )
        .config(FLOOD);
    let mut daemon = project.start();
    daemon.prints("[main] ready");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.output());
    assert_eq!(project.read("done"), "done\n");
    daemon.prints("[main] last of all\n");
}

#[test]
fn floods_of_two_processes_and_a_build_are_passed_on_in_whole_lines_with_their_names() {
    let project = Project::new("two-floods");
    // In pieces that end within lines, as real programs write them.
    let script = |name: &str| {
        format!(
            "i=0; while [ $i -lt 3000 ]; do printf '{name} %05d ' $i; printf '{name} ends\\n{name}'; \
             printf ' half %05d {name} ends\\n' $i; printf '{name} err %05d {name} ends\\n' $i >&2; \
             i=$((i+1)); done; echo {name} complete; exec sleep 1000"
        )
    };
    let warnings = "let unused_one = 1; let unused_two = 2; ";
    project
        .file("left.sh", &script("left"))
        .file("right.sh", &script("right"))
        .rust(&format!("{warnings}{}", lives("app is up")))
        .config(
            "[process.left]\ntype = \"command\"\ncommand = [\"sh\", \"left.sh\"]\n\
             [process.right]\ntype = \"command\"\ncommand = [\"sh\", \"right.sh\"]\n\
             [process.app]\ntype = \"rust\"\n",
        );
    let daemon = project.start();
    for line in [
        "[left] left complete",
        "[right] right complete",
        "[app] app is up",
    ] {
        daemon.prints(line);
    }
    for name in ["left", "right", "app"] {
        daemon.until_state(name, "running");
    }
    let output = daemon.stop();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for line in output.lines() {
        let Some((name, text)) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("] "))
        else {
            // What carries no name of a process is the daemon's own log, which begins like this too.
            panic!("nobody's line: {line:?}");
        };
        if name == "left" || name == "right" {
            let other = if name == "left" { "right" } else { "left" };
            assert!(!text.contains(other), "{line:?}");
            let whole = text.starts_with(&format!("{name} "))
                && text.ends_with(&format!(" {name} ends"))
                && text.matches(name).count() == 2;
            // A child that a busy machine stops for 100 ms within a line has it passed on in two.
            let kind = if whole { name } else { "in pieces" };
            *counts.entry(kind).or_default() += 1;
        } else {
            *counts.entry(name).or_default() += 1;
        }
    }
    assert!(
        counts["left"] > 8_900 && counts["right"] > 8_900,
        "{counts:?}"
    );
    assert!(counts["left"] <= 9_000 && counts["right"] <= 9_000);
    assert!(counts["in pieces"] < 100, "{counts:?}");
    assert_eq!(counts["app"], 1);
    assert!(counts["build app"] >= 3, "{counts:?}");
}
