//! When a pipe is read next.
//!
//! What is printed after a silence is read at once. Who prints line by line without a pause would wake
//! the store for every line, and the kernel makes him pay for each: such a pipe is not watched, but
//! read every moment, until a moment brings nothing.

use tokio::time::{Duration, Instant};

/// How long a pipe has to fill between two reads of a flood; the order of two streams is that of their
/// reads.
pub(super) const GATHER: Duration = Duration::from_millis(1);
/// Turns that follow each other so closely may be the beginning of a flood.
const CLOSE: Duration = Duration::from_millis(3);
/// So many of them are one.
const FLOOD: u32 = 4;

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
    /// How many turns before it followed each other closely.
    close: u32,
}

impl Pace {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            wait: Wait::Event,
            capacity,
            last: None,
            close: 0,
        }
    }

    /// A turn brought so many bytes.
    pub(super) fn had_turn(&mut self, got: usize, now: Instant) {
        let was = self.wait;
        if got > 0 {
            let follows = self.last.is_some_and(|last| now - last < CLOSE);
            self.close = if follows { self.close + 1 } else { 0 };
            self.last = Some(now);
        } else if was == Wait::Moment {
            self.close = 0;
        }
        self.wait = if self.close < FLOOD {
            Wait::Event
        } else if got >= self.capacity / 2 {
            Wait::No
        } else {
            Wait::Moment
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 1000;

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
        let waits = waits(&[
            (0, 900),
            (1, 900),
            (1, 900),
            (1, 900),
            (1, 900),
            (0, 0),
            (1, 900),
            (0, 0),
            (1, 0),
        ]);
        let expected = [
            [Wait::Event; 4].as_slice(),
            &[Wait::No, Wait::Moment, Wait::No, Wait::Moment, Wait::Event],
        ];
        assert_eq!(waits, expected.concat());
    }
}
