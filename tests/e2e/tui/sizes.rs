//! Small terminals, and terminals without colours.

use crate::support::{Project, Terminal, is_alive, project::shell};

const MAIN: &str =
    "i=1; while [ $i -le 50 ]; do echo \"line $i\"; i=$((i+1)); done; exec sleep 1000";

#[test]
fn it_shrinks_to_next_to_nothing_and_grows_again() {
    let project = Project::new("tui-sizes");
    project.config(&shell("main", MAIN));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 120, 40);
    terminal.shows("line 50");
    terminal.resize(40, 10);
    let small = |screen: &str| {
        let corner = screen.lines().next().unwrap_or_default().chars().count();
        corner <= 40 && screen.contains("line 50") && screen.contains("▶ main")
    };
    terminal.until("small", small);
    let pid = terminal.pid();
    for (width, height) in [(20, 6), (10, 4), (3, 3), (1, 1), (40, 2), (2, 30)] {
        terminal.resize(width, height);
        // A key makes it draw.
        terminal.press(&["?", "Escape", "/", "x", "Escape", "j"]);
        assert!(is_alive(pid));
    }
    terminal.resize(120, 40);
    terminal.shows("line 50");
    terminal.shows("0 crashes");
    assert!(is_alive(pid));
}

#[test]
fn no_color_means_none() {
    let project = Project::new("tui-colourless");
    project.config(&shell(
        "main",
        "printf '\\033[31mred\\033[0m\\n'; exec sleep 1000",
    ));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start_with(&project, 100, 30, "NO_COLOR=1");
    terminal.shows("red");
    let colored = terminal.colored();
    let color =
        regex::Regex::new(r"\x1b\[([0-9;]*;)?([349][0-7]|[34]8|10[0-7])(;[0-9;]*)?m").unwrap();
    assert!(!color.is_match(&colored), "{colored:?}");
}
