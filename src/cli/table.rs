//! Aligned columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{console::Face, paint::Paint};

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// A cell of this look.
    pub(super) fn new(paint: Paint, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, paint }
    }

    /// A cell like most.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(Paint::Plain, text)
    }
}

/// The rows as lines, columns aligned. What does not fit on the terminal is cut off at the right.
pub(super) fn lines(rows: &[Vec<Cell>], face: Face) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.text.width())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter().map(|row| line(row, &widths, face)).collect()
}

fn line(row: &[Cell], widths: &[usize], face: Face) -> String {
    const GAP: usize = 2;
    let mut left = face.width.unwrap_or(usize::MAX);
    let mut line = String::new();
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let text = cut(&cell.text, left);
        left = left.saturating_sub(width + GAP);
        let fill = if column + 1 < row.len() && left > 0 {
            (width - cell.text.width()) + GAP
        } else {
            0
        };
        if !text.is_empty() {
            line.push_str(&face.colours.paint(cell.paint, &text));
        }
        line.extend(std::iter::repeat_n(' ', fill));
    }
    line.truncate(line.trim_end_matches(' ').len());
    line
}

/// The text, cut to a width.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let mut cut = String::new();
    for char in text.chars() {
        let Some(left) = room.checked_sub(char.width().unwrap_or_default()) else {
            break;
        };
        room = left;
        cut.push(char);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Colours;

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![
                Cell::plain("NAME"),
                Cell::plain("STATE"),
                Cell::plain("LAST"),
            ],
            vec![
                Cell::plain("日本"),
                Cell::new(Paint::Good, "running"),
                Cell::plain("up and well"),
            ],
            vec![Cell::plain("a"), Cell::plain(""), Cell::plain("")],
        ]
    }

    #[test]
    fn columns_are_aligned_also_where_characters_are_wide() {
        assert_eq!(
            lines(&rows(), Face::PLAIN),
            ["NAME  STATE    LAST", "日本  running  up and well", "a"]
        );
    }

    #[test]
    fn what_does_not_fit_is_cut_and_colours_take_no_room() {
        let face = Face {
            colours: Colours::On,
            width: Some(20),
        };
        assert_eq!(
            lines(&rows(), face)[1],
            "日本  \x1b[32mrunning\x1b[0m  up a…"
        );
        for width in 0..30 {
            let face = Face {
                colours: Colours::Off,
                width: Some(width),
            };
            let lines = lines(&rows(), face);
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:?}");
        }
    }
}
