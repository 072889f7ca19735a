//! One view of the output: its lines, where it is scrolled to, what is selected in it.

mod moves;

use std::{rc::Rc, sync::Arc};

use super::{
    feed::{Item, Line, Reach, Scope, Topic},
    laid::{LaidLines, Matches},
    ring::{Entry, Ring},
    search::Search,
    selection::Selection,
    wish::{Before, Resume},
};
use crate::tui::text::Laid;

/// How a pane is looked at; the screen decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lens {
    /// Columns for the text itself.
    pub columns: usize,
    /// Rows of the panel.
    pub rows: usize,
    /// What becomes of long lines.
    pub long_lines: LongLines,
}

impl Lens {
    /// In so many columns a line is laid out; one that is cut stands in one row, whole.
    #[must_use]
    pub fn line_columns(self) -> usize {
        match self.long_lines {
            LongLines::Wrapped => self.columns,
            LongLines::Cut => usize::MAX,
        }
    }
}

/// What becomes of lines that are longer than the panel is wide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongLines {
    /// They go on in the next row.
    #[default]
    Wrapped,
    /// They are cut; the panel can be moved sideways.
    Cut,
}

/// Where a pane stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scroll {
    /// At the end, and stays there when lines arrive.
    #[default]
    Follow,
    /// This row is the topmost.
    At(RowId),
}

/// A row of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// The number of the entry.
    pub entry: i64,
    /// Which of its rows, from 0.
    pub row: usize,
}

/// What is known about lines before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beginning {
    /// There may be some.
    #[default]
    Unknown,
    /// They are on their way.
    Loading,
    /// There are none.
    Reached,
}

/// One view of the output.
#[derive(Debug)]
pub struct Pane {
    /// Which lines it shows.
    pub topic: Topic,
    /// The lines.
    pub ring: Ring,
    /// Where it stands.
    pub scroll: Scroll,
    /// How many columns it is moved sideways.
    pub sideways: usize,
    /// What is known about older lines.
    pub beginning: Beginning,
    /// What is marked for copying.
    pub selection: Option<Selection>,
    /// Why nothing arrives.
    pub trouble: Option<String>,
    /// Whether anything, be it nothing, has arrived.
    pub heard: bool,
    /// Whether the last line that is there is the last that was printed, but for what is on its way.
    has_all: bool,
    /// Whether lines are only read to know where the next ones begin.
    skipping: bool,
    /// The lines that were looked at.
    pub laid: LaidLines,
}

impl Pane {
    /// An empty one.
    #[must_use]
    pub fn new(topic: Topic) -> Self {
        Self {
            topic,
            ring: Ring::default(),
            scroll: Scroll::Follow,
            sideways: 0,
            beginning: Beginning::Unknown,
            selection: None,
            trouble: None,
            heard: false,
            has_all: false,
            skipping: false,
            laid: LaidLines::default(),
        }
    }

    /// Takes what arrived.
    pub fn receive(&mut self, items: Vec<Item>) {
        self.heard = true;
        self.trouble = None;
        for item in items {
            self.ring.push(item);
        }
        if self.skipping {
            self.ring.clear();
            self.beginning = Beginning::Unknown;
        }
        // Whoever reads further up keeps what he reads: no more is asked for until he goes on.
        if self.scroll == Scroll::Follow && self.ring.is_full() {
            self.ring.shrink_to(Ring::LIMIT / 4 * 3);
            self.beginning = Beginning::Unknown;
        }
    }

    /// Takes older lines.
    pub fn receive_older(&mut self, lines: Vec<Line>) {
        let new = self.ring.push_older(lines);
        self.beginning = if new == 0 {
            Beginning::Reached
        } else {
            Beginning::Unknown
        };
    }

    /// Drops all lines; those that come are shown, and those before can be read again.
    pub fn clear(&mut self) {
        if self.has_all() {
            self.ring.clear();
        } else {
            // What lies between the window and the end is not shown either.
            self.ring.forget();
            self.heard = false;
            self.skipping = true;
        }
        self.selection = None;
        self.beginning = Beginning::Unknown;
        self.scroll = Scroll::Follow;
    }

    /// Before what older lines are wanted, where these are all processes of a merged pane; nothing
    /// where there are none.
    #[must_use]
    pub fn before(&self, processes: impl Iterator<Item = Arc<str>>) -> Option<Before> {
        let places = self.ring.before();
        if places.is_empty() {
            return None;
        }
        let others = match &self.topic.scope {
            Scope::One(_) => Vec::new(),
            Scope::All => processes.filter(|it| !places.contains_key(it)).collect(),
        };
        Some(Before {
            first: self.ring.first(),
            at: self.ring.began()?,
            places,
            others,
        })
    }

    /// Whether it takes what is printed now.
    #[must_use]
    pub fn takes_more(&self) -> bool {
        self.scroll == Scroll::Follow || !self.ring.is_full()
    }

    /// Whether its end is the end of what was printed, so that whoever goes on down follows.
    #[must_use]
    pub fn has_all(&self) -> bool {
        self.scroll == Scroll::Follow && !self.skipping || self.has_all
    }

    /// A subscription that fills it begins: how far it is to read. Whoever follows runs along; for
    /// whoever reads further up it must be known when all is there.
    pub fn begins(&mut self) -> Reach {
        let runs_along = self.scroll == Scroll::Follow || self.ring.last().is_empty();
        self.has_all |= runs_along && !self.skipping;
        if self.has_all {
            Reach::Later
        } else {
            Reach::Kept
        }
    }

    /// All is there that was printed.
    pub fn caught_up(&mut self) {
        self.skipping = false;
        // A full one will not be read on.
        self.has_all = self.takes_more();
    }

    /// It is read no more: what is printed from now on is missing.
    pub fn falls_behind(&mut self) {
        self.has_all = false;
    }

    /// Where reading goes on.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        let since = self.ring.since()?;
        let cursor = self.topic.scope.cursor(self.ring.last())?;
        Some(Resume { cursor, since })
    }

    /// How many rows an entry takes.
    #[must_use]
    pub fn height(&self, entry: i64, lens: Lens) -> usize {
        match (self.ring.entry(entry), lens.long_lines) {
            (Some(Entry::Line(line)), LongLines::Wrapped) => {
                if line.text.len() <= lens.columns && !may_be_widened(&line.text) {
                    return 1;
                }
                self.laid(entry, lens).map_or(1, |it| it.height())
            }
            _ => 1,
        }
    }

    /// A line as it is laid out.
    #[must_use]
    pub fn laid(&self, entry: i64, lens: Lens) -> Option<Rc<Laid>> {
        let (id, text) = self.line(entry)?;
        Some(self.laid.line(id, text, lens.line_columns()))
    }

    /// Where a search matches in a line.
    #[must_use]
    pub fn matches(&self, entry: i64, lens: Lens, search: &Search) -> Option<Matches> {
        let (id, text) = self.line(entry)?;
        Some(self.laid.matches(id, text, lens.line_columns(), search))
    }

    fn line(&self, entry: i64) -> Option<(u64, &str)> {
        match self.ring.entry(entry)? {
            Entry::Line(line) => Some((self.ring.id(entry)?, &line.text)),
            Entry::Notice(_) => None,
        }
    }
}

/// Whether a line may take more columns than it has bytes: a tab does, and a control character of two
/// bytes is written out.
fn may_be_widened(line: &str) -> bool {
    line.bytes().any(|byte| matches!(byte, b'\t' | 0xc2))
}
