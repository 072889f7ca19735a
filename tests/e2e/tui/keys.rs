//! What every key and the mouse do.

use crate::support::{
    Daemon, MAGENTA, Project, RED, Terminal, YELLOW, eventually, is_drawn, project::shell,
};

/// Prints what a reader may want to find, then waits.
const MAIN: &str = r#"
printf '\033[31mERROR\033[0m disk is full\n'
printf 'WARN disk is nearly full\n'
printf 'INFO listening \033[2J\033]0;evil\007 harmless\n'
printf 'wide 日本語 and emoji 👍 end\n'
printf 'INFO a long line %0150d its end\n' 0
i=1; while [ $i -le 60 ]; do echo "number $i of main"; i=$((i+1)); done
exec sleep 1000"#;

const OTHER: &str = r#"echo "hello from other"; exec sleep 1000"#;

fn two(name: &str) -> (Project, Daemon, Terminal) {
    let project = Project::new(name);
    project.config(&format!("{}{}", shell("main", MAIN), shell("other", OTHER)));
    let daemon = project.start();
    daemon.until_state("main", "running");
    daemon.until_state("other", "running");
    let terminal = Terminal::start(&project, 120, 40);
    terminal.shows("number 60 of main");
    terminal.shows("following");
    (project, daemon, terminal)
}

#[test]
fn the_four_panels_show_the_server_the_process_all_processes_and_the_output() {
    let (_project, daemon, terminal) = two("tui-panels");
    let screen = terminal.screen();
    let port = format!("● localhost:{}", daemon.port());
    for part in [
        port.as_str(),
        "release",
        "2 running",
        "Processes",
        "▶ main",
        "▶ other",
        "main: output",
        "running  release, ready",
        "0 crashes",
    ] {
        assert!(screen.contains(part), "{part} in\n{screen}");
    }
    let pid = daemon.process("main")["pid"].to_string();
    terminal.shows(&format!("pid {pid}"));
    // What it uses, after the second look.
    terminal.shows("cpu 0.0 %");
    terminal.shows("mem ");
    // Looking is no activity.
    assert_eq!(daemon.status()["mode"], "release");
}

#[test]
fn arrows_and_letters_choose_a_process_and_tab_gives_them_to_another_panel() {
    let (_project, _daemon, terminal) = two("tui-choose");
    for (down, up) in [("Down", "Up"), ("j", "k")] {
        terminal.press(&[down]);
        terminal.shows("hello from other");
        terminal.shows("other: output");
        terminal.press(&[up]);
        terminal.shows("number 60 of main");
    }
    terminal.press(&["Tab", "k"]);
    terminal.shows("1 below, G follows");
    terminal.press(&["j"]);
    terminal.shows("following");
    terminal.press(&["BTab", "j"]);
    terminal.shows("hello from other");
    terminal.press(&["Enter"]);
    terminal.shows("hello from other");
}

#[test]
fn pages_the_top_and_the_end_and_what_is_followed() {
    let (_project, _daemon, terminal) = two("tui-scroll");
    terminal.press(&["PPage"]);
    terminal.shows("below, G follows");
    terminal.hides("number 60 of main");
    terminal.press(&["NPage"]);
    terminal.shows("following");
    terminal.press(&["g"]);
    terminal.shows("disk is full");
    terminal.press(&["G"]);
    terminal.shows("number 60 of main");
    terminal.press(&["Home"]);
    terminal.shows("disk is full");
    terminal.press(&["End"]);
    terminal.shows("following");
}

#[test]
fn colours_are_kept_and_control_characters_do_no_harm() {
    let (_project, _daemon, terminal) = two("tui-colours");
    terminal.press(&["g"]);
    let screen = terminal.shows("INFO listening  harmless");
    assert!(screen.contains("wide 日本語 and emoji 👍 end"), "{screen}");
    let colored = terminal.colored();
    assert!(is_drawn(&colored, RED, "ERROR"), "{colored:?}");
    assert_ne!(terminal.knows("#{pane_title}").trim(), "evil");
}

#[test]
fn lines_are_wrapped_cut_moved_sideways_and_dated() {
    let (_project, _daemon, terminal) = two("tui-lines");
    terminal.press(&["g"]);
    terminal.shows("its end");
    terminal.press(&["w"]);
    terminal.hides("its end");
    terminal.press(&["Right"; 12]);
    terminal.shows("its end");
    terminal.press(&["Left"; 12]);
    terminal.shows("INFO a long line 000");
    terminal.press(&["t"]);
    let dated = regex::Regex::new(r"\d\d:\d\d:\d\d\.\d{3} WARN disk").unwrap();
    terminal.until("dated", |screen| dated.is_match(screen));
    terminal.press(&["t", "w"]);
    terminal.shows("its end");
}

#[test]
fn a_search_highlights_and_goes_from_match_to_match() {
    let (_project, _daemon, terminal) = two("tui-search");
    terminal.press(&["/"]);
    terminal.shows("Search (regex)");
    terminal.types("disk");
    terminal.press(&["Enter"]);
    terminal.shows("/disk");
    let screen = terminal.shows("WARN disk is nearly full");
    assert!(screen.contains("below, G follows"), "{screen}");
    let colored = terminal.colored();
    for mark in [YELLOW, MAGENTA] {
        assert!(is_drawn(&colored, mark, "disk"), "{colored:?}");
    }
    // Each is copied where it is.
    let copies = |wanted: &str| {
        terminal.press(&["y"]);
        eventually(wanted, || {
            let copied = terminal.copied();
            if copied.contains(wanted) {
                Ok(())
            } else {
                Err(copied)
            }
        });
    };
    copies("WARN disk is nearly full");
    terminal.press(&["N"]);
    copies("ERROR disk is full");
    terminal.press(&["n"]);
    copies("WARN disk is nearly full");
    terminal.press(&["/"]);
    terminal.types("nowhere to be found");
    terminal.press(&["Enter"]);
    terminal.shows("nothing matches");
    terminal.press(&["/"]);
    terminal.types("(");
    terminal.shows("unclosed group");
    terminal.press(&["Escape"]);
    terminal.hides("Search (regex)");
    terminal.shows("▶ main");
}

#[test]
fn a_filter_and_a_level_show_only_some_lines_live_ones_too() {
    let project = Project::new("tui-filter");
    let script = "echo 'INFO one'; echo 'ERROR two'; tail -n 0 -F feed";
    project.file("feed", "").config(&shell("main", script));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 100, 30);
    terminal.shows("INFO one");
    terminal.press(&["f"]);
    terminal.shows("Only lines that match");
    terminal.types("(tw");
    terminal.press(&["Enter"]);
    terminal.shows("unclosed group");
    terminal.types("o)");
    terminal.press(&["Enter"]);
    terminal.shows("filter (two)");
    terminal.shows("ERROR two");
    terminal.hides("INFO one");
    project.append("feed", "INFO Two again\nINFO three\n");
    // Only a capital makes case count, as in the search.
    terminal.shows("INFO Two again");
    assert!(!terminal.screen().contains("three"));
    terminal.press(&["f", "C-u"]);
    terminal.types("Two");
    terminal.press(&["Enter"]);
    terminal.shows("INFO Two again");
    terminal.hides("ERROR two");
    terminal.press(&["f", "C-u"]);
    terminal.types("(two)");
    terminal.press(&["Enter"]);
    terminal.shows("ERROR two");
    terminal.press(&["l", "l", "l"]);
    terminal.shows("level error");
    terminal.hides("INFO Two again");
    terminal.shows("ERROR two");
    terminal.press(&["l", "f", "C-u", "Enter"]);
    terminal.shows("INFO three");
    terminal.shows("INFO one");
}

#[test]
fn all_processes_are_merged_and_cleared_and_zoomed() {
    let (_project, _daemon, terminal) = two("tui-merged");
    terminal.press(&["a"]);
    terminal.shows("all processes: output");
    terminal.shows("main  number 60 of main");
    // Where it stands among the others is a matter of time.
    terminal.press(&["/"]);
    terminal.types("hello");
    terminal.press(&["Enter"]);
    terminal.shows("other hello from other");
    terminal.press(&["G"]);
    terminal.press(&["c"]);
    terminal.hides("number 60 of main");
    terminal.press(&["a"]);
    terminal.shows("number 60 of main");
    terminal.press(&["Tab", "z"]);
    terminal.hides("Processes");
    terminal.shows("number 60 of main");
    terminal.press(&["z"]);
    terminal.shows("Processes");
}

#[test]
fn who_sees_all_processes_sees_those_too_that_a_reload_adds() {
    let project = Project::new("tui-added");
    let main = shell("main", MAIN);
    project.config(&main);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 120, 40);
    terminal.press(&["a"]);
    terminal.shows("main number 60 of main");
    project.config(&format!("{main}{}", shell("other", OTHER)));
    terminal.shows("other hello from other");
    // Also who reads further up meanwhile, and goes to the end then.
    terminal.press(&["PPage"]);
    terminal.shows("G follows");
    let third = shell("third", "echo hello from the third; exec sleep 1000");
    project.config(&format!("{main}{}{third}", shell("other", OTHER)));
    terminal.shows("▶ third");
    terminal.shows("▶ third");
    terminal.press(&["G"]);
    terminal.shows("third hello from the third");
    // And when one is gone, the others go on.
    project.config(&format!("{main}{third}"));
    terminal.hides("▶ other");
    terminal.press(&["a", "a"]);
    terminal.shows("third hello from the third");
    terminal.shows("following");
}

#[test]
fn a_mouse_clicks_turns_its_wheel_and_drags() {
    let (_project, _daemon, terminal) = two("tui-mouse");
    let (column, row) = terminal.place("number 60 of main");
    terminal.mouse(64, column, row, 'M');
    terminal.shows("below, G follows");
    terminal.mouse(65, column, row, 'M');
    terminal.shows("following");
    let (column, row) = terminal.place("number 58 of main");
    terminal.mouse(0, column + 7, row, 'M');
    terminal.mouse(32, column + 5, row + 1, 'M');
    terminal.mouse(0, column + 5, row + 1, 'm');
    terminal.press(&["y"]);
    eventually("copied", || match terminal.copied() {
        copied if copied == "58 of main\nnumber" => Ok(()),
        copied => Err(copied),
    });
    terminal.click("other ");
    terminal.shows("hello from other");
    terminal.click("hello from");
    terminal.press(&["y"]);
    terminal.shows("copied: hello from other");
}

#[test]
fn help_lists_the_keys_escape_closes_it_and_q_quits() {
    let (_project, _daemon, terminal) = two("tui-help");
    terminal.press(&["?"]);
    let help = terminal.shows("Shift-Tab");
    for key in [
        "Enter",
        "PgUp",
        "restart: build, then swap",
        "q Ctrl-C",
        "wheel",
    ] {
        assert!(help.contains(key), "{key} in\n{help}");
    }
    terminal.press(&["Escape"]);
    terminal.hides("Shift-Tab");
    terminal.press(&["?", "?"]);
    terminal.hides("Shift-Tab");
    terminal.press(&["q"]);
    terminal.shows("ended 0");
}
