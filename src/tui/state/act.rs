//! What a person wants.

use std::sync::Arc;

use bpm_actors::{logs::level::Level, report::StateName};
use tokio::time::Instant;

use super::{
    Merged, Open, State, Times, Wish,
    action::Action,
    feed::Kind,
    layout::Panel,
    messages::Tone,
    order::Ordered,
    pane::LongLines,
    prompt::{Prompt, Purpose},
    ring::Entry,
    search::Way,
    selection::Selection,
};
use crate::client::Order;

impl State {
    pub(super) fn act(&mut self, action: Action, now: Instant) -> Vec<Wish> {
        if let Open::Help(_) = self.open
            && !is_for_help(&action)
        {
            return Vec::new();
        }
        match action {
            Action::Quit => return vec![Wish::Quit],
            Action::Close if self.open == Open::Nothing => return vec![Wish::Quit],
            Action::Close => self.close(),
            Action::Up => return self.up_or_down(Way::Up),
            Action::Down => return self.up_or_down(Way::Down),
            Action::PageUp => return self.page(Way::Up),
            Action::PageDown => return self.page(Way::Down),
            Action::Top => return self.go_to_top(),
            Action::Bottom => return self.go_to_bottom(),
            Action::Left => self.sideways(Way::Up),
            Action::Right => self.sideways(Way::Down),
            Action::Refresh => return vec![Wish::Refresh],
            Action::Restart => return self.order(Order::Restart, now),
            Action::StopOrStart => {
                let stopped = self.process().map(|it| it.state == StateName::Stopped);
                let order = match stopped {
                    Some(true) => Order::Start,
                    Some(false) | None => Order::Stop,
                };
                return self.order(order, now);
            }
            Action::Clear => return self.clear(),
            Action::BuildOrOutput => {
                self.kind = match self.kind {
                    Kind::Run => Kind::Build,
                    Kind::Build => Kind::Run,
                };
            }
            Action::Search => {
                self.open = Open::Prompt(Prompt::new(Purpose::Search, ""));
                self.earlier = self.search.clone();
            }
            Action::Filter => {
                let text = self.filter.clone().unwrap_or_default();
                self.open = Open::Prompt(Prompt::new(Purpose::Filter, &text));
            }
            Action::NextMatch => self.seek(Way::Down, now),
            Action::PreviousMatch => self.seek(Way::Up, now),
            Action::Level => {
                self.level = match self.level {
                    None => Some(Level::Info),
                    Some(Level::Info) => Some(Level::Warn),
                    Some(Level::Warn) => Some(Level::Error),
                    Some(_) => None,
                };
            }
            Action::Wrap => {
                self.long_lines = match self.long_lines {
                    LongLines::Wrapped => LongLines::Cut,
                    LongLines::Cut => LongLines::Wrapped,
                };
            }
            Action::Times => {
                self.times = match self.times {
                    Times::Hidden => Times::Shown,
                    Times::Shown => Times::Hidden,
                };
            }
            Action::Zoom => {
                self.zoomed = match self.zoomed {
                    None => Some(self.focus),
                    Some(_) => None,
                };
            }
            Action::FocusNext => self.focus_on(self.focus.next()),
            Action::FocusPrevious => self.focus_on(self.focus.previous()),
            Action::Copy => return self.copy(now),
            Action::All => {
                self.merged = match self.merged {
                    Merged::No => Merged::Yes,
                    Merged::Yes => Merged::No,
                };
            }
            Action::Help => {
                self.open = match self.open {
                    Open::Help(_) => Open::Nothing,
                    _ => Open::Help(0),
                };
                // Until it is drawn nobody knows.
                self.overflow.help = usize::MAX;
            }
            Action::Accept => self.accept(now),
            Action::Type(stroke) => self.type_in(stroke),
            Action::Mouse(mouse) => return self.mouse(mouse),
        }
        Vec::new()
    }

    pub(super) fn focus_on(&mut self, panel: Panel) {
        self.focus = panel;
        self.zoomed = self.zoomed.map(|_| panel);
    }

    /// Chooses a process; its output is shown from now on.
    pub(super) fn select(&mut self, name: Arc<str>) {
        self.scrolled.remove(&Panel::Details);
        self.selected = Some(name);
    }

    fn order(&mut self, order: Order, now: Instant) -> Vec<Wish> {
        let Some(process) = self.process().map(|it| it.name.clone()) else {
            return Vec::new();
        };
        if !self.link.is_up() {
            let text = format!("{process}: no {} while the daemon is away", order.word());
            self.messages.say(now, Tone::Warning, text);
            return Vec::new();
        }
        self.orders.insert(process.clone(), Ordered::Waiting(order));
        vec![Wish::Order { process, order }]
    }

    /// The selection; else the match that n and N found; else the last line on the screen.
    fn copy(&mut self, now: Instant) -> Vec<Wish> {
        let lens = self.lens();
        let topic = self.topic();
        let search = self.search.as_ref();
        let found = search.and_then(|it| it.current(topic.as_ref()?));
        let text = self.pane().and_then(|pane| {
            let is_line = |entry: &i64| matches!(pane.ring.entry(*entry), Some(Entry::Line(_)));
            let shown = || {
                let rows = pane.visible(lens);
                rows.iter().rev().map(|row| row.entry).find(is_line)
            };
            let line = || found.filter(is_line).or_else(shown).map(Selection::Entry);
            pane.selection.or_else(line).map(|it| it.text(pane))
        });
        let Some(text) = text.filter(|it| !it.is_empty()) else {
            self.messages.say(now, Tone::Warning, "nothing to copy");
            return Vec::new();
        };
        let said = match text.lines().count() {
            0 | 1 => format!("copied: {text}"),
            lines => format!("copied {lines} lines"),
        };
        self.messages.say(now, Tone::Plain, said);
        vec![Wish::Copy(text)]
    }
}

/// What cannot be seen behind the box must not be changed by a key that was meant for it.
fn is_for_help(action: &Action) -> bool {
    matches!(
        action,
        Action::Up
            | Action::Down
            | Action::PageUp
            | Action::PageDown
            | Action::Top
            | Action::Bottom
            | Action::Help
            | Action::Close
            | Action::Quit
            | Action::Mouse(_)
    )
}
