//! direnv: the real one, with its database of allowed files in the test's own folder.

mod gifts;
mod outage;

use std::{path::PathBuf, process::Command, thread};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Daemon, Project, eventually, is_alive, marked, pid_in,
    project::{RUST, counted, shell},
    signal, until_gone,
};

/// A project whose direnv knows nothing of the user's.
pub(crate) struct Direnv {
    pub(crate) project: Project,
}

impl Direnv {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            project: Project::new(name),
        }
    }

    fn home(&self) -> PathBuf {
        self.project.state_home().with_file_name("xdg")
    }

    pub(crate) fn start(&self) -> Daemon {
        let home = self.home();
        let home = home.to_str().unwrap();
        self.project
            .start_with(&[("XDG_DATA_HOME", home), ("XDG_CONFIG_HOME", home)])
    }

    /// Writes an `.envrc` and allows it.
    pub(crate) fn allowed(&self, folder: &str, text: &str) {
        self.project.file(format!("{folder}/.envrc"), text);
        self.allow(folder);
    }

    #[expect(clippy::disallowed_methods, reason = "the test is the user here")]
    fn allow(&self, folder: &str) {
        let mut allow = Command::new("direnv");
        allow
            .arg("allow")
            .arg(self.project.dir().join(folder))
            .env("XDG_DATA_HOME", self.home())
            .env("XDG_CONFIG_HOME", self.home());
        let said = allow.output().expect("these tests need direnv");
        assert!(said.status.success(), "{said:?}");
    }
}

/// Says the variable of the run, and what it was when cargo compiled the program.
const SAYS: &str = r#"
    let run = std::env::var("FLAVOUR").ok();
    println!("run {:?}, build {:?}", run, option_env!("FLAVOUR"));
"#;
const SHOWS: &str = "echo up >> starts; echo flavour $FLAVOUR; exec sleep 1000";
const AT_ONCE: &str =
    "release_crash_backoff_initial_seconds = 0.05\ndev_crash_wait_seconds = 0.05\n";
const LONG_WAITS: &str =
    "release_crash_backoff_initial_seconds = 1000\nrelease_crash_backoff_max_seconds = 1000\n";

#[test]
fn an_envrc_in_a_parent_folder_reaches_cargo_and_the_run() {
    let direnv = Direnv::new("direnv-parent");
    let project = &direnv.project;
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    let main = format!("fn main() {{ {SAYS} {} }}", counted("up"));
    project
        .file("deep/app/Cargo.toml", manifest)
        .file("deep/app/src/main.rs", &main);
    project.config(&format!("{RUST}cwd = \"deep/app\"\n"));
    direnv.allowed(".", "export FLAVOUR=vanilla\n");
    let daemon = direnv.start();
    daemon.until_state("main", "running");
    let log = daemon.logs("main");
    assert!(
        log.contains(r#"run Some("vanilla"), build Some("vanilla")"#),
        "{log}"
    );
    // No wrapper: the child is the program.
    let main = daemon.process("main");
    let exe = std::fs::read_link(format!("/proc/{}/exe", pid_in(&main))).unwrap();
    assert_eq!(exe.file_name().unwrap(), "app");

    direnv.allowed(".", "export FLAVOUR=lemon\n");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    let log = daemon.logs("main");
    assert!(
        log.contains(r#"run Some("lemon"), build Some("lemon")"#),
        "{log}"
    );
}

#[test]
fn a_file_that_is_not_allowed_backs_off_says_what_to_do_and_the_daemon_lives_on() {
    let direnv = Direnv::new("direnv-refused");
    let project = &direnv.project;
    project.file("guarded/.envrc", "export FLAVOUR=vanilla\n");
    let guarded = format!("{}cwd = \"guarded\"\n", shell("main", SHOWS));
    project.config(&format!(
        "{LONG_WAITS}{guarded}{}",
        shell("side", "exec sleep 1000")
    ));
    let daemon = direnv.start();
    let main = daemon.until_state("main", "backing_off");
    let advice = format!("direnv allow {}", project.dir().join("guarded").display());
    assert!(main["events"].to_string().contains(&advice), "{main}");
    daemon.prints(&advice);
    let answer = daemon.call("restart", &json!({"process": "main"}));
    assert_eq!(answer["isError"], true);
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(&advice), "{text}");
    daemon.until_state("side", "running");

    direnv.allow("guarded");
    assert_eq!(daemon.restart("main")["outcome"], "restarted");
    assert!(daemon.logs("main").contains("flavour vanilla"));
}

#[test]
fn a_rust_process_whose_file_is_not_allowed_backs_off_and_its_restart_leaves_what_runs() {
    let direnv = Direnv::new("direnv-blocked");
    let project = &direnv.project;
    project
        .rust(&counted("up"))
        .config(&format!("{AT_ONCE}{RUST}"));
    let daemon = direnv.start();
    let old = daemon.until_state("main", "running");
    project.file(".envrc", "export FLAVOUR=vanilla\n");
    let answer = daemon.call("restart", &json!({"process": "main"}));
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("direnv allow"), "{text}");
    assert_eq!(answer["structuredContent"]["outcome"], "build_failed");
    assert_eq!(answer["structuredContent"]["pid"], old["pid"]);
    assert!(is_alive(pid_in(&old)));
    assert_eq!(project.lines("starts"), 1);

    let log = daemon.text("search_build_log", &json!({"process": "main"}));
    let second = log.lines().nth(1).unwrap();
    assert!(
        second.starts_with("the newest attempt failed before cargo")
            && second.contains("direnv allow"),
        "{log}"
    );
    let output = daemon.stop();
    let told = output.lines().filter(|line| line.contains("direnv allow"));
    assert_eq!(told.count(), 1, "{output}");
}

#[test]
fn a_missing_direnv_backs_off_and_says_so() {
    let direnv = Direnv::new("direnv-missing");
    let project = &direnv.project;
    project.file(".envrc", "export FLAVOUR=vanilla\n");
    // Only what the shell needs.
    project.file("bin/none", "");
    for tool in ["sh", "sleep"] {
        let from = PathBuf::from("/bin").join(tool);
        std::os::unix::fs::symlink(from, project.dir().join("bin").join(tool)).unwrap();
    }
    project.config(&format!("{LONG_WAITS}{}", shell("main", SHOWS)));
    let bin = project.dir().join("bin");
    let daemon = project.start_with(&[
        ("PATH", bin.to_str().unwrap()),
        ("HOME", bin.to_str().unwrap()),
    ]);
    let main = daemon.until_state("main", "backing_off");
    assert!(
        main["events"]
            .to_string()
            .contains("direnv is not installed"),
        "{main}"
    );
    assert_eq!(project.lines("starts"), 0);
}

#[test]
fn an_envrc_created_later_is_seen_by_the_next_restart_and_by_the_next_crash() {
    let direnv = Direnv::new("direnv-later");
    let project = &direnv.project;
    project.config(&format!("{AT_ONCE}{}", shell("main", SHOWS)));
    let daemon = direnv.start();
    daemon.until_state("main", "running");
    direnv.allowed(".", "export FLAVOUR=vanilla\n");
    let restarted = daemon.restart("main");
    assert_eq!(restarted["outcome"], "restarted");
    assert!(daemon.logs("main").contains("flavour vanilla"));

    // A watched file changed: the crash restart does not use the last evaluation.
    direnv.allowed(".", "export FLAVOUR=lemon-and-more\n");
    signal(pid_in(&restarted), Signal::SIGKILL);
    daemon.until("main", "back", |main| {
        main["state"] == "running" && main["run"] != restarted["run"]
    });
    let log = daemon.logs("main");
    assert!(log.contains("flavour lemon-and-more"), "{log}");
}

#[test]
fn a_slow_envrc_costs_no_outage_because_the_old_child_serves_meanwhile() {
    let direnv = Direnv::new("direnv-slow");
    let project = &direnv.project;
    project.config(&shell("main", SHOWS));
    let daemon = direnv.start();
    let old = daemon.until_state("main", "running");
    direnv.allowed(
        ".",
        "export FLAVOUR=slow\ntouch evaluating\nwhile [ ! -e go ]; do sleep 0.01; done\n",
    );
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.restart("main"));
        eventually("evaluating", || {
            if project.dir().join("evaluating").exists() {
                Ok(())
            } else {
                Err(daemon.output())
            }
        });
        let meanwhile = daemon.process("main");
        assert_eq!(
            (
                &meanwhile["state"],
                &meanwhile["serving"],
                &meanwhile["pid"]
            ),
            (&json!("building"), &json!(true), &old["pid"])
        );
        assert!(is_alive(pid_in(&old)));
        project.file("go", "");
        waiting.join().unwrap()
    });
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    assert!(daemon.logs("main").contains("flavour slow"));
}

#[test]
fn a_crash_restart_uses_the_last_evaluation_without_running_direnv_again() {
    let direnv = Direnv::new("direnv-once");
    let project = &direnv.project;
    project.config(&format!("{AT_ONCE}{}", shell("main", SHOWS)));
    direnv.allowed(".", "echo once >> evaluations\nexport FLAVOUR=vanilla\n");
    let daemon = direnv.start();
    let mut now = daemon.until_state("main", "running");
    for _ in 0..3 {
        let before = now;
        signal(pid_in(&before), Signal::SIGKILL);
        now = daemon.until("main", "back", |main| {
            main["state"] == "running" && main["run"] != before["run"]
        });
        assert!(daemon.logs("main").contains("flavour vanilla"));
    }
    assert_eq!(
        (project.lines("evaluations"), project.lines("starts")),
        (1, 4)
    );
    daemon.restart("main");
    assert_eq!(project.lines("evaluations"), 2);
}

#[test]
fn a_failing_envrc_says_what_failed_and_is_mended_without_a_restart_of_the_daemon() {
    let direnv = Direnv::new("direnv-fails");
    let project = &direnv.project;
    project
        .rust(&format!("{SAYS} {}", counted("up")))
        .config(&format!("{AT_ONCE}{RUST}"));
    direnv.allowed(".", "echo no such vault >&2\nexit 3\n");
    let daemon = direnv.start();
    let main = daemon.until("main", "failed", |main| {
        main["crashes_in_a_row"].as_u64() >= Some(1)
    });
    assert_eq!(
        (&main["run"], &main["last_build"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        main["events"].to_string().contains("no such vault"),
        "{main}"
    );
    direnv.allowed(".", "export FLAVOUR=vanilla\n");
    daemon.until_state("main", "running");
    assert!(daemon.logs("main").contains("vanilla"));
}

#[test]
fn an_evaluation_that_never_ends_is_ended_by_the_next_restart_and_by_the_end_of_the_daemon() {
    let direnv = Direnv::new("direnv-hangs");
    let project = &direnv.project;
    project.config(&shell("main", SHOWS));
    let daemon = direnv.start();
    let old = daemon.until_state("main", "running");
    let hang = |number: u32| {
        direnv.allowed(".", &format!("echo $$ > hangs-{number}\nsleep 1000\n"));
        let arguments = json!({"process": "main", "timeout_seconds": 0.01});
        let answer = daemon.call("restart", &arguments);
        assert_eq!(answer["structuredContent"]["outcome"], "building");
        assert_eq!(answer["structuredContent"]["pid"], old["pid"]);
        project.pid_from(&format!("hangs-{number}"))
    };
    let first = hang(1);
    let second = hang(2);
    until_gone(first);
    assert!(is_alive(second));
    assert_eq!(project.lines("starts"), 1);
    daemon.stop();
    assert_eq!(marked(&project.dir()), [0; 0]);
}
