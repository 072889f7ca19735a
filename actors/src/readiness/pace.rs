//! How often is tried.

use std::{cmp, time::Duration};

use tokio::time::{Instant, sleep_until};

/// The gap between two tries of a new child.
const FIRST: Duration = Duration::from_millis(3);
/// How long that gap stays.
const QUICK: Duration = Duration::from_millis(60);
/// The longest gap.
const LONGEST: Duration = Duration::from_millis(50);

/// When the next try is due: at once, then every 3 ms, and after 60 ms slower and slower, to 50 ms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    began: Instant,
    due: Instant,
    gap: Duration,
}

impl Pace {
    /// Begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            due: now,
            gap: FIRST,
        }
    }

    /// Waits for the next turn. Cancel safe.
    pub(super) async fn turn(&mut self) {
        sleep_until(self.due).await;
        self.take(Instant::now());
    }

    /// A try ended that takes time of its own: once the turns are slower, the gap begins now.
    pub(super) fn rest(&mut self, now: Instant) {
        if self.gap > FIRST {
            self.due = cmp::max(self.due, now + self.gap);
        }
    }

    /// The turn is taken. Turns that were missed are not made up for.
    fn take(&mut self, now: Instant) {
        if now.duration_since(self.began) >= QUICK {
            self.gap = cmp::min(self.gap.mul_f64(1.25), LONGEST);
        }
        let next = self.due + self.gap;
        self.due = if next > now { next } else { now + self.gap };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When tries are made that take no time themselves.
    async fn tries(count: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut tries = Vec::new();
        for _ in 0..count {
            pace.turn().await;
            tries.push(start.elapsed());
        }
        tries
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_try_is_made_at_once_and_the_next_ones_close_together() {
        let tries = tries(20).await;
        let expected: Vec<_> = (0..20).map(|n| Duration::from_millis(3 * n)).collect();
        assert_eq!(tries, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_gap_grows_step_by_step_to_fifty_milliseconds_and_stays_there() {
        let tries = tries(60).await;
        let gaps: Vec<_> = tries
            .windows(2)
            .map(|two| two[1].saturating_sub(two[0]))
            .collect();
        assert!(gaps.is_sorted(), "{gaps:?}");
        // The timer counts whole milliseconds.
        let steps = gaps.windows(2).map(|two| two[1].saturating_sub(two[0]));
        assert!(steps.max() <= Some(Duration::from_millis(12)), "{gaps:?}");
        assert_eq!(gaps.last(), Some(&LONGEST));
        assert!(tries[30] < Duration::from_millis(200), "{tries:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_took_long_is_followed_by_one_and_not_by_a_burst() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.turn().await;
        tokio::time::advance(Duration::from_millis(20)).await;
        pace.turn().await;
        assert_eq!(start.elapsed(), Duration::from_millis(20));
        pace.turn().await;
        assert_eq!(start.elapsed(), Duration::from_millis(23));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_takes_time_of_its_own_is_followed_by_a_gap_once_turns_are_slower() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut turn = async |takes| {
            pace.turn().await;
            let begun = start.elapsed();
            tokio::time::advance(Duration::from_millis(takes)).await;
            pace.rest(Instant::now());
            (begun.as_millis(), pace.gap)
        };
        assert_eq!(turn(2).await.0, 0);
        assert_eq!(turn(2).await.0, 3);
        assert_eq!(turn(70).await.0, 6);
        let (begun, gap) = turn(70).await;
        assert_eq!(begun, 76);
        assert!(gap > FIRST, "{gap:?}");
        let next = turn(0).await.0;
        assert!(next > 76 + 70 + FIRST.as_millis(), "{next}");
    }
}
