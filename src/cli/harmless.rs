//! What children print, made fit for a terminal: colours may stay, nothing else acts on it.

use bpm_actors::logs::escape_length;

use super::paint::Colours;

/// Appends a line of text. Escape sequences are left out, but for colours where there are to be any;
/// other control characters but tab become visible. Carriage returns at the end are left out.
pub(super) fn push(line: &str, colours: Colours, text: &mut String) {
    let mut rest = line.trim_end_matches('\r');
    let mut coloured = false;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(length) = sequence(rest) {
            let sequence = &rest[..length];
            if colours == Colours::On && is_colour(sequence) {
                text.push_str(sequence);
                coloured = true;
            }
            rest = &rest[length..];
            continue;
        }
        let control = rest.chars().next().unwrap_or_default();
        match control {
            '\0'..' ' => text.extend(char::from_u32(0x2400 + u32::from(control))),
            '\x7f' => text.push('\u{2421}'),
            _ => text.extend(control.escape_unicode()),
        }
        rest = &rest[control.len_utf8()..];
    }
    text.push_str(rest);
    if coloured {
        // What a line leaves on must not colour what is not its own.
        text.push_str("\x1b[0m");
    }
}

/// A line of text on its own.
pub(super) fn line(line: &str, colours: Colours) -> String {
    let mut text = String::with_capacity(line.len());
    push(line, colours, &mut text);
    text
}

/// The length of the complete escape sequence that the text starts with.
fn sequence(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    bytes.starts_with(b"\x1b").then(|| escape_length(bytes))?
}

/// Whether a sequence changes colours and the like (SGR) and nothing else.
fn is_colour(sequence: &str) -> bool {
    sequence
        .strip_prefix("\x1b[")
        .and_then(|rest| rest.strip_suffix('m'))
        .is_some_and(|parameters| {
            let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
            parameters.bytes().all(plain)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(text: &str) -> (String, String) {
        (line(text, Colours::On), line(text, Colours::Off))
    }

    #[test]
    fn colours_stay_where_there_are_any_and_end_with_the_line() {
        let (on, off) = both("\x1b[1;31merror\x1b[m: no");
        assert_eq!(on, "\x1b[1;31merror\x1b[m: no\x1b[0m");
        assert_eq!(off, "error: no");
    }

    #[test]
    fn what_acts_on_a_terminal_is_left_out_or_shown() {
        for (dangerous, harmless) in [
            ("\x1b[2Ja", "a"),
            ("a\x1b[10;10Hb", "ab"),
            ("\x1b[?1049ha", "a"),
            ("\x1b]0;title\x07a", "a"),
            ("\x1b]8;;http://x\x1b\\a", "a"),
            ("\x1bPq#0\x1b\\a", "a"),
            ("\x1bca", "a"),
            ("\x1b(0a", "a"),
            ("\x1b[>4;2ma", "a"),
            ("\x1b]52;c;aaaa", "␛]52;c;aaaa"),
            ("a\x1b", "a␛"),
            ("a\rb\r\r", "a␍b"),
            ("a\x07\x08\x7f\tb", "a␇␈␡\tb"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(both(dangerous), (harmless.to_owned(), harmless.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_acts(text in "(\x1b|\\[|[0-9;:?]|[mHJ\\\\\\]]|\r|\u{9b}|\x07|ä|.){0,40}") {
            let (on, off) = both(&text);
            prop_assert!(off.chars().all(|c| !c.is_control() || c == '\t'), "{off:?}");
            let colour = regex::Regex::new("\x1b\\[[0-9;:]*m").unwrap();
            let rest = colour.replace_all(&on, "");
            prop_assert!(rest.chars().all(|c| !c.is_control() || c == '\t'), "{on:?}");
        }
    }
}
