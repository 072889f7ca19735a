//! A pane holds a part of what was printed: how it moves, and where its end is not the end of all.

use super::{texts, usual};
use crate::tui::state::{
    Message, Wish,
    action::Action,
    feed::{FeedId, Item, Reach},
    pane::Scroll,
    ring::{Entry, Ring},
    samples::{Sample, line},
};

/// More than ten of them are more than a screen shows, a hundred fill a window.
fn long() -> String {
    "x".repeat(Ring::LIMIT / 100)
}

/// What is asked for: which subscription, behind which place, how far.
fn follows(sample: &Sample) -> Vec<(u64, Option<String>, Reach)> {
    let follows = sample.wishes.iter().filter_map(|wish| match wish {
        Wish::Follow {
            feed, after, reach, ..
        } => Some((feed.0, after.as_ref().map(|it| it.cursor.clone()), *reach)),
        _ => None,
    });
    follows.collect()
}

fn held(sample: &Sample) -> Vec<u64> {
    let ring = &sample.state.pane().unwrap().ring;
    let entries = (ring.first()..ring.end()).filter_map(|it| ring.entry(it));
    let seqs = entries.filter_map(|entry| match entry {
        Entry::Line(line) => Some(line.place.seq),
        Entry::Notice(_) => None,
    });
    seqs.collect()
}

fn scroll(sample: &Sample) -> Scroll {
    sample.state.pane().unwrap().scroll
}

fn print(sample: &mut Sample, feed: u64, seqs: std::ops::RangeInclusive<u64>) {
    let text = long();
    for seq in seqs {
        sample.prints(feed, seq, &[&text]);
    }
}

/// The window holds lines 1 to about 100 and is given no more of those that follow.
fn far_up() -> Sample {
    let mut sample = usual();
    print(&mut sample, 1, 1..=90);
    sample.act(Action::PageUp);
    print(&mut sample, 1, 91..=110);
    assert!(sample.state.pane().unwrap().ring.is_full());
    sample
}

/// To the end of the window, whatever lies behind it.
fn down(sample: &mut Sample) {
    for _ in 0..10_000 {
        sample.act(Action::PageDown);
        if !sample.wishes.is_empty() || scroll(sample) == Scroll::Follow {
            return;
        }
    }
    panic!("there is no end");
}

#[test]
fn going_down_past_the_window_reads_on_there_piece_by_piece_and_follows_when_all_is_there() {
    let mut sample = far_up();
    let last = *held(&sample).last().unwrap();
    down(&mut sample);
    assert!(matches!(scroll(&sample), Scroll::At(_)));
    let behind = Some(format!("7:{last}"));
    let [(feed, after, Reach::Kept)] = &follows(&sample)[..] else {
        panic!("{:?}", sample.wishes);
    };
    assert_eq!(*after, behind);
    // More than a piece is there: what is read stays, and the stream is given up.
    let feed = *feed;
    print(&mut sample, feed, last + 1..=last + 500);
    let seqs = held(&sample);
    let first = seqs[0];
    assert!(first < last && seqs.len() < 120, "{first} {}", seqs.len());
    assert!(seqs.iter().copied().eq((first..).take(seqs.len())));
    assert!(matches!(scroll(&sample), Scroll::At(_)));
    // The next piece is the last one.
    let last = *seqs.last().unwrap();
    down(&mut sample);
    let [(feed, Some(after), Reach::Kept)] = &follows(&sample)[..] else {
        panic!("{:?}", sample.wishes);
    };
    assert_eq!(*after, format!("7:{last}"));
    let feed = *feed;
    print(&mut sample, feed, last + 1..=last + 3);
    assert_eq!(*held(&sample).last().unwrap(), last + 3);
}

#[test]
fn when_all_is_there_what_is_printed_is_read_on_and_the_next_step_down_follows() {
    let mut sample = far_up();
    let last = *held(&sample).last().unwrap();
    down(&mut sample);
    let feed = follows(&sample)[0].0;
    print(&mut sample, feed, last + 1..=last + 3);
    // Not all is known yet.
    sample.act(Action::PageDown).act(Action::PageDown);
    assert!(matches!(scroll(&sample), Scroll::At(_)));
    sample.tell(Message::CaughtUp(FeedId(feed)));
    let next = (feed + 1, Some(format!("7:{}", last + 3)), Reach::Later);
    assert_eq!(follows(&sample), [next]);
    down(&mut sample);
    assert_eq!(
        (scroll(&sample), &sample.wishes[..]),
        (Scroll::Follow, &[][..])
    );
}

#[test]
fn who_reads_further_up_when_the_connection_was_cut_follows_only_when_all_is_there() {
    let mut sample = usual();
    let lines: Vec<String> = (1..=100).map(|it| format!("line {it}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    sample.prints(1, 1, &lines);
    sample.act(Action::PageUp);
    let message = super::down(&sample);
    sample.tell(message).tell(super::up());
    assert_eq!(follows(&sample)[0].2, Reach::Kept);
    for _ in 0..5 {
        sample.act(Action::PageDown);
    }
    assert!(matches!(scroll(&sample), Scroll::At(_)));
    sample.tell(Message::CaughtUp(FeedId(2)));
    assert_eq!(follows(&sample)[0].2, Reach::Later);
    sample.act(Action::PageDown);
    assert_eq!(scroll(&sample), Scroll::Follow);
}

#[test]
fn the_end_is_fetched_afresh_where_the_window_ends_before_it() {
    let mut sample = far_up();
    down(&mut sample);
    let feed = follows(&sample)[0].0;
    sample.act(Action::Bottom);
    assert!(sample.wishes.contains(&Wish::Unfollow(FeedId(feed))));
    assert_eq!(follows(&sample), [(feed + 1, None, Reach::Later)]);
    assert_eq!((scroll(&sample), held(&sample)), (Scroll::Follow, vec![]));
}

#[test]
fn clear_shows_only_what_comes_also_where_the_window_ends_far_above() {
    let mut sample = far_up();
    sample.act(Action::Clear);
    let [(feed, None, Reach::Kept)] = follows(&sample)[..] else {
        panic!("{:?}", sample.wishes);
    };
    // Only where the end is matters now.
    sample.prints(feed, 9_000, &["old", "old"]);
    sample.act(Action::Bottom);
    assert_eq!(texts(&sample), [""; 0]);
    sample.tell(Message::CaughtUp(FeedId(feed)));
    let next = (feed + 1, Some("7:9001".to_owned()), Reach::Later);
    assert_eq!(follows(&sample), [next]);
    sample.prints(feed + 1, 9_002, &["new"]);
    assert_eq!(texts(&sample), ["new"]);
    // And the history is before it.
    sample.act(Action::Top);
    let [Wish::Older { before, .. }] = &sample.wishes[..] else {
        panic!("{:?}", sample.wishes);
    };
    assert_eq!(before.places["main"].seq, 9_001);
}

#[test]
fn in_the_merged_output_the_next_piece_begins_behind_the_last_line_of_each() {
    let mut sample = usual();
    sample.act(Action::All);
    let feed = follows(&sample)[0].0;
    let text = long();
    let print = |sample: &mut Sample, seq| {
        let items = [line("main", 7, seq, &text), line("web", 3, seq, &text)];
        let items = items.map(Item::Line).to_vec();
        let feed = FeedId(feed);
        sample.tell(Message::Items { feed, items });
    };
    (1..=45).for_each(|seq| print(&mut sample, seq));
    sample.act(Action::PageUp);
    (46..=60).for_each(|seq| print(&mut sample, seq));
    let last = *held(&sample).last().unwrap();
    down(&mut sample);
    let after = Some(format!("main=7:{last},web=3:{last}"));
    assert_eq!(follows(&sample), [(feed + 1, after, Reach::Kept)]);
    assert!(matches!(scroll(&sample), Scroll::At(_)));
}
