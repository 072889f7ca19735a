//! One view of the output: its lines, where it is scrolled to, what is selected in it.

use std::{rc::Rc, sync::Arc};

use super::{
    feed::{Item, Line, Scope, Topic},
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
        self.ring.clear();
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

    /// The rows on the screen, from the top.
    #[must_use]
    pub fn visible(&self, lens: Lens) -> Vec<RowId> {
        let top = self.top(lens);
        let mut shown = Vec::with_capacity(lens.rows);
        let mut skipped = top.row;
        for entry in top.entry..self.ring.end() {
            let height = self.height(entry, lens);
            let room = lens.rows - shown.len();
            let rows = (skipped..height).take(room);
            shown.extend(rows.map(|row| RowId { entry, row }));
            skipped = 0;
            if shown.len() >= lens.rows {
                break;
            }
        }
        shown
    }

    /// The topmost row on the screen.
    #[must_use]
    pub fn top(&self, lens: Lens) -> RowId {
        let lowest = self.lowest_top(lens);
        match self.scroll {
            Scroll::Follow => lowest,
            Scroll::At(row) => {
                let first = RowId {
                    entry: self.ring.first(),
                    row: 0,
                };
                row.max(first).min(lowest)
            }
        }
    }

    /// Scrolls up; at the top it stays.
    pub fn up(&mut self, rows: usize, lens: Lens) {
        let top = self.top(lens);
        let higher = self.above(top, rows, lens);
        if higher != top {
            self.scroll = Scroll::At(higher);
        }
    }

    /// Scrolls down; at the end it follows.
    pub fn down(&mut self, rows: usize, lens: Lens) {
        let lowest = self.lowest_top(lens);
        let mut top = self.top(lens);
        let mut rows = rows;
        while top < lowest && rows > 0 {
            let rest = self.height(top.entry, lens).saturating_sub(top.row + 1);
            if rows <= rest {
                top.row += rows;
                break;
            }
            rows -= rest + 1;
            top = RowId {
                entry: top.entry + 1,
                row: 0,
            };
        }
        self.scroll = if top >= lowest {
            Scroll::Follow
        } else {
            Scroll::At(top)
        };
    }

    /// Scrolls to the first line that is there.
    pub fn to_top(&mut self, lens: Lens) {
        // Not by way of all the lines in between: how high each is does not matter.
        if !self.is_at_top(lens) {
            self.scroll = Scroll::At(RowId {
                entry: self.ring.first(),
                row: 0,
            });
        }
    }

    /// Goes to the end and follows.
    pub fn to_end(&mut self) {
        if self.scroll != Scroll::Follow && self.ring.is_full() {
            // What was printed meanwhile was not taken; what is at the end is fetched afresh.
            self.ring.forget();
            self.beginning = Beginning::Unknown;
            self.heard = false;
        }
        self.scroll = Scroll::Follow;
    }

    /// Scrolls as little as possible so that an entry is on the screen.
    pub fn reveal(&mut self, entry: i64, lens: Lens) {
        let visible = self.visible(lens);
        if visible.iter().any(|row| row.entry == entry) {
            // It stays where it is, also when lines arrive.
            self.scroll = Scroll::At(self.top(lens));
            return;
        }
        let row = RowId { entry, row: 0 };
        self.scroll = Scroll::At(self.above(row, lens.rows / 2, lens));
    }

    /// Whether the first line that is there is on the screen.
    #[must_use]
    pub fn is_at_top(&self, lens: Lens) -> bool {
        let top = self.top(lens);
        top.entry <= self.ring.first() && top.row == 0
    }

    /// The topmost row when the end is on the screen.
    fn lowest_top(&self, lens: Lens) -> RowId {
        let end = RowId {
            entry: self.ring.end(),
            row: 0,
        };
        self.above(end, lens.rows, lens)
    }

    fn above(&self, from: RowId, rows: usize, lens: Lens) -> RowId {
        let mut at = from;
        let mut rows = rows;
        while rows > 0 {
            if at.row >= rows {
                at.row -= rows;
                break;
            }
            if at.entry <= self.ring.first() {
                at.row = 0;
                break;
            }
            rows -= at.row + 1;
            at.entry -= 1;
            at.row = self.height(at.entry, lens).saturating_sub(1);
        }
        at
    }
}

/// Whether a line may take more columns than it has bytes: a tab does, and a control character of two
/// bytes is written out.
fn may_be_widened(line: &str) -> bool {
    line.bytes().any(|byte| matches!(byte, b'\t' | 0xc2))
}
