//! What was found is on the screen, wherever it stands in its line.

use super::usual;
use crate::tui::state::{action::Action, samples::Sample};

/// What the search found last is among the cells that are drawn.
fn is_seen(sample: &Sample) -> bool {
    let state = &sample.state;
    let (pane, lens) = (state.pane().unwrap(), state.lens());
    let search = state.search.as_ref().unwrap();
    let entry = search.current(&state.topic().unwrap()).unwrap();
    let at = pane.matches(entry, lens, search).unwrap()[0].start;
    let laid = pane.laid(entry, lens).unwrap();
    let mut rows = pane.visible(lens).into_iter();
    rows.any(|row| {
        let mut cells = laid.row(row.row);
        let columns = pane.sideways..pane.sideways + lens.columns;
        row.entry == entry && cells.any(|cell| cell.at == at && columns.contains(&cell.column))
    })
}

#[test]
fn to_the_right_there_is_an_end_where_the_longest_line_that_is_seen_ends() {
    let mut sample = long_lines();
    sample.act(Action::Wrap);
    for _ in 0..5000 {
        sample.act(Action::Right);
    }
    let (pane, lens) = (sample.state.pane().unwrap(), sample.state.lens());
    let longest = pane.laid(0, lens).unwrap().width();
    assert_eq!(pane.sideways, longest - lens.columns);
    sample.act(Action::Left);
    assert_eq!(
        sample.state.pane().unwrap().sideways,
        longest - lens.columns - 8
    );
}

#[test]
fn who_has_moved_far_behind_the_lines_is_back_with_one_step_to_the_left_or_with_g() {
    let mut sample = usual();
    sample.prints(1, 1, &["short"]).act(Action::Wrap);
    let far = |sample: &mut Sample| {
        let topic = sample.state.topic().unwrap();
        sample.state.feeds.pane_mut(&topic).unwrap().sideways = 30_000;
    };
    for back in [Action::Left, Action::Top, Action::Bottom] {
        far(&mut sample);
        sample.act(back);
        assert_eq!(sample.state.pane().unwrap().sideways, 0);
    }
}

/// The first line and the last one are far longer than the screen; each has the word once.
fn long_lines() -> Sample {
    let mut sample = usual();
    let long = |word: &str| format!("{}{word}{}", "a ".repeat(4000), "b 日 ".repeat(2000));
    let (first, last) = (long("TARGET1"), long("TARGET2"));
    sample.prints(1, 1, &[&first, "TARGET3", "short", &last]);
    sample
}

fn finds(sample: &mut Sample, text: &str) {
    sample.act(Action::Search).types(text).act(Action::Accept);
}

#[test]
fn a_match_far_behind_in_a_wrapped_line_is_shown() {
    let mut sample = long_lines();
    sample.act(Action::Top);
    for target in ["TARGET1", "TARGET2", "TARGET3"] {
        finds(&mut sample, target);
        assert!(is_seen(&sample), "{target}");
    }
    finds(&mut sample, "TARGET");
    for step in [Action::NextMatch, Action::PreviousMatch] {
        for _ in 0..4 {
            sample.act(step.clone());
            assert!(is_seen(&sample));
        }
    }
}

#[test]
fn a_match_far_to_the_right_in_a_cut_line_is_shown_and_one_at_the_left_again() {
    let mut sample = long_lines();
    sample.act(Action::Wrap).act(Action::Top);
    for (target, is_at_left) in [("TARGET1", false), ("TARGET3", true), ("TARGET2", false)] {
        finds(&mut sample, target);
        assert!(is_seen(&sample), "{target}");
        assert_eq!(sample.state.pane().unwrap().sideways == 0, is_at_left);
    }
}

#[test]
fn while_lines_still_load_nobody_says_that_nothing_matches() {
    let mut sample = long_lines();
    finds(&mut sample, "TARGET3");
    let message = |sample: &Sample| {
        let newest = sample.state.messages.newest_first().next().unwrap();
        newest.text.clone()
    };
    let topic = sample.state.topic().unwrap();
    sample.state.feeds.pane_mut(&topic).unwrap().to_far_end();
    sample.act(Action::NextMatch);
    assert_eq!(
        message(&sample),
        "lines are still loading; n finds TARGET3 then"
    );
    sample.prints(1, 4, &["nothing"]);
    sample.act(Action::NextMatch);
    assert_eq!(message(&sample), "nothing matches TARGET3");
}
