//! What readers see of a line: text, without colours, without anything that moves a cursor.
//!
//! The parsers of terminals (vte, anstream) swallow what follows a sequence that never ends, and
//! bytes that are not UTF-8. A reader of a log must not lose text to a sequence that was cut off,
//! so the sequences are recognised here, and only complete ones are left out.

use std::{borrow::Cow, fmt::Write as _};

use memchr::memchr;

/// Appends the text of a line: escape sequences and trailing carriage returns are left out, other
/// control characters but tab become visible, what is not UTF-8 becomes U+FFFD.
pub(crate) fn clean(line: &[u8], text: &mut String) {
    let mut returns = 0;
    let mut rest = line;
    while let Some(at) = memchr(ESC, rest) {
        push_visible(&rest[..at], &mut returns, text);
        rest = &rest[at..];
        if let Some(length) = escape_length(rest) {
            rest = &rest[length..];
        } else {
            push_visible(&rest[..1], &mut returns, text);
            rest = &rest[1..];
        }
    }
    push_visible(rest, &mut returns, text);
}

const ESC: u8 = 0x1b;

/// `returns` counts the carriage returns that nothing has followed yet.
fn push_visible(bytes: &[u8], returns: &mut usize, text: &mut String) {
    for part in bytes.utf8_chunks() {
        let valid = part.valid();
        let mut done = 0;
        for (at, char) in valid.char_indices().filter(|(_, char)| is_hidden(*char)) {
            push_run(&valid[done..at], returns, text);
            done = at + char.len_utf8();
            if char == '\r' {
                *returns += 1;
                continue;
            }
            flush_returns(returns, text);
            match char {
                '\0'..' ' => text.extend(char::from_u32(0x2400 + u32::from(char))),
                '\x7f' => text.push('\u{2421}'),
                _ => text.extend(char.escape_unicode()),
            }
        }
        push_run(&valid[done..], returns, text);
        if !part.invalid().is_empty() {
            push_run("\u{fffd}", returns, text);
        }
    }
}

fn push_run(run: &str, returns: &mut usize, text: &mut String) {
    if !run.is_empty() {
        flush_returns(returns, text);
        text.push_str(run);
    }
}

fn flush_returns(returns: &mut usize, text: &mut String) {
    for _ in 0..std::mem::take(returns) {
        text.push('\u{240d}');
    }
}

fn is_hidden(char: char) -> bool {
    char.is_control() && char != '\t'
}

/// The length in bytes of the escape sequence (ECMA-48) that `bytes`, which start with ESC, begin
/// with; `None` if it is not complete.
#[must_use]
pub fn escape_length(bytes: &[u8]) -> Option<usize> {
    let run = |from: usize, set: std::ops::RangeInclusive<u8>| {
        let tail = bytes.get(from..).unwrap_or_default();
        from + tail.iter().take_while(|byte| set.contains(byte)).count()
    };
    let closed = |at: usize, set: std::ops::RangeInclusive<u8>| {
        bytes
            .get(at)
            .filter(|byte| set.contains(byte))
            .map(|_| at + 1)
    };
    match bytes.get(1)? {
        // CSI: parameters, intermediates, final byte.
        b'[' => closed(run(run(2, 0x30..=0x3f), 0x20..=0x2f), 0x40..=0x7e),
        // OSC, DCS, SOS, PM, APC: a text up to BEL or ST.
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let mut end = 2;
            loop {
                match bytes.get(end)? {
                    0x07 => return Some(end + 1),
                    &ESC => return closed(end + 1, b'\\'..=b'\\'),
                    _ => end += 1,
                }
            }
        }
        _ => closed(run(1, 0x20..=0x2f), 0x30..=0x7e),
    }
}

/// `text`, with its middle left out where it is longer than `limit` bytes, and how many bytes that
/// are. The result is never longer than the greater of `limit` and the note about what is left out.
pub(crate) fn shorten(text: &str, limit: usize) -> (Cow<'_, str>, usize) {
    if text.len() <= limit {
        return (Cow::Borrowed(text), 0);
    }
    let room = limit.saturating_sub(left_out(text.len()).len());
    let head = floor(text, room.div_ceil(2));
    let tail = ceil(text, text.len() - room / 2);
    let cut = tail - head;
    let note = left_out(cut);
    (
        Cow::Owned(format!("{}{note}{}", &text[..head], &text[tail..])),
        cut,
    )
}

fn left_out(bytes: usize) -> String {
    format!("… [{} bytes left out] …", grouped(bytes as u64))
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(text.len())
}

/// A number as people read it: `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        let _ = text.write_char(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(line: &[u8]) -> String {
        let mut text = String::new();
        clean(line, &mut text);
        text
    }

    #[test]
    fn colours_links_and_titles_are_left_out() {
        assert_eq!(cleaned(b"\x1b[1;31merror\x1b[0m: no"), "error: no");
        assert_eq!(cleaned(b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x07!"), "link!");
        assert_eq!(cleaned(b"\x1b(B\x1b[2K\x1b7ok"), "ok");
    }

    #[test]
    fn a_sequence_that_was_cut_off_hides_nothing() {
        assert_eq!(cleaned(b"text\x1b[3"), "text\u{241b}[3");
        assert_eq!(cleaned(b"\x1b]0;title and all"), "\u{241b}]0;title and all");
        assert_eq!(cleaned(b"\x1b"), "\u{241b}");
    }

    #[test]
    fn control_characters_become_visible_and_the_line_end_goes() {
        assert_eq!(cleaned(b"a\0b\x07\tc\x7f"), "a\u{2400}b\u{2407}\tc\u{2421}");
        assert_eq!(cleaned("x\u{9b}31m".as_bytes()), "x\\u{9b}31m");
        assert_eq!(cleaned(b"10%\r20%\x1b[K\r\r\x1b[0m"), "10%\u{240d}20%");
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_its_neighbours_stay() {
        assert_eq!(
            cleaned(b"caf\xe9 au lait\xff"),
            "caf\u{fffd} au lait\u{fffd}"
        );
    }

    #[test]
    fn the_middle_of_a_long_line_is_left_out_between_characters() {
        let text = "é".repeat(3_000);
        let (short, cut) = shorten(&text, 1_000);
        assert!(short.len() <= 1_000 && short.starts_with("éé") && short.ends_with("éé"));
        assert!(short.contains(&format!("… [{} bytes left out] …", grouped(cut as u64))));
        assert_eq!(shorten("abc", 3), (Cow::Borrowed("abc"), 0));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let text = [0, 999, 1_000, 1_234_567].map(grouped).join(" ");
        assert_eq!(text, "0 999 1,000 1,234,567");
    }

    proptest! {
        #[test]
        fn cleaned_text_holds_no_control_character(line: Vec<u8>) {
            prop_assert!(!cleaned(&line).contains(is_hidden));
        }

        #[test]
        fn text_between_complete_sequences_survives(words in prop::collection::vec("[a-z ]{0,5}", 0..9)) {
            let coloured = words.join("\x1b[38;5;1m");
            prop_assert_eq!(cleaned(coloured.as_bytes()), words.concat());
        }

        #[test]
        fn a_shortened_line_fits_and_counts_what_went(text: String, limit in 40_usize..200) {
            let (short, cut) = shorten(&text, limit);
            prop_assert!(short.len() <= limit.max(40));
            prop_assert_eq!(cut == 0, text.len() <= limit);
        }
    }
}
