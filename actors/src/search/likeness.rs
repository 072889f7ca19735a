//! When two lines say the same: they differ only in numbers, times and ids.
//!
//! A word with a digit is a number or an id. Of letters alone these are ids: hexadecimal ones from
//! the length of a short commit id on, unless they are one of the few such words of English; and
//! groups of the lengths that UUIDs have, next to others of which one shows that they are an id.
//! Dates and durations are one place each, with the names and units that belong to them.

mod time;

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128;

/// Letters of this length that could be hexadecimal are an id.
const SHORTEST_ID: usize = 8;
/// So long are short commit ids. Of letters alone they are an id if they are no word.
const COMMIT_ID: usize = 7;
/// What English has of words so long that could be hexadecimal.
const ENGLISH: [&str; 5] = ["acceded", "decaded", "defaced", "effaced", "facaded"];
/// The lengths of the groups of UUIDs. The longest but one comes first only: what is before it is a
/// name.
const GROUPS: [usize; 3] = [4, 12, 8];
/// So many groups a UUID has.
const MOST_GROUPS: usize = 5;

/// What stands in a [`Skeleton`] for each number, time or id. Text that readers see has none of it.
const SIGN: u8 = 0;

/// The same for all lines that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Likeness(u128);

impl Likeness {
    /// Of a line without escape sequences.
    pub(crate) fn of(line: &[u8]) -> Self {
        Self(xxh3_128(&Skeleton::of(line.trim_ascii()).text))
    }
}

/// A line with one sign in the place of each number, time or id, parts of which may be joined by
/// what joins the parts of times, addresses and UUIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skeleton {
    text: Vec<u8>,
    /// Where in the line each of them stood.
    places: Vec<Range<usize>>,
}

impl Skeleton {
    /// Of a line without escape sequences.
    pub(crate) fn of(line: &[u8]) -> Self {
        let mut text = Vec::with_capacity(line.len());
        let mut places: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
            let word = word(rest);
            if word.is_empty() {
                text.push(rest[0]);
                at += 1;
                continue;
            }
            let length = place(rest);
            let end = at + length.unwrap_or(word.len());
            if length.is_none() {
                text.extend_from_slice(word);
            } else if let [.., SIGN, joint] = text[..]
                && b"-:.,+".contains(&joint)
                && let Some(place) = places.last_mut()
            {
                text.pop();
                place.end = end;
            } else {
                text.push(SIGN);
                places.push(at..end);
            }
            at = end;
        }
        Self { text, places }
    }

    /// Whether lines with these skeletons differ in numbers, times and ids only.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.text == other.text
    }

    /// Whether it has a word: numbers alone say nothing once they are left out.
    pub(crate) fn has_words(&self) -> bool {
        self.text.iter().any(u8::is_ascii_alphabetic) || !self.text.is_ascii()
    }

    /// Where in the line numbers, times and ids are, in order.
    pub(crate) fn places(&self) -> &[Range<usize>] {
        &self.places
    }
}

/// The letters and digits that `text` begins with.
fn word(text: &[u8]) -> &[u8] {
    let length = text.iter().position(|byte| !byte.is_ascii_alphanumeric());
    &text[..length.unwrap_or(text.len())]
}

/// The length of the number, time or id that `rest`, which begins with a word, begins with.
fn place(rest: &[u8]) -> Option<usize> {
    let word = word(rest);
    time::date(rest)
        .or_else(|| time::duration(rest))
        .or_else(|| groups(rest))
        .or_else(|| is_number(word).then_some(word.len()))
}

/// The length of a UUID (8-4-4-4-12) or of several groups of one. Those of letters alone, such as `face`, are words for
/// themselves: they belong to a number before them, or to a group that has letters and digits. A
/// year behind a word says nothing: `cafe-2026`.
fn groups(rest: &[u8]) -> Option<usize> {
    let mut length = 0;
    let mut count = 0;
    let mut is_id = false;
    // More groups than a UUID has are not looked for: long lines must not take long.
    while count < MOST_GROUPS {
        let start = if count == 0 { 0 } else { length + 1 };
        let group = word(rest.get(start..).unwrap_or_default());
        let lengths = if count == 0 {
            &GROUPS[..]
        } else {
            &GROUPS[..2]
        };
        if !lengths.contains(&group.len()) || !group.iter().all(u8::is_ascii_hexdigit) {
            break;
        }
        let is_mixed =
            group.iter().any(u8::is_ascii_digit) && group.iter().any(u8::is_ascii_alphabetic);
        is_id |= is_mixed || (count == 0 && is_number(group));
        length = start + group.len();
        count += 1;
        if rest.get(length) != Some(&b'-') {
            break;
        }
    }
    (is_id && count > 1).then_some(length)
}

fn is_number(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_digit)
        || (word.iter().all(u8::is_ascii_hexdigit)
            && (word.len() >= SHORTEST_ID || (word.len() == COMMIT_ID && !is_name(word))))
}

/// Whether these letters are rather a word: of English, or of parts, as `addFeed` is.
fn is_name(word: &[u8]) -> bool {
    let is_in_one_case =
        word.iter().all(u8::is_ascii_lowercase) || word.iter().all(u8::is_ascii_uppercase);
    !is_in_one_case
        || ENGLISH
            .iter()
            .any(|english| word.eq_ignore_ascii_case(english.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        Likeness::of(one.as_bytes()) == Likeness::of(other.as_bytes())
    }

    #[test]
    fn numbers_times_and_ids_do_not_matter() {
        for (one, other) in [
            ("error 5", "error 17"),
            (
                "2026-01-01T00:00:00Z ERROR no",
                "2026-12-31T23:59:59.123Z ERROR no",
            ),
            ("[12:00:00.1] no", "[1:00:00] no"),
            (
                "req 7f3a9c01-0000-4000-8000-00000000abcd failed",
                "req deadbeef-1234-4abc-9def-abcdefabcdef failed",
            ),
            ("id=deadbeef gone", "id=0badcafe gone"),
            ("connect 127.0.0.1:8080", "connect 10.0.0.17:9"),
            ("pid 12: no ", "pid 7: no"),
            ("req 7f3a9c01-abcc failed", "req 7f3a9c01-0000 failed"),
            ("req abcc-7f3a failed", "req 1234-face failed"),
            (
                "x 12345678-face-cafe-babe-deadbeefcafe",
                "x dfbaaafe-1234-4123-8123-abcdefabcdef",
            ),
            ("at dfbaaaf fix", "at 1a2b3c4 fix"),
            ("at DFBAAAF fix", "at 1234567 fix"),
        ] {
            assert!(alike(one, other), "{one} | {other}");
        }
    }

    #[test]
    fn words_matter() {
        for (one, other) in [
            ("error: a", "error: b"),
            ("error", "error 5"),
            ("5 of 7", "5"),
            ("error: dead", "error: beef"),
            ("a#", "a1"),
            ("was defaced", "was effaced"),
            ("Acceded to it", "Defaced to it"),
            ("the facade", "the decade"),
            ("addFeed", "addFace"),
            ("cafe-2026 is up", "feed-2026 is up"),
            ("feed-1 is up", "cafe-1 is up"),
            ("worker-1-feed", "worker-1-cafe"),
            ("dead-face", "dead-beef"),
            (
                "feed-7f3a9c01-0000-4000-8000-00000000abcd",
                "cafe-7f3a9c01-0000-4000-8000-00000000abcd",
            ),
            (
                "7f3a9c01-0000-4000-8000-00000000abcd-feed",
                "7f3a9c01-0000-4000-8000-00000000abcd-cafe",
            ),
            ("5 May", "5 may"),
            ("Mon is", "Tue is"),
            ("May I", "Mar I"),
            ("5 s", "5 m"),
        ] {
            assert!(!alike(one, other), "{one} | {other}");
        }
    }

    #[test]
    fn durations_do_not_matter_in_any_unit() {
        let durations = [
            "1.2s",
            "300ms",
            "2m 3s",
            "15µs",
            "15μs",
            "1h2m3.5s",
            "1d 2h 3m",
            "7ns",
            "1m 02.50s",
        ];
        for duration in durations {
            let [one, other] = [duration, "5s"].map(|it| format!("done in {it}, (took {it})"));
            assert!(alike(&one, &other), "{duration}");
        }
        assert!(!alike("took 5m", "took 5m of"));
        assert!(!alike("took 5 m", "took 5 s"));
        assert!(!alike("12:00 5ms", "5ms"));
    }

    #[test]
    fn names_in_dates_do_not_matter() {
        for (one, other) in [
            ("Mon Nov 23 12:00:00 2026 x", "Tue Dec  1 01:00:00 2026 x"),
            ("Nov 23 12:00:00 host x", "Jan  1 00:00:00 host x"),
            (
                "Mon, 23 Nov 2026 12:00:00 GMT x",
                "Sun, 1 Feb 2026 01:00:00 GMT x",
            ),
            (
                "- [23/Nov/2026:12:00:00 +0000] x",
                "- [01/Jan/2026:12:00:00 +0000] x",
            ),
            ("23-NOV-2026 12:00 x", "01-MAY-2026 12:00 x"),
            ("Monday, November 23, 2026", "Tuesday, May 5, 2026"),
            ("Mon 2026-11-23 12:00:00 UTC", "Tue 2026-11-24 12:00:00 UTC"),
            ("Mon 12:00:00 x", "Tue 12:00:00 x"),
        ] {
            assert!(alike(one, other), "{one} | {other}");
        }
    }

    #[test]
    fn a_skeleton_knows_where_numbers_were() {
        let line = "12:00:01 GET /item/17 200 in 5ms";
        let skeleton = Skeleton::of(line.as_bytes());
        let texts: Vec<_> = skeleton
            .places()
            .iter()
            .map(|it| &line[it.clone()])
            .collect();
        assert_eq!(texts, ["12:00:01", "17", "200", "5ms"]);
        assert!(skeleton.has_words());
        assert!(!Skeleton::of(b"12 [13]").has_words());
    }
}
