//! Turns lines that are to be shown into rows: equal neighbours become one.

use crate::search::Collapse;

/// A line that is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// As readers see it.
    pub(crate) text: &'a str,
    /// Process and stream: lines of different groups never become one row.
    pub(crate) group: u32,
    /// Whether it was looked for.
    pub(crate) matched: bool,
}

/// Lines that are shown as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The first of them.
    pub(crate) from: usize,
    /// The one behind the last.
    pub(crate) to: usize,
    /// How they are shown.
    pub(crate) kind: RowKind,
}

/// How a row is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    dead_code,
    reason = "similar lines and stack frames are not told apart yet"
)]
pub(crate) enum RowKind {
    /// As it is; it is one line.
    Line,
    /// The first one, and how many there are: all are equal.
    Repeated,
    /// What they have in common, and how many there are.
    Alike(String),
    /// How many there are: they are stack frames.
    Frames,
}

/// The rows that stand for these lines, in order; every line belongs to one.
pub(crate) fn rows(lines: &[Candidate<'_>], collapse: Collapse) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        if collapse != Collapse::Nothing
            && let Some(row) = rows.last_mut()
            && let first = &lines[row.from]
            && (first.text, first.group, first.matched) == (line.text, line.group, line.matched)
        {
            row.to = place + 1;
            row.kind = RowKind::Repeated;
            continue;
        }
        rows.push(Row {
            from: place,
            to: place + 1,
            kind: RowKind::Line,
        });
    }
    rows
}
