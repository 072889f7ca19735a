//! When two lines say the same: they differ only in numbers, times and ids.

use xxhash_rust::xxh3::xxh3_128;

/// Letters and digits of this length that could be hexadecimal are an id.
const SHORTEST_ID: usize = 8;

/// The same for all lines that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Likeness(u128);

impl Likeness {
    /// Of a line without escape sequences.
    pub(crate) fn of(line: &[u8]) -> Self {
        Self(xxh3_128(&without_numbers(line.trim_ascii())))
    }
}

/// The line with one sign in the place of each number, time or id, parts of which may be joined by
/// what joins the parts of times, addresses and UUIDs.
fn without_numbers(line: &[u8]) -> Vec<u8> {
    const SIGN: u8 = b'#';
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(&byte) = rest.first() {
        let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let (word, after) = rest.split_at(length.unwrap_or(rest.len()));
        if word.is_empty() {
            text.push(byte);
            rest = &rest[1..];
            continue;
        }
        if !is_number(word) {
            text.extend_from_slice(word);
        } else if let [.., SIGN, joint] = text[..]
            && b"-:.,+".contains(&joint)
        {
            text.pop();
        } else {
            text.push(SIGN);
        }
        rest = after;
    }
    text
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
}
