//! When two lines say the same: they differ only in numbers, times and ids.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128;

/// Letters and digits of this length that could be hexadecimal are an id.
const SHORTEST_ID: usize = 8;

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
            let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
            let word = &rest[..length.unwrap_or(rest.len())];
            if word.is_empty() {
                text.push(rest[0]);
                at += 1;
                continue;
            }
            let end = at + word.len();
            if !is_number(word) {
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

fn is_number(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_digit)
        || (word.len() >= SHORTEST_ID && word.iter().all(u8::is_ascii_hexdigit))
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
        ] {
            assert!(!alike(one, other), "{one} | {other}");
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
