//! However the file is saved, and whatever is wrong with it.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use super::{coloured, events};
use crate::support::{Bpm, Daemon, Project, eventually};

/// A daemon with a red process, its first run, and what saves a colour in some way.
fn changes_colour(name: &str, save: impl Fn(&Project, &str)) {
    let project = Project::new(name);
    project.config(&coloured("main", "red"));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    save(
        &project,
        &format!("mcp_port = 0\n{}", coloured("main", "blue")),
    );
    daemon.until_newer("main", &red);
    assert!(daemon.logs("main").contains("I am blue"));
}

#[test]
fn a_file_that_is_written_in_place_takes_effect() {
    changes_colour("reload-write", |project, text| {
        fs::write(project.dir().join(".mcp-run"), text).unwrap();
    });
}

#[test]
fn a_file_that_an_editor_renames_into_place_takes_effect() {
    changes_colour("reload-save", |project, text| {
        let file = project.dir().join(".mcp-run");
        // As vim does it: the old one becomes the backup, the new one is written beside.
        fs::rename(&file, project.dir().join(".mcp-run~")).unwrap();
        fs::write(project.dir().join("4913"), text).unwrap();
        fs::rename(project.dir().join("4913"), &file).unwrap();
        fs::remove_file(project.dir().join(".mcp-run~")).unwrap();
    });
}

#[test]
fn a_file_that_is_deleted_and_written_takes_effect() {
    changes_colour("reload-delete", |project, text| {
        let file = project.dir().join(".mcp-run");
        fs::remove_file(&file).unwrap();
        fs::write(&file, text).unwrap();
    });
}

#[test]
fn a_link_that_is_replaced_takes_effect_and_so_does_a_change_of_what_it_leads_to() {
    let project = Project::new("reload-link");
    let file = project.dir().join(".mcp-run");
    let shared = project.dir().join("shared");
    fs::create_dir(&shared).unwrap();
    let text = |colour: &str| format!("mcp_port = 0\n{}", coloured("main", colour));
    project.config(&coloured("main", "red"));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    fs::write(shared.join("config"), text("blue")).unwrap();
    symlink(shared.join("config"), project.dir().join("link")).unwrap();
    fs::rename(project.dir().join("link"), &file).unwrap();
    let blue = daemon.until_newer("main", &red);
    fs::write(shared.join("config"), text("green")).unwrap();
    daemon.until_newer("main", &blue);
    assert!(daemon.logs("main").contains("I am green"));
}

#[test]
fn a_wrong_file_changes_nothing_and_says_why_in_the_words_of_the_check() {
    let project = Project::new("reload-wrong");
    project.config(&coloured("main", "red"));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    project.config(&format!("{}colour = 3\n", coloured("main", "blue")));
    let error = daemon.until_error("an error", Value::is_string);
    let check = check(&project);
    assert_eq!(error, json!(check.trim()));
    daemon.prints(check.trim());
    let main = daemon.process("main");
    assert_eq!(main["pid"], red["pid"]);
    assert_eq!(events(&main, "config_invalid"), [check.trim()]);
    let text = daemon.text("get_status", &json!({}));
    assert!(text.contains(check.trim()), "{text}");
    // The agent that reads it can still work.
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    assert!(daemon.logs("main").contains("I am red"));
    assert_eq!(daemon.output().matches(check.trim()).count(), 1);

    let red = daemon.process("main");
    project.config(&coloured("main", "blue"));
    daemon.until_error("no error", Value::is_null);
    daemon.until_newer("main", &red);
    assert!(daemon.logs("main").contains("I am blue"));
}

#[test]
fn a_wrong_file_that_is_put_back_is_no_error_any_more_and_nothing_is_touched() {
    let project = Project::new("reload-undo");
    project.config(&coloured("main", "red"));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    fs::remove_file(project.dir().join(".mcp-run")).unwrap();
    let error = daemon.until_error("an error", Value::is_string);
    assert!(error.as_str().unwrap().contains("no such file"), "{error}");
    project.config(&coloured("main", "red"));
    daemon.until_error("no error", Value::is_null);
    daemon.prints("ok again, nothing changed");
    assert_eq!(daemon.process("main")["pid"], red["pid"]);
    eventually("told to who follows", || {
        let said = Bpm::says(&project, &["events", "--json"]).stdout;
        let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let told = ["kind", "process", "text"].map(|key| last[key].clone());
        if told
            == [
                json!("reloaded"),
                Value::Null,
                json!("ok again, nothing changed"),
            ]
        {
            Ok(())
        } else {
            Err(said)
        }
    });
}

#[test]
fn many_changes_in_a_row_end_with_the_last_one() {
    let project = Project::new("reload-row");
    project.config(&coloured("main", "red"));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    for number in 0..50 {
        project.config(&coloured("main", &format!("colour {number}")));
    }
    daemon.until_newer("main", &red);
    assert_has_last(&daemon);
}

/// What `--check` says of a wrong file.
#[track_caller]
fn check(project: &Project) -> String {
    let mut command = Daemon::command(project);
    command.arg("--check");
    let (code, _, said) = Daemon::refuses(command);
    assert_eq!(code, Some(2), "{said}");
    said
}

#[track_caller]
fn assert_has_last(daemon: &Daemon) {
    daemon.until("main", "the last colour", |_| {
        daemon.logs("main").contains("I am colour 49")
    });
}
