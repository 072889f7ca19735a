//! Writes chosen lines: marks, names, rows that stand for several lines, and what separates blocks.

use std::{
    fmt::Write as _,
    ops::Range,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    ids::ProcessName,
    logs::{Stream, text::grouped},
    search::{
        Collapse, Detail, Naming, Query, Searched,
        cursor::Position,
        rows::{Candidate, Row, RowKind, frames_in, rows},
        track::Tracks,
    },
};

/// The fewest bytes that a shown line takes: its mark and its newline.
pub(crate) const LEAST: usize = MATCH.len() + 1;

const MATCH: &str = " * ";
pub(super) const CONTEXT: &str = "   ";
const SEPARATOR: &str = "--\n";
/// Stands before lines of stderr where both streams are shown.
const STDERR: &str = "stderr| ";

/// Groups of lines from here on have one line each. Of so many processes and logs lines would at worst
/// be shown as one that are not.
const OTHERS: usize = 1 << 31;

/// What is shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) text: String,
    /// Matches before what is left out.
    pub(crate) first: usize,
    /// Matches behind it, or all.
    pub(crate) last: usize,
    /// Bytes left out of the middle of lines.
    pub(crate) shortened: usize,
    /// Lines that others stand for.
    pub(crate) collapsed: usize,
}

/// A line that is to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Whose, among those that were asked about.
    pub(crate) track: usize,
    /// Which of the logs of that process.
    pub(crate) log: usize,
    /// Its place among the lines of that process.
    pub(crate) place: usize,
    pub(crate) position: Position,
    pub(crate) at: SystemTime,
    pub(crate) stream: Stream,
    pub(crate) text: Rc<str>,
    /// How many bytes were left out of it.
    pub(crate) cut: usize,
}

/// How lines are shown.
#[derive(Debug)]
pub(crate) struct Style {
    /// Lines were looked for, so that matches bear a mark.
    is_choosy: bool,
    has_context: bool,
    collapse: Collapse,
    detail: Detail,
    /// The names of the processes, where they stand before each line.
    names: Option<Vec<ProcessName>>,
    /// By process: what its logs are called, where there are several.
    logs: Vec<Vec<String>>,
}

/// What is written between two lines instead of those that are left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap<'a> {
    /// Before which line.
    pub(crate) at: usize,
    pub(crate) text: &'a str,
}

/// Text, and where its rows end.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// Per row: the line behind it, and where its text ends.
    pub(crate) ends: Vec<(usize, usize)>,
    pub(crate) shortened: usize,
    pub(crate) collapsed: usize,
}

impl Style {
    pub(crate) fn new(tracks: &Tracks<'_>, naming: Naming, query: &Query) -> Self {
        let named = |name: &ProcessName| match naming {
            Naming::Alone => String::new(),
            Naming::Named => format!("{name} "),
        };
        let logs = tracks.0.iter().map(|track| match track.view.logs() {
            [_] | [] => Vec::new(),
            several => {
                let label = |log| {
                    let log = Searched::new(track.name, log);
                    let (what, mode) = (log.title(), log.mode);
                    format!(
                        "--- {}{what} ({}, {mode})\n",
                        named(track.name),
                        log.state()
                    )
                };
                several.iter().map(|ranged| label(ranged.log)).collect()
            }
        });
        let names = || tracks.0.iter().map(|track| track.name.clone()).collect();
        Self {
            is_choosy: query.is_choosy(),
            has_context: query.context > 0 && query.is_choosy(),
            collapse: query.collapse,
            detail: query.detail,
            logs: logs.collect(),
            names: (naming == Naming::Named).then(names),
        }
    }

    /// Whether lines were looked for.
    pub(crate) fn is_choosy(&self) -> bool {
        self.is_choosy
    }

    /// Whether two lines, one taken after the other, are equal and can share a row.
    pub(crate) fn are_one(&self, one: &Line, other: &Line) -> bool {
        let group = |line: &Line| (line.track, line.log, line.stream, line.cut);
        self.collapse != Collapse::Nothing
            && one.cut == 0
            && group(one) == group(other)
            && !(self.has_context && one.place.abs_diff(other.place) != 1)
            && one.text == other.text
    }

    /// At most what stands around the text of a line, in bytes.
    pub(crate) fn around(&self) -> usize {
        let name = self.names.iter().flatten().map(|it| it.as_str().len() + 2);
        let log = self.logs.iter().flatten().map(String::len).max();
        let detail = match self.detail {
            Detail::Text => 0,
            Detail::Place => 56,
        };
        LEAST + STDERR.len() + name.max().unwrap_or(0) + log.unwrap_or(0) + detail
    }

    /// Writes these lines, in the order in which they are shown; `marks` says which were chosen.
    pub(crate) fn write(&self, lines: &[Line], marks: &[bool], gap: Option<Gap<'_>>) -> Written {
        let mut writer = Writer {
            style: self,
            lines,
            marks,
            gap,
            has_both: lines.iter().any(|it| it.stream != lines[0].stream),
            last_log: vec![None; self.logs.len()],
            written: Written::default(),
        };
        let mut from = 0;
        for to in 1..=lines.len() {
            if to == lines.len()
                || gap.is_some_and(|gap| gap.at == to)
                || self.splits(&lines[to - 1..=to])
            {
                writer.block(from..to);
                from = to;
            }
        }
        if let Some(gap) = gap.filter(|gap| gap.at >= lines.len()) {
            writer.written.text.push_str(gap.text);
        }
        writer.written
    }

    /// Whether these two lines belong to different blocks.
    fn splits(&self, pair: &[Line]) -> bool {
        self.has_context && !are_neighbours(&pair[0], &pair[1])
    }
}

fn are_neighbours(one: &Line, other: &Line) -> bool {
    one.track == other.track && one.place + 1 == other.place
}

/// The text while it grows.
struct Writer<'a> {
    style: &'a Style,
    lines: &'a [Line],
    marks: &'a [bool],
    gap: Option<Gap<'a>>,
    has_both: bool,
    /// By process: the log of the line that was written last.
    last_log: Vec<Option<usize>>,
    written: Written,
}

impl Writer<'_> {
    fn block(&mut self, block: Range<usize>) {
        let mut candidates = Vec::with_capacity(block.len());
        let marked = self.lines[block.clone()]
            .iter()
            .zip(&self.marks[block.clone()]);
        for (place, (line, &matched)) in marked.enumerate() {
            let own = (line.track * 4_096 + line.log) * 2;
            let group = if line.cut == 0 {
                own + usize::from(line.stream == Stream::Stderr)
            } else {
                // What was cut out may differ: such a line is like no other.
                OTHERS + place
            };
            candidates.push(Candidate {
                text: &line.text,
                group: u32::try_from(group).unwrap_or(u32::MAX),
                matched: matched && self.style.is_choosy,
            });
        }
        for row in rows(&candidates, self.style.collapse) {
            let Row { from, to, kind } = row;
            let count = match kind {
                RowKind::Frames => frames_in(&candidates[from..to]),
                _ => to - from,
            };
            self.row(block.start + from..block.start + to, &kind, count);
        }
    }

    /// Writes a row that stands for so many lines, or frames.
    fn row(&mut self, row: Range<usize>, kind: &RowKind, count: usize) {
        let line = &self.lines[row.start];
        let is_behind_gap = self.gap.is_some_and(|gap| gap.at == row.start);
        if let Some(gap) = self.gap.filter(|_| is_behind_gap) {
            self.written.text.push_str(gap.text);
        }
        let is_new_log = self.last_log[line.track] != Some(line.log);
        let label = self.style.logs[line.track].get(line.log);
        if let Some(label) = label.filter(|_| is_new_log) {
            self.written.text.push_str(label);
        } else if row.start > 0
            && !is_behind_gap
            && self.separates(&self.lines[row.start - 1], line)
        {
            self.written.text.push_str(SEPARATOR);
        }
        self.last_log[line.track] = Some(line.log);
        let count = grouped(count as u64);
        let is_marked = self.style.is_choosy && self.marks[row.clone()].contains(&true);
        let mark = if is_marked { MATCH } else { CONTEXT };
        let is_line = !matches!(kind, RowKind::Frames);
        self.written.text.push_str(mark);
        if is_line {
            self.detail(line);
        }
        self.names(line);
        let text = &mut self.written.text;
        let _ = match kind {
            RowKind::Line => writeln!(text, "{}", line.text),
            RowKind::Repeated => writeln!(text, "{} (×{count})", line.text),
            RowKind::Alike(template) => writeln!(text, "{template} (×{count})"),
            RowKind::Frames => writeln!(text, "… {count} more frames"),
        };
        self.written.collapsed += match kind {
            RowKind::Frames => row.len(),
            RowKind::Line | RowKind::Repeated | RowKind::Alike(_) => row.len() - 1,
        };
        if is_line {
            self.written.shortened += line.cut;
        }
        let end = self.written.text.len();
        self.written.ends.push((row.end, end));
    }

    /// Whether lines that are not shown are between these two.
    fn separates(&self, one: &Line, other: &Line) -> bool {
        let is_in_one_order = self.style.has_context || self.style.names.is_none();
        self.style.is_choosy && is_in_one_order && !are_neighbours(one, other)
    }

    fn detail(&mut self, line: &Line) {
        if self.style.detail == Detail::Place {
            let time = time_of_day(line.at);
            let _ = write!(self.written.text, "{} {time} ", line.position);
        }
    }

    fn names(&mut self, line: &Line) {
        if let Some(names) = &self.style.names {
            let _ = write!(self.written.text, "{}| ", names[line.track]);
        }
        if self.has_both && line.stream == Stream::Stderr {
            self.written.text.push_str(STDERR);
        }
    }
}

/// `10:00:01.123`, in UTC.
fn time_of_day(at: SystemTime) -> String {
    let millis = at
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let (seconds, millis) = (millis / 1_000 % 86_400, millis % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}
