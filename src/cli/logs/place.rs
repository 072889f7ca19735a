//! How far a reader has come, so that he can go on there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::client::{LogFilter, LogItem, Notice};

/// How far a reader has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    begun: Timestamp,
    /// The processes of which he knows.
    known: Vec<String>,
    /// Run and line of each process that has printed something.
    seen: BTreeMap<String, (u64, u64)>,
}

impl Place {
    /// A reader who begins with these processes.
    pub(super) fn now(known: &[String]) -> Self {
        Self {
            begun: Timestamp::now(),
            known: known.to_vec(),
            seen: BTreeMap::new(),
        }
    }

    /// Whether he has read nothing yet.
    pub(super) fn is_at_the_beginning(&self) -> bool {
        self.seen.is_empty()
    }

    /// He has read this.
    pub(super) fn pass(&mut self, item: &LogItem) {
        match item {
            LogItem::Line(line) => {
                self.seen.insert(line.process.clone(), (line.run, line.seq));
            }
            LogItem::Notice(Notice::RunChanged { process, run }) => {
                self.seen.insert(process.clone(), (*run, 0));
            }
            LogItem::Notice(_) => {}
        }
    }

    /// The question that goes on from here.
    pub(super) fn resume(&self, asked: &LogFilter) -> LogFilter {
        let mut filter = LogFilter {
            // All that he has missed.
            tail: None,
            head: None,
            // What was asked for by its place is another one after a restart.
            index: None,
            ..asked.clone()
        };
        if self.known.iter().any(|name| !self.seen.contains_key(name)) {
            // Those that have printed nothing yet: what they print from the beginning on.
            filter.since = Some(self.begun.to_string());
        }
        let place = |(run, line): &(u64, u64)| format!("{run}:{line}");
        filter.after_cursor = match asked.processes.as_slice() {
            [only] => self.seen.get(only).map(place),
            _ if self.seen.is_empty() => None,
            _ => {
                let places = self.seen.iter();
                let places: Vec<_> = places
                    .map(|(name, seen)| format!("{name}={}", place(seen)))
                    .collect();
                Some(places.join(","))
            }
        };
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{LogLine, LogStream};

    fn line(process: &str, run: u64, seq: u64) -> LogItem {
        LogItem::Line(LogLine {
            process: process.to_owned(),
            run,
            seq,
            at: Timestamp::UNIX_EPOCH,
            stream: LogStream::Stdout,
            text: String::new(),
            build: false,
            context: false,
        })
    }

    fn asked(names: &[&str]) -> LogFilter {
        LogFilter {
            processes: names.iter().map(|&name| name.to_owned()).collect(),
            tail: Some(10),
            follow: true,
            ..LogFilter::default()
        }
    }

    fn place(names: &[&str]) -> Place {
        Place {
            begun: "2026-11-23T10:00:00Z".parse().unwrap(),
            known: names.iter().map(|&name| name.to_owned()).collect(),
            seen: BTreeMap::new(),
        }
    }

    #[test]
    fn a_reader_goes_on_behind_the_last_line_of_each_process() {
        let mut place = place(&["main", "web"]);
        for item in [line("main", 7, 1), line("web", 8, 3), line("main", 7, 2)] {
            place.pass(&item);
        }
        let filter = place.resume(&asked(&["main", "web"]));
        assert_eq!(filter.after_cursor.as_deref(), Some("main=7:2,web=8:3"));
        assert_eq!((filter.tail, filter.since), (None, None));
        place.pass(&LogItem::Notice(Notice::RunChanged {
            process: "main".to_owned(),
            run: 9,
        }));
        let filter = place.resume(&asked(&["main"]));
        assert_eq!(filter.after_cursor.as_deref(), Some("9:0"));
    }

    #[test]
    fn of_a_process_that_printed_nothing_only_what_is_new_is_asked_for() {
        let mut place = place(&["main"]);
        let begun = Some("2026-11-23T10:00:00Z".to_owned());
        let filter = place.resume(&asked(&["main"]));
        assert_eq!((filter.after_cursor, &filter.since), (None, &begun));
        place.known.push("web".to_owned());
        place.pass(&line("main", 7, 1));
        let filter = place.resume(&asked(&["main", "web"]));
        assert_eq!(filter.after_cursor.as_deref(), Some("main=7:1"));
        assert_eq!(filter.since, begun);
    }

    #[test]
    fn who_follows_all_names_the_process_in_the_cursor_although_he_knows_of_one_only() {
        let mut place = place(&["main"]);
        place.pass(&line("main", 7, 1));
        let filter = place.resume(&asked(&[]));
        assert_eq!(filter.after_cursor.as_deref(), Some("main=7:1"));
        assert_eq!(filter.since, None);
    }
}
