//! The daemon goes away and comes back.

use nix::sys::signal::Signal;

use crate::support::{Project, Terminal, project::shell, until_gone};

#[test]
fn the_screen_stays_counts_down_comes_back_and_shows_each_line_once() {
    let project = Project::new("tui-cut");
    let script =
        "i=1; while [ $i -le 8 ]; do echo \"before $i\"; i=$((i+1)); done; tail -n 0 -F feed";
    project.file("feed", "").config(&shell("main", script));
    let mut daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 100, 40);
    terminal.shows("before 8");
    let (pid, port) = (daemon.pid(), daemon.port());
    daemon.signal(Signal::SIGKILL);
    daemon.ends();
    until_gone(pid);
    terminal.shows("reconnecting in 1 s");
    terminal.shows("reconnecting in 3 s");
    let screen = terminal.shows("the daemon does not run");
    for kept in ["before 8", "▶ main", "as it was", "start it: "] {
        assert!(screen.contains(kept), "{kept} in\n{screen}");
    }
    let daemon = project.start();
    // The system chose another port, or the same: it is found.
    terminal.shows(&format!("● localhost:{}", daemon.port()));
    let run = daemon.until_state("main", "running")["run"].to_string();
    terminal.shows(&format!("run {run}"));
    project.append("feed", "after\n");
    let screen = terminal.shows("after");
    assert_eq!(screen.matches("before 7").count(), 2, "{port}\n{screen}");
    assert!(!screen.contains("reconnecting"), "{screen}");
}

#[test]
fn it_waits_for_a_daemon_that_does_not_run_yet() {
    let project = Project::new("tui-absent");
    project.config(&shell("main", "echo there; exec sleep 1000"));
    let terminal = Terminal::start(&project, 100, 30);
    terminal.shows("the daemon does not run");
    terminal.shows("no processes yet");
    let _daemon = project.start();
    // Enter does not wait for the countdown.
    terminal.press(&["Enter"]);
    terminal.shows("there");
}

#[test]
fn where_a_token_is_wanted_it_is_found_and_by_url_alone_too() {
    let project = Project::new("tui-token");
    let main = shell("main", "echo there; exec sleep 1000");
    project.config(&format!("token = true\n{main}"));
    let daemon = project.start();
    let terminal = Terminal::start(&project, 100, 30);
    terminal.shows("there");
    let bin = env!("CARGO_BIN_EXE_bpm-tui");
    let url = format!("http://localhost:{}/mcp", daemon.port());
    let terminal = Terminal::run(&project, 100, 30, &format!("{bin} {url}"));
    terminal.shows("there");
}
