//! One log from what is on disk and what is in memory.
//!
//! The store says quickly what there is ([`Frozen`]); files are looked at by who searches, so a slow
//! disk delays nobody else.

use std::{sync::Arc, time::UNIX_EPOCH};

use super::segment::{Segment, time};
use crate::{
    logs::{
        Source,
        chunk::Chunk,
        part::Part,
        shelf::{FIRST, Snapshot},
    },
    spec::Mode,
};

/// What there was of a log when it was asked for.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) source: Source,
    /// What is in memory of it.
    pub(crate) memory: Option<Snapshot>,
    /// What is on disk of it.
    pub(crate) disk: Option<Stored>,
}

/// What is on disk of a log.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Oldest first.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Whether it still takes lines.
    pub(crate) live: bool,
}

/// What is said of a log that nobody ended.
const ABANDONED: &str = "ended with the daemon";

impl Frozen {
    /// The log as one. Files that cannot be read are left out: their numbers are missing then.
    pub(crate) fn thaw(self) -> Snapshot {
        let Self {
            source,
            memory,
            disk,
        } = self;
        let Some(Stored { segments, live }) = disk else {
            return memory.unwrap_or_else(|| empty(source));
        };
        let mut next = FIRST;
        let mut header = None;
        let mut ending = None;
        let mut parts = Vec::new();
        for segment in segments {
            match segment.summary(next) {
                Ok(summary) => {
                    next = summary.next;
                    header = summary.header.or(header);
                    ending.clone_from(&summary.ending);
                    if summary.first < summary.next {
                        parts.push(Part::Disk(segment));
                    }
                }
                Err(error) => log::debug!("{}: {error}", segment.path().display()),
            }
        }
        let mut snapshot = memory.unwrap_or_else(|| {
            let mut log = empty(source);
            if let Some(header) = header {
                log.mode = header.mode;
                log.began = time(header.began);
            } else if let Some(first) = parts.first() {
                log.began = first.began();
            }
            log.ending = ending.or_else(|| (!live).then(|| ABANDONED.to_owned()));
            log
        });
        snapshot.parts = weave(parts, snapshot.parts);
        if let Some(first) = snapshot.parts.first() {
            snapshot.evicted = first.first() - FIRST;
        }
        snapshot
    }
}

fn empty(source: Source) -> Snapshot {
    Snapshot {
        source,
        mode: Mode::Dev,
        began: UNIX_EPOCH,
        ending: None,
        evicted: 0,
        parts: Vec::new(),
    }
}

/// All of `disk`, and of `memory` what `disk` does not have. Both are in order.
pub(crate) fn weave(disk: Vec<Part>, memory: Vec<Part>) -> Vec<Part> {
    if disk.is_empty() {
        return memory;
    }
    let mut woven = Vec::with_capacity(disk.len());
    let mut memory = memory.into_iter();
    let mut rest = memory.next();
    for part in disk {
        // What memory has before this part...
        while let Some(chunk) = rest.take() {
            if chunk.first() >= part.first() {
                rest = Some(chunk);
                break;
            }
            let (before, behind) = split(chunk, part.first());
            woven.extend(before);
            rest = behind.or_else(|| memory.next());
        }
        // ...and not what it has of its lines.
        while let Some(chunk) = rest.take() {
            if chunk.first() >= part.next() {
                rest = Some(chunk);
                break;
            }
            rest = split(chunk, part.next()).1.or_else(|| memory.next());
        }
        woven.push(part);
    }
    woven.extend(rest);
    woven.extend(memory);
    woven
}

/// The lines before the number `at`, and the others.
fn split(part: Part, at: u64) -> (Option<Part>, Option<Part>) {
    if part.next() <= at {
        return (Some(part), None);
    }
    if part.first() >= at {
        return (None, Some(part));
    }
    let Part::Memory(chunk) = &part else {
        return (Some(part), None);
    };
    // Less than the chunk has, so it fits.
    let middle = usize::try_from(at - chunk.first()).unwrap_or(0);
    let slice = |from, to| Some(Part::Memory(Arc::new(Chunk::slice(chunk, from, to))));
    (slice(0, middle), slice(middle, chunk.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logs::{
        Stream,
        chunk::{Line, LineEnd},
    };

    /// Lines with these numbers, told apart by where they are.
    fn part(first: u64, next: u64, place: &str) -> Part {
        let mut chunk = Chunk::starting_at(first);
        for _ in first..next {
            let line = Line {
                bytes: place.as_bytes(),
                stream: Stream::Stdout,
                end: LineEnd::Newline,
            };
            chunk.push(line, UNIX_EPOCH);
        }
        Part::Memory(Arc::new(chunk))
    }

    fn parts(ranges: &[(u64, u64)], place: &str) -> Vec<Part> {
        let part = |&(first, next): &(u64, u64)| part(first, next, place);
        ranges.iter().map(part).collect()
    }

    fn lines(parts: &[Part]) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Vec::new();
        for part in parts {
            let chunk = part.blocks().unwrap()[0].load().unwrap();
            for position in 0..chunk.len() {
                let number = chunk.first() + position as u64;
                lines.push((number, chunk.line(position).bytes.to_vec()));
            }
        }
        lines
    }

    /// Ranges in order, without overlap, none empty.
    fn ranges() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0..4_u64, 1..5_u64), 0..6).prop_map(|steps| {
            let mut next = 1;
            let mut range = |(gap, length)| {
                let first = next + gap;
                next = first + length;
                (first, next)
            };
            steps.into_iter().map(&mut range).collect()
        })
    }

    proptest! {
        #[test]
        fn every_line_is_there_once_and_the_disk_comes_first(disk in ranges(), memory in ranges()) {
            let woven = weave(parts(&disk, "disk"), parts(&memory, "memory"));
            let has = |ranges: &[(u64, u64)], number| ranges.iter().any(|&(first, next)| (first..next).contains(&number));
            let mut expected = Vec::new();
            for number in 1..60 {
                if has(&disk, number) {
                    expected.push((number, b"disk".to_vec()));
                } else if has(&memory, number) {
                    expected.push((number, b"memory".to_vec()));
                }
            }
            prop_assert_eq!(lines(&woven), expected);
            prop_assert!(woven.iter().all(|part| part.first() < part.next()));
        }
    }
}
