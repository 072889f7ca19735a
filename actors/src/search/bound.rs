//! Where a search begins and ends: times and cursors become sequence numbers of each log.
//!
//! A time is found by bisection: in the parts, in the blocks of one part, in the lines of one block.

use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use crate::{
    logs::{part::Part, shelf::Snapshot},
    search::{
        cursor::{Cursor, Position},
        number,
    },
};

/// An end of a stretch of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Lines that were stored then belong to it.
    Time(SystemTime),
    /// It lies behind this line.
    Cursor(Cursor),
}

/// The text is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an age such as \"90s\", \"5m\", \"2h\" or \"1d\", a time such as \"2026-11-23T10:00:00Z\", or a \
     cursor such as \"7:1042\""
)]
pub struct BadBound;

impl Bound {
    /// Reads an age (`90s`, `5m`, `2h`, `1d`), a time (RFC 3339) or a cursor.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str, now: SystemTime) -> Result<Self, BadBound> {
        let text = text.trim();
        if let Some(age) = age(text) {
            return Ok(Self::Time(
                now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
            ));
        }
        if let Ok(cursor) = text.parse() {
            return Ok(Self::Cursor(cursor));
        }
        let time: Result<jiff::Timestamp, _> = text.parse();
        time.map(|time| Self::Time(time.into()))
            .map_err(|_| BadBound)
    }
}

fn age(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| plain)?;
    Some(Duration::from_secs(count.saturating_mul(unit)))
}

/// The lines of a log that lie between the bounds.
#[derive(Clone, Debug)]
pub(crate) struct Bounds<'q> {
    pub(crate) since: Option<&'q Bound>,
    pub(crate) until: Option<&'q Bound>,
    pub(crate) after: Option<Position>,
    /// The places that `since` and `until` name in the output of this process.
    pub(crate) from: Option<Position>,
    pub(crate) to: Option<Position>,
}

impl Bounds<'_> {
    /// Whether there is none.
    pub(crate) fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.after.is_none()
    }

    /// The sequence numbers of the lines of `log` that are within; empty where there is none.
    pub(crate) fn of(&self, log: &Snapshot) -> Range<u64> {
        let own = number(log.source);
        let mut lines = 0..u64::MAX;
        for Position { number, line } in [self.after, self.from].into_iter().flatten() {
            if own < number {
                return 0..0;
            }
            if own == number {
                lines.start = lines.start.max(line.saturating_add(1));
            }
        }
        if let Some(Position { number, line }) = self.to {
            if own > number {
                return 0..0;
            }
            if own == number {
                lines.end = line.saturating_add(1);
            }
        }
        if let Some(Bound::Time(time)) = self.since {
            lines.start = lines.start.max(first(log, |at| at >= *time));
        }
        if let Some(Bound::Time(time)) = self.until {
            lines.end = lines.end.min(first(log, |at| at > *time));
        }
        lines.start..lines.end.max(lines.start)
    }
}

/// The sequence number of the first line whose time is `late`; behind the last one if none is.
fn first(log: &Snapshot, late: impl Fn(SystemTime) -> bool) -> u64 {
    let parts = &log.parts;
    let place = parts.partition_point(|part| !late(part.ended()));
    let Some(part) = parts.get(place) else {
        return parts.last().map_or(0, Part::next);
    };
    if late(part.began()) {
        return part.first();
    }
    // What cannot be read counts as late: it is told as unreadable, not left out in silence.
    let Ok(blocks) = part.blocks() else {
        return part.first();
    };
    let place = blocks.partition_point(|block| !late(block.ended()));
    let Some(block) = blocks.get(place) else {
        return part.next();
    };
    let Ok(chunk) = block.load() else {
        return block.first();
    };
    let (mut low, mut high) = (0, chunk.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if late(chunk.at(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    chunk.first() + low as u64
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn ages_times_and_cursors_are_told_apart() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let before = |seconds| Ok(Bound::Time(now - Duration::from_secs(seconds)));
        assert_eq!(Bound::parse("90s", now), before(90));
        assert_eq!(Bound::parse(" 5m ", now), before(300));
        assert_eq!(Bound::parse("2h", now), before(7_200));
        assert_eq!(Bound::parse("1d", now), before(86_400));
        assert_eq!(
            Bound::parse("99999999999999999d", now),
            Ok(Bound::Time(UNIX_EPOCH))
        );
        assert_eq!(
            Bound::parse("1970-01-01T00:01:00.5+00:00", now),
            Ok(Bound::Time(UNIX_EPOCH + Duration::from_millis(60_500)))
        );
        let cursor = Cursor::One(Position { number: 7, line: 1 });
        assert_eq!(Bound::parse("7:1", now), Ok(Bound::Cursor(cursor)));
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for text in [
            "",
            "s",
            "5",
            "-5m",
            "5 m",
            "5min",
            "yesterday",
            "2026-11-23",
            "ü",
            "7:",
        ] {
            assert_eq!(Bound::parse(text, UNIX_EPOCH), Err(BadBound), "{text:?}");
        }
    }
}
