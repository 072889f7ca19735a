//! Matches that were taken from one end of a selection, and how much room they need.

use std::rc::Rc;

use crate::search::{
    page::{Line, Style, Written},
    track::{Taken, Tracks},
};

/// Which end matches are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Front,
    Back,
}

/// Matches that were taken from one end, with their context.
#[derive(Debug)]
pub(super) struct End {
    pub(super) side: Side,
    pub(super) taken: Taken,
    /// From the end inwards.
    pub(super) lines: Vec<Line>,
    /// How many bytes of text they take. Text that lines share counts once.
    pub(super) held: usize,
    /// From the end inwards.
    pub(super) units: Vec<Unit>,
    /// By process: how far its lines were taken; nothing beyond is taken twice.
    pub(super) covered: Vec<usize>,
    /// By process: where the other end's lines are.
    pub(super) limit: Vec<usize>,
    pub(super) state: Progress,
}

/// A match with its context.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) track: usize,
    /// Its own line among the lines; `None` if it cannot be read.
    pub(super) own: Option<usize>,
    /// How many lines there are with it.
    pub(super) end: usize,
    /// How far the lines of its process are taken with it.
    pub(super) covered: usize,
}

/// Whether more can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    /// All matches were taken.
    All,
    /// The next match has too much context or text.
    TooLarge,
}

impl End {
    pub(super) fn front(tracks: &Tracks<'_>) -> Self {
        Self {
            side: Side::Front,
            taken: Taken::nothing(tracks),
            lines: Vec::new(),
            held: 0,
            units: Vec::new(),
            covered: vec![0; tracks.0.len()],
            limit: tracks.0.iter().map(|it| it.view.total()).collect(),
            state: Progress::More,
        }
    }

    /// The end that meets this one.
    pub(super) fn back(front: &Self) -> Self {
        Self {
            side: Side::Back,
            taken: front.taken.clone(),
            lines: Vec::new(),
            held: 0,
            units: Vec::new(),
            covered: front.limit.clone(),
            limit: front.covered.clone(),
            state: Progress::More,
        }
    }

    /// Takes a line. A line that shares a row with the one before it shares its text as well, so that
    /// many equal lines cost little.
    pub(super) fn push(&mut self, mut line: Line, style: &Style) {
        match self.lines.last() {
            Some(last) if style.are_one(last, &line) => line.text = Rc::clone(&last.text),
            _ => self.held += line.text.len(),
        }
        self.lines.push(line);
    }

    /// Gives back all but so many matches.
    pub(super) fn keep(&mut self, count: usize, tracks: usize) {
        self.units.truncate(count);
        self.lines
            .truncate(self.units.last().map_or(0, |unit| unit.end));
        let whole = match self.side {
            Side::Front => vec![0; tracks],
            Side::Back => self.covered.clone(),
        };
        let mut taken = vec![0; tracks];
        let mut covered = whole;
        for unit in &self.units {
            taken[unit.track] += 1;
            covered[unit.track] = unit.covered;
        }
        self.covered = covered;
        match self.side {
            Side::Front => self.taken.front = taken,
            Side::Back => self.taken.back = taken,
        }
    }

    /// Which lines are matches that were taken.
    pub(super) fn marks(&self) -> Vec<bool> {
        let mut marks = vec![false; self.lines.len()];
        for own in self.units.iter().filter_map(|unit| unit.own) {
            marks[own] = true;
        }
        marks
    }

    /// The lines and their marks in the order in which they are shown.
    pub(super) fn in_order(&self) -> (Vec<Line>, Vec<bool>) {
        let (mut lines, mut marks) = (self.lines.clone(), self.marks());
        if self.side == Side::Back {
            lines.reverse();
            marks.reverse();
        }
        (lines, marks)
    }

    /// How much text so many matches give: the first one alone, the first two, and so on.
    pub(super) fn sizes(&self, style: &Style) -> Vec<usize> {
        let (lines, marks) = self.in_order();
        let Written { text, ends, .. } = style.write(&lines, &marks, None);
        let size = |unit: &Unit| match self.side {
            Side::Front => {
                let row = ends.partition_point(|(line, _)| *line < unit.end);
                ends.get(row).map_or(0, |(_, end)| *end)
            }
            Side::Back => {
                let first = lines.len() - unit.end;
                let row = ends.partition_point(|(line, _)| *line <= first);
                let start = row.checked_sub(1).map_or(0, |before| ends[before].1);
                text.len() - start
            }
        };
        self.units.iter().map(size).collect()
    }

    /// How many of the matches can be read.
    pub(super) fn readable(&self) -> usize {
        self.units.iter().filter(|unit| unit.own.is_some()).count()
    }
}
