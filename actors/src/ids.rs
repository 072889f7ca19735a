//! Names and numbers of things. A fact that carries an id which is no longer current is ignored,
//! so no late message can touch what replaced its subject.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of a `[process.*]` entry: `[A-Za-z0-9_-]+`, but not `build`, because `[build …]` marks
/// build output in what the daemon passes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessName(Arc<str>);

/// Why a text is no process name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Empty, or with a character outside the permitted set.
    #[error("a name consists of letters, digits, `_` and `-` ([A-Za-z0-9_-]+)")]
    Characters,
    /// The word that marks build output.
    #[error("`build` marks build output and cannot name a process")]
    Reserved,
}

impl ProcessName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProcessName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let permitted = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if text.is_empty() || !text.chars().all(permitted) {
            return Err(BadName::Characters);
        }
        if text == "build" {
            return Err(BadName::Reserved);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }
    };
}

number! {
    /// One life of one child, from its start to its end. Unique in the project, from 1.
    RunId
}
number! {
    /// One run of cargo. Unique in the project, from 1.
    BuildId
}
number! {
    /// One request of a process to the builder, whether or not it comes to a build. Unique in the
    /// process.
    JobId
}
number! {
    /// One parked caller, who gets exactly one answer. Unique in the process.
    Ticket
}

/// Hands out ids from 1 on. Clones continue one series, so ids are unique in the project.
#[derive(Clone, Debug)]
pub struct Sequence<T> {
    last: Arc<AtomicU64>,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: From<u64>> Sequence<T> {
    /// A series whose first id is 1.
    #[must_use]
    pub fn new() -> Self {
        Self::after(0)
    }

    /// A series that goes on behind this number.
    #[must_use]
    pub fn after(last: u64) -> Self {
        Self {
            last: Arc::new(AtomicU64::new(last)),
            kind: std::marker::PhantomData,
        }
    }

    /// The next id.
    #[must_use]
    pub fn next(&self) -> T {
        T::from(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The next id is behind this number, which somebody else has given out.
    pub(crate) fn skip_to(&self, last: u64) {
        self.last.fetch_max(last, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl<T> Sequence<T> {
    /// A series of its own that goes on where this one stands.
    pub(crate) fn fork(&self) -> Self {
        let last = Arc::new(AtomicU64::new(self.last.load(Ordering::Relaxed)));
        Self {
            last,
            kind: self.kind,
        }
    }
}

impl<T: From<u64>> Default for Sequence<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_goes_on_where_an_earlier_one_ended_and_clones_share_it() {
        let series = Sequence::<RunId>::after(41);
        let clone = series.clone();
        assert_eq!((series.next(), clone.next()), (RunId(42), RunId(43)));
        assert_eq!(Sequence::<RunId>::new().next(), RunId(1));
    }
}
