//! However it ends, the terminal is as it was.

use nix::sys::signal::Signal;

use crate::support::{Project, Terminal, project::shell, signal};

/// No other screen, no mouse, a cursor; what is typed is shown, and lines are edited.
#[track_caller]
fn is_restored(terminal: &Terminal) {
    terminal.shows("ended 0");
    let screen = terminal.shows("icanon");
    let knows =
        terminal.knows("#{alternate_on} #{mouse_any_flag} #{mouse_button_flag} #{cursor_flag}");
    assert_eq!(knows.trim(), "0 0 0 1", "{screen}");
    let words: Vec<&str> = screen.split_whitespace().collect();
    for word in ["icanon", "echo", "isig", "opost"] {
        assert!(words.contains(&word), "{word} in\n{screen}");
    }
}

#[test]
fn by_a_key_or_by_a_signal_the_terminal_is_restored() {
    let project = Project::new("tui-ends");
    project.config(&shell("main", "echo there; exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    for key in ["q", "C-c", "Escape"] {
        let terminal = Terminal::start(&project, 100, 30);
        terminal.shows("there");
        terminal.press(&[key]);
        is_restored(&terminal);
    }
    for sent in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let terminal = Terminal::start(&project, 100, 30);
        terminal.shows("there");
        assert_eq!(terminal.knows("#{alternate_on}").trim(), "1");
        signal(terminal.pid(), sent);
        is_restored(&terminal);
    }
}

#[test]
fn without_a_terminal_it_says_so() {
    let project = Project::new("tui-none");
    project.config(&shell("main", "exec sleep 1000"));
    let terminal = Terminal::start_with(&project, 100, 30, "sh -c '\"$0\" | cat; exit 7'");
    let screen = terminal.shows("ended 7");
    assert!(
        screen.contains("bpm-tui: stdout is no terminal"),
        "{screen}"
    );
}
