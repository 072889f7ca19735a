//! A message comes in, wishes come out.

use std::time::Duration;

use serde_json::json;

use super::{
    Message, Open, Wish,
    action::{Action, Gesture, Mouse},
    feed::{FeedId, Item, Kind, Notice, Scope},
    link::Link,
    order::Ordered,
    pane::{Beginning, Scroll},
    ring::{Entry, Ring},
    samples::{Sample, answer, broken, building, line, process, stopped, topic},
    wish::{Before, Event, Resume},
};
use crate::client::Order;

fn usual() -> Sample {
    let processes = vec![process("main", &json!({})), stopped("web")];
    Sample::with(120, 40, processes)
}

fn down(sample: &Sample) -> Message {
    Message::Link(Link::Down {
        why: "gone".to_owned(),
        advice: None,
        again: sample.now + Duration::from_secs(3),
    })
}

fn up() -> Message {
    Message::Link(Link::Up {
        url: "http://localhost:3002/mcp".to_owned(),
    })
}

fn texts(sample: &Sample) -> Vec<String> {
    let pane = sample.state.pane().unwrap();
    let entries = (pane.ring.first()..pane.ring.end()).filter_map(|it| pane.ring.entry(it));
    entries.map(super::selection::text_of).collect()
}

#[test]
fn the_first_process_is_chosen_and_its_output_is_followed() {
    let sample = usual();
    let followed = sample.followed();
    assert_eq!(followed, [(FeedId(1), topic("main", Kind::Run), None)]);
}

#[test]
fn another_process_is_followed_when_it_is_chosen_and_the_first_is_given_up() {
    let mut sample = usual();
    sample.act(Action::Down);
    assert!(sample.wishes.contains(&Wish::Unfollow(FeedId(1))));
    let followed = sample.followed();
    assert_eq!(followed, [(FeedId(2), topic("web", Kind::Run), None)]);
    // There is nobody below.
    sample.act(Action::Down);
    assert_eq!(sample.wishes, []);
    sample.act(Action::Up);
    assert_eq!(sample.followed().len(), 1);
}

#[test]
fn after_a_cut_reading_goes_on_where_it_ended_and_nothing_is_doubled() {
    let mut sample = usual();
    sample.prints(1, 1, &["one", "two"]);
    let message = down(&sample);
    sample.tell(message);
    assert_eq!(sample.wishes, []);
    // What was on its way belongs to nobody.
    sample.prints(1, 3, &["late"]);
    sample.tell(up());
    let followed = sample.followed();
    let after = Some(Resume {
        cursor: "7:2".to_owned(),
        since: line("main", 7, 1, "").at,
    });
    assert_eq!(followed, [(FeedId(2), topic("main", Kind::Run), after)]);
    sample.prints(2, 2, &["two", "three"]);
    assert_eq!(texts(&sample), ["one", "two", "three"]);
}

#[test]
fn merged_output_goes_on_behind_the_last_line_of_each() {
    let mut sample = usual();
    sample.act(Action::All);
    let [(feed, topic, None)] = &sample.followed()[..] else {
        panic!("{:?}", sample.wishes);
    };
    assert_eq!(topic.scope, Scope::All);
    let items = [line("web", 3, 9, "b"), line("main", 7, 1, "a")].map(Item::Line);
    let (feed, items) = (*feed, items.to_vec());
    sample.tell(Message::Items { feed, items });
    let message = down(&sample);
    sample.tell(message).tell(up());
    let after = sample.followed()[0].2.clone().unwrap();
    assert_eq!(after.cursor, "main=7:1,web=3:9");
    assert_eq!(after.since, line("web", 3, 9, "").at);
}

#[test]
fn a_stream_that_ended_rests_before_it_is_tried_again() {
    let mut sample = usual();
    let ended = Message::FeedEnded {
        feed: FeedId(1),
        why: "too slow".to_owned(),
    };
    sample.tell(ended);
    assert_eq!(sample.followed(), []);
    sample.now += Duration::from_secs(3);
    sample.tell(Message::Tick);
    assert_eq!(sample.followed().len(), 1);
}

#[test]
fn an_event_is_told_and_the_status_asked_for() {
    let mut sample = usual();
    sample.tell(Message::Event(Event {
        kind: "crashed".to_owned(),
        process: Some("web".to_owned()),
        text: "exit code 1".to_owned(),
    }));
    assert_eq!(sample.wishes, [Wish::Refresh]);
    let newest = sample.state.messages.newest_first().next().unwrap();
    assert_eq!(newest.text, "web crashed: exit code 1");
}

#[test]
fn r_restarts_and_s_stops_what_runs_and_starts_what_is_stopped() {
    let mut sample = usual();
    let order = |process: &str, order| Wish::Order {
        process: process.to_owned(),
        order,
    };
    sample.act(Action::Restart);
    assert_eq!(sample.wishes, [order("main", Order::Restart)]);
    assert_eq!(
        sample.state.orders.get("main"),
        Some(&Ordered::Waiting(Order::Restart))
    );
    sample.act(Action::StopOrStart);
    assert_eq!(sample.wishes, [order("main", Order::Stop)]);
    sample.act(Action::Down).act(Action::StopOrStart);
    assert_eq!(sample.wishes, [order("web", Order::Start)]);
    let message = down(&sample);
    sample.tell(message).act(Action::Restart);
    assert_eq!(sample.wishes, []);
}

#[test]
fn what_came_of_an_order_is_said_and_its_errors_are_kept() {
    let mut sample = usual();
    sample.act(Action::Restart);
    sample.tell(answer(&json!({
        "ok": false, "outcome": "build_failed", "error_count": 1,
        "errors": [{"level": "error", "code": "E0308", "file": "src/main.rs", "line": 3, "column": 5,
            "message": "mismatched types", "rendered": "…", "new": true}]
    })));
    assert_eq!(sample.wishes, [Wish::Refresh]);
    let newest = sample.state.messages.newest_first().next().unwrap();
    assert_eq!(newest.text, "main: build failed: 1 error");
    sample.knows(vec![broken("main")]);
    let errors = sample.state.build_errors(&sample.state.processes()[0]);
    assert_eq!(
        errors,
        ["error[E0308]: mismatched types --> src/main.rs:3:5"]
    );
    assert_eq!(sample.wishes, []);
}

#[test]
fn the_errors_of_a_build_that_somebody_else_asked_for_are_looked_up_once() {
    let mut sample = usual();
    sample.knows(vec![broken("main")]);
    let wanted = Wish::FindErrors {
        process: "main".to_owned(),
        build: 10,
    };
    assert!(sample.wishes.contains(&wanted));
    sample.knows(vec![broken("main")]);
    assert!(!sample.wishes.contains(&wanted));
}

#[test]
fn while_the_chosen_process_is_built_its_build_is_read_as_well() {
    let mut sample = usual();
    sample.knows(vec![building("main")]);
    let followed = sample.followed();
    assert_eq!(followed, [(FeedId(2), topic("main", Kind::Build), None)]);
    // b shows what is there already.
    sample.act(Action::BuildOrOutput);
    assert_eq!(sample.wishes, [Wish::Unfollow(FeedId(1))]);
    sample.knows(vec![process("main", &json!({}))]);
    assert_eq!(sample.wishes, []);
    sample.act(Action::BuildOrOutput);
    assert!(sample.wishes.contains(&Wish::Unfollow(FeedId(2))));
}

#[test]
fn scrolling_up_stops_following_and_the_end_follows_again() {
    let mut sample = usual();
    let lines: Vec<String> = (1..=100).map(|it| format!("line {it}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    sample.prints(1, 1, &lines);
    assert_eq!(sample.state.pane().unwrap().scroll, Scroll::Follow);
    sample.act(Action::PageUp);
    let lens = sample.state.lens();
    let top = sample.state.pane().unwrap().top(lens);
    assert!(matches!(
        sample.state.pane().unwrap().scroll,
        Scroll::At(row) if row == top
    ));
    // What arrives moves nothing.
    sample.prints(1, 101, &["more"]);
    assert_eq!(sample.state.pane().unwrap().top(lens), top);
    sample.act(Action::PageDown).act(Action::PageDown);
    assert_eq!(sample.state.pane().unwrap().scroll, Scroll::Follow);
    sample.act(Action::Top);
    assert_eq!(sample.state.pane().unwrap().top(lens).entry, 0);
    sample.act(Action::Bottom);
    assert_eq!(sample.state.pane().unwrap().scroll, Scroll::Follow);
}

#[test]
fn at_the_top_older_lines_are_read_once_and_put_before() {
    let mut sample = usual();
    sample.prints(1, 50, &["fifty", "fifty-one"]);
    sample.act(Action::PageUp);
    let oldest = line("main", 7, 50, "fifty");
    let before = Before {
        place: oldest.place,
        at: oldest.at,
    };
    let topic = topic("main", Kind::Run);
    let older = Wish::Older {
        topic: topic.clone(),
        before,
    };
    assert_eq!(sample.wishes, [older]);
    sample.act(Action::Top);
    assert_eq!(sample.wishes, []);
    sample.tell(Message::Older {
        topic: topic.clone(),
        lines: Ok(vec![
            line("main", 6, 9, "old"),
            line("main", 7, 50, "again"),
        ]),
    });
    assert_eq!(texts(&sample), ["old", "fifty", "fifty-one"]);
    let lines = Ok(Vec::new());
    sample.tell(Message::Older { topic, lines });
    assert_eq!(sample.state.pane().unwrap().beginning, Beginning::Reached);
    sample.act(Action::Top);
    assert_eq!(sample.wishes, []);
}

#[test]
fn memory_is_bounded_and_who_reads_further_up_keeps_what_he_reads() {
    let mut sample = usual();
    let long = "x".repeat(Ring::LIMIT / 100);
    let mut seq = 0;
    let mut print = |sample: &mut Sample, feed: u64| {
        for _ in 0..100 {
            seq += 1;
            sample.prints(feed, seq, &[&long]);
        }
    };
    print(&mut sample, 1);
    print(&mut sample, 1);
    let held = |sample: &Sample| {
        let ring = &sample.state.pane().unwrap().ring;
        (ring.first(), ring.end())
    };
    let (first, end) = held(&sample);
    assert!(end == 200 && end - first <= 100, "{first}..{end}");
    // Reads further up: it fills up and takes no more.
    let lens = sample.state.lens();
    sample.state.pane_mut().unwrap().up(3, lens);
    print(&mut sample, 1);
    let (same, end) = held(&sample);
    assert_eq!(first, same);
    assert!(end - first <= 102, "{first}..{end}");
    // Back at the end, what was missed is read afresh.
    sample.act(Action::Bottom);
    assert_eq!(sample.followed()[0].2, None);
}

#[test]
fn far_up_in_the_history_what_lies_below_is_left_and_read_again_on_the_way_down() {
    let mut sample = usual();
    let long = "x".repeat(Ring::LIMIT / 100);
    for seq in 1001..=1090 {
        sample.prints(1, seq, &[&long]);
    }
    // Full, so nothing more is taken while somebody reads above.
    sample.act(Action::PageUp);
    for seq in 1091..=1110 {
        sample.prints(1, seq, &[&long]);
    }
    sample.act(Action::Top);
    let [
        Wish::Older { topic, before },
        Wish::Follow { feed, after, .. },
    ] = &sample.wishes[..]
    else {
        panic!("{:?}", sample.wishes);
    };
    assert_eq!(before.place.seq, 1001);
    // Reading goes on behind the last line that is still there.
    let pane = sample.state.pane().unwrap();
    let Some(Entry::Line(last)) = pane.ring.entry(pane.ring.end() - 1) else {
        panic!("no line");
    };
    let last = last.place.seq;
    assert!((1040..1060).contains(&last), "{last}");
    assert_eq!(after.as_ref().unwrap().cursor, format!("7:{last}"));
    let (topic, feed) = (topic.clone(), feed.0);
    let lines = (901..=1000).map(|seq| line("main", 7, seq, "older"));
    let lines = Ok(lines.collect());
    sample.tell(Message::Older { topic, lines });
    sample.prints(feed, last + 1, &["next"]);
    let pane = sample.state.pane().unwrap();
    let entries = (pane.ring.first()..pane.ring.end()).filter_map(|it| pane.ring.entry(it));
    let seqs = entries.filter_map(|entry| match entry {
        Entry::Line(line) => Some(line.place.seq),
        Entry::Notice(_) => None,
    });
    assert!(seqs.eq(901..=last + 1));
}

#[test]
fn a_pattern_that_is_none_says_why_and_stays_in_the_box() {
    let mut sample = usual();
    sample.act(Action::Filter).types("(").act(Action::Accept);
    let Open::Prompt(prompt) = &sample.state.open else {
        panic!("closed");
    };
    assert!(prompt.error.as_ref().unwrap().contains("unclosed group"));
    assert_eq!(sample.followed(), []);
    sample.types("a)").act(Action::Accept);
    assert_eq!(sample.state.open, Open::Nothing);
    let [(_, topic, None)] = &sample.followed()[..] else {
        panic!("{:?}", sample.wishes);
    };
    assert_eq!(topic.pattern.as_deref(), Some("(a)"));
}

#[test]
fn n_and_shift_n_go_through_the_matches_and_round_the_end() {
    let mut sample = usual();
    let lines = ["an Error", "b", "another error", "c", "error three", "d"];
    sample.prints(1, 1, &lines);
    sample
        .act(Action::Search)
        .types("error")
        .act(Action::Accept);
    let at = |sample: &Sample| sample.state.search.as_ref().unwrap().current;
    assert_eq!(at(&sample), Some(4));
    let ways = [
        (Action::PreviousMatch, 2),
        (Action::PreviousMatch, 0),
        (Action::PreviousMatch, 4),
        (Action::NextMatch, 0),
        (Action::NextMatch, 2),
    ];
    for (action, entry) in ways {
        sample.act(action);
        assert_eq!(at(&sample), Some(entry));
    }
    sample.act(Action::Copy);
    assert_eq!(sample.wishes, [Wish::Copy("another error".to_owned())]);
    // A capital counts.
    sample
        .act(Action::Search)
        .types("Error")
        .act(Action::Accept);
    assert_eq!(at(&sample), Some(0));
}

#[test]
fn what_is_dragged_over_is_copied_without_colours() {
    let mut sample = usual();
    sample.prints(1, 1, &["\x1b[31mred 日本\x1b[0m text", "second", "third"]);
    let area = sample.state.output_area();
    // What is there stands at the top.
    let mouse = |gesture, column, row| {
        Action::Mouse(Mouse {
            gesture,
            column: area.x + column,
            row: area.y + row,
        })
    };
    sample.act(mouse(Gesture::Press, 4, 0));
    sample.act(mouse(Gesture::Drag, 2, 1));
    sample.act(mouse(Gesture::Release, 2, 1));
    sample.act(Action::Copy);
    assert_eq!(sample.wishes, [Wish::Copy("日本 text\nsec".to_owned())]);
    sample.act(mouse(Gesture::Press, 0, 2)).act(Action::Copy);
    assert_eq!(sample.wishes, [Wish::Copy("third".to_owned())]);
}

#[test]
fn a_click_chooses_a_process_and_the_wheel_scrolls_what_is_under_it() {
    let mut sample = usual();
    let processes = sample.state.areas().processes;
    let at = |gesture, row| {
        Action::Mouse(Mouse {
            gesture,
            column: processes.x + 2,
            row: processes.y + 1 + row,
        })
    };
    sample.act(at(Gesture::Press, 1));
    assert_eq!(sample.state.selected.as_deref(), Some("web"));
    // Below the last one is nobody.
    sample.act(at(Gesture::Press, 5));
    assert_eq!(sample.state.selected.as_deref(), Some("web"));
    sample.act(at(Gesture::WheelUp, 0));
    assert_eq!(sample.state.selected.as_deref(), Some("main"));
}

#[test]
fn clear_empties_the_panel_and_what_comes_then_is_shown() {
    let mut sample = usual();
    sample.prints(1, 1, &["old"]).act(Action::Clear);
    assert_eq!(texts(&sample), [""; 0]);
    sample.prints(1, 2, &["new"]);
    assert_eq!(texts(&sample), ["new"]);
}

#[test]
fn notices_stand_between_the_lines() {
    let mut sample = usual();
    let notices = [
        Notice::RunChanged(8),
        Notice::Gap(None),
        Notice::Dropped(Some(17)),
    ];
    let items = notices.map(|notice| Item::Notice {
        process: Some("main".into()),
        notice,
    });
    let feed = FeedId(1);
    let items = items.to_vec();
    sample.tell(Message::Items { feed, items });
    assert_eq!(
        texts(&sample),
        [
            "main: run 8",
            "main: lines are gone",
            "main: 17 lines left out"
        ]
    );
    let pane = sample.state.pane().unwrap();
    assert!(matches!(pane.ring.entry(0), Some(Entry::Notice(_))));
}

#[test]
fn escape_closes_the_box_first_and_then_quits() {
    let mut sample = usual();
    for open in [Action::Help, Action::Search, Action::Filter] {
        sample.act(open).act(Action::Close);
        assert_eq!(sample.wishes, []);
        assert_eq!(sample.state.open, Open::Nothing);
    }
    sample.act(Action::Close);
    assert_eq!(sample.wishes, [Wish::Quit]);
    sample.act(Action::Quit);
    assert_eq!(sample.wishes, [Wish::Quit]);
}

#[test]
fn behind_the_help_nothing_is_done() {
    let mut sample = usual();
    sample.act(Action::Help);
    for action in [
        Action::Restart,
        Action::StopOrStart,
        Action::All,
        Action::Clear,
    ] {
        sample.act(action);
        assert_eq!(sample.wishes, []);
    }
    sample.act(Action::Help).act(Action::Restart);
    assert_eq!(sample.wishes.len(), 1);
}

#[test]
fn only_so_many_panes_are_kept() {
    let names: Vec<String> = (0..50).map(|it| format!("p{it}")).collect();
    let processes = names.iter().map(|name| process(name, &json!({})));
    let mut sample = Sample::with(80, 24, processes.collect());
    for _ in 0..49 {
        sample.act(Action::Down);
    }
    let kept = |name: &String| sample.state.feeds.pane(&topic(name, Kind::Run)).is_some();
    assert_eq!(names.iter().filter(|name| kept(name)).count(), 8);
}
