//! Pictures of every panel and state. `INSTA_UPDATE=always cargo test --lib tui` draws them anew.

use std::{fmt::Write as _, time::Duration};

use bpm_actors::report::ProcessReport;
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};
use serde_json::json;

use super::{Colors, draw};
use crate::tui::state::{
    Message,
    action::Action,
    feed::{FeedId, Item, Notice},
    layout::{Overflow, Panel},
    link::Link,
    samples::{NOON, Sample, answer, broken, building, crashed, line, process, status, stopped},
    usage::Measure,
};

fn drawn(sample: &Sample, colors: Colors) -> (Buffer, Overflow) {
    let screen = sample.state.screen;
    let mut terminal = Terminal::new(TestBackend::new(screen.width, screen.height)).unwrap();
    let mut overflow = Overflow::default();
    let drawing = |frame: &mut ratatui::Frame<'_>| {
        overflow = draw(frame, &sample.state, sample.now, colors);
    };
    let buffer = terminal.draw(drawing).unwrap().buffer.clone();
    (buffer, overflow)
}

fn picture(sample: &Sample, colors: Colors) -> Buffer {
    drawn(sample, colors).0
}

fn overflow(sample: &Sample) -> Overflow {
    drawn(sample, Colors::Some).1
}

/// The text of the screen, without what stands right of it.
fn shown(sample: &Sample) -> String {
    let buffer = picture(sample, Colors::Some);
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut row = String::new();
        let mut hidden = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            // The second half of a wide character is covered by the first.
            if hidden == 0 {
                row.push_str(symbol);
                hidden = crate::tui::text::width(symbol);
            }
            hidden = hidden.saturating_sub(1);
        }
        writeln!(text, "{}", row.trim_end()).unwrap();
    }
    text
}

/// What is drawn in which style, but for what has none.
fn styled(sample: &Sample) -> String {
    let buffer = picture(sample, Colors::Some);
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut run = String::new();
        let mut last = None;
        for x in 0..=buffer.area.width {
            let cell = buffer.cell((x, y));
            let style = cell.map(|cell| (cell.fg, cell.bg, cell.modifier));
            if style != last {
                if let Some((fg, bg, modifier)) = last
                    && (fg, bg) != (Color::Reset, Color::Reset)
                    && !run.trim_matches([' ', '─', '━', '│', '┃']).is_empty()
                {
                    let run = run.trim();
                    writeln!(text, "{y:>2} {run:?} {fg} on {bg} {modifier:?}").unwrap();
                }
                run.clear();
                last = style;
            }
            run.push_str(cell.map_or("", |cell| cell.symbol()));
        }
    }
    text
}

fn zoomed(panel: Panel, width: u16, height: u16, processes: Vec<ProcessReport>) -> Sample {
    let mut sample = Sample::with(width, height, processes);
    sample.state.focus = panel;
    sample.act(Action::Zoom);
    sample
}

fn all() -> Vec<ProcessReport> {
    vec![
        process("main", &json!({})),
        building("api"),
        process(
            "worker",
            &json!({"state": "proving", "health": "unready",
            "events": [{"at": NOON, "age_seconds": 2.0, "kind": "started", "text": "pid 5"}]}),
        ),
        crashed("mailer"),
        stopped("web"),
        process("old", &json!({"state": "stopping", "serving": false})),
        broken("broken"),
        process("a-process-with-quite-a-long-name_that_goes_on", &json!({})),
    ]
}

fn measures(sample: &mut Sample, count: i64) {
    let noon: Timestamp = NOON.parse().unwrap();
    for step in 0..count {
        let used = (0..=step).map(|it| f64::from(u32::try_from(it % 5).unwrap()) * 0.1);
        sample.tell(Message::Usage(vec![Measure {
            process: "main".to_owned(),
            at: noon + SignedDuration::from_secs(2 * step),
            cpu_seconds: Some(used.sum()),
            resident_bytes: Some(12_300_000 + 1_000_000 * u64::try_from(step).unwrap()),
            tasks: Some(3),
        }]));
    }
}

fn down(sample: &mut Sample, advice: Option<&str>) {
    let again = sample.now + Duration::from_millis(2500);
    sample.tell(Message::Link(Link::Down {
        why: "/home/u/ganbot: its daemon does not run".to_owned(),
        advice: advice.map(str::to_owned),
        again,
    }));
}

const LINES: [&str; 5] = [
    "plain",
    "\x1b[32m INFO\x1b[0m listening on \x1b[1mhttp://localhost:8080\x1b[0m",
    "wide 日本語 and emoji 👩‍👩‍👧 👍🏽 and a\ttab",
    "harmless \x1b[2J\x1b]0;title\x07 bell \x07 and \x1b[31merror: red",
    "a long line that does not fit into the panel, so that it goes on in the next row or is cut, as w says",
];

#[test]
fn the_whole_screen() {
    let mut sample = Sample::with(120, 30, all());
    sample.prints(1, 1, &LINES);
    measures(&mut sample, 40);
    sample.tell(answer(&json!({})));
    sample.now += Duration::from_secs(5);
    assert_snapshot!(shown(&sample));
}

#[test]
fn the_smallest_screen() {
    let mut sample = Sample::with(40, 10, all());
    sample.prints(1, 1, &LINES);
    assert_snapshot!(shown(&sample));
}

#[test]
fn mode_and_counts_are_seen_on_the_smallest_screen() {
    let processes = vec![process("main", &json!({})), crashed("web"), stopped("old")];
    let sample = Sample::with(40, 10, processes);
    assert_eq!(
        shown(&sample).lines().nth(1).unwrap()[3..]
            .split('│')
            .next(),
        Some("dev ▶1 ✗1 ■1  ")
    );
}

#[test]
fn a_configuration_that_is_wrong_is_seen_on_the_smallest_screen() {
    let processes = vec![process("main", &json!({})), crashed("web"), stopped("old")];
    let mut sample = Sample::with(40, 10, processes.clone());
    assert!(!shown(&sample).contains("!config"));
    let mut report = status(processes);
    report.config_error = Some("/home/u/ganbot/.mcp-run:3: mcp_prt: unknown key".to_owned());
    sample.tell(Message::Status(Box::new(report)));
    assert!(shown(&sample).contains("dev !config"));
}

#[test]
fn a_configuration_that_is_wrong_says_why() {
    let mut sample = zoomed(Panel::Server, 60, 12, vec![process("main", &json!({}))]);
    let mut report = status(vec![process("main", &json!({}))]);
    report.config_error = Some(
        "/home/u/ganbot/.mcp-run:3: mcp_prt: unknown key; did you mean mcp_port?\n\
         /home/u/ganbot/.mcp-run:7: process.web.command: is missing\x1b[2J"
            .to_owned(),
    );
    sample.tell(Message::Status(Box::new(report)));
    assert_snapshot!(shown(&sample));
}

#[test]
fn nothing_is_known_yet() {
    assert_snapshot!(shown(&Sample::new(80, 16)));
}

#[test]
fn the_daemon_does_not_run() {
    let mut sample = Sample::new(100, 20);
    down(
        &mut sample,
        Some("start it: background-process-manager /home/u/ganbot"),
    );
    assert_snapshot!(shown(&sample));
}

#[test]
fn the_daemon_goes_away_and_the_screen_stays() {
    let mut sample = Sample::with(100, 20, all());
    sample.prints(1, 1, &LINES);
    down(&mut sample, None);
    sample.now += Duration::from_secs(1);
    assert_snapshot!(shown(&sample));
}

#[test]
fn no_process_and_no_output() {
    let mut sample = Sample::with(80, 12, Vec::new());
    assert_snapshot!("no_process", shown(&sample));
    sample = Sample::with(80, 12, vec![process("main", &json!({}))]);
    assert_snapshot!("no_output_yet", shown(&sample));
    sample.prints(1, 1, &[]);
    assert_snapshot!("nothing_printed", shown(&sample));
    sample.tell(Message::FeedEnded {
        feed: FeedId(1),
        why: "no run of main is kept".to_owned(),
    });
    assert_snapshot!("no_such_log", shown(&sample));
}

#[test]
fn processes_in_every_state() {
    let sample = zoomed(Panel::Processes, 40, 12, all());
    assert_snapshot!("processes", shown(&sample));
    assert_snapshot!("processes_styled", styled(&sample));
}

#[test]
fn more_processes_than_rows() {
    let names = (0..40).map(|it| process(&format!("process-{it}"), &json!({})));
    let mut sample = zoomed(Panel::Processes, 30, 8, names.collect());
    for _ in 0..20 {
        sample.act(Action::Down);
    }
    assert_snapshot!(shown(&sample));
}

#[test]
fn details_of_every_state() {
    let held = json!({"connections": "held", "status_text": "12 players"});
    let waits = json!({"connections": "relayed", "connections_wait": true});
    let cases = [
        ("running", process("main", &held)),
        ("building", building("main")),
        ("waiting", crashed("main")),
        ("broken", broken("main")),
        ("stopped", stopped("main")),
        ("queued", process("main", &waits)),
        (
            "rolled_back",
            process("main", &json!({"behind": "rolled_back"})),
        ),
        (
            "changed",
            process("main", &json!({"behind": "sources_changed"})),
        ),
    ];
    for (name, process) in cases {
        let mut sample = zoomed(Panel::Details, 70, 16, vec![process]);
        if name == "running" {
            measures(&mut sample, 12);
        }
        sample.tell(Message::Errors {
            process: "main".to_owned(),
            build: 10,
            lines: vec![
                "error[E0308]: mismatched types --> src/main.rs:3:5".to_owned(),
                "error: cannot find `x` --> src/a/rather/long/path/to/a/file/lib.rs:300:5"
                    .to_owned(),
            ],
        });
        assert_snapshot!(format!("details_{name}"), shown(&sample));
    }
}

#[test]
fn a_restart_shows_its_phases_and_what_came_of_it() {
    let mut sample = zoomed(Panel::Details, 70, 8, vec![building("main")]);
    sample.act(Action::Restart);
    let build = [line(
        "main",
        10,
        1,
        "   Compiling app v0.1.0 (/home/u/ganbot)",
    )];
    sample.tell(Message::Items {
        feed: FeedId(2),
        items: build.map(Item::Line).to_vec(),
    });
    sample.now += Duration::from_secs(3);
    assert_snapshot!("phase_building", shown(&sample));
    sample.knows(vec![process("main", &json!({}))]);
    sample.tell(answer(&json!({})));
    assert_snapshot!("phase_swapped", shown(&sample));
    sample.tell(answer(&json!({
        "ok": false, "outcome": "rolled_back", "reason": "it was not ready within 30 s"
    })));
    assert_snapshot!("phase_rolled_back", shown(&sample));
}

#[test]
fn output_with_colours_wrapped_and_cut() {
    let mut sample = zoomed(Panel::Output, 50, 10, vec![process("main", &json!({}))]);
    sample.prints(1, 1, &LINES);
    assert_snapshot!("output_wrapped", shown(&sample));
    assert_snapshot!("output_styled", styled(&sample));
    sample.act(Action::Wrap).act(Action::Times);
    assert_snapshot!("output_cut_with_times", shown(&sample));
    sample.act(Action::Right).act(Action::Right);
    assert_snapshot!("output_moved_sideways", shown(&sample));
}

#[test]
fn output_of_all_processes_has_their_names() {
    let mut sample = zoomed(Panel::Output, 60, 8, all());
    sample.act(Action::All);
    let feed = sample.followed()[0].0;
    let items = [
        Item::Line(line("main", 7, 1, "one")),
        Item::Line(line("mailer", 8, 2, "two")),
        Item::Line(line(
            "a-process-with-quite-a-long-name_that_goes_on",
            9,
            3,
            "three",
        )),
        Item::Notice {
            process: Some("main".into()),
            notice: Notice::RunChanged(10),
        },
    ];
    let items = items.to_vec();
    sample.tell(Message::Items { feed, items });
    assert_snapshot!("output_merged", shown(&sample));
    assert_snapshot!("output_merged_styled", styled(&sample));
}

#[test]
fn matches_are_highlighted_and_a_scrolled_panel_says_so() {
    let mut sample = zoomed(Panel::Output, 60, 6, vec![process("main", &json!({}))]);
    let lines: Vec<String> = (1..=30).map(|it| format!("request {it} done")).collect();
    sample.prints(1, 1, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    sample
        .act(Action::Search)
        .types("t 1. d")
        .act(Action::Accept);
    assert_snapshot!("output_searched", shown(&sample));
    assert_snapshot!("output_searched_styled", styled(&sample));
}

#[test]
fn a_filter_and_a_level_are_named_and_may_leave_nothing() {
    let mut sample = zoomed(Panel::Output, 60, 5, vec![process("main", &json!({}))]);
    sample.act(Action::Level).act(Action::Level);
    sample.act(Action::Filter).types("warp").act(Action::Accept);
    let feed = sample.followed()[0].0;
    sample.tell(Message::Items {
        feed,
        items: Vec::new(),
    });
    assert_snapshot!(shown(&sample));
}

#[test]
fn the_log_of_a_failed_build_shows_its_errors_first() {
    let mut sample = zoomed(Panel::Output, 70, 10, vec![broken("main")]);
    let lines = vec![
        "error[E0308]: mismatched types --> src/main.rs:3:5".to_owned(),
        "error: cannot find `x` --> src/lib.rs:30:5".to_owned(),
    ];
    let process = "main".to_owned();
    sample.tell(Message::Errors {
        process,
        build: 10,
        lines,
    });
    sample.act(Action::BuildOrOutput);
    let feed = sample.followed()[0].0;
    let items: Vec<Item> = (1..=20)
        .map(|seq| {
            Item::Line(line(
                "main",
                10,
                seq,
                &format!("what cargo says, line {seq}"),
            ))
        })
        .collect();
    sample.tell(Message::Items { feed, items });
    assert_snapshot!(shown(&sample));
}

#[test]
fn boxes() {
    let mut sample = Sample::with(100, 36, vec![process("main", &json!({}))]);
    sample.act(Action::Help);
    assert_snapshot!("box_help", shown(&sample));
    sample
        .act(Action::Close)
        .act(Action::Search)
        .types("a 日本");
    assert_snapshot!("box_search", shown(&sample));
    sample.act(Action::Close).act(Action::Filter).types("a(b");
    sample.act(Action::Accept);
    assert_snapshot!("box_bad_filter", shown(&sample));
}

#[test]
fn without_colours_there_are_none() {
    let mut sample = Sample::with(120, 30, all());
    sample.prints(1, 1, &LINES);
    sample.act(Action::Search).types("e").act(Action::Accept);
    let buffer = picture(&sample, Colors::None);
    for cell in &buffer.content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}

#[test]
fn no_size_is_too_small() {
    let mut sample = Sample::with(120, 30, all());
    let lines = vec!["error: x".to_owned(); 9];
    sample.tell(Message::Errors {
        process: "broken".to_owned(),
        build: 10,
        lines,
    });
    sample.prints(1, 1, &LINES);
    let actions = [
        Action::Bottom,
        Action::All,
        Action::Times,
        Action::Zoom,
        Action::PageUp,
        Action::Wrap,
        Action::Zoom,
        Action::Filter,
        Action::Accept,
        Action::Help,
        Action::Down,
    ];
    for action in actions {
        sample.act(action);
        for width in (0..12).chain([22, 40]) {
            for height in [0, 1, 2, 3, 4, 5, 6, 7, 10, 13] {
                sample.tell(Message::Resized { width, height });
                picture(&sample, Colors::Some);
            }
        }
    }
}

#[test]
fn a_panel_of_text_is_scrolled_to_its_end_and_no_further() {
    let mut sample = zoomed(Panel::Details, 40, 5, vec![broken("main")]);
    sample.state.overflow = overflow(&sample);
    for _ in 0..20 {
        sample.act(Action::Down);
    }
    let end = shown(&sample);
    assert!(end.contains("  dev)"), "{end}");
    sample.act(Action::Up);
    assert_ne!(shown(&sample), end);
    sample.act(Action::Bottom);
    assert_eq!(shown(&sample), end);
}

#[test]
fn the_help_is_scrolled_to_its_last_row_on_the_smallest_screen_and_no_further() {
    let mut sample = Sample::with(40, 10, all());
    sample.act(Action::Help);
    sample.state.overflow = overflow(&sample);
    let top = shown(&sample);
    // By pages no row is skipped.
    let mut rows: Vec<String> = Vec::new();
    for _ in 0..20 {
        let screen = shown(&sample);
        rows.extend(screen.lines().map(str::to_owned));
        sample.act(Action::PageDown);
    }
    for (_, help) in crate::tui::input::help() {
        for word in help.split(' ') {
            assert!(rows.iter().any(|row| row.contains(word)), "{word}");
        }
    }
    let end = shown(&sample);
    assert!(end.contains("pointer"), "{end}");
    sample.act(Action::Up);
    assert_ne!(shown(&sample), end);
    sample.act(Action::Bottom);
    assert_eq!(shown(&sample), end);
    sample.act(Action::Top);
    assert_eq!(shown(&sample), top);
}

#[test]
fn a_very_long_line_is_laid_out_and_searched_once_and_not_for_each_row_and_picture() {
    let mut sample = zoomed(Panel::Output, 60, 20, vec![process("main", &json!({}))]);
    let long = "ä7 and ä8 ".repeat(10_000);
    sample.prints(1, 1, &["first", &long, "last"]);
    let work = |sample: &Sample| sample.state.pane().unwrap().laid.work();
    for action in [Action::Up, Action::PageUp, Action::Down, Action::Top] {
        picture(&sample, Colors::Some);
        sample.act(action);
    }
    sample.act(Action::Search).types("ä7").act(Action::Accept);
    for action in [Action::Bottom, Action::PageUp, Action::Bottom] {
        picture(&sample, Colors::Some);
        sample.act(action);
    }
    // The short ones as well, where they were on the screen.
    assert_eq!(work(&sample), (3, 3));
    // Cut, each is laid out once more.
    sample.act(Action::Wrap);
    for _ in 0..3 {
        picture(&sample, Colors::Some);
        sample.act(Action::Right);
    }
    assert_eq!(work(&sample), (6, 6));
}
