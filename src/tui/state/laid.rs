//! The lines of a pane as they are laid out: each once for a width and a search, however often it is
//! drawn and scrolled over.

use std::{cell::RefCell, collections::HashMap, mem, ops::Range, rc::Rc};

use super::search::Search;
use crate::tui::text::Laid;

/// Where a search matches in a line, in order.
pub type Matches = Rc<[Range<usize>]>;

/// What was laid out last.
///
/// In a cell, because whoever looks at a pane may be the first who needs a line.
#[derive(Debug, Default)]
pub struct LaidLines {
    known: RefCell<Known>,
}

/// Two generations: when the young one is full the old one goes. What is in use becomes young again.
#[derive(Debug, Default)]
struct Known {
    columns: usize,
    young: HashMap<u64, Line>,
    old: HashMap<u64, Line>,
    /// What the young ones cost.
    bytes: usize,
    /// How many lines were laid out, and how many were searched.
    #[cfg(test)]
    work: (usize, usize),
}

#[derive(Clone, Debug)]
struct Line {
    laid: Rc<Laid>,
    /// For what was searched, and what was found.
    found: Option<(String, Matches)>,
}

impl LaidLines {
    /// The most that a generation holds, in bytes: as much as a pane has text.
    const LIMIT: usize = super::ring::Ring::LIMIT;

    /// The line with this id, which is printed so, in so many columns.
    #[must_use]
    pub fn line(&self, id: u64, text: &str, columns: usize) -> Rc<Laid> {
        let mut known = self.known.borrow_mut();
        Rc::clone(&known.line(id, text, columns).laid)
    }

    /// Where a search matches in it.
    #[must_use]
    pub fn matches(&self, id: u64, text: &str, columns: usize, search: &Search) -> Matches {
        let mut known = self.known.borrow_mut();
        let line = known.line(id, text, columns);
        if let Some((wanted, found)) = &line.found
            && *wanted == search.text
        {
            return Rc::clone(found);
        }
        let found: Matches = search.matches(&line.laid.decoded.text).into();
        line.found = Some((search.text.clone(), Rc::clone(&found)));
        known.bytes += size_of_val(&*found);
        #[cfg(test)]
        {
            known.work.1 += 1;
        }
        found
    }

    /// Forgets all: nobody looks at them for the time being.
    pub fn forget(&mut self) {
        let known = self.known.get_mut();
        known.young = HashMap::new();
        known.old = HashMap::new();
        known.bytes = 0;
    }

    /// How many lines were laid out, and how many were searched.
    #[cfg(test)]
    pub(crate) fn work(&self) -> (usize, usize) {
        self.known.borrow().work
    }
}

impl Known {
    fn line(&mut self, id: u64, text: &str, columns: usize) -> &mut Line {
        if self.columns != columns {
            self.columns = columns;
            self.young.clear();
            self.old.clear();
            self.bytes = 0;
        }
        if self.bytes > LaidLines::LIMIT && !self.young.contains_key(&id) {
            self.old = mem::take(&mut self.young);
            self.bytes = 0;
        }
        let Self {
            young, old, bytes, ..
        } = self;
        #[cfg(test)]
        let work = &mut self.work;
        young.entry(id).or_insert_with(|| {
            let line = old.remove(&id).unwrap_or_else(|| {
                #[cfg(test)]
                {
                    work.0 += 1;
                }
                Line {
                    laid: Rc::new(Laid::new(text, columns)),
                    found: None,
                }
            });
            let found = line.found.as_ref();
            *bytes += line.laid.size() + found.map_or(0, |(_, it)| size_of_val(&**it));
            line
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_laid_out_and_searched_once_for_a_width_and_a_search() {
        let lines = LaidLines::default();
        let [one, two] = ["one", "o"].map(|it| Search::parse(it).unwrap());
        for _ in 0..3 {
            assert_eq!(lines.line(1, "one two", 4).height(), 2);
            assert_eq!(lines.matches(1, "one two", 4, &one).first(), Some(&(0..3)));
        }
        assert_eq!(lines.work(), (1, 1));
        assert_eq!(lines.matches(1, "one two", 4, &two)[..], [0..1, 6..7]);
        assert_eq!(lines.work(), (1, 2));
        assert_eq!(lines.line(1, "one two", 9).height(), 1);
        assert_eq!(lines.work(), (2, 2));
    }

    #[test]
    fn what_is_in_use_stays_and_memory_is_bounded() {
        let lines = LaidLines::default();
        let text = "x".repeat(LaidLines::LIMIT / 10);
        for id in 1..100 {
            let _ = lines.line(0, &text, 1000);
            let _ = lines.line(id, &text, 1000);
        }
        assert_eq!(lines.work(), (100, 0));
        let known = lines.known.borrow();
        assert!(known.young.len() + known.old.len() < 25);
    }
}
