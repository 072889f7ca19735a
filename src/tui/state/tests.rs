//! A message comes in, wishes come out.

mod lines;
mod matches;
mod window;

use std::time::Duration;

use serde_json::json;

use super::{
    Message, Open, Wish,
    action::Action,
    feed::{FeedId, Item, Kind, Scope},
    link::Link,
    order::Ordered,
    samples::{Sample, answer, broken, building, line, process, stopped, topic},
    wish::{Event, Resume},
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
