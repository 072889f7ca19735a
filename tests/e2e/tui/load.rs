//! Much output, and none.

use std::{fs, time::Duration};

use crate::support::{Project, Terminal, eventually, project::shell};

/// More lines than the panel holds at first.
#[test]
fn the_history_is_read_page_by_page_up_to_its_first_line() {
    let project = Project::new("tui-history");
    let script = "seq -f 'line %.0f of many' 1 3500; exec sleep 1000";
    project.config(&shell("main", script));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 100, 30);
    terminal.shows("line 3500 of many");
    let begun = |screen: &str| screen.lines().any(|line| line.contains("line 1 of many"));
    eventually("the first line", || {
        terminal.press(&["g"]);
        let screen = terminal.screen();
        if begun(&screen) { Ok(()) } else { Err(screen) }
    });
    terminal.shows("line 2 of many");
    terminal.press(&["PPage", "G"]);
    terminal.shows("line 3500 of many");
}

/// More lines of one moment than are read at once, and a neighbour that printed before.
#[test]
fn the_merged_history_is_read_up_to_its_first_line_where_thousands_have_one_time() {
    let project = Project::new("tui-moment");
    let early = shell("early", "echo the very first; exec sleep 1000");
    // One write, which is read at once.
    let script = "while [ ! -e go ]; do sleep 0.05; done; cat lines; exec sleep 1000";
    let lines: Vec<String> = (1..=4500).map(|it| format!("line {it}\n")).collect();
    project.file("lines", &lines.concat());
    project.config(&format!("{early}{}", shell("many", script)));
    let daemon = project.start();
    daemon.until_state("early", "running");
    daemon.until_state("many", "running");
    project.file("go", "");
    let terminal = Terminal::start(&project, 100, 30);
    terminal.press(&["a"]);
    terminal.shows("line 4500");
    eventually("the first line", || {
        terminal.press(&["g"]);
        let screen = terminal.screen();
        if screen.contains("early the very first") {
            Ok(())
        } else {
            Err(screen)
        }
    });
    terminal.shows("many  line 1");
    // What was cleared is read again.
    terminal.press(&["G"]);
    terminal.shows("line 4500");
    terminal.press(&["c"]);
    terminal.shows("cleared");
    terminal.press(&["PPage"]);
    terminal.shows("line 4500");
}

#[test]
fn on_the_way_down_from_the_top_no_line_is_missing_and_none_comes_twice() {
    const LINES: u32 = 3500;
    let project = Project::new("tui-whole");
    let script = format!("seq -f 'line %.0f of many' 1 {LINES}; exec sleep 1000");
    project.config(&shell("main", &script));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 100, 200);
    terminal.shows("line 3500 of many");
    let number = regex::Regex::new(r"line (\d+) of many").unwrap();
    let numbers = |screen: &str| -> Vec<u32> {
        let found = number.captures_iter(screen);
        found.map(|it| it[1].parse().unwrap()).collect()
    };
    eventually("the first line", || {
        terminal.press(&["g"]);
        match numbers(&terminal.screen()) {
            shown if shown.first() == Some(&1) => Ok(()),
            shown => Err(shown),
        }
    });
    let mut seen = Vec::new();
    loop {
        let shown = numbers(&terminal.screen());
        let first = shown[0];
        let whole: Vec<u32> = (first..).take(shown.len()).collect();
        assert_eq!(shown, whole);
        seen.extend(shown);
        if seen.last() == Some(&LINES) {
            break;
        }
        terminal.press(&["NPage"]);
        terminal.until("another page", |screen| {
            numbers(screen).first().is_some_and(|now| *now > first)
        });
    }
    seen.dedup();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (1..=LINES).collect::<Vec<_>>());
}

#[test]
fn a_flood_is_shown_without_lag_and_memory_stays_bounded() {
    let project = Project::new("tui-flood");
    let script = "exec awk 'BEGIN { while (1) { n++; print \"flood line number \" n \" with some more text behind it\" } }'";
    project.config(&shell("main", script));
    let daemon = project.start_quiet();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 100, 30);
    let number = regex::Regex::new(r"flood line number (\d+)").unwrap();
    let newest = |screen: &str| {
        let numbers = number.captures_iter(screen);
        let numbers = numbers.filter_map(|it| it[1].parse::<u64>().ok());
        numbers.max()
    };
    let first = terminal.until("flood", |screen| newest(screen).is_some());
    let first = newest(&first).unwrap();
    terminal.until("much more", |screen| {
        newest(screen).is_some_and(|now| now > first + 200_000)
    });
    // Keys are obeyed in the midst of it, and who scrolls up reads on undisturbed.
    for _ in 0..5 {
        terminal.press(&["?"]);
        terminal.shows("Shift-Tab");
        terminal.press(&["Escape"]);
        terminal.hides("Shift-Tab");
    }
    terminal.press(&["PPage"]);
    let held = newest(&terminal.shows("G follows"));
    terminal.press(&["t", "t"]);
    assert_eq!(newest(&terminal.shows("G follows")), held);
    let status = fs::read_to_string(format!("/proc/{}/status", terminal.pid())).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u64 = memory
        .and_then(|it| it.trim().split(' ').next()?.parse().ok())
        .unwrap();
    assert!(kilobytes < 120_000, "{kilobytes} kB");
    terminal.press(&["G"]);
    terminal.shows("following");
    terminal.press(&["q"]);
    terminal.shows("ended 0");
}

#[test]
fn at_rest_it_takes_next_to_no_time() {
    const WATCHED: Duration = Duration::from_secs(8);
    let project = Project::new("tui-rest");
    project.config(&shell("main", "echo there; exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 120, 40);
    terminal.shows("there");
    let pid = terminal.pid();
    let up = || daemon.process("main")["uptime_seconds"].as_f64().unwrap();
    let begun = (up(), ticks(pid));
    // Its own clock tells how long it was watched.
    eventually("watched", || {
        let watched = up() - begun.0;
        if watched > WATCHED.as_secs_f64() {
            Ok(())
        } else {
            Err(watched)
        }
    });
    let (passed, used) = (up() - begun.0, ticks(pid) - begun.1);
    // A debug build is many times slower than what is installed.
    let share = used / 100.0 / passed;
    assert!(share < 0.02, "{:.1} % of a core", share * 100.0);
}

/// The CPU time of a process, in hundredths of a second.
fn ticks(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let numbers: Vec<f64> = rest
        .split(' ')
        .map(|it| it.parse().unwrap_or(0.0))
        .collect();
    numbers[11] + numbers[12]
}

/// More lines than a window holds.
#[test]
fn on_the_way_down_nothing_is_skipped_where_the_window_ends_and_clear_leaves_nothing_of_it() {
    const LINES: u64 = 90_000;
    let project = Project::new("tui-window");
    let script = format!(
        "seq -f 'line %.0f of many' 1 {LINES}; \
         while [ ! -e go ]; do sleep 0.05; done; echo a fresh one; exec sleep 1000"
    );
    project.config(&shell("main", &script));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let terminal = Terminal::start(&project, 100, 200);
    terminal.shows("line 90000 of many");
    let number = regex::Regex::new(r"line (\d+) of many").unwrap();
    let numbers = |screen: &str| -> Vec<u64> {
        let found = number.captures_iter(screen);
        found.map(|it| it[1].parse().unwrap()).collect()
    };
    // Until the window has left its end.
    let go_far_up = || {
        eventually("far above", || {
            terminal.press(&["g"; 5]);
            match numbers(&terminal.screen()) {
                shown if shown.first().is_some_and(|it| *it < 30_000) => Ok(()),
                shown => Err(shown.first().copied()),
            }
        });
    };
    go_far_up();
    terminal.press(&["c"]);
    terminal.shows("cleared");
    project.file("go", "");
    let screen = terminal.shows("a fresh one");
    assert_eq!(numbers(&screen), [0_u64; 0]);
    terminal.press(&["PPage"]);
    terminal.shows("line 90000 of many");
    go_far_up();
    let mut last = *numbers(&terminal.shows("G follows")).last().unwrap();
    let begun = last;
    while last < LINES {
        terminal.press(&["NPage"; 20]);
        let screen = terminal.until("further down", |screen| {
            numbers(screen).last().is_some_and(|now| *now > last)
        });
        let shown = numbers(&screen);
        let pages = (shown[0] - last.min(shown[0])) / u64::try_from(shown.len()).unwrap();
        assert!(pages < 20, "{last} to {}", shown[0]);
        last = *shown.last().unwrap();
    }
    assert!(begun < 30_000);
    terminal.press(&["NPage"]);
    terminal.shows("following");
}
