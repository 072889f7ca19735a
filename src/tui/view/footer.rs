//! The line at the bottom: the keys that are needed most.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::theme::{FAINT, STRONG};
use crate::tui::{input, state::State, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, _state: &State) {
    if area.is_empty() {
        return;
    }
    let mut room = usize::from(area.width);
    let mut spans = Vec::new();
    for (key, what) in input::footer() {
        let width = text::width(key) + text::width(what) + 3;
        if width > room {
            continue;
        }
        room -= width;
        spans.push(Span::styled(format!(" {key}"), STRONG));
        spans.push(Span::styled(format!(" {what} "), FAINT));
    }
    frame.render_widget(Line::from(spans), area);
}
