//! A line in rows. Where they begin is found once; the cells of a row are found when it is drawn.

use super::{
    ansi::{Decoded, decode},
    row::{Cell, Start, row_cells, starts},
};

/// A line, laid out.
#[derive(Clone, Debug)]
pub struct Laid {
    /// What it says.
    pub decoded: Decoded,
    columns: usize,
    starts: Vec<Start>,
}

impl Laid {
    /// Lays a line out in rows that are at most so wide.
    #[must_use]
    pub fn new(line: &str, columns: usize) -> Self {
        let decoded = decode(line);
        let columns = columns.max(1);
        let starts = match columns {
            usize::MAX => vec![Start::default()],
            columns => starts(&decoded.text, columns),
        };
        Self {
            decoded,
            columns,
            starts,
        }
    }

    /// How many rows it takes; at least one.
    #[must_use]
    pub fn height(&self) -> usize {
        self.starts.len()
    }

    /// The cells of a row, from 0, from left to right.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Cell<'_>> {
        row_cells(&self.decoded.text, self.columns, &self.starts, row)
    }

    /// The row and the column where the cell stands that has this byte of the text.
    #[must_use]
    pub fn place(&self, at: usize) -> (usize, usize) {
        let row = self.starts.partition_point(|start| start.at <= at);
        let row = row.saturating_sub(1);
        let before = self.row(row).take_while(|cell| cell.at <= at);
        (row, before.last().map_or(0, |cell| cell.column))
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
    fn in_one_row_all_stands_behind_each_other() {
        let laid = Laid::new("a日\tb", usize::MAX);
        let columns: Vec<usize> = laid.row(0).map(|cell| cell.column).collect();
        assert_eq!((laid.height(), columns), (1, vec![0, 1, 3, 8]));
    }
}
