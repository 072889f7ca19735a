//! What children print, made fit for a terminal: colours may stay, nothing else acts on it.

use std::fmt::Write as _;

use bpm_actors::logs::escape_length;

use super::paint::Colours;

/// Appends a line of text. Escape sequences are left out, but for colours where there are to be any;
/// other control characters but tab become visible. Carriage returns at the end are left out.
pub(super) fn push(line: &str, colours: Colours, text: &mut String) {
    let mut rest = line.trim_end_matches('\r');
    let mut coloured = false;
    while let Some(at) = rest.find(|c| acts(c) && c != '\t') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(length) = sequence(rest) {
            let sequence = &rest[..length];
            if colours == Colours::On && push_colour(sequence, text) {
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

/// Whether a character does something instead of being seen: a control character, one that changes the
/// direction of the text, so that it reads as something else, or one that ends a line or takes no room.
/// What joins letters and emoji is none of these.
fn acts(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let hides = matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    c.is_control() || turns || hides
}

/// JSON whose texts hold nothing that acts on a terminal. It stands for the same value: such characters
/// are in texts only.
pub(super) fn json(json: String) -> String {
    if !json.contains(acts) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if acts(c) {
            // All of them are in the first plane.
            _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// Appends a sequence that changes colours and the like (SGR) and nothing else, without what hides text.
/// False if it is none.
fn push_colour(sequence: &str, text: &mut String) -> bool {
    const CONCEAL: u32 = 8;
    let parameters = sequence
        .strip_prefix("\x1b[")
        .and_then(|rest| rest.strip_suffix('m'));
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
    let Some(parameters) = parameters.filter(|it| it.bytes().all(plain)) else {
        return false;
    };
    // Nothing at all stands for 0, which is no number of those here.
    let number = |parameter: &str| parameter.split(':').next()?.parse::<u32>().ok();
    let mut kept = Vec::new();
    let mut rest = parameters.split(';');
    while let Some(parameter) = rest.next() {
        let meaning = number(parameter);
        if meaning == Some(CONCEAL) {
            continue;
        }
        kept.push(parameter);
        // What follows says which colour; an 8 among it hides nothing.
        if matches!(meaning, Some(38 | 48 | 58)) && !parameter.contains(':') {
            let kind = rest.next();
            kept.extend(kind);
            let more = match kind.and_then(number) {
                Some(5) => 1,
                Some(2) => 3,
                _ => 0,
            };
            kept.extend(rest.by_ref().take(more));
        }
    }
    if !kept.is_empty() {
        _ = write!(text, "\x1b[{}m", kept.join(";"));
    }
    !kept.is_empty()
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
            (
                "a\u{202e}b\u{2069}\u{200f}",
                "a\\u{202e}b\\u{2069}\\u{200f}",
            ),
            ("\x1b[8ma", "a"),
        ] {
            assert_eq!(both(dangerous), (harmless.to_owned(), harmless.to_owned()));
        }
    }

    #[test]
    fn what_hides_text_is_taken_out_of_a_colour_and_a_number_of_a_colour_is_not() {
        for (given, kept) in [
            ("1;8;31", "1;31"),
            ("08;1", "1"),
            ("38;5;8", "38;5;8"),
            ("48;2;8;8;8;8;4", "48;2;8;8;8;4"),
            ("38:5:8", "38:5:8"),
            ("8;38;5", "38;5"),
            ("0;8;", "0;"),
            ("", ""),
        ] {
            let (on, off) = both(&format!("\x1b[{given}ma"));
            assert_eq!((on, off), (format!("\x1b[{kept}ma\x1b[0m"), "a".to_owned()));
        }
    }

    #[test]
    fn json_holds_nothing_that_acts_and_means_the_same() {
        let value =
            serde_json::json!({"text": "a\u{7f}\u{9b}2J\u{85}\u{202e}\u{200e}ä日\u{1b}\"\\"});
        let json = json(value.to_string());
        assert_eq!(
            json,
            r#"{"text":"a\u007f\u009b2J\u0085\u202e\u200eä日\u001b\"\\"}"#
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
            value
        );
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
