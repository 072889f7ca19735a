//! What is read of the logs: which lines, and how they arrive.

use std::{collections::BTreeMap, sync::Arc};

use bpm_actors::logs::{Stream, level::Level};
use jiff::Timestamp;

/// Whose lines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Those of one process.
    One(Arc<str>),
    /// Those of all, merged by time.
    All,
}

impl Scope {
    /// The cursor behind these lines, in the API's words.
    #[must_use]
    pub fn cursor(&self, places: &BTreeMap<Arc<str>, Place>) -> Option<String> {
        match self {
            Self::One(process) => {
                let place = places.get(process)?;
                Some(format!("{}:{}", place.run, place.seq))
            }
            Self::All => {
                let each = places.iter();
                let each = each.map(|(process, it)| format!("{process}={}:{}", it.run, it.seq));
                Some(each.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// What printed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The process.
    Run,
    /// Its builds.
    Build,
}

/// Which lines one pane shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// Whose.
    pub scope: Scope,
    /// Of runs or of builds.
    pub kind: Kind,
    /// Only lines that match this regular expression.
    pub pattern: Option<Arc<str>>,
    /// Only lines that say that they are at least as bad.
    pub level: Option<Level>,
}

impl Topic {
    /// All that builds of a process print.
    #[must_use]
    pub fn builds_of(process: Arc<str>) -> Self {
        Self {
            scope: Scope::One(process),
            kind: Kind::Build,
            pattern: None,
            level: None,
        }
    }
}

/// How far a subscription reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What there is; then it says so and ends.
    Kept,
    /// That, and what is printed from then on.
    Later,
}

/// One subscription. A message of one that was given up has an id that nobody knows any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId(pub u64);

/// The place of a line in all that a process prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which run, or build.
    pub run: u64,
    /// Which line of it, from 1.
    pub seq: u64,
}

impl Place {
    /// That of the line before, be it in an earlier run.
    #[must_use]
    pub fn before(self) -> Self {
        let seq = self.seq.saturating_sub(1);
        Self { seq, ..self }
    }
}

/// A line that was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// By which process.
    pub process: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// When.
    pub at: Timestamp,
    /// To which output.
    pub stream: Stream,
    /// As printed, with its colours.
    pub text: Box<str>,
}

/// What arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line.
    Line(Line),
    /// Something about lines that do not.
    Notice {
        /// Of which process, if of one.
        process: Option<Arc<str>>,
        /// What it is.
        notice: Notice,
    },
}

/// Something that a reader should know about the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// This run, or build, begins.
    RunChanged(u64),
    /// Lines are gone from the history; how many is not always known.
    Gap(Option<u64>),
    /// The screen was too slow for them; how many is not always known.
    Dropped(Option<u64>),
}
