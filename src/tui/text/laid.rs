//! A line in rows. Where they begin is found once; the cells of a row are found when it is drawn.

use super::{
    ansi::{Decoded, decode},
    row::{Cell, Start, cells, row_cells, starts},
};

/// A line, laid out.
#[derive(Clone, Debug)]
pub struct Laid {
    /// What it says.
    pub decoded: Decoded,
    columns: usize,
    /// Where its rows begin; of one that stands in one row, places from which its cells can be counted.
    starts: Vec<Start>,
}

impl Laid {
    /// So far apart are the places in a line that stands in one row.
    const STRIDE: usize = 512;

    /// Lays a line out in rows that are at most so wide.
    #[must_use]
    pub fn new(line: &str, columns: usize) -> Self {
        let decoded = decode(line);
        let columns = columns.max(1);
        let apart = match columns {
            usize::MAX => Self::STRIDE,
            columns => columns,
        };
        let starts = starts(&decoded.text, apart);
        Self {
            decoded,
            columns,
            starts,
        }
    }

    /// How many rows it takes; at least one.
    #[must_use]
    pub fn height(&self) -> usize {
        if self.is_one_row() {
            1
        } else {
            self.starts.len()
        }
    }

    fn is_one_row(&self) -> bool {
        self.columns == usize::MAX
    }

    /// The cells of a row, from 0, from left to right.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Cell<'_>> {
        self.row_from(row, 0)
    }

    /// The same, from about this column on: of a line that stands in one row, what is far to the right
    /// is found without what is before it.
    pub fn row_from(&self, row: usize, column: usize) -> impl Iterator<Item = Cell<'_>> {
        let text = self.decoded.text.as_str();
        if self.is_one_row() {
            let begun = self.last_start(|start| start.column <= column);
            return row_cells(text, self.columns, begun, 0, text.len());
        }
        let end = Start {
            at: text.len(),
            column: 0,
        };
        let begun = self.starts.get(row).copied().unwrap_or(end);
        let next = self.starts.get(row + 1).copied().unwrap_or(end);
        row_cells(text, self.columns, begun, begun.column, next.at)
    }

    /// The columns of a line that stands in one row.
    #[must_use]
    pub fn width(&self) -> usize {
        let last = cells(&self.decoded.text, self.last_start(|_| true)).last();
        last.map_or(0, |cell| cell.column + cell.width)
    }

    fn last_start(&self, is_before: impl Fn(&Start) -> bool) -> Start {
        let behind = self.starts.partition_point(is_before);
        let last = self.starts.get(behind.saturating_sub(1));
        last.copied().unwrap_or_default()
    }

    /// The row and the column where the cell stands that has this byte of the text.
    #[must_use]
    pub fn place(&self, at: usize) -> (usize, usize) {
        let row = self.starts.partition_point(|start| start.at <= at);
        let row = row.saturating_sub(1);
        let column = |cell: Option<Cell<'_>>| cell.map_or(0, |cell| cell.column);
        if self.is_one_row() {
            let before = cells(&self.decoded.text, self.last_start(|start| start.at <= at));
            return (0, column(before.take_while(|cell| cell.at <= at).last()));
        }
        let before = self.row(row).take_while(|cell| cell.at <= at);
        (row, column(before.last()))
    }

    /// What it costs, roughly, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.decoded.text.len()
            + size_of_val(self.decoded.styles.as_slice())
            + size_of_val(self.starts.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_without_those_before_it() {
        let laid = Laid::new("\x1b[31mab\tc日本", 4);
        let row = |row| -> String { laid.row(row).map(|cell| cell.symbol).collect() };
        assert_eq!(laid.height(), 4);
        assert_eq!([row(0), row(1), row(2), row(3)], ["ab", " ", "c日", "本"]);
    }

    #[test]
    fn the_place_of_a_byte_is_that_of_its_cell() {
        let laid = Laid::new("ab\tc日本", 4);
        let place = |text: &str| laid.place(laid.decoded.text.find(text).unwrap());
        assert_eq!(
            [place("b"), place("c"), place("日")],
            [(0, 1), (2, 0), (2, 1)]
        );
        assert_eq!(laid.place(laid.decoded.text.len() - 1), (3, 0));
        let laid = Laid::new("a日\tb", usize::MAX);
        assert_eq!(laid.place(laid.decoded.text.find('b').unwrap()), (0, 8));
    }

    #[test]
    fn what_stands_far_to_the_right_is_found_without_what_is_before_it() {
        for text in ["x".repeat(5000), "a日\t👍 é ".repeat(900)] {
            let laid = Laid::new(&text, usize::MAX);
            let all: Vec<Cell<'_>> = laid.row(0).collect();
            let last = all.last().unwrap();
            assert_eq!(laid.width(), last.column + last.width);
            for column in (0..laid.width()).step_by(97) {
                let cells: Vec<Cell<'_>> = laid.row_from(0, column).collect();
                assert!(cells[0].column <= column && column - cells[0].column <= Laid::STRIDE);
                assert!(all.ends_with(&cells));
                assert_eq!(laid.place(cells[0].at), (0, cells[0].column));
            }
        }
    }

    #[test]
    fn in_one_row_all_stands_behind_each_other() {
        let laid = Laid::new("a日\tb", usize::MAX);
        let columns: Vec<usize> = laid.row(0).map(|cell| cell.column).collect();
        assert_eq!((laid.height(), columns), (1, vec![0, 1, 3, 8]));
        assert_eq!(laid.width(), 9);
    }
}
