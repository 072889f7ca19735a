//! Lines that are to be shown as rows: what repeats itself takes one row, and of a stack trace only
//! the frames that say most are shown.
//!
//! It knows texts only. Lines of different groups, which are different streams or processes, never
//! share a row, and a line that a reader looked for never disappears in a trace.

use std::ops::Range;

use crate::search::{Collapse, frames, frames::Trace, likeness::Skeleton};

/// So many frames of a trace are shown.
const FIRST_FRAMES: usize = 5;
/// Where the innermost frame is the last one: so many of the first.
const OUTERMOST: usize = 2;
/// And so many of the last.
const INNERMOST: usize = 3;
/// A row for frames stands for so many lines at least: it should save three.
const FEWEST_HIDDEN: usize = 4;
/// So many lines that differ in numbers only share a row. Two show what differs, and cost little.
const FEWEST_ALIKE: usize = 3;
/// What stands for numbers, times and ids that differ.
const DIFFERENT: &str = "…";

/// A line that may be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// As readers see it.
    pub(crate) text: &'a str,
    /// Process and stream: different groups never merge.
    pub(crate) group: u32,
    /// Whether it is what was looked for, or only stands near it.
    pub(crate) matched: bool,
}

/// What is shown as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The first line that it stands for.
    pub(crate) from: usize,
    /// The one behind the last.
    pub(crate) to: usize,
    /// What it shows.
    pub(crate) kind: RowKind,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// Its line.
    Line,
    /// The text of its lines, which is the same in all.
    Repeated,
    /// What its lines have in common, with a sign for each number that differs.
    Alike(String),
    /// That there are more [frames](frames_in).
    Frames,
}

/// The rows that stand for these lines: each line is in exactly one, and their order stays.
pub(crate) fn rows(lines: &[Candidate<'_>], collapse: Collapse) -> Vec<Row> {
    let mut plan = Plan {
        lines,
        collapse,
        rows: Vec::with_capacity(lines.len()),
    };
    if collapse == Collapse::Nothing {
        (0..lines.len()).for_each(|at| plan.push(at..at + 1, RowKind::Line));
        return plan.rows;
    }
    let mut at = 0;
    for group in lines.chunk_by(|one, other| one.group == other.group) {
        let texts: Vec<_> = group.iter().map(|line| line.text).collect();
        let end = at + group.len();
        let mut done = at;
        for trace in frames::traces(&texts) {
            let within = trace.lines();
            plan.plain(done..at + within.start);
            plan.trace(&trace, at);
            done = at + within.end;
        }
        plan.plain(done..end);
        at = end;
    }
    plan.rows
}

/// How many frames the lines of a row of frames are.
pub(crate) fn frames_in(lines: &[Candidate<'_>]) -> usize {
    let texts: Vec<_> = lines.iter().map(|line| line.text).collect();
    frames::count(&texts)
}

struct Plan<'a> {
    lines: &'a [Candidate<'a>],
    collapse: Collapse,
    rows: Vec<Row>,
}

impl Plan<'_> {
    fn push(&mut self, lines: Range<usize>, kind: RowKind) {
        let (from, to) = (lines.start, lines.end);
        self.rows.push(Row { from, to, kind });
    }

    /// Lines of one group that are no trace.
    fn plain(&mut self, lines: Range<usize>) {
        if self.collapse != Collapse::Similar {
            self.equal(lines);
            return;
        }
        let all = self.lines;
        // Up to where there are rows; where a run begins; what comes next.
        let mut done = lines.start;
        let mut start = lines.start;
        let mut next = all[lines.clone()].first().map(|it| (it, skeleton(it.text)));
        while let Some((first, skeleton)) = next.take() {
            let mut run = Run::new(first, skeleton);
            let mut end = start + 1;
            while end < lines.end && next.is_none() {
                match run.take(&all[end]) {
                    Ok(()) => end += 1,
                    Err(skeleton) => next = Some((&all[end], skeleton)),
                }
            }
            if let Some(template) = run.template(end - start) {
                self.equal(done..start);
                self.push(start..end, RowKind::Alike(template));
                done = end;
            }
            start = end;
        }
        self.equal(done..lines.end);
    }

    /// Lines of one group of which only equal ones share a row.
    fn equal(&mut self, lines: Range<usize>) {
        let mut at = lines.start;
        let all = self.lines;
        let same = |one: &Candidate<'_>, other: &Candidate<'_>| {
            one.text == other.text && one.matched == other.matched
        };
        for run in all[lines].chunk_by(same) {
            let kind = match run.len() {
                1 => RowKind::Line,
                _ => RowKind::Repeated,
            };
            self.push(at..at + run.len(), kind);
            at += run.len();
        }
    }

    /// A trace in a group whose first line is `start`.
    fn trace(&mut self, trace: &Trace, start: usize) {
        let frames: Vec<_> = trace
            .frames
            .iter()
            .map(|frame| start + frame.start..start + frame.end)
            .collect();
        let shown: Vec<bool> = self.shown(trace, &frames);
        let mut at = 0;
        while at < frames.len() {
            let run = shown[at..]
                .iter()
                .take_while(|it| **it == shown[at])
                .count();
            let lines = frames[at].start..frames[at + run - 1].end;
            if shown[at] || lines.len() < FEWEST_HIDDEN {
                self.equal(lines);
            } else {
                self.push(lines, RowKind::Frames);
            }
            at += run;
        }
    }

    /// Which frames are shown. A function that calls itself repeats a frame: that counts once.
    fn shown(&self, trace: &Trace, frames: &[Range<usize>]) -> Vec<bool> {
        let texts = |at: usize| self.lines[frames[at].clone()].iter().map(|line| line.text);
        let mut nth = 0;
        let order: Vec<usize> = (0..frames.len())
            .map(|at| {
                let is_one_line = frames[at].len() == 1;
                let repeats = is_one_line && at > trace.first && texts(at).eq(texts(at - 1));
                nth += usize::from(at > trace.first && !repeats);
                nth
            })
            .collect();
        let last = order.last().copied().unwrap_or(0);
        let says_much = |at: usize| match order[at] {
            _ if at < trace.first => false,
            nth if trace.ends_inside => nth < OUTERMOST || nth + INNERMOST > last,
            nth => nth < FIRST_FRAMES,
        };
        let looked_for = |at: usize| self.lines[frames[at].clone()].iter().any(|it| it.matched);
        (0..frames.len())
            .map(|at| says_much(at) || looked_for(at))
            .collect()
    }
}

fn skeleton(text: &str) -> Skeleton {
    Skeleton::of(text.trim_ascii().as_bytes())
}

/// Lines that follow each other and say the same. Their skeletons are not kept: that of a long line
/// full of numbers is many times as large as the line.
struct Run<'a> {
    first: &'a Candidate<'a>,
    last: &'a str,
    skeleton: Skeleton,
    are_equal: bool,
    /// What the lines have in common in each place of the skeleton.
    numbers: Vec<Numbers<'a>>,
}

impl<'a> Run<'a> {
    fn new(first: &'a Candidate<'a>, skeleton: Skeleton) -> Self {
        Self {
            first,
            last: first.text,
            skeleton,
            are_equal: true,
            numbers: Vec::new(),
        }
    }

    /// Takes a line if it is like the others; gives back its skeleton if not.
    fn take(&mut self, line: &'a Candidate<'a>) -> Result<(), Skeleton> {
        let is_wanted = self.first.matched == line.matched;
        // Cheap, and most often so.
        if is_wanted && self.last == line.text {
            return Ok(());
        }
        let skeleton = skeleton(line.text);
        if !is_wanted || !self.skeleton.is_like(&skeleton) {
            return Err(skeleton);
        }
        self.last = line.text;
        // Equal to the first one again: nothing new either.
        if line.text == self.first.text {
            return Ok(());
        }
        if self.are_equal {
            self.are_equal = false;
            let text = self.first.text.trim_ascii();
            let places = self.skeleton.places().iter();
            self.numbers = places
                .map(|place| Numbers::new(text.get(place.clone()).unwrap_or_default()))
                .collect();
        }
        let text = line.text.trim_ascii();
        for (numbers, place) in self.numbers.iter_mut().zip(skeleton.places()) {
            numbers.add(text.get(place.clone()).unwrap_or_default());
        }
        Ok(())
    }

    /// What its lines, of which there are so many, have in common, if they may share a row and are not
    /// equal.
    fn template(&self, count: usize) -> Option<String> {
        if self.are_equal || count < FEWEST_ALIKE || !self.skeleton.has_words() {
            return None;
        }
        let text = self.first.text;
        let start = text.len() - text.trim_ascii_start().len();
        let mut template = String::with_capacity(text.len());
        let mut done = 0;
        for (numbers, place) in self.numbers.iter().zip(self.skeleton.places()) {
            let (place, end) = (start + place.start, start + place.end);
            template.push_str(text.get(done..place)?);
            numbers.write(&mut template);
            done = end;
        }
        template.push_str(text.get(done..)?);
        Some(template)
    }
}

/// Numbers, times or ids that stand in the same place of several lines.
struct Numbers<'a> {
    first: &'a str,
    are_equal: bool,
    /// They differ in digits only, not in the letters before and behind them.
    are_units: bool,
}

impl<'a> Numbers<'a> {
    fn new(first: &'a str) -> Self {
        let mut numbers = Self {
            first,
            are_equal: true,
            are_units: true,
        };
        numbers.are_units = numbers.is_unit(first);
        numbers
    }

    fn add(&mut self, other: &str) {
        self.are_equal = self.are_equal && self.first == other;
        self.are_units = self.are_units && self.is_unit(other);
    }

    /// The letters before and behind the first one.
    fn letters(&self) -> (&'a str, &'a str) {
        let first = self.first;
        // Units may have letters of other alphabets: `µs`.
        let no_letter = |letter: char| !letter.is_alphabetic();
        let prefix = &first[..first.find(no_letter).unwrap_or(first.len())];
        (prefix, first.rsplit(no_letter).next().unwrap_or_default())
    }

    /// An id has letters as well, and those that are equal by chance say nothing.
    fn is_unit(&self, number: &str) -> bool {
        let (prefix, suffix) = self.letters();
        let middle = number.strip_prefix(prefix);
        let middle = middle.and_then(|rest| rest.strip_suffix(suffix));
        middle.is_some_and(|it| !it.contains(char::is_alphabetic))
    }

    /// The number, time or id itself where all are equal; else a sign for what differs, with the
    /// letters before and behind it that all have: `…ms`.
    fn write(&self, template: &mut String) {
        if self.are_equal {
            template.push_str(self.first);
        } else if self.are_units {
            let (prefix, suffix) = self.letters();
            template.extend([prefix, DIFFERENT, suffix]);
        } else {
            template.push_str(DIFFERENT);
        }
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
