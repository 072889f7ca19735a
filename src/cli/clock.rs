//! Times of the day.

use jiff::{Timestamp, tz::TimeZone};

use super::console::Face;

/// A time: to people as their clock shows it, to others in full.
pub(super) fn time(at: Timestamp, face: Face) -> String {
    if face.is_terminal() {
        let local = at.to_zoned(TimeZone::system());
        local.strftime("%H:%M:%S%.3f").to_string()
    } else {
        format!("{at:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_pipe_a_time_is_complete() {
        let at = "2026-11-23T10:00:00.1239Z".parse().unwrap();
        assert_eq!(time(at, Face::PLAIN), "2026-11-23T10:00:00.123Z");
    }
}
