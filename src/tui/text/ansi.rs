//! Escape sequences. Terminals (and crates that parse for them) swallow all that follows a sequence
//! which never ends; a log must not lose text to one that was cut off, so only complete sequences
//! are taken out, exactly as the log store does for agents. Patterns match the same text in both.

use bpm_actors::logs::escape_length;
use ratatui::style::Style;

use super::sgr;

/// What a line says and in which styles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The text: control characters but tab replaced by visible ones.
    pub text: String,
    /// From which byte of the text on which style holds; ascending. Before the first: none.
    pub styles: Vec<(usize, Style)>,
}

impl Decoded {
    /// The style of the character at this byte.
    #[must_use]
    pub fn style_at(&self, at: usize) -> Style {
        let behind = self.styles.partition_point(|(from, _)| *from <= at);
        match behind.checked_sub(1) {
            Some(index) => self.styles[index].1,
            None => Style::new(),
        }
    }
}

/// Takes the escape sequences out of a line and keeps the colours that they ask for.
#[must_use]
pub fn decode(line: &str) -> Decoded {
    let mut decoded = Decoded {
        text: String::with_capacity(line.len()),
        styles: Vec::new(),
    };
    let mut style = Style::new();
    let mut rest = line.trim_end_matches('\r');
    while let Some(at) = rest.find('\x1b') {
        push_visible(&rest[..at], &mut decoded.text);
        rest = &rest[at..];
        let Some(length) = escape_length(rest.as_bytes()) else {
            push_visible(&rest[..1], &mut decoded.text);
            rest = &rest[1..];
            continue;
        };
        if let Some(parameters) = select_graphic_rendition(&rest[..length]) {
            style = sgr::applied(style, parameters);
            match decoded.styles.last_mut() {
                Some((from, last)) if *from == decoded.text.len() => *last = style,
                _ => decoded.styles.push((decoded.text.len(), style)),
            }
        }
        rest = &rest[length..];
    }
    push_visible(rest, &mut decoded.text);
    decoded
}

/// Control characters would move the cursor, ring or worse: each becomes its picture.
fn push_visible(part: &str, text: &mut String) {
    for char in part.chars() {
        match char {
            '\t' => text.push(char),
            '\0'..' ' => text.extend(char::from_u32(0x2400 + u32::from(char))),
            '\x7f' => text.push('\u{2421}'),
            _ if char.is_control() => text.extend(char.escape_unicode()),
            _ => text.push(char),
        }
    }
}

/// The parameters of a sequence that sets colours.
fn select_graphic_rendition(sequence: &str) -> Option<&str> {
    let parameters = sequence.strip_prefix("\x1b[")?.strip_suffix('m')?;
    let known = |byte: u8| byte.is_ascii_digit() || byte == b';' || byte == b':';
    parameters.bytes().all(known).then_some(parameters)
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Modifier};

    use super::*;

    fn text(line: &str) -> String {
        decode(line).text
    }

    #[test]
    fn colours_are_kept_beside_the_text() {
        let line = decode("a \x1b[1;31merror\x1b[0m: b");
        assert_eq!(line.text, "a error: b");
        let red = Style::new()
            .fg(Color::Indexed(1))
            .add_modifier(Modifier::BOLD);
        assert_eq!(line.style_at(0), Style::new());
        assert_eq!(line.style_at(2), red);
        assert_eq!(line.style_at(6), red);
        assert_eq!(line.style_at(7), Style::reset());
    }

    #[test]
    fn sequences_that_move_name_link_or_ask_are_left_out() {
        assert_eq!(text("a\x1b[2J\x1b[Hb\x1b[?1049hc"), "abc");
        assert_eq!(text("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b"), "ab");
        assert_eq!(text("\x1bPq#0\x1b\\a\x1b(0b\x1bcc"), "abc");
    }

    #[test]
    fn a_sequence_that_never_ends_swallows_nothing() {
        assert_eq!(text("\x1b]0;title and more"), "␛]0;title and more");
        assert_eq!(text("a\x1b["), "a␛[");
        assert_eq!(text("a\x1b"), "a␛");
    }

    #[test]
    fn control_characters_become_visible_and_trailing_returns_vanish() {
        assert_eq!(
            text("a\x07b\x08c\x00\x7f\u{9b}2Jd\tx\r\r"),
            "a␇b␈c␀␡\\u{9b}2Jd\tx"
        );
        assert_eq!(text("10%\r20%\r"), "10%␍20%");
    }
}
