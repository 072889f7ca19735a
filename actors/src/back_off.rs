//! How long to wait after a crash or a failed attempt.

use std::time::Duration;

use crate::spec::{CrashPolicy, Mode};

/// Each release wait is this many times the one before.
const GROWTH: f64 = 1.5;
/// A run that lived less than this is never repeated at once.
const SHORT_LIFE: Duration = Duration::from_millis(100);
/// The longest wait after short lives where the configuration names none.
const LONGEST_FLOOR: Duration = Duration::from_mins(5);

/// Crashes that followed each other closely. It ends with a requested restart, or with a run that
/// outlived the longest wait: a count in a fixed window would miss slow crash loops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CrashRow {
    count: u32,
    /// How many of the last ones were runs of a short life.
    short: u32,
}

impl CrashRow {
    /// How many there were.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }

    /// One more: a run that `lived` so long, or an attempt that never came to life.
    pub fn add(&mut self, lived: Duration, mode: Mode, policy: &CrashPolicy) {
        if lived > policy.longest(mode) && lived > SHORT_LIFE {
            *self = Self::default();
        }
        self.count = self.count.saturating_add(1);
        self.short = if lived < SHORT_LIFE {
            self.short.saturating_add(1)
        } else {
            0
        };
    }

    /// The wait before the next attempt.
    #[must_use]
    pub fn wait(self, mode: Mode, policy: &CrashPolicy) -> Duration {
        let configured = match mode {
            Mode::Dev => policy.dev_wait,
            Mode::Release => grown(policy.release_initial, GROWTH, self.count)
                .min(policy.release_max.max(policy.release_initial)),
        };
        let at_once = match mode {
            Mode::Dev => policy.dev_wait.is_zero(),
            Mode::Release => policy.release_initial.is_zero(),
        };
        if at_once && self.short > 0 {
            let longest = if policy.release_max.is_zero() {
                LONGEST_FLOOR
            } else {
                policy.release_max
            };
            return grown(SHORT_LIFE, 2.0, self.short).min(longest.max(SHORT_LIFE));
        }
        configured
    }
}

impl CrashPolicy {
    /// The longest wait that `mode` may come to.
    #[must_use]
    pub fn longest(&self, mode: Mode) -> Duration {
        match mode {
            Mode::Dev => self.dev_wait,
            Mode::Release => self.release_max.max(self.release_initial),
        }
    }
}

/// `first` × `growth`ⁿ⁻¹, without overflow.
fn grown(first: Duration, growth: f64, n: u32) -> Duration {
    // Far beyond any wait, and not yet infinite: zero times infinity would not be zero.
    let exponent = i32::try_from(n.saturating_sub(1))
        .unwrap_or(i32::MAX)
        .min(500);
    Duration::try_from_secs_f64(first.as_secs_f64() * growth.powi(exponent))
        .unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn policy(initial: f64, max: f64) -> CrashPolicy {
        CrashPolicy {
            dev_wait: Duration::from_mins(2),
            release_initial: Duration::from_secs_f64(initial),
            release_max: Duration::from_secs_f64(max),
        }
    }

    fn waits(policy: &CrashPolicy, mode: Mode, lives: &[Duration]) -> Vec<f64> {
        let mut row = CrashRow::default();
        lives
            .iter()
            .map(|lived| {
                row.add(*lived, mode, policy);
                row.wait(mode, policy).as_secs_f64()
            })
            .collect()
    }

    #[test]
    fn release_waits_grow_by_half_keep_fractions_and_are_capped() {
        let found = waits(
            &policy(0.5, 1.5),
            Mode::Release,
            &[Duration::from_secs(1); 5],
        );
        assert_eq!(found, [0.5, 0.75, 1.125, 1.5, 1.5]);
    }

    #[test]
    fn a_run_that_outlived_the_longest_wait_begins_a_new_row() {
        let lives = [
            Duration::from_secs(1),
            Duration::from_secs(1),
            Duration::from_secs(301),
        ];
        assert_eq!(
            waits(&policy(1.0, 300.0), Mode::Release, &lives),
            [1.0, 1.5, 1.0]
        );
    }

    #[test]
    fn a_run_that_lived_exactly_the_longest_wait_does_not() {
        let lives = [Duration::from_secs(1), Duration::from_mins(5)];
        assert_eq!(
            waits(&policy(1.0, 300.0), Mode::Release, &lives),
            [1.0, 1.5]
        );
    }

    #[test]
    fn an_initial_wait_of_zero_acts_at_once_after_a_run_that_lived() {
        assert_eq!(
            waits(&policy(0.0, 300.0), Mode::Release, &[LONG; 3]),
            [0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn an_initial_wait_of_zero_does_not_spin_when_runs_die_at_once() {
        let lives = [Duration::from_millis(5); 4];
        assert_eq!(
            waits(&policy(0.0, 300.0), Mode::Release, &lives),
            [0.1, 0.2, 0.4, 0.8]
        );
        assert_eq!(
            waits(&policy(0.0, 0.0), Mode::Release, &lives),
            [0.1, 0.2, 0.4, 0.8]
        );
        let far = waits(&policy(0.0, 300.0), Mode::Release, &[Duration::ZERO; 60]);
        assert_eq!(far.last(), Some(&300.0));
    }

    #[test]
    fn a_dev_wait_of_zero_does_not_spin_either() {
        let mut policy = policy(1.0, 300.0);
        policy.dev_wait = Duration::ZERO;
        let lives = [Duration::from_millis(5), Duration::from_millis(5), LONG];
        assert_eq!(waits(&policy, Mode::Dev, &lives), [0.1, 0.2, 0.0]);
    }

    #[test]
    fn the_dev_wait_holds_for_every_crash_and_not_only_the_first() {
        assert_eq!(
            waits(&policy(1.0, 300.0), Mode::Dev, &[LONG; 3]),
            [120.0, 120.0, 120.0]
        );
    }

    #[test]
    fn an_initial_wait_of_zero_stays_zero_over_thousands_of_crashes() {
        let found = waits(&policy(0.0, 300.0), Mode::Release, &vec![LONG; 3000]);
        assert_eq!(found.last(), Some(&0.0));
    }

    #[test]
    fn a_row_without_end_neither_panics_nor_exceeds_the_cap() {
        let mut row = CrashRow::default();
        let policy = policy(1.0, 300.0);
        for _ in 0..10_000 {
            row.add(Duration::ZERO, Mode::Release, &policy);
        }
        assert_eq!(row.wait(Mode::Release, &policy), Duration::from_mins(5));
    }
}
