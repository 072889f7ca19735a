//! cargo, as the daemon uses it, and the configuration that it refuses.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::{Daemon, Gate, Project, eventually, pid_in, project::lives};

const MAIN: &str = "[process.main]\ntype = \"rust\"\n";

/// The build log at this index.
#[track_caller]
fn build_log(daemon: &Daemon, index: i64) -> String {
    daemon.text(
        "search_build_log",
        &json!({"process": "main", "index": index}),
    )
}

#[test]
fn a_failed_build_says_file_line_column_and_text_and_the_old_program_goes_on() {
    let project = Project::new("errors");
    project.rust(&lives("one")).config(MAIN);
    let daemon = project.start();
    let before = daemon.until_state("main", "running");
    project.file(
        "src/main.rs",
        "fn main() {\n    let unused = 1;\n    let n: u32 = \"text\";\n    missing();\n}\n",
    );
    let result = daemon.call("restart", &json!({}));
    assert_eq!(result["isError"], true);
    let answer = &result["structuredContent"];
    assert_eq!(answer["outcome"], "build_failed", "{answer}");
    assert_eq!(
        (&answer["ok"], &answer["behind"], &answer["mode"]),
        (&json!(false), &json!("build_failed"), &json!("release"))
    );
    assert_eq!(
        (&answer["run"], &answer["pid"]),
        (&before["run"], &before["pid"])
    );
    assert_eq!(answer["error_count"], 2, "{answer}");
    let errors = answer["errors"].as_array().unwrap();
    let error = errors
        .iter()
        .find(|error| error["code"] == "E0308")
        .unwrap();
    assert_eq!(
        [
            &error["level"],
            &error["file"],
            &error["line"],
            &error["column"],
            &error["message"]
        ],
        [
            &json!("error"),
            &json!("src/main.rs"),
            &json!(3),
            &json!(18),
            &json!("mismatched types")
        ]
    );
    let rendered = error["rendered"].as_str().unwrap();
    assert!(rendered.contains("--> src/main.rs:3:18"), "{rendered}");
    assert!(!rendered.contains('\u{1b}'), "no colours: {rendered:?}");
    let text = result["content"][0]["text"].as_str().unwrap();
    for part in [
        "E0308",
        "src/main.rs:3:18",
        "mismatched types",
        "cannot find function",
    ] {
        assert!(text.contains(part), "{text}");
    }

    let after = daemon.process("main");
    assert_eq!(
        (&after["state"], &after["pid"], &after["behind"]),
        (&json!("running"), &before["pid"], &json!("build_failed"))
    );
    let build = &after["last_build"];
    assert_eq!(
        (
            &build["id"],
            &build["outcome"],
            &build["mode"],
            &build["errors"]
        ),
        (&answer["build"], &json!("failed"), &json!("dev"), &json!(2))
    );
    let found = daemon.text(
        "search_build_log",
        &json!({"pattern": "^error\\[E0308\\]: mismatched types$"}),
    );
    assert!(found.contains(" * error[E0308]"), "{found}");
    daemon.prints("[build main] ");
}

#[test]
fn warnings_are_counted_in_the_answer_and_in_the_status() {
    let project = Project::new("warnings");
    project.rust(&lives("one")).config(MAIN);
    let daemon = project.start();
    daemon.until("main", "a run", |main| main["run"].is_u64());
    project.main(&format!(
        "let unused_one = 1; let unused_two = 2; {}",
        lives("two")
    ));
    let answer = daemon.restart("main");
    assert_eq!(
        (&answer["outcome"], &answer["ok"], &answer["error_count"]),
        (&json!("restarted"), &json!(true), &json!(0)),
        "{answer}"
    );
    assert_eq!(answer["warning_count"], 2);
    let shown = answer["errors"].as_array().unwrap();
    let shown: Vec<_> = shown.iter().map(|it| (&it["level"], &it["new"])).collect();
    assert_eq!(shown, [(&json!("warning"), &json!(true)); 2], "{answer}");
    assert!(answer["build_seconds"].as_f64().unwrap() > 0.0);
    assert!(answer["pause_ms"].as_f64().unwrap() >= 0.0);
    let main = daemon.process("main");
    assert_eq!(
        (&main["run"], &main["pid"], &main["mode"], &main["restarts"]),
        (&answer["run"], &answer["pid"], &json!("dev"), &json!(1))
    );
    let build = &main["last_build"];
    assert_eq!(
        (&build["warnings"], &build["errors"], &build["outcome"]),
        (&json!(2), &json!(0), &json!("ok"))
    );
    // The same sources again: cargo has nothing to do, and still knows of the warnings.
    let again = daemon.restart("main");
    assert_eq!(
        (&again["warning_count"], &again["errors"]),
        (&json!(2), &json!([])),
        "none is new: {again}"
    );
}

#[test]
fn the_logs_of_a_failed_build_and_of_its_retry_are_both_kept_and_say_whose_they_are() {
    let project = Project::new("retry");
    project.rust("first_mistake();").config(&format!(
        "release_crash_backoff_initial_seconds = 0.05\n\
         release_crash_backoff_max_seconds = 300\n{MAIN}"
    ));
    let daemon = project.start();
    daemon.until("main", "a second build", |main| {
        main["last_build"]["id"].as_u64() > Some(1)
    });
    project.main("second_mistake();");
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "build_failed");
    let first = build_log(&daemon, 0);
    assert!(
        first.starts_with("main build 1 (failed, release) in "),
        "{first}"
    );
    assert!(first.contains("first_mistake"), "{first}");
    let last = build_log(&daemon, -1);
    let id = &answer["build"];
    assert!(
        last.starts_with(&format!("main build {id} (failed, dev) in ")),
        "{last}"
    );
    assert!(last.contains("second_mistake"), "{last}");
    assert!(!last.contains("first_mistake"), "{last}");
    for line in daemon
        .output()
        .lines()
        .filter(|line| line.contains("_mistake"))
    {
        let whose = line.starts_with("[build main] ") || line.contains("] main: build ");
        assert!(whose, "{line}");
    }
}

#[test]
fn the_executable_is_found_in_a_workspace_under_another_name_and_target_folder() {
    let project = Project::new("workspace");
    project
        .file(
            "Cargo.toml",
            "[workspace]\nmembers = [\"server\", \"tools\"]\nresolver = \"2\"\n",
        )
        .file(
            "server/Cargo.toml",
            "[package]\nname = \"the-server\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
             [[bin]]\nname = \"serve-it\"\npath = \"src/elsewhere.rs\"\n",
        )
        .file(
            "server/src/elsewhere.rs",
            &format!(
                "fn main() {{ println!(\"args {{:?}}\", std::env::args().skip(1).collect::<Vec<_>>()); {} }}\n",
                lives("serving")
            ),
        )
        .file(
            "tools/Cargo.toml",
            "[package]\nname = \"tools\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        )
        .file("tools/src/bin/one.rs", "fn main() {}\n")
        .file("tools/src/bin/two.rs", "fn main() {}\n")
        .file(".cargo/config.toml", "[build]\ntarget-dir = \"somewhere/else\"\n")
        .config(
            "[process.main]\ntype = \"rust\"\npackage = \"the-server\"\nargs = [\"a b\", \"--c\"]\n\
             [process.two]\ntype = \"rust\"\npackage = \"tools\"\nbin = \"two\"\n",
        );
    let daemon = project.start();
    let main = daemon.until("main", "a pid", |main| main["pid"].is_u64());
    let exe = fs::read_link(format!("/proc/{}/exe", pid_in(&main))).unwrap();
    assert_eq!(exe.file_name().unwrap(), "serve-it");
    assert!(exe.starts_with(project.state_home()), "{}", exe.display());
    daemon.prints("[main] args [\"a b\", \"--c\"]\n");
    assert!(
        project
            .dir()
            .join("somewhere/else/release/serve-it")
            .exists()
    );
    // `two` returns at once, with 0: found, run, and a crash all the same.
    let two = daemon.until("two", "a crash", |two| two["crashes"].as_u64() > Some(0));
    assert_eq!(two["last_exit"]["text"], "exit code 0");
}

#[test]
fn a_package_that_cannot_be_found_or_chosen_is_a_failed_build_with_the_next_step() {
    let project = Project::new("choice");
    project
        .rust(&lives("one"))
        .file("src/bin/other.rs", "fn main() {}\n")
        .config("release_crash_backoff_initial_seconds = 300\n[process.main]\ntype = \"rust\"\n");
    let daemon = project.start();
    let main = daemon.until_state("main", "backing_off");
    let events = main["events"].to_string();
    assert!(events.contains("other"), "{events}");
    let text = build_log(&daemon, -1);
    assert!(text.contains("bin"), "{text}");
    fs::remove_file(project.dir().join("src/bin/other.rs")).unwrap();
    let answer = daemon.restart("main");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
}

#[test]
fn a_build_that_takes_long_is_seen_as_such_and_its_log_can_be_read_meanwhile() {
    let project = Project::new("long-build");
    project.rust(&lives("one")).config(MAIN);
    let gate = Gate::new(&project);
    gate.close();
    let daemon = project.start();
    let main = daemon.until("main", "a build", |main| {
        main["events"][0]["kind"] == "build_started"
    });
    assert_eq!(
        (
            &main["state"],
            &main["serving"],
            &main["run"],
            &main["health"]
        ),
        (
            &json!("building"),
            &json!(false),
            &Value::Null,
            &Value::Null
        )
    );
    eventually("compiling", || {
        let text = daemon.text("search_build_log", &json!({}));
        if text.contains("Compiling app") {
            assert!(
                text.starts_with("main build 1 (building, release) in "),
                "{text}"
            );
            Ok(())
        } else {
            Err(text)
        }
    });
    let answer = daemon.call("restart", &json!({"timeout_seconds": 0.01}));
    assert_eq!(answer["isError"], false, "{answer}");
    assert_eq!(answer["structuredContent"]["outcome"], "building");
    gate.leave_open();
    let main = daemon.until_state("main", "running");
    assert_eq!(
        (&main["mode"], &main["serving"]),
        (&json!("dev"), &json!(true))
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the daemon ends by itself here")]
fn unknown_keys_and_a_huge_dev_timeout_are_refused_together_with_exit_code_2() {
    for value in ["1e300", "9999999999999", "0", "inf", "nan", "-1"] {
        let project = Project::new("refused");
        project.config(&format!(
            "dev_timeout_hours = {value}\ndev_crash_wait_second = 5\n\
             [process.main]\ntype = \"rust\"\nargz = []\n[process.\"a b\"]\ntype = \"command\"\ncommand = []\n"
        ));
        let mut command: Command = Daemon::command(&project);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(output.stdout, b"");
        for part in [
            ".mcp-run:2: dev_timeout_hours",
            "8760",
            ".mcp-run:3: ",
            "did you mean dev_crash_wait_seconds?",
            "did you mean args?",
            "a b",
            "command = []",
        ] {
            assert!(stderr.contains(part), "{part} is not in: {stderr}");
        }
        assert!(!project.state_home().exists(), "nothing was begun");
    }
}
