//! What a search answers.

use std::{ops::RangeInclusive, time::SystemTime};

use crate::{
    ids::ProcessName,
    logs::{Source, archive::Removed, shelf::Snapshot},
    search::{
        bound::Bounds,
        cursor::{Cursor, Position},
        number,
    },
    spec::Mode,
};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which logs were searched: by process, each process's oldest first. Where bounds were given,
    /// only those that have lines within; but at least one of each process.
    pub logs: Vec<Searched>,
    /// Processes that were asked about and have no such log.
    pub without: Vec<ProcessName>,
    /// Lines kept in these logs, of the stream and within the bounds that were asked for.
    pub kept: u64,
    /// Lines that matched.
    pub matched: u64,
    /// Matches that were to be shown: all but for head and tail.
    pub chosen: u64,
    /// Of these, how many of the first ones [`Found::text`] shows before what it leaves out. None
    /// where nothing is left out.
    pub shown_first: u64,
    /// How many of the last ones it shows; where nothing is left out, all.
    pub shown_last: u64,
    /// Lines of these logs that are gone because room is bounded.
    pub evicted: u64,
    /// Lines of the other stream within the bounds, where one stream was asked for.
    pub hidden: u64,
    /// Lines of these logs outside of the bounds, of the stream that was asked for.
    pub outside: u64,
    /// Whether an older log is kept, where the newest one of one process was asked for.
    pub has_older: bool,
    /// The places of the cursor that there are not, of which all that is kept was searched.
    pub beyond: Vec<Beyond>,
    /// Lines behind the cursor that are gone, of these logs.
    pub gone: u64,
    /// Logs behind the cursor that were removed as a whole, so that nobody knows what they had.
    pub gone_logs: GoneLogs,
    /// Lines within the bounds that were never kept, because history could not be written.
    pub lost: u64,
    /// Lines that are kept and cannot be read.
    pub unreadable: u64,
    /// Bytes cut out of the middle of shown lines because the lines are long.
    pub shortened: u64,
    /// Lines that others stand for.
    pub collapsed: u64,
    /// Behind the last line: what is new later is after it.
    pub cursor: Cursor,
    /// The lines, oldest first, each with its mark (` * ` a match, three spaces context) and a
    /// newline; `--` between blocks that do not touch.
    pub text: String,
}

impl Found {
    /// How many matches are shown.
    #[must_use]
    pub fn shown(&self) -> u64 {
        self.shown_first + self.shown_last
    }
}

/// How many logs are gone, with all of their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoneLogs {
    /// So many; 0 if there are none.
    Counted(u64),
    /// Some.
    Uncounted,
}

impl GoneLogs {
    /// None.
    pub const NONE: Self = Self::Counted(0);

    /// Those with these numbers, of which `removed` are no more.
    pub(crate) fn among(numbers: &RangeInclusive<u64>, removed: Removed) -> Self {
        let Removed { first, last, count } = removed;
        let (start, end) = (*numbers.start(), *numbers.end());
        if last < start || end < first {
            Self::NONE
        } else if start <= first && last <= end {
            Self::Counted(count)
        } else if start == last || end == first {
            Self::Counted(1)
        } else {
            Self::Uncounted
        }
    }

    /// These and others.
    pub(crate) fn and(self, others: Self) -> Self {
        match (self, others) {
            (Self::Counted(one), Self::Counted(other)) => Self::Counted(one.saturating_add(other)),
            _ => Self::Uncounted,
        }
    }
}

/// A cursor names a line that its run or build does not have: the number was given to another one
/// once, or lines were lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// Whose.
    pub process: ProcessName,
    /// What the cursor names.
    pub cursor: Position,
    /// The last line that there was.
    pub last: u64,
}

impl Beyond {
    /// With the place from which lines are wanted instead: before the first one. Kept as it is, such
    /// a cursor would hide all lines until there are as many.
    pub(super) fn of(
        process: &ProcessName,
        logs: &[Snapshot],
        bounds: &Bounds<'_>,
    ) -> Option<(Self, Position)> {
        let cursor = bounds.after?;
        let log = logs
            .iter()
            .find(|log| number(log.source) == cursor.number)?;
        let last = log.parts.last().map_or(log.evicted, |it| it.next() - 1);
        let beyond = Self {
            process: process.clone(),
            cursor,
            last,
        };
        (cursor.line > last).then_some((beyond, Position { line: 0, ..cursor }))
    }
}

/// A log that was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// Whose.
    pub process: ProcessName,
    /// Which.
    pub source: Source,
    /// Its mode.
    pub mode: Mode,
    /// When it began.
    pub began: SystemTime,
    /// How it ended, in words (`crashed: signal 9 (SIGKILL)`, `stopped: exit code 0`, `succeeded`,
    /// `failed`, `cancelled`); `None` while it goes on.
    pub ending: Option<String>,
}

impl Searched {
    pub(super) fn new(process: &ProcessName, log: &Snapshot) -> Self {
        Self {
            process: process.clone(),
            source: log.source,
            mode: log.mode,
            began: log.began,
            ending: log.ending.clone(),
        }
    }

    /// How it ended, or what it does.
    #[must_use]
    pub fn state(&self) -> &str {
        let under_way = match self.source {
            Source::Run(_) => "running",
            Source::Build(_) => "building",
        };
        self.ending.as_deref().unwrap_or(under_way)
    }

    /// What it is called: `run 7`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.source {
            Source::Run(run) => format!("run {run}"),
            Source::Build(build) => format!("build {build}"),
        }
    }

    /// Its number, unique among all runs or all builds of the project.
    #[must_use]
    pub fn number(&self) -> u64 {
        number(self.source)
    }
}

/// What is said of logs that had to leave.
fn gone(removed: Option<&Removed>) -> String {
    let Some(Removed { first, last, count }) = removed else {
        return String::new();
    };
    format!(
        "; {count} older ones, from {first} to {last}, were removed ([logs] says how much is kept)"
    )
}

/// There is no such log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchLog {
    /// The process has none of that kind yet.
    #[error("nothing was recorded yet")]
    None,
    /// There are some, but not that one. Its place: the indexes -`kept`..=-1 and 0..`kept` exist.
    #[error("index {index} does not exist: {kept} are kept, so -{kept} to -1 and 0 to {} do{}", .kept - 1, gone(removed.as_ref()))]
    Index {
        /// What was asked for.
        index: i64,
        /// How many are kept.
        kept: usize,
        /// Which were, but are no more.
        removed: Option<Removed>,
    },
    /// None that is kept has this number.
    #[error("number {number} is not kept: {kept} are, from {oldest} to {newest}{}", gone(removed.as_ref()))]
    Number {
        /// What was asked for.
        number: u64,
        /// How many are kept.
        kept: usize,
        /// The lowest number that is kept.
        oldest: u64,
        /// The highest number that is kept.
        newest: u64,
        /// Which were kept, but are no more.
        removed: Option<Removed>,
    },
    /// A cursor is of a run or build that there has not been yet.
    #[error("the cursor names number {number}, but the newest is {newest}")]
    Ahead {
        /// What the cursor names.
        number: u64,
        /// The highest number that is kept.
        newest: u64,
    },
    /// The search was abandoned because the daemon ends.
    #[error("the daemon is shutting down")]
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_removed_only_the_ends_are_known() {
        let removed = Removed {
            first: 3,
            last: 9,
            count: 4,
        };
        let of = |numbers| GoneLogs::among(&numbers, removed);
        for (numbers, expected) in [
            (0..=u64::MAX, GoneLogs::Counted(4)),
            (3..=9, GoneLogs::Counted(4)),
            (4..=9, GoneLogs::Uncounted),
            (1..=8, GoneLogs::Uncounted),
            (9..=u64::MAX, GoneLogs::Counted(1)),
            (1..=3, GoneLogs::Counted(1)),
            (10..=12, GoneLogs::NONE),
            (1..=2, GoneLogs::NONE),
        ] {
            assert_eq!(of(numbers.clone()), expected, "{numbers:?}");
        }
        let two = GoneLogs::Counted(2);
        assert_eq!(two.and(two), GoneLogs::Counted(4));
        assert_eq!(two.and(GoneLogs::Uncounted), GoneLogs::Uncounted);
    }

    #[test]
    fn who_asks_for_what_had_to_leave_learns_that_it_had_to() {
        let missing = NoSuchLog::Number {
            number: 2,
            kept: 3,
            oldest: 9,
            newest: 12,
            removed: Some(Removed {
                first: 1,
                last: 8,
                count: 4,
            }),
        };
        assert_eq!(
            missing.to_string(),
            "number 2 is not kept: 3 are, from 9 to 12; 4 older ones, from 1 to 8, were removed \
             ([logs] says how much is kept)"
        );
    }
}
