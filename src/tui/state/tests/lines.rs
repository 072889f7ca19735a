//! Scrolling, the history, searches, the mouse.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::{texts, usual};
use crate::tui::state::{
    Message, Open, Wish,
    action::{Action, Gesture, Mouse},
    feed::{FeedId, Item, Kind, Line, Notice, Place},
    pane::{Beginning, Scroll},
    prompt::Stroke,
    ring::{Entry, Ring},
    samples::{Sample, line, process, topic},
    wish::Before,
};

fn places(of: &[(&str, u64, u64)]) -> BTreeMap<Arc<str>, Place> {
    let each = of.iter();
    each.map(|&(process, run, seq)| (process.into(), Place { run, seq }))
        .collect()
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
    let before = Before {
        first: 0,
        places: places(&[("main", 7, 49)]),
        others: Vec::new(),
        at: line("main", 7, 50, "fifty").at,
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
        first: 0,
        lines: Ok(vec![
            line("main", 6, 9, "old"),
            line("main", 7, 50, "again"),
        ]),
    });
    assert_eq!(texts(&sample), ["old", "fifty", "fifty-one"]);
    let (first, lines) = (-1, Ok(Vec::new()));
    sample.tell(Message::Older {
        topic,
        first,
        lines,
    });
    assert_eq!(sample.state.pane().unwrap().beginning, Beginning::Reached);
    sample.act(Action::Top);
    assert_eq!(sample.wishes, []);
}

#[test]
fn older_lines_of_all_are_asked_for_by_the_place_of_each_and_not_by_time_alone() {
    let mut sample = usual();
    sample.knows(vec![
        process("main", &json!({})),
        process("web", &json!({})),
        process("api", &json!({})),
    ]);
    sample.act(Action::All);
    let feed = sample.followed()[0].0;
    // All at one moment.
    let at = line("main", 7, 1, "").at;
    let items = [("main", 7, 50), ("web", 3, 9), ("main", 7, 51)];
    let items = items.map(|(process, run, seq)| {
        let line = line(process, run, seq, "x");
        Item::Line(Line { at, ..line })
    });
    let items = items.to_vec();
    sample.tell(Message::Items { feed, items }).act(Action::Top);
    let before = Before {
        first: 0,
        places: places(&[("main", 7, 49), ("web", 3, 8)]),
        others: vec!["api".into()],
        at,
    };
    let topic = sample.state.topic().unwrap();
    let older = Wish::Older {
        topic: topic.clone(),
        before,
    };
    assert_eq!(sample.wishes, [older]);
    let lines = [("api", 1, 4), ("main", 7, 49)].map(|(process, run, seq)| Line {
        at,
        ..line(process, run, seq, "older")
    });
    sample.tell(Message::Older {
        topic,
        first: 0,
        lines: Ok(lines.to_vec()),
    });
    sample.act(Action::Top);
    let [Wish::Older { before, .. }] = &sample.wishes[..] else {
        panic!("{:?}", sample.wishes);
    };
    let known = places(&[("api", 1, 3), ("main", 7, 48), ("web", 3, 8)]);
    assert_eq!((&before.places, &before.others), (&known, &Vec::new()));
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
    assert_eq!(before.places, places(&[("main", 7, 1000)]));
    let first = before.first;
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
    sample.tell(Message::Older {
        topic,
        first,
        lines,
    });
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
    let at = |sample: &Sample| {
        let topic = sample.state.topic().unwrap();
        sample.state.search.as_ref().unwrap().current(&topic)
    };
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
fn escape_closes_the_search_box_and_the_earlier_search_stays() {
    let mut sample = usual();
    sample.prints(1, 1, &["error", "warning", "error"]);
    let wanted = |sample: &Sample| sample.state.search.as_ref().map(|it| it.text.clone());
    sample.act(Action::Search).types("warn").act(Action::Close);
    assert_eq!(wanted(&sample), None);
    sample
        .act(Action::Search)
        .types("error")
        .act(Action::Accept);
    sample.act(Action::Search).types("warn");
    // What is typed is highlighted meanwhile.
    assert_eq!(wanted(&sample).as_deref(), Some("warn"));
    sample.act(Action::Type(Stroke::EraseToStart));
    assert_eq!(wanted(&sample).as_deref(), Some("error"));
    sample.types("warn").act(Action::Close);
    assert_eq!(wanted(&sample).as_deref(), Some("error"));
    sample.act(Action::PreviousMatch);
    let topic = sample.state.topic().unwrap();
    assert_eq!(
        sample.state.search.as_ref().unwrap().current(&topic),
        Some(0)
    );
    // An empty one ends it.
    sample.act(Action::Search).act(Action::Accept);
    assert_eq!(wanted(&sample), None);
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
fn after_clear_a_page_up_reads_again_what_was_there() {
    let mut sample = usual();
    sample.prints(1, 1, &["one", "two"]);
    sample.act(Action::PageUp);
    let [Wish::Older { topic, .. }] = &sample.wishes[..] else {
        panic!("{:?}", sample.wishes);
    };
    let topic = topic.clone();
    sample.act(Action::Clear).act(Action::PageUp);
    let [Wish::Older { before, .. }] = &sample.wishes[..] else {
        panic!("{:?}", sample.wishes);
    };
    assert_eq!(before.places, places(&[("main", 7, 2)]));
    let first = before.first;
    // What was asked for before the clear would leave a hole.
    sample.tell(Message::Older {
        topic: topic.clone(),
        first: 0,
        lines: Ok(vec![line("main", 6, 9, "far")]),
    });
    assert_eq!(texts(&sample), [""; 0]);
    let lines = Ok(vec![line("main", 7, 1, "one"), line("main", 7, 2, "two")]);
    sample.tell(Message::Older {
        topic,
        first,
        lines,
    });
    sample.prints(1, 3, &["three"]);
    assert_eq!(texts(&sample), ["one", "two", "three"]);
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
