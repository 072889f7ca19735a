//! What an `.envrc` gives to cargo and to programs: variables, tools, a toolchain.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use super::{AT_ONCE, Direnv, LONG_WAITS, SHOWS};
use crate::support::{
    descendants_of, pid_in,
    project::{RUST, counted, shell},
    signal, variable,
};

#[test]
fn tools_flags_and_variables_of_an_envrc_reach_cargo_rustc_build_scripts_and_the_program() {
    let direnv = Direnv::new("direnv-tools");
    let project = &direnv.project;
    project
        .script(
            "tools/cargo",
            "echo cargo >> \"$TOLD\"; exec \"$REAL_CARGO\" \"$@\"",
        )
        .script("tools/wrapper", "echo rustc >> \"$TOLD\"; exec \"$@\"")
        .script("tools/helper", "echo the helper helps")
        .file(
            "build.rs",
            "fn main() {
                println!(\"cargo:rerun-if-env-changed=FLAVOUR\");
                println!(\"cargo:rustc-env=BUILT={}\", std::env::var(\"FLAVOUR\").unwrap());
            }",
        )
        .rust(&format!(
            "println!(\"built with {{}}, flag {{}}\", env!(\"BUILT\"), cfg!(sweet));
            std::process::Command::new(\"helper\").status().unwrap();
            {}",
            counted("up")
        ))
        .config(RUST);
    let told = project.dir().join("told");
    direnv.allowed(
        ".",
        &format!(
            "export REAL_CARGO=$(command -v cargo)\nPATH_add tools\nexport TOLD={} FLAVOUR=vanilla\n\
             export RUSTC_WRAPPER=wrapper RUSTFLAGS='--cfg sweet --check-cfg=cfg(sweet)'\n",
            told.display()
        ),
    );
    let daemon = direnv.start();
    let main = daemon.until_state("main", "running");
    let log = daemon.logs("main");
    for line in ["built with vanilla, flag true", "the helper helps"] {
        assert!(log.contains(line), "{log}");
    }
    let told = project.read("told");
    assert!(
        told.starts_with("cargo\n") && told.contains("rustc\n"),
        "{told}"
    );
    assert_eq!(
        variable(pid_in(&main), "FLAVOUR").as_deref(),
        Some("vanilla")
    );
}

#[test]
fn a_toolchain_that_an_envrc_names_is_the_one_that_is_asked_for() {
    let direnv = Direnv::new("direnv-toolchain");
    direnv
        .project
        .rust(&counted("up"))
        .config(&format!("{LONG_WAITS}{RUST}"));
    direnv.allowed(".", "export RUSTUP_TOOLCHAIN=of-the-envrc\n");
    let daemon = direnv.start();
    let main = daemon.until_state("main", "backing_off");
    let events = main["events"].to_string();
    assert!(events.contains("toolchain 'of-the-envrc"), "{events}");
}

#[test]
fn what_an_envrc_prints_is_in_the_log_of_the_run_or_of_the_build_that_it_was_for() {
    let direnv = Direnv::new("direnv-words");
    let project = &direnv.project;
    project
        .rust(&counted("up"))
        .config(&format!("{AT_ONCE}{RUST}{}", shell("side", SHOWS)));
    direnv.allowed(".", "echo the vault is open\nexport FLAVOUR=vanilla\n");
    let daemon = direnv.start();
    let side = daemon.until_state("side", "running");
    daemon.until_state("main", "running");
    let (words, export) = ("the vault is open", "export +FLAVOUR");
    let build = daemon.text("search_build_log", &json!({"process": "main"}));
    for said in [words, export] {
        assert!(build.contains(said), "{build}");
    }
    let log = daemon.logs("main");
    assert!(!log.contains(words), "it is in the log of the build: {log}");
    let log = daemon.logs("side");
    let place = |part: &str| {
        log.find(part)
            .unwrap_or_else(|| panic!("{part} is not in: {log}"))
    };
    let in_order = place(words) < place(export) && place(export) < place("flavour vanilla");
    assert!(in_order, "{log}");
    daemon.prints(&format!("[side] {words}"));

    // Not evaluated again, so that there is nothing to say.
    signal(pid_in(&side), Signal::SIGKILL);
    daemon.until("side", "back", |now| {
        now["state"] == "running" && now["run"] != side["run"]
    });
    let log = daemon.logs("side");
    assert!(
        log.contains("flavour vanilla") && !log.contains(words),
        "{log}"
    );
}

#[test]
fn the_pid_is_that_of_the_program_and_direnv_is_nowhere_in_its_tree() {
    let direnv = Direnv::new("direnv-pid");
    direnv.project.config(&shell("main", SHOWS));
    direnv.allowed(".", "export FLAVOUR=vanilla\n");
    let daemon = direnv.start();
    let main = daemon.until_state("main", "running");
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let names: Vec<_> = descendants_of(daemon.pid()).into_iter().map(name).collect();
    assert_eq!(names, ["sleep\n"]);
    // What is signalled is the program.
    signal(pid_in(&main), Signal::SIGUSR1);
    let main = daemon.until("main", "crashed", |main| main["crashes"] == 1);
    assert_eq!(main["last_exit"]["text"], "signal 10 (SIGUSR1)");
}

#[test]
fn a_file_that_an_envrc_reads_is_watched_and_seen_by_the_next_crash() {
    let direnv = Direnv::new("direnv-dotenv");
    let project = &direnv.project;
    project
        .file("vars.env", "FLAVOUR=vanilla\n")
        .config(&format!("{AT_ONCE}{}", shell("main", SHOWS)));
    direnv.allowed(".", "dotenv vars.env\n");
    let daemon = direnv.start();
    let before = daemon.until_state("main", "running");
    assert!(daemon.logs("main").contains("flavour vanilla"));

    project.file("vars.env", "FLAVOUR=lemon\n");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    let vars = fs::File::options()
        .write(true)
        .open(project.dir().join("vars.env"));
    vars.unwrap().set_modified(later).unwrap();
    signal(pid_in(&before), Signal::SIGKILL);
    daemon.until("main", "back", |main| {
        main["state"] == "running" && main["run"] != before["run"]
    });
    let log = daemon.logs("main");
    assert!(log.contains("flavour lemon"), "{log}");
}
