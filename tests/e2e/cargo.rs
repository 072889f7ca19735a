//! cargo among others: workspaces, locks, toolchains and cargo's own configuration.

use std::{
    process::{Child, Command, Stdio},
    thread,
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{
    Gate, Project, eventually, pid_in,
    project::{RUST, counted, lives},
    signal,
};

const LONG_WAITS: &str =
    "release_crash_backoff_initial_seconds = 1000\nrelease_crash_backoff_max_seconds = 1000\n";

/// Writes a member of a workspace: `file` of it has this text.
fn member(project: &Project, name: &str, dependencies: &str, file: &str, text: &str) {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
         [dependencies]\n{dependencies}\n"
    );
    project
        .file(format!("{name}/Cargo.toml"), &manifest)
        .file(format!("{name}/src/{file}"), text);
}

fn program(project: &Project, name: &str, dependencies: &str, body: &str) -> String {
    let main = format!("fn main() {{ {body} }}\n");
    member(project, name, dependencies, "main.rs", &main);
    format!("[process.{name}]\ntype = \"rust\"\npackage = \"{name}\"\nargs = []\n")
}

#[test]
fn processes_of_one_workspace_compile_what_they_share_once() {
    let project = Project::new("workspace-shared");
    let shares = "shared = { path = \"../shared\" }";
    let says = |name: &str| format!("println!(\"{name} {{}}\", shared::WORD); {}", lives("up"));
    let share = |word: &str| {
        let text = format!("pub const WORD: &str = \"{word}\";\n");
        member(&project, "shared", "", "lib.rs", &text);
    };
    share("one");
    let left = program(&project, "left", shares, &says("left"));
    let right = program(&project, "right", shares, &says("right"));
    // Two of one package as well.
    let other =
        "[process.other]\ntype = \"rust\"\npackage = \"right\"\nbin = \"other\"\nargs = []\n";
    let main = format!("fn main() {{ {} }}\n", says("other"));
    project
        .file("right/src/bin/other.rs", &main)
        .file("Cargo.toml", "[workspace]\nmembers = [\"left\", \"right\", \"shared\"]\nresolver = \"2\"\n")
        .file(".cargo/config.toml", "[build]\nrustc-workspace-wrapper = \"./wrapper\"\n")
        .script(
            "wrapper",
            "case \"$*\" in *'--crate-name ___ '*|*-vV*) ;; \
             *--crate-name*) echo \"$*\" | sed 's/.*--crate-name \\([a-z]*\\).*/\\1/' >> \"${0%/*}/compiled\";; esac\n\
             exec \"$@\"",
        )
        .config(&format!("{left}{right}bin = \"right\"\n{other}"));
    let daemon = project.start();
    let names = ["left", "right", "other"];
    for name in names {
        daemon.until_state(name, "running");
    }
    for word in ["one", "two"] {
        share(word);
        project.file("compiled", "");
        thread::scope(|scope| {
            for name in names {
                scope.spawn(|| {
                    let answer = daemon.restart(name);
                    assert_eq!(answer["outcome"], "restarted", "{answer}");
                });
            }
        });
        let compiled = project.read("compiled");
        let mut compiled: Vec<_> = compiled.lines().collect();
        compiled.sort_unstable();
        assert_eq!(compiled, ["left", "other", "right", "shared"], "{word}");
        for name in names {
            let log = daemon.logs(name);
            assert!(log.contains(&format!("{name} {word}")), "{log}");
        }
    }
}

/// A cargo of somebody else: rust-analyzer, or an agent.
struct Foreign(Child);

impl Foreign {
    #[expect(clippy::disallowed_methods, reason = "the test is the user here")]
    fn build(project: &Project, package: &str) -> Self {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--quiet", "--package", package])
            .current_dir(project.dir())
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null());
        Self(cargo.spawn().unwrap())
    }

    #[track_caller]
    fn succeeds(mut self) {
        let status = eventually("the end of the foreign cargo", || {
            self.0.try_wait().unwrap().ok_or("it is at work")
        });
        assert!(status.success(), "{status}");
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[test]
fn a_build_that_waits_for_the_lock_of_another_cargo_says_so_and_one_with_its_own_folder_does_not_wait()
 {
    let project = Project::new("locked");
    let main = program(&project, "main", "", &lives("up"));
    let own = program(&project, "own", "", &lives("up"));
    program(&project, "holder", "", "");
    let gate = Gate::of_package(&project, "holder");
    project
        .file(
            "Cargo.toml",
            "[workspace]\nmembers = [\"main\", \"own\", \"holder\"]\nresolver = \"2\"\n",
        )
        .config(&format!("{main}{own}target_dir = \"target/own\"\n"));
    let daemon = project.start();
    let old = daemon.until_state("main", "running");
    daemon.until_state("own", "running");

    gate.close();
    let foreign = Foreign::build(&project, "holder");
    gate.arrived();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.restart("main"));
        let words = "waits for cargo's lock on the ";
        let main = daemon.until("main", words, |main| {
            main["events"][0]["text"].as_str().unwrap().contains(words)
        });
        assert_eq!(
            (&main["state"], &main["serving"], &main["pid"]),
            (&json!("building"), &json!(true), &old["pid"])
        );
        assert!(daemon.text("get_status", &json!({})).contains(words));
        daemon.prints(words);
        let log = daemon.text("search_build_log", &json!({"process": "main"}));
        for part in [
            "waiting for cargo's lock on the ",
            "`target_dir` in [process.main]",
        ] {
            assert!(log.contains(part), "{log}");
        }

        let answer = daemon.restart("own");
        assert_eq!(answer["outcome"], "restarted", "{answer}");
        assert_eq!(daemon.process("main")["state"], "building");
        assert!(project.dir().join("target/own/debug/own").exists());

        gate.open();
        let answer = waiting.join().unwrap();
        assert_eq!(answer["outcome"], "restarted", "{answer}");
    });
    foreign.succeeds();
}

#[test]
fn a_stopped_daemon_leaves_no_cargo_that_waits_for_a_lock() {
    let project = Project::new("locked-stop");
    let main = program(&project, "main", "", &lives("up"));
    program(&project, "holder", "", "");
    let gate = Gate::of_package(&project, "holder");
    project
        .file(
            "Cargo.toml",
            "[workspace]\nmembers = [\"main\", \"holder\"]\nresolver = \"2\"\n",
        )
        .config(&main);
    let daemon = project.start();
    daemon.until_state("main", "running");
    gate.close();
    let foreign = Foreign::build(&project, "holder");
    gate.arrived();
    daemon.call(
        "restart",
        &json!({"process": "main", "timeout_seconds": 0.01}),
    );
    daemon.prints("waits for cargo's lock on the ");
    daemon.stop();
    assert_eq!(crate::support::marked(&project.dir()), [0; 0]);
    gate.open();
    foreign.succeeds();
}

#[test]
fn a_toolchain_file_above_the_folder_of_the_process_is_honoured() {
    let project = Project::new("toolchain");
    let entry = project.package("app", &counted("up"));
    let toolchain = "[toolchain]\nchannel = \"no-such-toolchain\"\n";
    project
        .file("rust-toolchain.toml", toolchain)
        .config(&format!("{LONG_WAITS}{entry}"));
    // The tests run below rustup, which chose a toolchain for them and tells it to all their children.
    let daemon = project.start();
    daemon.until_state("app", "backing_off");
    let answer = daemon.restart("app");
    assert_eq!(answer["outcome"], "build_failed", "{answer}");
    let error = answer["errors"][0]["message"].as_str().unwrap();
    assert!(
        error.contains("no-such-toolchain") && error.contains("rust-toolchain.toml"),
        "{error}"
    );
    std::fs::remove_file(project.dir().join("rust-toolchain.toml")).unwrap();
    assert_eq!(daemon.restart("app")["outcome"], "restarted");
}

#[test]
fn a_toolchain_that_the_user_set_for_the_daemon_is_honoured_too() {
    let project = Project::new("toolchain-env");
    project
        .rust(&counted("up"))
        .config(&format!("{LONG_WAITS}{RUST}"));
    let daemon = project.start_with(&[
        ("RUSTUP_TOOLCHAIN", "no-such-toolchain"),
        ("RUSTUP_TOOLCHAIN_SOURCE", "env"),
    ]);
    let main = daemon.until_state("main", "backing_off");
    let events = main["events"].to_string();
    assert!(events.contains("no-such-toolchain"), "{events}");
}

#[test]
fn the_configuration_of_cargo_above_the_folder_of_the_process_is_honoured() {
    let project = Project::new("cargo-config");
    let body = format!(
        "let of_run = |name| std::env::var(name).unwrap_or_default();
        println!(\"flag {{}}, built with {{:?}}\", cfg!(sweet), option_env!(\"PLAIN\"));
        for name in [\"PLAIN\", \"FOLDER\", \"INHERITED\", \"FORCED\", \"OWN\"] {{
            println!(\"{{name}} = {{}}\", of_run(name));
        }}
        {}",
        counted("up")
    );
    let configuration = "[build]\ntarget-dir = \"made\"\n\
        rustflags = [\"--cfg\", \"sweet\", \"--check-cfg\", \"cfg(sweet)\"]\n\
        [env]\nPLAIN = \"plain # \\\"x\\\"\"\nFOLDER = { value = \"data\", relative = true }\n\
        INHERITED = \"configured\"\nFORCED = { value = \"configured\", force = true }\n\
        OWN = { value = \"configured\", force = true }\n";
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    project
        .file(".cargo/config.toml", configuration)
        .file("deep/app/Cargo.toml", manifest)
        .file("deep/app/src/main.rs", &format!("fn main() {{ {body} }}\n"))
        .config(&format!(
            "{RUST}cwd = \"deep/app\"\nenv = {{ OWN = \"own\" }}\n"
        ));
    let daemon = project.start_with(&[("INHERITED", "inherited"), ("FORCED", "inherited")]);
    let first = daemon.until_state("main", "running");
    let folder = project.dir().join("data");
    let expected = [
        "flag true, built with Some(\"plain # \\\"x\\\"\")",
        "PLAIN = plain # \"x\"",
        &format!("FOLDER = {}", folder.display()),
        "INHERITED = inherited",
        "FORCED = configured",
        "OWN = own",
    ];
    let log = daemon.logs("main");
    for line in expected {
        assert!(log.contains(line), "{line} is not in: {log}");
    }
    assert!(project.dir().join("made/release/app").exists());

    // A run without a build has the same environment.
    signal(pid_in(&first), Signal::SIGKILL);
    daemon.until("main", "back", |main| {
        main["state"] == "running" && main["run"] != first["run"]
    });
    let log = daemon.logs("main");
    assert!(log.contains("PLAIN = plain"), "{log}");
}
