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
    cells(text, Start::default())
        .last()
        .map_or(0, |cell| cell.column + cell.width)
}

/// A text of at most so many characters; `…` says that there was more.
#[must_use]
pub fn head(mut text: String, chars: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The rows of a text that are at most this wide; at least one. Words are not kept together: what a
/// program printed may be anything.
#[must_use]
pub fn rows(text: &str, columns: usize) -> Vec<Row<'_>> {
    let columns = columns.max(1);
    let starts = starts(text, columns);
    let ends = starts.iter().skip(1).map(|next| next.at);
    let rows = starts.iter().zip(ends.chain([text.len()]));
    rows.map(|(begun, end)| Row {
        cells: row_cells(text, columns, *begun, begun.column, end).collect(),
    })
    .collect()
}

/// Where a row begins in its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// At which byte.
    pub(super) at: usize,
    /// In which column, if all stood in one row.
    pub(super) column: usize,
}

/// Where the rows of a text begin that are at most so wide, at least one column.
pub(super) fn starts(text: &str, columns: usize) -> Vec<Start> {
    let mut begun = Start::default();
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        // Each byte is a cell, and nothing has to be looked at.
        let others = (columns..text.len()).step_by(columns);
        let others = others.map(|at| Start { at, column: at });
        return std::iter::once(begun).chain(others).collect();
    }
    let mut starts = vec![begun];
    for Cell {
        at, column, width, ..
    } in cells(text, begun)
    {
        if column + width - begun.column > columns && column > begun.column {
            begun = Start { at, column };
            starts.push(begun);
        }
    }
    starts
}

/// The cells of a row that is so wide, from a place in it up to this byte of the text. It begins in the
/// column `base`, if all stood in one row.
pub(super) fn row_cells(
    text: &str,
    columns: usize,
    from: Start,
    base: usize,
    end: usize,
) -> impl Iterator<Item = Cell<'_>> {
    cells(&text[..end], from).map(move |mut cell| {
        cell.column -= base;
        // A tab may be wider than what is left, an emoji wider than the whole panel.
        cell.width = cell.width.min(columns.saturating_sub(cell.column));
        cell
    })
}

/// All from there on in one row. What has no width by itself (a lone accent, marks that turn the
/// direction of the text) is left out.
pub(super) fn cells(text: &str, from: Start) -> impl Iterator<Item = Cell<'_>> {
    let mut column = from.column;
    let symbols = text[from.at..].grapheme_indices(true);
    symbols.filter_map(move |(at, symbol)| {
        let at = from.at + at;
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

    proptest::proptest! {
        /// The short way for plain text is the same as the long one.
        #[test]
        fn each_row_is_what_stands_there_when_all_is_laid_out(
            text in "[a-c \t日👍é\u{301}\u{202e}]{0,40}|[ -~]{0,40}",
            columns in 1_usize..20,
        ) {
            let mut wanted: Vec<Vec<Cell<'_>>> = vec![Vec::new()];
            let mut begun = 0;
            for mut cell in cells(&text, Start::default()) {
                if cell.column + cell.width > begun + columns && cell.column > begun {
                    begun = cell.column;
                    wanted.push(Vec::new());
                }
                cell.column -= begun;
                cell.width = cell.width.min(columns - cell.column);
                wanted.last_mut().unwrap().push(cell);
            }
            let rows: Vec<Vec<Cell<'_>>> = rows(&text, columns).into_iter().map(|it| it.cells).collect();
            proptest::prop_assert_eq!(rows, wanted);
        }
    }

    #[test]
    fn tabs_go_to_the_next_stop_and_marks_without_width_vanish() {
        assert_eq!(width("a\tb"), 9);
        assert_eq!(width("\u{202e}abc\u{200b}"), 3);
        assert_eq!(shown("e\u{301}x", 9), ["e\u{301}x"]);
    }
}
