//! What is marked for copying.

use super::{pane::Pane, ring::Entry};
use crate::tui::text;

/// A place in the text of a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The number of the entry.
    pub entry: i64,
    /// The byte of its text (decoded) where a character begins.
    pub at: usize,
}

/// What was marked, by the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A whole line: it was clicked.
    Entry(i64),
    /// From one character to another, both included, in either order.
    Span {
        /// Where the button was pressed.
        from: Spot,
        /// Where it is now.
        to: Spot,
    },
}

impl Selection {
    /// Whether the character at this place is marked.
    #[must_use]
    pub fn contains(self, spot: Spot) -> bool {
        match self {
            Self::Entry(entry) => entry == spot.entry,
            Self::Span { from, to } => (from.min(to)..=from.max(to)).contains(&spot),
        }
    }

    /// The marked text, without colours.
    #[must_use]
    pub fn text(self, pane: &Pane) -> String {
        let entries = match self {
            Self::Entry(entry) => entry..=entry,
            Self::Span { from, to } => from.min(to).entry..=from.max(to).entry,
        };
        let lines = entries.filter_map(|entry| {
            let text = text_of(pane.ring.entry(entry)?);
            if let Self::Entry(_) = self {
                return Some(text);
            }
            let rows = text::rows(&text, usize::MAX);
            let cells = rows.iter().flat_map(|row| &row.cells);
            let marked = cells.filter(|cell| self.contains(Spot { entry, at: cell.at }));
            // By place, because a tab is shown as a space.
            Some(
                marked
                    .map(|cell| match text.as_bytes().get(cell.at) {
                        Some(b'\t') => "\t",
                        _ => cell.symbol,
                    })
                    .collect(),
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// What an entry says, without colours.
#[must_use]
pub fn text_of(entry: &Entry) -> String {
    match entry {
        Entry::Line(line) => text::decode(&line.text).text,
        Entry::Notice(said) => text::decode(&said.to_string()).text,
    }
}
