//! When a pipe is read next.
//!
//! What is printed after a silence is read at once. Who prints line by line without a pause would wake
//! the store for every line, and the kernel makes him pay for each: such a pipe is not watched, but
//! read every moment, until a moment brings nothing. Who prints in large blocks wakes the store seldom
//! enough, and is not kept waiting.

use tokio::time::{Duration, Instant};

/// How long a pipe has to fill between two reads of a flood; the order of two streams is that of their
/// reads.
pub(super) const GATHER: Duration = Duration::from_millis(1);
/// Turns that follow each other so closely may be the beginning of a flood,
const CLOSE: Duration = Duration::from_millis(3);
/// where they bring less than this, in bytes.
const SMALL: usize = 16 * 1024;
/// So many of them are one.
const FLOOD: u32 = 4;
/// After so many turns of a flood it is looked whether lines still come one by one.
const LONG: u32 = 200;

/// What is waited for before the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// That the pipe can be read.
    Event,
    /// That it has had a moment to fill.
    Moment,
    /// Nothing: it may be full.
    No,
}

/// How a pipe is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) wait: Wait,
    /// How much a writer may print before it waits, in bytes.
    pub(super) capacity: usize,
    /// When a turn brought something.
    last: Option<Instant>,
    /// How many small turns followed each other closely; in a flood, how many turns it has had.
    row: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Watched,
    Flood,
}

impl Pace {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            wait: Wait::Event,
            capacity,
            last: None,
            row: 0,
            phase: Phase::Watched,
        }
    }

    /// A turn brought so many bytes.
    pub(super) fn had_turn(&mut self, got: usize, now: Instant) {
        self.row = match self.phase {
            Phase::Flood => self.row + 1,
            Phase::Watched if got == 0 => self.row,
            Phase::Watched if got < SMALL && self.follows(now) => self.row + 1,
            Phase::Watched => 0,
        };
        if got > 0 {
            self.last = Some(now);
        }
        let is_over = (got == 0 && self.wait == Wait::Moment) || self.row >= LONG;
        match self.phase {
            Phase::Watched if self.row >= FLOOD => {
                self.phase = Phase::Flood;
                self.row = 0;
            }
            Phase::Flood if is_over => {
                self.phase = Phase::Watched;
                self.row = 0;
            }
            _ => {}
        }
        self.wait = match self.phase {
            Phase::Watched => Wait::Event,
            Phase::Flood if got >= self.capacity / 2 => Wait::No,
            Phase::Flood => Wait::Moment,
        };
    }

    fn follows(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now - last < CLOSE)
    }

    /// Whether a writer needs more room than there is.
    pub(super) fn is_full(&self, got: usize) -> bool {
        got >= self.capacity / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 256 * 1024;
    const HALF: usize = CAPACITY / 2;

    /// What is waited for after each of these turns: milliseconds since the one before, and bytes.
    fn waits(turns: &[(u64, usize)]) -> Vec<Wait> {
        let mut pace = Pace::new(CAPACITY);
        let mut now = Instant::now();
        let waits = turns.iter().map(|&(after, got)| {
            now += Duration::from_millis(after);
            pace.had_turn(got, now);
            pace.wait
        });
        waits.collect()
    }

    #[test]
    fn lines_now_and_then_are_read_when_they_come() {
        assert_eq!(
            waits(&[(0, 10), (5, 10), (500, 10), (1, 10), (7, 10)]),
            [Wait::Event; 5]
        );
    }

    #[test]
    fn a_flood_has_moments_to_gather_until_one_brings_nothing() {
        let waits = waits(&[
            (0, 1),
            (1, 1),
            (1, 1),
            (1, 1),
            (1, 1),
            (1, 90),
            (1, 0),
            (1, 1),
        ]);
        let expected = [
            [Wait::Event; 4].as_slice(),
            &[Wait::Moment, Wait::Moment, Wait::Event, Wait::Event],
        ];
        assert_eq!(waits, expected.concat());
    }

    #[test]
    fn nobody_waits_for_a_pipe_that_was_full_and_an_empty_turn_then_is_no_end() {
        let small = [(0, 1), (1, 1), (1, 1), (1, 1), (1, 1)];
        let turns = [(1, HALF), (0, 0), (1, HALF), (0, 0), (1, 0)];
        let waits = waits(&[&small[..], &turns].concat());
        let expected = [Wait::No, Wait::Moment, Wait::No, Wait::Moment, Wait::Event];
        assert_eq!(waits[small.len()..], expected);
    }

    #[test]
    fn who_prints_in_large_blocks_is_read_when_they_come() {
        assert_eq!(waits(&[(1, HALF); 20]), [Wait::Event; 20]);
        assert_eq!(waits(&[(1, SMALL); 20]), [Wait::Event; 20]);
    }

    #[test]
    fn a_long_flood_is_looked_at_anew_now_and_then() {
        let waits = waits(&[(1, 1); 1000]);
        let looks = waits.iter().filter(|wait| **wait == Wait::Event).count();
        assert!((10..50).contains(&looks), "{looks}");
    }
}
