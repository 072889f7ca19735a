//! A changed `.mcp-run` takes effect while the daemon runs, and touches only what changed.

mod files;
mod port;
mod sockets;
mod undone;

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Http, Project, eventually, is_alive, pid_in,
    project::{RUST, counted, shell},
};

/// A script that says its colour and lives on.
const COLOURED: &str = "echo I am $COLOUR; exec sleep 1000";

fn coloured(name: &str, colour: &str) -> String {
    format!(
        "{}env = {{ COLOUR = \"{colour}\" }}\n",
        shell(name, COLOURED)
    )
}

impl Daemon {
    /// Waits until a run newer than this one of a process is ready.
    #[track_caller]
    fn until_newer(&self, name: &str, run: &Value) -> Value {
        self.until(name, "a newer run", |now| {
            let newer = now["run"].as_u64() > run["run"].as_u64();
            newer && now["state"] == "running" && now["health"] == "ready"
        })
    }

    /// The names of the processes in `get_status`.
    #[track_caller]
    fn names(&self) -> Vec<String> {
        let status = self.status();
        let processes = status["processes"].as_array().unwrap().iter();
        processes
            .map(|process| process["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until `config_error` is as the test wants it.
    #[track_caller]
    fn until_error(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || {
            let error = self.status()["config_error"].clone();
            if wanted(&error) {
                Ok(error)
            } else {
                Err((error, self.output()))
            }
        })
    }
}

/// The texts of the events of a kind, newest first.
fn events(process: &Value, kind: &str) -> Vec<String> {
    let events = process["events"].as_array().unwrap().iter();
    let events = events.filter(|event| event["kind"] == kind);
    events
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_changed_environment_is_swapped_in_by_itself_and_the_neighbour_is_left_alone() {
    let project = Project::new("reload-env");
    let side = shell("side", "exec sleep 1000");
    project.config(&format!("{}{side}", coloured("main", "red")));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    let neighbour = daemon.until_state("side", "running");
    project.config(&format!("{}{side}", coloured("main", "blue")));
    let blue = daemon.until_newer("main", &red);
    assert!(daemon.logs("main").contains("I am blue"));
    assert_eq!(
        events(&blue, "reloaded"),
        ["env changed: a new run without a build"]
    );
    assert!(daemon.output().contains("reloaded: main: env (swapped)"));
    assert_eq!(daemon.process("side")["pid"], neighbour["pid"]);
}

/// What cargo built says the colour that it finds there, is started again with another one, and
/// nothing is built.
fn swaps_without_a_build(name: &str, place: &str, key: &str, entry: impl Fn(&str) -> String) {
    let project = Project::new(name);
    project.rust(&format!(
        "println!(\"I am {{}}\", {place}); loop {{ std::thread::park(); }}"
    ));
    project.config(&entry("red"));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    // What no compiler takes: a build would fail.
    project.main("this is not rust");
    project.config(&entry("blue"));
    let blue = daemon.until_newer("main", &red);
    assert!(daemon.logs("main").contains("I am blue"));
    let said = format!("{key} changed: a new run without a build");
    assert_eq!(events(&blue, "reloaded"), [said]);
    assert_eq!(blue["last_build"], red["last_build"], "{blue:#}");
    assert_eq!(blue["mode"], "release");
}

#[test]
fn what_cargo_built_is_started_with_a_new_environment_and_nothing_is_built() {
    let place = "std::env::var(\"COLOUR\").unwrap()";
    swaps_without_a_build("reload-rust", place, "env", |colour| {
        format!("{RUST}env = {{ COLOUR = \"{colour}\" }}\n")
    });
}

#[test]
fn what_cargo_built_is_started_with_new_arguments_and_nothing_is_built() {
    let place = "std::env::args().nth(1).unwrap()";
    swaps_without_a_build("reload-args", place, "args", |colour| {
        RUST.replace("args = []", &format!("args = [\"{colour}\"]"))
    });
}

#[test]
fn a_changed_feature_is_built_and_then_swapped_in() {
    let project = Project::new("reload-feature");
    project.rust("println!(\"fast: {}\", cfg!(feature = \"fast\")); loop { std::thread::park(); }");
    let manifest = project.read("Cargo.toml");
    project.file("Cargo.toml", &format!("{manifest}[features]\nfast = []\n"));
    project.config(RUST);
    let daemon = project.start();
    let slow = daemon.until_state("main", "running");
    project.config(&format!("{RUST}features = [\"fast\"]\n"));
    let fast = daemon.until_newer("main", &slow);
    assert!(daemon.logs("main").contains("fast: true"));
    assert_ne!(fast["last_build"]["id"], slow["last_build"]["id"]);
}

#[test]
fn an_entry_that_does_not_become_ready_is_rolled_back_to_the_one_before_which_is_said() {
    let project = Project::new("reload-back");
    let entry = |colour: &str| {
        let script = "test $COLOUR = red || exit 7; echo I am $COLOUR; exec sleep 1000";
        format!(
            "{}env = {{ COLOUR = \"{colour}\" }}\nsettle_seconds = 0.3\n",
            shell("main", script)
        )
    };
    project.config(&entry("red"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.config(&entry("blue"));
    let back = daemon.until("main", "rolled back", |now| {
        now["behind"] == "rolled_back" && now["state"] == "running"
    });
    assert!(daemon.logs("main").contains("I am red"));
    let why = &events(&back, "rolled_back")[0];
    assert!(why.contains("as .mcp-run had it before"), "{why}");
    // Back to what runs: it is the newest again, and not touched.
    project.config(&entry("red"));
    let now = daemon.until("main", "up to date", |now| now["behind"].is_null());
    assert_eq!(now["pid"], back["pid"]);
}

#[test]
fn a_new_process_is_started_and_one_that_is_gone_is_stopped_and_keeps_its_logs() {
    let project = Project::new("reload-names");
    let main = shell("main", "exec sleep 1000");
    let old = shell("old", "echo I was here; exec sleep 1000");
    project.config(&format!("{main}{old}"));
    let daemon = project.start();
    let first = daemon.until_state("main", "running");
    let gone = pid_in(&daemon.until_state("old", "running"));
    project.config(&format!("{}{main}", shell("new", "exec sleep 1000")));
    eventually("the new names", || {
        let names = daemon.names();
        if names == ["new", "main"] {
            Ok(())
        } else {
            Err(names)
        }
    });
    daemon.until_state("new", "running");
    assert!(
        !is_alive(gone),
        "the old one ended before the new one began"
    );
    assert_eq!(daemon.process("main")["pid"], first["pid"]);
    let unknown = daemon.call("restart", &json!({"process": "old"}));
    assert_eq!(unknown["isError"], true);
    let text = unknown["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("known: new, main"), "{text}");
    let state = project.state_home().join("background-process-manager");
    let key = fs::read_dir(state).unwrap().next().unwrap().unwrap();
    let log = key.path().join("logs/old/run-000002.log");
    assert_eq!(fs::read_to_string(log).unwrap(), "I was here\n");
}

#[test]
fn a_renamed_process_gets_the_port_that_it_had_under_its_old_name() {
    let project = Project::new("reload-rename");
    // It would fail beside the old one, which takes a moment to leave.
    let script =
        "mkdir taken || exit 1; trap 'sleep 0.3; rmdir taken; exit' TERM; sleep 1000 & wait";
    project.config(&shell("old", script));
    let daemon = project.start();
    daemon.until_state("old", "running");
    project.config(&shell("new", script));
    eventually("the new name", || {
        let names = daemon.names();
        if names == ["new"] { Ok(()) } else { Err(names) }
    });
    let new = daemon.until_state("new", "running");
    assert_eq!(new["crashes"], 0, "{new:#}");
}

#[test]
fn who_waits_for_a_process_that_is_removed_is_answered() {
    let project = Project::new("reload-wait");
    let main = shell("main", "exec sleep 1000");
    let slow = format!(
        "{}ready = {{ log = \"never\" }}\n",
        shell("slow", "exec sleep 1000")
    );
    project.config(&format!("{main}{slow}"));
    let daemon = project.start();
    daemon.until_state("slow", "proving");
    std::thread::scope(|scope| {
        let waits =
            scope.spawn(|| daemon.call("wait_for", &json!({"process": "slow", "until": "ready"})));
        let restarts = scope.spawn(|| daemon.restart("slow"));
        daemon.until("slow", "restarted", |now| now["restarts"] == 1);
        project.config(&main);
        let waited = waits.join().unwrap();
        assert_eq!(waited["isError"], true, "{waited:#}");
        assert_eq!(waited["structuredContent"]["reason"], "removed");
        let restarted = restarts.join().unwrap();
        assert_eq!(restarted["outcome"], "stopped", "{restarted:#}");
        let next = restarted["next"].as_str().unwrap();
        assert!(next.contains("removed from .mcp-run"), "{next}");
    });
}

#[test]
fn a_stopped_process_stays_stopped_and_starts_with_its_new_entry() {
    let project = Project::new("reload-stopped");
    project.config(&coloured("main", "red"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.call("stop", &json!({"process": "main"}));
    project.config(&coloured("main", "blue"));
    let stopped = daemon.until("main", "reloaded", |now| {
        !events(now, "reloaded").is_empty()
    });
    assert_eq!(stopped["state"], "stopped");
    assert_eq!(
        events(&stopped, "reloaded"),
        ["env changed: for its next start"]
    );
    daemon.call("start", &json!({"process": "main"}));
    assert!(daemon.logs("main").contains("I am blue"));
}

#[test]
fn a_restart_that_is_being_built_is_answered_once_with_what_runs_as_the_newest_entry_has_it() {
    let project = Project::new("reload-build");
    let entry = |colour: &str| format!("{RUST}env = {{ COLOUR = \"{colour}\" }}\n");
    project.rust(
        "println!(\"I am {}\", std::env::var(\"COLOUR\").unwrap()); loop { std::thread::park(); }",
    );
    // A build that takes until somebody lets it go.
    let waits = "while !std::path::Path::new(\"go\").exists() { std::thread::yield_now(); }";
    project.config(&entry("red"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.file("build.rs", &format!("fn main() {{ {waits} }}"));
    std::thread::scope(|scope| {
        let restarts = scope.spawn(|| daemon.restart("main"));
        daemon.until_state("main", "building");
        project.config(&entry("blue"));
        let building = daemon.until("main", "reloaded", |now| {
            !events(now, "reloaded").is_empty()
        });
        assert_eq!(building["state"], "building");
        project.file("go", "");
        let answer = restarts.join().unwrap();
        assert_eq!(answer["outcome"], "restarted", "{answer:#}");
    });
    assert!(daemon.logs("main").contains("I am blue"));
    assert_eq!(daemon.process("main")["restarts"], 1);
}

#[test]
fn a_process_that_backs_off_tries_its_new_entry_at_once() {
    let project = Project::new("reload-backoff");
    let entry = |code: &str| {
        let script = "test $CODE = 0 && exec sleep 1000; exit $CODE";
        let top = "release_crash_backoff_initial_seconds = 300";
        format!(
            "{top}\n{}env = {{ CODE = \"{code}\" }}\n",
            shell("main", script)
        )
    };
    project.config(&entry("3"));
    let daemon = project.start();
    daemon.until_state("main", "backing_off");
    project.config(&entry("0"));
    daemon.until_state("main", "running");
}

#[test]
fn a_shorter_wait_ends_the_one_under_way() {
    let project = Project::new("reload-patience");
    let entry = |wait: &str| {
        let script = "test -e lived && exec sleep 1000; touch lived; exit 3";
        format!(
            "release_crash_backoff_initial_seconds = {wait}\n{}",
            shell("main", script)
        )
    };
    project.config(&entry("300"));
    let daemon = project.start();
    daemon.until_state("main", "backing_off");
    project.config(&entry("0.2"));
    let now = daemon.until_state("main", "running");
    assert_eq!(
        events(&now, "reloaded"),
        ["release_crash_backoff_initial_seconds changed: holds from now on"]
    );
}

#[test]
fn limits_take_effect_without_touching_what_runs() {
    let project = Project::new("reload-limits");
    project.rust(&counted("up"));
    let dev = |top: &str| format!("{top}\n{RUST}");
    project.config(&dev("dev_timeout_hours = 3"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let before = daemon.restart("main");
    let starts = project.lines("starts");
    project.config(&dev(
        "dev_timeout_hours = 8\n[logs]\nkeep_days = 3\nkeep_bytes = \"1M\"\nmemory_bytes = \"1M\"",
    ));
    let status = eventually("eight hours to release", || {
        let status = daemon.status();
        let left = status["release_in_seconds"].as_f64().unwrap();
        if left > 7.0 * 3600.0 {
            Ok(status)
        } else {
            Err(left)
        }
    });
    assert_eq!(status["processes"][0]["pid"], before["pid"]);
    assert_eq!(project.lines("starts"), starts);
    daemon.prints("logs.keep_bytes; logs.keep_days; logs.memory_bytes");
    // As short as can be: back to release by itself.
    project.config(&dev("dev_timeout_hours = 0.00001"));
    daemon.until("main", "release", |now| now["mode"] == "release");
}

#[test]
fn what_needs_a_start_of_the_daemon_is_said_with_its_key() {
    let project = Project::new("reload-later");
    let main = shell("main", "exec sleep 1000");
    project.config(&main);
    let daemon = project.start();
    daemon.until_state("main", "running");
    project.config(&format!("token = true\nlogs.disk = false\n{main}"));
    daemon.prints("logs.disk takes effect when the daemon is started again");
}

#[test]
fn a_hangup_reads_the_file_where_reload_is_manual_and_nothing_else_does() {
    let project = Project::new("reload-manual");
    let manual = |colour: &str| format!("reload = \"manual\"\n{}", coloured("main", colour));
    project.config(&manual("red"));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    project.config(&manual("green"));
    project.config(&manual("blue"));
    daemon.signal(Signal::SIGHUP);
    daemon.until_newer("main", &red);
    // The first change alone would have been another run.
    assert!(daemon.logs("main").contains("I am blue"));
    assert_eq!(daemon.output().matches("reloaded: ").count(), 1);
    daemon.signal(Signal::SIGHUP);
    daemon.prints("reloaded: nothing changed");
    daemon.stop();
}

#[test]
fn a_post_reads_the_file_and_answers_what_changed_or_what_is_wrong() {
    let project = Project::new("reload-post");
    let manual = |text: &str| format!("reload = \"manual\"\n{text}");
    project.config(&manual(&coloured("main", "red")));
    let daemon = project.start();
    let red = daemon.until_state("main", "running");
    let side = shell("side", "exec sleep 1000");
    project.config(&manual(&format!("{}{side}", coloured("main", "blue"))));
    let reload = || Http::new(daemon.port()).ask("POST /api/reload");
    let answer = reload();
    assert_eq!(answer.status, 200, "{answer:?}");
    let url = daemon.status()["url"].clone();
    assert_eq!(
        answer.json(),
        json!({
            "changed": true,
            "processes": [
                {"name": "main", "change": "swapped", "keys": ["env"]},
                {"name": "side", "change": "added", "keys": []},
            ],
            "keys": [], "later": [], "url": url,
        })
    );
    daemon.until_newer("main", &red);
    assert_eq!(reload().json()["changed"], false);
    project.config("nonsense = 1");
    let refused = reload();
    assert_eq!(refused.status, 400, "{refused:?}");
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "config_invalid");
    assert_eq!(error["message"], daemon.status()["config_error"]);
}

#[test]
fn under_nohup_a_hangup_stays_ignored() {
    let project = Project::new("reload-nohup");
    project.config(&coloured("main", "red"));
    let mut command = Daemon::command(&project);
    // The daemon's own command sets it back for all other tests.
    let args: Vec<_> = command.get_args().skip(1).map(ToOwned::to_owned).collect();
    let mut nohup = std::process::Command::new("nohup");
    nohup.args(args).env("XDG_STATE_HOME", project.state_home());
    nohup.stdin(std::process::Stdio::null());
    command = nohup;
    let daemon = Daemon::launch(&project, command);
    daemon.until_state("main", "running");
    daemon.signal(Signal::SIGHUP);
    // It is alive and reads nothing.
    assert_eq!(daemon.status()["config_error"], json!(null));
    assert!(!daemon.output().contains("reloaded"));
}
