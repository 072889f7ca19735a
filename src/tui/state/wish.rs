//! What the state wants done. The loop does it and tells what came of it in a message.

use std::{collections::BTreeMap, sync::Arc};

use bpm_actors::report::RestartReport;
use jiff::Timestamp;

use super::{
    feed::{FeedId, Item, Line, Place, Reach, Topic},
    link::Link,
    usage::Measure,
};
use crate::{client::Order, service::StatusReport, tui::state::action::Action};

/// Something to do outside of the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// End.
    Quit,
    /// Ask for the status.
    Refresh,
    /// Give an order.
    Order {
        /// To which process.
        process: String,
        /// Which.
        order: Order,
    },
    /// Read lines.
    Follow {
        /// What to call it.
        feed: FeedId,
        /// Which lines.
        topic: Topic,
        /// Only behind this place; without it, some of the last lines come first.
        after: Option<Resume>,
        /// How far.
        reach: Reach,
    },
    /// Read no more of it.
    Unfollow(FeedId),
    /// Read lines before those that are there.
    Older {
        /// Which lines.
        topic: Topic,
        /// What is there.
        before: Before,
    },
    /// Find the errors of a build.
    FindErrors {
        /// Of which process.
        process: String,
        /// Which build.
        build: u64,
    },
    /// Put a text on the clipboard.
    Copy(String),
}

/// Where reading goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The cursor of all processes whose lines were read.
    pub cursor: String,
    /// When the first line was printed that was read: older ones of other processes are not missing.
    pub since: Timestamp,
}

/// The lines before which older ones are wanted. Places, not times: thousands of lines may have been
/// stored at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The number of the first entry that is there: what comes fits only before that.
    pub first: i64,
    /// Up to where lines are wanted, of each process that has printed anything since.
    pub places: BTreeMap<Arc<str>, Place>,
    /// The other processes whose lines are wanted.
    pub others: Vec<Arc<str>>,
    /// Up to when theirs are wanted.
    pub at: Timestamp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A person wants something.
    Action(Action),
    /// The screen has this size now.
    Resized {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// A second has passed.
    Tick,
    /// The connection changed.
    Link(Link),
    /// What all processes do.
    Status(Box<StatusReport>),
    /// The daemon tells that something happened.
    Event(Event),
    /// What all processes use.
    Usage(Vec<Measure>),
    /// Lines.
    Items {
        /// Of which subscription.
        feed: FeedId,
        /// Which.
        items: Vec<Item>,
    },
    /// A subscription has read all that there is, and ended.
    CaughtUp(FeedId),
    /// A subscription ended.
    FeedEnded {
        /// Which.
        feed: FeedId,
        /// Why.
        why: String,
    },
    /// Older lines.
    Older {
        /// Of what.
        topic: Topic,
        /// The number of the entry before which they were wanted.
        first: i64,
        /// Which, the oldest first; or why not.
        lines: Result<Vec<Line>, String>,
    },
    /// The errors of a build.
    Errors {
        /// Of which process.
        process: String,
        /// Which build.
        build: u64,
        /// In one line each.
        lines: Vec<String>,
    },
    /// An order was answered.
    Ordered {
        /// Of which process.
        process: String,
        /// Which.
        order: Order,
        /// What came of it.
        result: Result<Box<RestartReport>, String>,
    },
}

/// Something that happened in the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Of which kind, in the API's words.
    pub kind: String,
    /// Which process, if one.
    pub process: Option<String>,
    /// In words.
    pub text: String,
}
