//! `bpm logs`.

use serde_json::{Value, json};

use super::restarted;
use crate::support::{
    Bpm, Project, free_port,
    project::{RUST, lives, shell},
};

const TEN: &str = "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; done; exec sleep 1000";

#[test]
fn lines_are_shown_as_they_are_asked_for() {
    let project = Project::new("cli-logs");
    project.config(&shell("main", TEN));
    let daemon = project.start();
    daemon.until("main", "ten lines", |_| {
        daemon.logs("main").contains("line 10")
    });
    let logs = |arguments: &[&str]| {
        let said = Bpm::says(&project, &[&["logs"], arguments].concat());
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
        said.stdout
    };
    assert_eq!(logs(&["-n", "2"]), "line 9\nline 10\n");
    assert_eq!(logs(&["main", "--grep", "line [38]$"]), "line 3\nline 8\n");
    let around = logs(&["--grep", "line [37]$", "-C", "1"]);
    assert_eq!(
        around,
        "line 2\nline 3\nline 4\n--\nline 6\nline 7\nline 8\n"
    );
    assert_eq!(logs(&["--since", "1h", "-g", "LINE 1$", "-i"]), "line 1\n");
    assert_eq!(
        logs(&["--run", "1", "-g", "1", "-v", "-n", "1"]),
        "line 9\n"
    );
    let said = Bpm::says(&project, &["logs", "--grep", "nothing"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""));
    assert_eq!(
        said.stderr, "-- no lines\n",
        "an empty answer says that it is one"
    );
    let line: Value = serde_json::from_str(&logs(&["--json", "-n", "1"])).unwrap();
    assert_eq!(
        (
            &line["process"],
            &line["run"],
            &line["seq"],
            &line["stream"],
            &line["text"]
        ),
        (
            &json!("main"),
            &json!(1),
            &json!(10),
            &json!("stdout"),
            &json!("line 10")
        )
    );
    for (wrong, code) in [
        (vec!["logs", "--since", "yesterday"], 2),
        (vec!["logs", "--grep", "["], 2),
        (vec!["logs", "nobody"], 5),
        (vec!["logs", "--run", "99"], 1),
    ] {
        let said = Bpm::says(&project, &wrong);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{said:?}");
    }
}

#[test]
fn lines_of_several_processes_say_whose_they_are() {
    let project = Project::new("cli-logs-pair");
    project.config(
        &(shell("main", "echo one; exec sleep 1000") + &shell("web", "echo two; exec sleep 1000")),
    );
    let daemon = project.start();
    daemon.until("web", "a line", |_| daemon.logs("web").contains("two"));
    daemon.until("main", "a line", |_| daemon.logs("main").contains("one"));
    let said = Bpm::says(&project, &["logs"]);
    let mut lines: Vec<_> = said.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["main | one", "web  | two"], "{said:?}");
}

#[test]
fn what_a_build_printed_is_shown_and_colours_only_on_a_terminal() {
    let project = Project::new("cli-build-log");
    project.rust(&lives("hello")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let said = Bpm::says(&project, &["logs", "--build"]);
    assert!(said.stdout.contains("   Compiling app v0.1.0"), "{said:?}");
    assert!(!said.stdout.contains('\x1b'), "{said:?}");
}

#[test]
fn what_children_print_cannot_act_on_the_terminal() {
    let project = Project::new("cli-harmless");
    project.config(&shell(
        "main",
        r#"printf "\033[31mred\033[0m \033[2Jgone \033]0;title\007\a\n"; exec sleep 1000"#,
    ));
    let daemon = project.start();
    daemon.until("main", "a line", |_| daemon.logs("main").contains("gone"));
    let said = Bpm::says(&project, &["logs"]);
    assert_eq!(said.stdout, "red gone ␇\n");
    let command = Bpm::command(&project, &["logs"]);
    let said = Bpm::in_terminal(command, 80).ends();
    let expected = "\x1b[31mred\x1b[0m gone ␇\x1b[0m\r\n";
    assert_eq!(said.stdout, expected);
    let said = Bpm::says(&project, &["logs", "--json"]);
    assert!(said.stdout.contains(r"\u001b[2Jgone"), "{said:?}");
}

#[test]
fn who_follows_gets_every_line_once_over_restarts_of_process_and_daemon() {
    let project = Project::new("cli-logs-follow");
    let script = "echo start $$; until [ -e more ]; do sleep 0.01; done; rm more; echo more; exec sleep 1000";
    project.config(&shell("main", script));
    let daemon = project.start();
    let logs = Bpm::start(&project, &["logs", "-f"]);
    logs.prints("start ");
    project.file("more", "");
    logs.prints("more\n");
    daemon.restart("main");
    let starts = |logs: &Bpm| logs.stdout().matches("start ").count();
    let until = |count: usize| {
        crate::support::eventually("started again", || {
            if starts(&logs) >= count {
                Ok(())
            } else {
                Err((logs.stdout(), logs.stderr()))
            }
        });
    };
    until(2);
    let daemon = restarted(&project, daemon);
    until(3);
    project.file("more", "");
    crate::support::eventually("all lines", || {
        let stdout = logs.stdout();
        if stdout.matches("more\n").count() == 2 {
            Ok(())
        } else {
            Err((stdout, logs.stderr()))
        }
    });
    assert_eq!(starts(&logs), 3, "{}", logs.stdout());
    assert_eq!(logs.stderr().matches("reconnecting\n").count(), 1);
    drop(daemon);
}

#[test]
fn a_reader_who_has_enough_ends_it_quietly() {
    let project = Project::new("cli-head");
    project.config(&shell("main", "seq 1 50000; exec sleep 1000"));
    let daemon = project.start();
    daemon.until("main", "all lines", |_| {
        daemon.logs("main").contains("50000")
    });
    let script = format!(
        "{} logs -n 50000 | head -n 1; echo \"ended ${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_bpm")
    );
    let said = Bpm::launch(Bpm::command_of("bash".as_ref(), &project, &["-c", &script])).ends();
    assert_eq!(
        (said.stdout.as_str(), said.stderr.as_str()),
        ("1\nended 0\n", "")
    );
}

#[test]
fn who_follows_one_run_gets_its_last_words_at_the_end_of_the_daemon() {
    let project = Project::new("cli-logs-last");
    // No child of its own that is told to end as well, and of which the shell would speak.
    project.config(&shell(
        "main",
        "mkfifo pipe; exec 3<>pipe; trap 'echo last words; exit 0' TERM; echo start; read line <&3",
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let logs = Bpm::start(&project, &["logs", "-f", "--run", "1"]);
    logs.prints("start\n");
    let output = daemon.stop();
    let said = logs.ends();
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (0, "start\nlast words\n", "-- run 1 is over\n"),
        "{output}"
    );
}

#[test]
fn who_follows_one_run_goes_on_where_mcp_moves_to_another_port() {
    let project = Project::new("cli-logs-moved");
    let process = shell(
        "main",
        "echo start; until [ -e end ]; do sleep 0.01; done; echo last; exec sleep 1000",
    );
    project.config(&process);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let logs = Bpm::start(&project, &["logs", "-f", "--run", "1"]);
    logs.prints("start\n");
    let port = free_port();
    project.file(".mcp-run", &format!("mcp_port = {port}\n{process}"));
    logs.notes("reconnecting");
    project.file("end", "");
    logs.prints("last\n");
    daemon.stop();
    let said = logs.ends();
    assert_eq!((said.code, said.stdout.as_str()), (0, "start\nlast\n"));
    assert!(said.stderr.ends_with("-- run 1 is over\n"), "{said:?}");
}

#[test]
fn who_follows_one_run_is_let_go_at_its_end() {
    let project = Project::new("cli-logs-run");
    project.config(&shell(
        "main",
        "echo start; until [ -e end ]; do sleep 0.01; done; echo last; exec sleep 1000",
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let logs = Bpm::start(&project, &["logs", "-f", "--run", "1"]);
    logs.prints("start\n");
    project.file("end", "");
    logs.prints("last\n");
    daemon.restart("main");
    let said = logs.ends();
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "start\nlast\n"),
        "{said:?}"
    );
    assert_eq!(said.stderr, "-- run 1 is over\n");
    // With the daemon all of them end.
    let logs = Bpm::start(&project, &["logs", "-f", "--run", "2"]);
    logs.prints("last\n");
    let output = daemon.stop();
    let said = logs.ends();
    assert_eq!(said.code, 0, "{said:?} {output}");
    assert_eq!(said.stderr, "-- run 2 is over\n");
}

#[test]
fn who_follows_all_is_shown_a_process_that_is_added_and_whose_lines_are_whose() {
    let project = Project::new("cli-logs-added");
    let manual = |text: &str| project.config(&format!("reload = \"manual\"\n{text}"));
    let main = shell("main", "echo one; exec sleep 1000");
    manual(&main);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let logs = Bpm::start(&project, &["logs", "-f"]);
    logs.prints("one\n");
    manual(&(main.clone() + &shell("web", "echo two; exec sleep 1000")));
    assert_eq!(Bpm::says(&project, &["reload"]).code, 0);
    logs.prints("web  | two\n");
    // The place is kept for both.
    let daemon = restarted(&project, daemon);
    logs.notes("-- web: ");
    crate::support::eventually("both again", || {
        let stdout = logs.stdout();
        let again = |line: &str| stdout.matches(line).count();
        if (again("one\n"), again("web  | two\n")) == (2, 2) {
            Ok(())
        } else {
            Err((stdout, logs.stderr()))
        }
    });
    drop(daemon);
}

#[test]
fn who_follows_is_let_go_when_the_project_is_gone() {
    let project = Project::new("cli-gone");
    project.config(&shell("main", "echo main says; exec sleep 1000"));
    let daemon = project.start();
    daemon.until("main", "a line", |_| daemon.logs("main").contains("says"));
    let following = [
        vec!["logs", "-f"],
        vec!["events", "-f", "-n", "9"],
        vec!["status", "--watch"],
    ];
    let following = following.map(|arguments| Bpm::start(&project, &arguments));
    for bpm in &following {
        bpm.prints("main");
    }
    std::fs::remove_file(project.dir().join(".mcp-run")).unwrap();
    drop(daemon.stop());
    for bpm in following {
        let said = bpm.ends();
        assert_eq!(said.code, 3, "{said:?}");
        assert!(
            said.stderr.ends_with(".mcp-run: the project is gone\n"),
            "{said:?}"
        );
    }
}
