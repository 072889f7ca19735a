//! Where a pane stands, and how it is moved.

use super::{Beginning, Lens, LongLines, Pane, RowId, Scroll};
use crate::tui::state::{
    ring::Ring,
    search::{Search, Way},
};

impl Pane {
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

    /// Scrolls down; at the end of what was printed it follows. Where only the window ends, it moves on:
    /// the next piece is read, and what the window leaves above can be read again.
    pub fn down(&mut self, rows: usize, lens: Lens) {
        if self.scroll == Scroll::Follow {
            return;
        }
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
        self.scroll = Scroll::At(top);
        if top < lowest {
            return;
        }
        if self.has_all() {
            self.scroll = Scroll::Follow;
        } else if self.ring.is_full() {
            self.ring.shrink_to(Ring::LIMIT / 2);
            self.beginning = Beginning::Unknown;
        }
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

    /// Follows at the end that is there.
    pub fn to_end(&mut self) {
        self.scroll = Scroll::Follow;
    }

    /// Follows at the end of what was printed, which is fetched afresh.
    pub fn to_far_end(&mut self) {
        self.ring.forget();
        self.selection = None;
        self.beginning = Beginning::Unknown;
        self.heard = false;
        self.has_all = false;
        self.scroll = Scroll::Follow;
    }

    /// Scrolls as little as possible so that the first match in an entry is on the screen.
    pub fn reveal(&mut self, entry: i64, search: &Search, lens: Lens) {
        let matches = self.matches(entry, lens, search);
        let at = matches.and_then(|it| it.first().map(|it| it.start));
        let place = self.laid(entry, lens).zip(at);
        let (row, column) = place.map_or((0, 0), |(laid, at)| laid.place(at));
        let row = RowId { entry, row };
        self.scroll = Scroll::At(if self.visible(lens).contains(&row) {
            // It stays where it is, also when lines arrive.
            self.top(lens)
        } else {
            self.above(row, lens.rows / 2, lens)
        });
        let is_seen = (self.sideways..self.sideways.saturating_add(lens.columns)).contains(&column);
        if lens.long_lines == LongLines::Cut && !is_seen {
            self.sideways = if column < lens.columns {
                0
            } else {
                column - lens.columns / 2
            };
        }
    }

    /// Moves sideways; to the right until the end of the longest line is seen, and back to there at once
    /// where all lines end before what is seen.
    pub fn sidestep(&mut self, way: Way, columns: usize, lens: Lens) {
        let rows = self.visible(lens).into_iter();
        let widths = rows.filter_map(|row| Some(self.laid(row.entry, lens)?.width()));
        let most = widths.max().unwrap_or(0).saturating_sub(lens.columns);
        self.sideways = match way {
            Way::Up => self.sideways.saturating_sub(columns).min(most),
            Way::Down => {
                let further = self.sideways.saturating_add(columns).min(most);
                self.sideways.max(further)
            }
        };
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
