//! Cells and rows: how wide characters are, where a long line is wrapped.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What a tab goes on to.
const TAB: usize = 8;

/// One thing that a reader sees: a letter with its accents, an emoji, a tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// Where it begins in the text, in bytes.
    pub at: usize,
    /// Its text; a tab is a space.
    pub symbol: &'a str,
    /// The column of the row where it stands.
    pub column: usize,
    /// How many columns it takes.
    pub width: usize,
}

/// A part of a line that stands in one row of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// From left to right.
    pub cells: Vec<Cell<'a>>,
}

/// The columns that a text takes in one row.
#[must_use]
pub fn width(text: &str) -> usize {
    cells(text)
        .last()
        .map_or(0, |cell| cell.column + cell.width)
}

/// The rows of a text that are at most this wide; at least one. Words are not kept together: what a
/// program printed may be anything.
#[must_use]
pub fn rows(text: &str, columns: usize) -> Vec<Row<'_>> {
    let columns = columns.max(1);
    let mut rows = vec![Row::default()];
    let mut begun = 0;
    for mut cell in cells(text) {
        if cell.column + cell.width > begun + columns && cell.column > begun {
            begun = cell.column;
            rows.push(Row::default());
        }
        cell.column -= begun;
        // A tab may be wider than what is left, an emoji wider than the whole panel.
        cell.width = cell.width.min(columns - cell.column);
        if let Some(row) = rows.last_mut() {
            row.cells.push(cell);
        }
    }
    rows
}

/// All in one row. What has no width by itself (a lone accent, marks that turn the direction of the
/// text) is left out.
fn cells(text: &str) -> impl Iterator<Item = Cell<'_>> {
    let mut column = 0;
    text.grapheme_indices(true).filter_map(move |(at, symbol)| {
        let (symbol, width) = match symbol {
            "\t" => (" ", TAB - column % TAB),
            _ => (symbol, symbol.width()),
        };
        let cell = Cell {
            at,
            symbol,
            column,
            width,
        };
        column += width;
        (width > 0).then_some(cell)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, columns: usize) -> Vec<String> {
        let text_of = |row: &Row<'_>| row.cells.iter().map(|cell| cell.symbol).collect();
        rows(text, columns).iter().map(text_of).collect()
    }

    #[test]
    fn a_long_line_is_wrapped_where_the_row_ends() {
        assert_eq!(shown("abcdefg", 3), ["abc", "def", "g"]);
        assert_eq!(shown("", 3), [""]);
        assert_eq!(shown("abc", 3), ["abc"]);
    }

    #[test]
    fn what_is_two_columns_wide_is_never_cut_in_half() {
        assert_eq!(shown("日本語", 5), ["日本", "語"]);
        assert_eq!(shown("a👩‍👩‍👧b", 2), ["a", "👩‍👩‍👧", "b"]);
        assert_eq!(shown("日本", 1), ["日", "本"]);
        assert_eq!(width("a日👍"), 5);
    }

    #[test]
    fn tabs_go_to_the_next_stop_and_marks_without_width_vanish() {
        assert_eq!(width("a\tb"), 9);
        assert_eq!(width("\u{202e}abc\u{200b}"), 3);
        assert_eq!(shown("e\u{301}x", 9), ["e\u{301}x"]);
    }
}
