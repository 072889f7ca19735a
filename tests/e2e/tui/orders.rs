//! Restarts, stops, builds: their phases and what came of them.

use crate::support::{
    Gate, Project, RED, Terminal, is_drawn,
    project::{RUST, lives, shell},
};

#[test]
fn a_restart_shows_that_it_builds_and_what_came_of_it() {
    let project = Project::new("tui-restart");
    project.rust(&lives("old")).config(RUST);
    let gate = Gate::new(&project);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 120, 40);
    terminal.shows("old");
    project.main(&lives("new"));
    gate.close();
    terminal.press(&["r"]);
    gate.arrived();
    terminal.shows("◆ building");
    terminal.shows("the old run serves");
    // It counts.
    terminal.shows("building 2 s");
    gate.open();
    terminal.shows("restart: restarted in");
    terminal.shows("new");
    terminal.shows("dev, release in");
    // The build's log, and back.
    terminal.press(&["b"]);
    terminal.shows("main: build");
    terminal.shows("Compiling app v0.1.0");
    terminal.press(&["b"]);
    terminal.shows("main: output");
    // One that fails: the errors come first, the old one serves, loudly.
    project.main("let _x: u8 = \"text\";");
    terminal.press(&["r"]);
    terminal.shows("restart: build failed: 1 error");
    terminal.shows("what runs is not the newest");
    terminal.shows("error[E0308]: mismatched types");
    terminal.shows("src/main.rs:2:14");
    terminal.press(&["b", "Tab", "z"]);
    let screen = terminal.until("errors first", |screen| {
        let first = screen.lines().nth(1).unwrap_or_default();
        first.contains("error[E0308]") && screen.contains("could not compile")
    });
    assert!(screen.contains("───"), "{screen}");
}

#[test]
fn a_build_that_somebody_else_asked_for_shows_its_errors_too() {
    let project = Project::new("tui-else");
    project.rust(&lives("old")).config(RUST);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 120, 40);
    terminal.shows("old");
    project.main("let _x: u8 = \"text\";");
    daemon.restart("main");
    terminal.shows("main build failed");
    terminal.shows("error[E0308]: mismatched types");
}

#[test]
fn s_stops_and_starts_and_a_crash_counts_down() {
    let project = Project::new("tui-stop");
    let config = "release_crash_backoff_initial_seconds = 300\n";
    let crashes = shell("crashes", "echo dying; exit 3");
    let main = shell("main", "echo alive; exec sleep 1000");
    project.config(&format!("{config}{main}{crashes}"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.until_state("crashes", "backing_off");
    let terminal = Terminal::start(&project, 120, 40);
    terminal.shows("▶ main");
    terminal.press(&["s"]);
    terminal.shows("■ main");
    terminal.shows("stop: stopped");
    terminal.press(&["s"]);
    terminal.shows("▶ main");
    terminal.shows("start: started");
    terminal.press(&["j"]);
    terminal.shows("✗ crashes");
    terminal.shows("next attempt in 4 min");
    terminal.shows("exit code 3");
    let colored = terminal.colored();
    assert!(is_drawn(&colored, RED, "✗"), "{colored:?}");
    // It goes on by itself: between the two are only ticks.
    terminal.shows("next attempt in 4 min 55 s");
    terminal.shows("next attempt in 4 min 53 s");
}
