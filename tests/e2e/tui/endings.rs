//! However it ends, the terminal is as it was.

use background_process_manager::tui::term::Screen;
use nix::sys::signal::Signal;

use crate::support::{Project, Terminal, project::shell, signal};

/// Sets the terminal's title, then runs the command.
const TITLED: &str = r#"sh -c 'printf "\033]0;as it was\007"; exec "$0" "$@"'"#;

/// The title from before, no other screen, no mouse, a cursor; what is typed is shown, and lines are edited.
#[track_caller]
fn is_restored(terminal: &Terminal) {
    terminal.shows("ended ");
    let screen = terminal.shows("icanon");
    assert_eq!(terminal.knows("#{pane_title}").trim(), "as it was");
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
        let terminal = Terminal::start_with(&project, 100, 30, TITLED);
        terminal.shows("there");
        assert_eq!(terminal.knows("#{pane_title}").trim(), "bpm-tui");
        terminal.press(&[key]);
        is_restored(&terminal);
    }
    for sent in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let terminal = Terminal::start_with(&project, 100, 30, TITLED);
        terminal.shows("there");
        assert_eq!(terminal.knows("#{alternate_on}").trim(), "1");
        signal(terminal.pid(), sent);
        is_restored(&terminal);
    }
}

#[test]
fn after_a_panic_the_terminal_is_restored_and_says_why() {
    let project = Project::new("tui-panics");
    let this = std::env::current_exe().unwrap();
    let test = "--ignored --exact tui::endings::takes_the_terminal_and_panics --nocapture";
    let command = format!("{TITLED} {} {test}", this.display());
    let terminal = Terminal::run(&project, 100, 40, &command);
    is_restored(&terminal);
    terminal.shows("ended 101");
    terminal.shows("as the test wants it");
}

#[test]
#[ignore = "the test above runs it, in a terminal"]
fn takes_the_terminal_and_panics() {
    let _screen = Screen::take().unwrap();
    panic!("as the test wants it");
}

#[test]
fn a_url_that_is_none_is_refused_at_once() {
    let project = Project::new("tui-url");
    for url in ["foo://bar", "''"] {
        let bin = env!("CARGO_BIN_EXE_bpm-tui");
        let terminal = Terminal::run(&project, 100, 30, &format!("{bin} {url}"));
        let screen = terminal.shows("ended 2");
        assert!(screen.contains("a daemon's URL looks like"), "{screen}");
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
