//! Chooses the matches that fit, and writes them with their context.
//!
//! A match is chosen with all of its context or not at all. Only chosen matches bear the mark: a
//! matching line that is merely context of another one does not have its own context around it.

use std::{collections::VecDeque, fmt::Write as _};

use crate::{
    logs::{
        Stream,
        chunk::{Line, LineEnd},
        text::{clean, grouped, shorten},
    },
    search::{Extent, scan::View},
};

/// The longest text of one line that is shown whole, in bytes.
pub(crate) const LONGEST_SHOWN: usize = 2_000;
/// The fewest bytes that a shown line takes: its mark and its newline.
pub(crate) const LEAST: usize = MATCH.len() + 1;

const MATCH: &str = " * ";
const CONTEXT: &str = "   ";
const SEPARATOR: &str = "--\n";
/// Stands before lines of stderr where both streams are shown.
const STDERR: &str = "stderr| ";
/// What lines are shortened to, at least, to show one match whose context is large.
const SHORTEST: usize = 200;

/// What is shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) matches: usize,
    /// Bytes left out of the middle of lines.
    pub(crate) shortened: usize,
}

/// How to show matches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Lines around each match.
    pub(crate) context: usize,
    /// Which matches come first when not all fit.
    pub(crate) extent: Extent,
    /// The most bytes.
    pub(crate) budget: usize,
    /// Whether lines were looked for, so that matches bear a mark.
    pub(crate) marked: Marked,
}

/// Whether matches bear a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    /// A pattern chose them.
    Matches,
    /// There was no pattern: all lines are shown alike.
    Nothing,
}

/// Shows the matches at `places`, ascending, or as many of them as fit.
pub(crate) fn show(view: &mut View<'_>, places: &VecDeque<usize>, layout: &Layout) -> Shown {
    let chosen = if matches!(layout.extent, Extent::Head(_)) {
        first_that_fit(view, places, layout)
    } else {
        last_that_fit(view, places, layout)
    };
    let alone = match layout.extent {
        Extent::Head(_) => places.front(),
        _ => places.back(),
    };
    match alone {
        Some(&place) if chosen.is_empty() => show_one(view, place, layout),
        _ => write(view, &chosen, layout),
    }
}

fn first_that_fit(
    view: &mut View<'_>,
    places: &VecDeque<usize>,
    layout: &Layout,
) -> VecDeque<usize> {
    let mut chosen = VecDeque::new();
    let mut used = 0;
    // Where the lines chosen so far end.
    let mut covered = 0;
    for &place in places {
        let (begin, end) = around(view, place, layout.context);
        if begin > covered && !chosen.is_empty() {
            used += SEPARATOR.len();
        }
        let from = if chosen.is_empty() {
            begin
        } else {
            begin.max(covered)
        };
        if !fits(view, from..end, &mut used, layout.budget) {
            break;
        }
        covered = end;
        chosen.push_back(place);
    }
    chosen
}

fn last_that_fit(
    view: &mut View<'_>,
    places: &VecDeque<usize>,
    layout: &Layout,
) -> VecDeque<usize> {
    let mut chosen = VecDeque::new();
    let mut used = 0;
    // Where the lines chosen so far begin.
    let mut covered = view.total();
    for &place in places.iter().rev() {
        let (begin, end) = around(view, place, layout.context);
        if end < covered && !chosen.is_empty() {
            used += SEPARATOR.len();
        }
        if !fits(
            view,
            (begin..end.min(covered)).rev(),
            &mut used,
            layout.budget,
        ) {
            break;
        }
        covered = begin;
        chosen.push_front(place);
    }
    chosen
}

/// The lines of a match and its context: from the first to before the second.
fn around(view: &View<'_>, place: usize, context: usize) -> (usize, usize) {
    let end = place.saturating_add(context).saturating_add(1);
    (place.saturating_sub(context), end.min(view.total()))
}

/// Adds the sizes of lines to `used`; false as soon as that is too much.
fn fits(
    view: &mut View<'_>,
    lines: impl Iterator<Item = usize>,
    used: &mut usize,
    budget: usize,
) -> bool {
    for place in lines {
        *used += size(view, place, LONGEST_SHOWN);
        if *used > budget {
            return false;
        }
    }
    *used <= budget
}

/// At most how many bytes a line takes.
fn size(view: &mut View<'_>, place: usize, limit: usize) -> usize {
    let line = view.line(place);
    let stream = if line.stream == Stream::Stderr {
        STDERR.len()
    } else {
        0
    };
    LEAST + stream + text(&line, limit).0.len()
}

/// The text of a line as readers see it, and how many bytes were left out of it.
pub(crate) fn text(line: &Line<'_>, limit: usize) -> (String, usize) {
    let mut text = String::new();
    clean(line.bytes, &mut text);
    let (short, cut) = shorten(&text, limit);
    let mut text = short.into_owned();
    text.push_str(match line.end {
        LineEnd::Newline | LineEnd::End => "",
        LineEnd::Length => " [continues]",
        LineEnd::Silence => " [no newline yet]",
    });
    (text, cut)
}

fn write(view: &mut View<'_>, chosen: &VecDeque<usize>, layout: &Layout) -> Shown {
    let mut blocks: Vec<(usize, usize)> = Vec::new();
    for &place in chosen {
        let (begin, end) = around(view, place, layout.context);
        match blocks.last_mut() {
            Some(last) if begin <= last.1 => last.1 = end,
            _ => blocks.push((begin, end)),
        }
    }
    let streams = Streams::of(view, blocks.iter().flat_map(|&(begin, end)| begin..end));
    let mut page = Page {
        streams,
        limit: LONGEST_SHOWN,
        ..Page::default()
    };
    let mut next = chosen.iter().peekable();
    for (at, (begin, end)) in blocks.into_iter().enumerate() {
        if at > 0 {
            page.shown.text.push_str(SEPARATOR);
        }
        for place in begin..end {
            let mark = match next.next_if(|&&chosen| chosen == place) {
                Some(_) if layout.marked == Marked::Matches => MATCH,
                _ => CONTEXT,
            };
            page.line(&view.line(place), mark);
        }
    }
    page.shown.matches = chosen.len();
    page.shown
}

/// Shows a match that is too large with its context: all of it with shorter lines if that helps, else
/// as much of the context as fits, the nearest first.
fn show_one(view: &mut View<'_>, place: usize, layout: &Layout) -> Shown {
    let (begin, end) = around(view, place, layout.context);
    let overhead = LEAST + STDERR.len() + SIGN;
    // Says that context is missing, before and behind.
    let room = layout.budget.saturating_sub(2 * NOTE);
    let Some(own) = room.checked_sub(overhead).filter(|&own| own >= FEWEST) else {
        return Shown::default();
    };
    let each = room / (end - begin);
    let limit = each
        .saturating_sub(overhead)
        .clamp(SHORTEST, LONGEST_SHOWN)
        .min(own);
    let mut used = size(view, place, limit);
    let (mut from, mut to) = (place, place + 1);
    // Outwards, one line before, one behind.
    loop {
        let before = from > begin && fits_one(view, from - 1, limit, &mut used, room);
        from -= usize::from(before);
        let behind = to < end && fits_one(view, to, limit, &mut used, room);
        to += usize::from(behind);
        if !before && !behind {
            break;
        }
    }
    let streams = Streams::of(view, from..to);
    let mut page = Page {
        streams,
        limit,
        ..Page::default()
    };
    page.left_out(from - begin);
    for line in from..to {
        let mark = if line == place && layout.marked == Marked::Matches {
            MATCH
        } else {
            CONTEXT
        };
        page.line(&view.line(line), mark);
    }
    page.left_out(end - to);
    page.shown.matches = 1;
    page.shown
}

/// The longest sign at the end of a line, in bytes.
const SIGN: usize = " [no newline yet]".len();
/// The longest note about context that is left out, in bytes.
const NOTE: usize = 80;
/// The fewest bytes of one line that are worth showing: the note about what is left out fits.
const FEWEST: usize = 48;

fn fits_one(
    view: &mut View<'_>,
    place: usize,
    limit: usize,
    used: &mut usize,
    room: usize,
) -> bool {
    let size = size(view, place, limit);
    let fits = *used + size <= room;
    if fits {
        *used += size;
    }
    fits
}

/// Which streams are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Streams {
    #[default]
    One,
    Both,
}

impl Streams {
    fn of(view: &mut View<'_>, lines: impl Iterator<Item = usize>) -> Self {
        let mut first = None;
        for place in lines {
            let stream = view.line(place).stream;
            if *first.get_or_insert(stream) != stream {
                return Self::Both;
            }
        }
        Self::One
    }
}

/// The text while it grows.
#[derive(Debug, Default)]
struct Page {
    shown: Shown,
    streams: Streams,
    limit: usize,
}

impl Page {
    fn line(&mut self, line: &Line<'_>, mark: &str) {
        let (text, cut) = text(line, self.limit);
        let stream = match (self.streams, line.stream) {
            (Streams::Both, Stream::Stderr) => STDERR,
            _ => "",
        };
        let _ = writeln!(self.shown.text, "{mark}{stream}{text}");
        self.shown.shortened += cut;
    }

    fn left_out(&mut self, lines: usize) {
        if lines > 0 {
            let count = grouped(lines as u64);
            let _ = writeln!(
                self.shown.text,
                "{CONTEXT}… [{count} more lines of context do not fit] …"
            );
        }
    }
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
