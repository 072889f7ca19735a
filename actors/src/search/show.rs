//! Chooses the matches that fit: from both ends, so that what does not fit is left out in the middle.
//!
//! A match is chosen with all of its context or not at all. Only chosen matches bear the mark: a
//! matching line that is merely context of another one does not have its own context around it.
//!
//! Lines are taken from both ends until they fill the room when they are written as rows, a bounded
//! number of them with a bounded amount of text: equal lines take less room than they have text.

use std::{
    ops::Range,
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    logs::{
        chunk::{self, LineEnd},
        text::{clean, grouped, shorten},
    },
    search::{
        Extent, Naming, Query,
        cursor::Cursor,
        end::{End, Progress, Side, Unit},
        page::{CONTEXT, Gap, Line, Page, Style},
        track::{Taken, Tracks},
    },
};

/// The longest text of one line that is shown whole, in bytes.
pub(crate) const LONGEST_SHOWN: usize = 2_000;
/// What lines are shortened to, at least, to show one match whose context is large.
const SHORTEST: usize = 200;
/// How many lines are taken from each end at most.
const MOST_LINES: usize = 8_192;
/// How many bytes of text are taken from each end at most, if the room is not larger.
const MOST_TEXT: usize = 512 * 1_024;
/// How many lines are taken at first.
const FIRST_LINES: usize = 128;
/// The longest sign at the end of a line, in bytes.
const SIGN: usize = " [no newline yet]".len();
/// The longest note about context that is left out, in bytes.
const NOTE: usize = 80;
/// The fewest bytes of one line that are worth showing: the note about what is left out fits.
const FEWEST: usize = 48;

/// The text of a line as readers see it, and how many bytes were left out of it.
pub(crate) fn text(line: &chunk::Line<'_>, limit: usize) -> (String, usize) {
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

/// Shows the chosen matches, or as many of them as fit. `None` if `cancelled` was set.
pub(crate) fn show(
    tracks: &mut Tracks<'_>,
    naming: Naming,
    query: &Query,
    cancelled: &AtomicBool,
) -> Option<Page> {
    if tracks.chosen() == 0 || query.budget == 0 {
        return Some(Page::default());
    }
    let style = Style::new(tracks, naming, query);
    let mut chooser = Chooser {
        context: if query.is_choosy() { query.context } else { 0 },
        extent: query.extent,
        budget: query.budget,
        // What was looked for is as likely at the beginning; of all lines the last ones count.
        share: if query.is_choosy() { 3 } else { 5 },
        naming,
        is_brief: false,
        style,
        cancelled,
        tracks,
    };
    // Lines are worth more than cursors that take most of the room.
    chooser.is_brief = chooser.longest_note() > query.budget / 2;
    chooser.show()
}

struct Chooser<'a, 'b> {
    context: usize,
    extent: Extent,
    budget: usize,
    /// Which part of the room the first lines get, where not all fit.
    share: usize,
    naming: Naming,
    /// What is left out is only counted.
    is_brief: bool,
    style: Style,
    cancelled: &'a AtomicBool,
    tracks: &'a mut Tracks<'b>,
}

impl Chooser<'_, '_> {
    fn show(&mut self) -> Option<Page> {
        let mut front = End::front(self.tracks);
        let sizes = self.fill(&mut front, self.budget)?;
        let fits = sizes.last().is_none_or(|&size| size <= self.budget);
        if front.state == Progress::All && fits {
            let nothing = End::back(&front);
            return Some(self.page(&front, &nothing));
        }
        let tracks = self.tracks.0.len();
        let room = self.budget.saturating_sub(self.longest_note());
        let share = room / self.share;
        let first = sizes.partition_point(|&size| size <= share);
        front.keep(first, tracks);
        let used = first.checked_sub(1).map_or(0, |last| sizes[last]);

        let mut back = End::back(&front);
        let room = room - used;
        let sizes = self.fill(&mut back, room)?;
        back.keep(sizes.partition_point(|&size| size <= room), tracks);
        loop {
            if front.units.is_empty() && back.units.is_empty() {
                return self.show_one();
            }
            let page = self.page(&front, &back);
            if page.text.len() <= self.budget {
                return Some(page);
            }
            // Rows that were cut apart can take more room than they were thought to.
            let shorter = if back.units.is_empty() {
                &mut front
            } else {
                &mut back
            };
            let fewer = shorter.units.len() * 9 / 10;
            shorter.keep(fewer, tracks);
        }
    }

    /// Takes matches until they give more text than there is room for.
    fn fill(&mut self, end: &mut End, room: usize) -> Option<Vec<usize>> {
        let mut most = FIRST_LINES;
        loop {
            self.take(end, most)?;
            let sizes = end.sizes(&self.style);
            let is_full = sizes.last().is_some_and(|&size| size > room);
            if end.state != Progress::More || is_full || most >= MOST_LINES {
                return Some(sizes);
            }
            most = (most * 4).min(MOST_LINES);
        }
    }

    fn take(&mut self, end: &mut End, most: usize) -> Option<()> {
        while end.state == Progress::More && end.units.len() < most && end.lines.len() < most {
            if self.cancelled.load(Ordering::Relaxed) {
                return None;
            }
            let next = match end.side {
                Side::Front => self.tracks.first(&end.taken),
                Side::Back => self.tracks.last(&end.taken),
            };
            let Some((track, ordinal)) = next else {
                end.state = Progress::All;
                break;
            };
            let own = self.tracks.0[track].matches.place(ordinal);
            let around = self.around(track, own);
            let (covered, limit) = (end.covered[track], end.limit[track]);
            let new = match end.side {
                Side::Front => around.start.max(covered)..around.end.min(limit),
                Side::Back => around.start.max(limit)..around.end.min(covered),
            };
            if end.lines.len() + new.len() > MOST_LINES {
                end.state = Progress::TooLarge;
                break;
            }
            let (lines, held) = (end.lines.len(), end.held);
            let most_text = MOST_TEXT.max(self.budget.saturating_mul(2));
            let is_own = |line: &Line| line.track == track && line.place == own;
            match end.side {
                Side::Front => self.lines(end, track, new.clone(), most_text),
                Side::Back => self.lines(end, track, new.clone().rev(), most_text),
            }
            if end.held > most_text {
                end.lines.truncate(lines);
                end.held = held;
                end.state = Progress::TooLarge;
                break;
            }
            match end.side {
                Side::Front => {
                    end.covered[track] = covered.max(new.end);
                    end.taken.front[track] += 1;
                }
                Side::Back => {
                    end.covered[track] = covered.min(new.start);
                    end.taken.back[track] += 1;
                }
            }
            end.units.push(Unit {
                track,
                own: end.lines.iter().rposition(is_own),
                end: end.lines.len(),
                covered: end.covered[track],
            });
        }
        Some(())
    }

    /// Takes the lines at these places, no more of them once they have too much text.
    fn lines(
        &mut self,
        end: &mut End,
        track: usize,
        places: impl Iterator<Item = usize>,
        most_text: usize,
    ) {
        for place in places {
            if let Some(line) = self.line(track, place, LONGEST_SHOWN) {
                end.push(line, &self.style);
            }
            if end.held > most_text {
                return;
            }
        }
    }

    /// The places of a match and its context.
    fn around(&self, track: usize, place: usize) -> Range<usize> {
        let log = self.tracks.0[track].view.same_log(place);
        let end = place.saturating_add(self.context).saturating_add(1);
        place.saturating_sub(self.context).max(log.start)..end.min(log.end)
    }

    fn line(&mut self, track: usize, place: usize, limit: usize) -> Option<Line> {
        let view = &mut self.tracks.0[track].view;
        let spot = view.line(place)?;
        let line = spot.chunk.line(spot.position);
        let (text, cut) = text(&line, limit);
        Some(Line {
            track,
            log: spot.log,
            place,
            position: view.position(place)?,
            at: spot.chunk.at(spot.position),
            stream: line.stream,
            text: Rc::from(text),
            cut,
        })
    }

    /// Writes what was taken from both ends.
    fn page(&mut self, front: &End, back: &End) -> Page {
        let (mut lines, mut marks) = front.in_order();
        let at = lines.len();
        let (last_lines, last_marks) = back.in_order();
        lines.extend(last_lines);
        marks.extend(last_marks);
        let taken = Taken {
            front: front.taken.front.clone(),
            back: back.taken.back.clone(),
        };
        let note = self.left_out(&taken);
        let gap = note.as_deref().map(|text| Gap { at, text });
        let written = self.style.write(&lines, &marks, gap);
        let (first, last) = (front.readable(), back.readable());
        let (first, last) = if note.is_some() {
            (first, last)
        } else {
            (0, first + last)
        };
        Page {
            text: written.text,
            first,
            last,
            shortened: written.shortened,
            collapsed: written.collapsed,
        }
    }

    /// Says how many matches are left out, and how to get them; `None` if none are.
    fn left_out(&mut self, taken: &Taken) -> Option<String> {
        let count = self.tracks.chosen()
            - taken.front.iter().sum::<usize>()
            - taken.back.iter().sum::<usize>();
        if count == 0 {
            return None;
        }
        let (mut after, mut until) = (Vec::new(), Vec::new());
        for (at, track) in self.tracks.0.iter_mut().enumerate() {
            let Range { start, end } = track.chosen;
            let first = match taken.front[at] {
                _ if start == end => track.view.end(),
                0 => track.before(start),
                count => track.behind(start + count - 1),
            };
            let last = match taken.back[at] {
                _ if start == end => track.view.end(),
                0 => track.behind(end - 1),
                count => track.before(end - count),
            };
            after.extend(first.map(|it| (track.name.clone(), it)));
            until.extend(last.map(|it| (track.name.clone(), it)));
        }
        let (after, until) = (self.naming.cursor(after), self.naming.cursor(until));
        Some(self.note(count, &after, &until))
    }

    fn note(&self, count: usize, after: &Cursor, until: &Cursor) -> String {
        let what = self.things(count);
        let count = grouped(count as u64);
        if self.is_brief {
            return format!("… {count} {what} left out: a larger max_bytes shows more …\n");
        }
        format!(
            "… {count} {what} left out; after_cursor \"{after}\" with until \"{until}\" fetches them …\n"
        )
    }

    fn things(&self, count: usize) -> &'static str {
        match (self.style.is_choosy(), count) {
            (true, 1) => "match",
            (true, _) => "matches",
            (false, 1) => "line",
            (false, _) => "lines",
        }
    }

    /// At most how long the note about what is left out is.
    fn longest_note(&mut self) -> usize {
        let ends = self.tracks.0.iter_mut().filter_map(|track| {
            let Range { start, end } = track.chosen;
            let last = if start == end {
                track.view.end()
            } else {
                track.behind(end - 1)
            };
            Some((track.name.clone(), last?))
        });
        // No place before it is longer.
        let last = self.naming.cursor(ends.collect());
        self.note(self.tracks.chosen(), &last, &last).len()
    }

    /// Shows a match that is too large with its context: all of it with shorter lines if that helps,
    /// else as much of the context as fits, the nearest first.
    fn show_one(&mut self) -> Option<Page> {
        let is_head = matches!(self.extent, Extent::Head(_));
        let mut taken = Taken::nothing(self.tracks);
        let (track, ordinal) = if is_head {
            self.tracks.first(&taken)?
        } else {
            self.tracks.last(&taken)?
        };
        if is_head {
            taken.front[track] = 1;
        } else {
            taken.back[track] = 1;
        }
        let note = self.left_out(&taken).unwrap_or_default();
        let place = self.tracks.0[track].matches.place(ordinal);
        let around = self.around(track, place);
        let overhead = self.style.around() + SIGN;
        // Says that context is missing, before and behind.
        let notes = if around.len() > 1 { 2 * NOTE } else { 0 };
        let room = self.budget.saturating_sub(notes + note.len());
        let Some(own) = room.checked_sub(overhead).filter(|&own| own >= FEWEST) else {
            let text = if note.len() <= self.budget {
                note
            } else {
                String::new()
            };
            return Some(Page {
                text,
                ..Page::default()
            });
        };
        let each = room / around.len();
        let limit = each.saturating_sub(overhead);
        let limit = limit.clamp(SHORTEST, LONGEST_SHOWN).min(own);
        let mut one = One {
            lines: std::collections::VecDeque::new(),
            used: 0,
            room,
            overhead,
        };
        let line = self.line(track, place, limit);
        let has_own = line.is_some_and(|line| one.put(line, Side::Back));
        let (mut from, mut to) = (place, place + 1);
        // Outwards, one line before, one behind.
        loop {
            let before = from > around.start && {
                let line = self.line(track, from - 1, limit);
                line.is_none_or(|line| one.put(line, Side::Front))
            };
            from -= usize::from(before);
            let behind = to < around.end && {
                let line = self.line(track, to, limit);
                line.is_none_or(|line| one.put(line, Side::Back))
            };
            to += usize::from(behind);
            if self.cancelled.load(Ordering::Relaxed) {
                return None;
            }
            if !before && !behind {
                break;
            }
        }
        let lines = Vec::from(one.lines);
        let marks: Vec<_> = lines.iter().map(|line| line.place == place).collect();
        let written = self.style.write(&lines, &marks, None);
        let mut text = String::new();
        if !is_head {
            text.push_str(&note);
        }
        text.push_str(&context_left_out(from - around.start));
        text.push_str(&written.text);
        text.push_str(&context_left_out(around.end - to));
        if is_head {
            text.push_str(&note);
        }
        let shown = usize::from(has_own);
        let (first, last) = if is_head && !note.is_empty() {
            (shown, 0)
        } else {
            (0, shown)
        };
        Some(Page {
            text,
            first,
            last,
            shortened: written.shortened,
            collapsed: written.collapsed,
        })
    }
}

/// A match and its nearest context.
struct One {
    lines: std::collections::VecDeque<Line>,
    used: usize,
    room: usize,
    overhead: usize,
}

impl One {
    /// False if it does not fit.
    fn put(&mut self, line: Line, side: Side) -> bool {
        let size = self.overhead + line.text.len();
        if self.used + size > self.room {
            return false;
        }
        self.used += size;
        match side {
            Side::Front => self.lines.push_front(line),
            Side::Back => self.lines.push_back(line),
        }
        true
    }
}

fn context_left_out(lines: usize) -> String {
    if lines == 0 {
        return String::new();
    }
    let count = grouped(lines as u64);
    format!("{CONTEXT}… [{count} more lines of context do not fit] …\n")
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
