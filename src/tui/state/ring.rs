//! The lines that a pane holds: a window on the history, bounded in bytes.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};

use bpm_actors::logs::grouped;
use jiff::Timestamp;

use super::feed::{Item, Line, Notice, Place};

/// What stands in a pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A line that was printed.
    Line(Line),
    /// What the screen says in between.
    Notice(Said),
}

/// A notice, of a process if of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    process: Option<Arc<str>>,
    notice: Notice,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(process) = &self.process {
            write!(f, "{process}: ")?;
        }
        match self.notice {
            Notice::RunChanged(run) => write!(f, "run {run}"),
            Notice::Gap(Some(lines)) => write!(f, "{} lines are gone", grouped(lines)),
            Notice::Gap(None) => f.write_str("lines are gone"),
            Notice::Dropped(Some(lines)) => write!(f, "{} lines left out", grouped(lines)),
            Notice::Dropped(None) => f.write_str("lines left out"),
        }
    }
}

impl Said {
    /// Takes up one that follows, with no line in between, where both can be said as one.
    fn take_up(&mut self, next: &Self) -> bool {
        let sum = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        let both = match (self.notice, next.notice) {
            _ if self.process != next.process => return false,
            (Notice::Dropped(one), Notice::Dropped(other)) => Notice::Dropped(sum(one, other)),
            (Notice::Gap(one), Notice::Gap(other)) => Notice::Gap(sum(one, other)),
            // Of the one before nothing is shown.
            (Notice::RunChanged(_), Notice::RunChanged(run)) => Notice::RunChanged(run),
            _ => return false,
        };
        self.notice = both;
        true
    }
}

impl Entry {
    /// What it costs, roughly, in bytes.
    fn size(&self) -> usize {
        let text = match self {
            Self::Line(line) => line.text.len(),
            Self::Notice(_) => 0,
        };
        size_of::<Self>() + text
    }
}

/// An entry, and what no other one is ever called: numbers are used again where entries have gone.
#[derive(Debug)]
struct Numbered {
    id: u64,
    entry: Entry,
}

/// Entries with numbers that stay theirs while others come and go at both ends.
#[derive(Debug, Default)]
pub struct Ring {
    entries: VecDeque<Numbered>,
    /// How many there ever were.
    taken: u64,
    /// The number of the first entry.
    first: i64,
    bytes: usize,
    /// The last line of each process that was received, shown or not.
    last: BTreeMap<Arc<str>, Place>,
    /// When the first line was printed that was received.
    since: Option<Timestamp>,
}

impl Ring {
    /// The most that a pane holds, in bytes.
    pub const LIMIT: usize = 4 * 1024 * 1024;

    /// The number of the first entry.
    #[must_use]
    pub fn first(&self) -> i64 {
        self.first
    }

    /// The number behind that of the last entry.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.first + i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether no more should be taken while somebody looks at what is there.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes >= Self::LIMIT
    }

    /// The entry with this number.
    #[must_use]
    pub fn entry(&self, number: i64) -> Option<&Entry> {
        self.numbered(number).map(|it| &it.entry)
    }

    /// What no other entry of this pane was or will be called.
    #[must_use]
    pub fn id(&self, number: i64) -> Option<u64> {
        self.numbered(number).map(|it| it.id)
    }

    /// Where each process was read up to.
    #[must_use]
    pub fn last(&self) -> &BTreeMap<Arc<str>, Place> {
        &self.last
    }

    /// Up to where older lines are wanted, of each process that something was received of.
    #[must_use]
    pub fn before(&self) -> BTreeMap<Arc<str>, Place> {
        let mut oldest = BTreeMap::new();
        for it in &self.entries {
            if let Entry::Line(line) = &it.entry {
                oldest.entry(&line.process).or_insert(line.place.before());
            }
        }
        // What was received of a process and is not there any more is older, too.
        let mut before = self.last.clone();
        before.extend(oldest.into_iter().map(|(it, place)| (it.clone(), place)));
        before
    }

    /// When the first line was printed that is there; where there is none, that was received.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        let first = self.entries.iter().find_map(|it| match &it.entry {
            Entry::Line(line) => Some(line.at),
            Entry::Notice(_) => None,
        });
        first.or(self.since)
    }

    /// When the first line was printed that was received.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Takes what arrived. Lines that are there already (a cut connection was resumed) are not taken
    /// twice.
    pub fn push(&mut self, item: Item) {
        match item {
            Item::Line(line) => {
                let known = self.last.get(&line.process);
                if known.is_some_and(|last| *last >= line.place) {
                    return;
                }
                self.last.insert(line.process.clone(), line.place);
                self.since.get_or_insert(line.at);
                self.push_entry(Entry::Line(line));
            }
            Item::Notice { process, notice } => {
                if let (Some(process), Notice::Gap(None)) = (&process, &notice) {
                    // Runs of a daemon without a history are numbered anew.
                    self.last.remove(&**process);
                }
                let said = Said { process, notice };
                let before = self.entries.iter_mut().rev();
                let mut notices = before.map_while(|it| match &mut it.entry {
                    Entry::Notice(before) => Some(before),
                    Entry::Line(_) => None,
                });
                if !notices.any(|before| before.take_up(&said)) {
                    self.push_entry(Entry::Notice(said));
                }
            }
        }
    }

    /// Puts older lines before those that are there; gives how many were new.
    pub fn push_older(&mut self, lines: Vec<Line>) -> usize {
        let before = self.before();
        let is_older = |line: &Line| {
            let up_to = before.get(&line.process);
            up_to.is_none_or(|up_to| line.place <= *up_to)
        };
        let new: Vec<Line> = lines.into_iter().filter(is_older).collect();
        let count = new.len();
        for line in new.into_iter().rev() {
            let last = self.last.entry(line.process.clone());
            last.or_insert(line.place);
            let numbered = self.numbering(Entry::Line(line));
            self.entries.push_front(numbered);
            self.first -= 1;
        }
        count
    }

    /// Drops the oldest entries until no more than `bytes` are held.
    pub fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some(it) = self.entries.pop_front()
        {
            self.bytes -= it.entry.size();
            self.first += 1;
        }
    }

    /// Drops the newest entries until no more than `bytes` are held. Reading then goes on before them.
    pub fn shrink_end_to(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some(it) = self.entries.pop_back()
        {
            self.bytes -= it.entry.size();
            if let Entry::Line(line) = it.entry {
                self.last.insert(line.process, line.place.before());
                // Also what is asked for by its time has to begin early enough.
                self.since = self.since.map(|since| since.min(line.at));
            }
        }
    }

    /// Drops all entries; where each process was read up to is kept.
    pub fn clear(&mut self) {
        self.first = self.end();
        self.entries.clear();
        self.bytes = 0;
    }

    /// Forgets also where it was read up to.
    pub fn forget(&mut self) {
        self.clear();
        self.last.clear();
        self.since = None;
    }

    fn push_entry(&mut self, entry: Entry) {
        let numbered = self.numbering(entry);
        self.entries.push_back(numbered);
    }

    fn numbering(&mut self, entry: Entry) -> Numbered {
        self.bytes += entry.size();
        self.taken += 1;
        let id = self.taken;
        Numbered { id, entry }
    }

    fn numbered(&self, number: i64) -> Option<&Numbered> {
        self.entries.get(usize::try_from(number - self.first).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use bpm_actors::logs::Stream;

    use super::*;

    fn line(run: u64, seq: u64) -> Item {
        Item::Line(Line {
            process: "main".into(),
            place: Place { run, seq },
            at: Timestamp::from_second(i64::try_from(seq).unwrap()).unwrap(),
            stream: Stream::Stdout,
            text: "text".into(),
        })
    }

    #[test]
    fn what_was_dropped_at_the_end_is_asked_for_again_by_place_and_by_time() {
        let mut ring = Ring::default();
        ring.push(line(7, 50));
        ring.push_older(vec![]);
        for seq in 51..60 {
            ring.push(line(7, seq));
        }
        ring.since = Some(Timestamp::from_second(58).unwrap());
        ring.shrink_end_to(0);
        assert_eq!(ring.last()["main"], Place { run: 7, seq: 49 });
        assert_eq!(ring.since(), Some(Timestamp::from_second(50).unwrap()));
    }

    #[test]
    fn notices_with_no_line_between_them_are_one_of_each_kind_and_process() {
        let mut ring = Ring::default();
        let said = |process: &str, notice| Item::Notice {
            process: Some(process.into()),
            notice,
        };
        for round in 1..=500 {
            ring.push(said("main", Notice::Dropped(Some(1000))));
            ring.push(said("web", Notice::RunChanged(round)));
        }
        ring.push(line(7, 1));
        ring.push(said("main", Notice::Dropped(Some(1))));
        ring.push(said("main", Notice::Dropped(None)));
        let texts = (0..ring.end()).filter_map(|it| ring.entry(it));
        let texts: Vec<String> = texts.map(crate::tui::state::selection::text_of).collect();
        let wanted = [
            "main: 500,000 lines left out",
            "web: run 500",
            "text",
            "main: lines left out",
        ];
        assert_eq!(texts, wanted);
    }

    #[test]
    fn lines_of_runs_that_are_numbered_anew_are_taken() {
        let mut ring = Ring::default();
        ring.push(line(7, 50));
        ring.push(line(1, 1));
        assert_eq!(ring.end(), 1, "known already");
        ring.push(Item::Notice {
            process: Some("main".into()),
            notice: Notice::Gap(None),
        });
        ring.push(line(1, 1));
        assert_eq!(ring.end(), 3);
    }
}
