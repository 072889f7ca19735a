//! What the screen knows. Pure: a message comes in, wishes come out; the time is given. It must not
//! know sockets or terminals.

pub mod action;
pub mod feed;
pub mod feeds;
pub mod laid;
pub mod layout;
pub mod link;
pub mod messages;
pub mod order;
pub mod pane;
pub mod prompt;
pub mod ring;
pub mod search;
pub mod selection;
pub mod usage;
pub mod wish;

mod act;
mod lookup;
mod mouse;
mod receive;
mod scroll;
mod typing;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use bpm_actors::logs::level::Level;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;
use tokio::time::Instant;

use self::{
    feed::{Kind, Topic},
    feeds::Feeds,
    layout::{Overflow, Panel},
    link::Link,
    messages::Messages,
    order::Ordered,
    pane::LongLines,
    prompt::Prompt,
    search::Search,
    selection::Spot,
    usage::Usage,
};
pub use self::{
    lookup::{Seen, Times},
    wish::{Message, Wish},
};
use crate::service::StatusReport;

/// Everything that is shown.
#[derive(Debug)]
pub struct State {
    /// The connection.
    pub link: Link,
    /// The last status, which stays on the screen while the daemon is away.
    pub status: Option<Seen<StatusReport>>,
    /// What processes use.
    pub usage: Usage,
    /// What was said.
    pub messages: Messages,
    /// The last order to each process.
    pub orders: BTreeMap<String, Ordered>,
    /// The errors of the last failed build of each process.
    pub errors: BTreeMap<String, BuildErrors>,
    /// The chosen process.
    pub selected: Option<Arc<str>>,
    /// Whether the output of all processes is shown, merged.
    pub merged: Merged,
    /// Whether runs or builds are shown.
    pub kind: Kind,
    /// Only lines that match this.
    pub filter: Option<Arc<str>>,
    /// Only lines that are at least as bad.
    pub level: Option<Level>,
    /// What is searched for; while a pattern is typed, that.
    pub search: Option<Search>,
    /// What becomes of long lines.
    pub long_lines: LongLines,
    /// Whether each line shows when it was printed.
    pub times: Times,
    /// Which panel has the focus.
    pub focus: Panel,
    /// Which panel fills the screen.
    pub zoomed: Option<Panel>,
    /// The box that is open.
    pub open: Open,
    /// How far the panels of text are scrolled, in rows.
    pub scrolled: BTreeMap<Panel, usize>,
    /// How far they can be.
    pub overflow: Overflow,
    /// The panes of the output.
    pub feeds: Feeds,
    /// The size of the screen.
    pub screen: Rect,
    /// The clock of the person who looks.
    pub zone: TimeZone,
    /// What was searched for before the box was opened.
    earlier: Option<Search>,
    /// Where the mouse was pressed in the output.
    pressed: Option<Spot>,
    /// Since when nothing is heard of the daemon any more.
    cut_at: Option<Instant>,
}

/// Whether the output of all processes is merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merged {
    /// Only the chosen process.
    #[default]
    No,
    /// All.
    Yes,
}

/// The box over the panels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Open {
    /// There is none.
    #[default]
    Nothing,
    /// What the keys do, scrolled by so many rows.
    Help(usize),
    /// A pattern is typed.
    Prompt(Prompt),
}

/// The errors of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors {
    /// Of which build.
    pub build: u64,
    /// In one line each; empty while they are looked for.
    pub lines: Vec<String>,
}

impl State {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(width: u16, height: u16, zone: TimeZone) -> Self {
        Self {
            link: Link::Seeking,
            status: None,
            usage: Usage::default(),
            messages: Messages::default(),
            orders: BTreeMap::new(),
            errors: BTreeMap::new(),
            selected: None,
            merged: Merged::No,
            kind: Kind::Run,
            filter: None,
            level: None,
            search: None,
            long_lines: LongLines::Wrapped,
            times: Times::Hidden,
            focus: Panel::Processes,
            zoomed: None,
            open: Open::Nothing,
            scrolled: BTreeMap::new(),
            overflow: Overflow::default(),
            feeds: Feeds::default(),
            screen: Rect::new(0, 0, width, height),
            zone,
            earlier: None,
            pressed: None,
            cut_at: None,
        }
    }

    /// Takes a message; tells what is to be done.
    pub fn update(&mut self, message: Message, now: Instant) -> Vec<Wish> {
        let mut wishes = match message {
            Message::Action(action) => self.act(action, now),
            message => self.receive(message, now),
        };
        if self.link.is_up() {
            let wanted = self.wanted();
            wishes.extend(self.feeds.want(&wanted, now));
        }
        wishes
    }

    /// What is read: what is shown, and the chosen process's build while it is built.
    fn wanted(&self) -> Vec<Topic> {
        let shown = self.topic();
        let built = self
            .process()
            .filter(|process| process.state == bpm_actors::report::StateName::Building)
            .map(|process| Topic::builds_of(process.name.as_str().into()));
        let mut wanted: Vec<Topic> = shown.into_iter().collect();
        wanted.extend(built.filter(|built| !wanted.contains(built)));
        wanted
    }
}
