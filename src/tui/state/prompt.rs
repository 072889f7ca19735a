//! The box where a pattern is typed.

use unicode_segmentation::UnicodeSegmentation;

/// What the typed text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Highlighting matches in what is shown.
    Search,
    /// Showing only lines that match.
    Filter,
}

/// A line of text that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What for.
    pub purpose: Purpose,
    /// What was typed so far.
    pub text: String,
    /// Where the next character goes, in bytes.
    pub cursor: usize,
    /// Why it cannot be accepted.
    pub error: Option<String>,
}

/// What is done to the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// This is put in.
    Insert(String),
    /// The character before the cursor goes.
    Backspace,
    /// The one behind it goes.
    Delete,
    /// The word before it goes.
    EraseWord,
    /// All before it goes.
    EraseToStart,
    /// One character to the left.
    Left,
    /// One to the right.
    Right,
    /// To the start.
    Home,
    /// To the end.
    End,
}

impl Prompt {
    /// One that begins with this text.
    #[must_use]
    pub fn new(purpose: Purpose, text: &str) -> Self {
        Self {
            purpose,
            text: text.to_owned(),
            cursor: text.len(),
            error: None,
        }
    }

    /// Does something to the text.
    pub fn apply(&mut self, stroke: Stroke) {
        let before = self.text[..self.cursor].grapheme_indices(true).next_back();
        let left = before.map_or(0, |(at, _)| at);
        let behind = self.text[self.cursor..].graphemes(true).next();
        let right = self.cursor + behind.map_or(0, str::len);
        match stroke {
            Stroke::Insert(text) => {
                // A pattern is one line; what is pasted may be more.
                let text: String = text.chars().filter(|char| !char.is_control()).collect();
                self.text.insert_str(self.cursor, &text);
                self.cursor += text.len();
            }
            Stroke::Backspace => self.erase(left),
            Stroke::Delete => self.text.replace_range(self.cursor..right, ""),
            Stroke::EraseWord => {
                let kept = self.text[..self.cursor].trim_end();
                self.erase(kept.rfind(' ').map_or(0, |at| at + 1));
            }
            Stroke::EraseToStart => self.erase(0),
            Stroke::Left => self.cursor = left,
            Stroke::Right => self.cursor = right,
            Stroke::Home => self.cursor = 0,
            Stroke::End => self.cursor = self.text.len(),
        }
    }

    fn erase(&mut self, from: usize) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_as_everywhere() {
        let mut prompt = Prompt::new(Purpose::Search, "für 日本");
        for stroke in [
            Stroke::Left,
            Stroke::Backspace,
            Stroke::Insert("x\ny".to_owned()),
            Stroke::Home,
            Stroke::Delete,
            Stroke::End,
        ] {
            prompt.apply(stroke);
        }
        assert_eq!((prompt.text.as_str(), prompt.cursor), ("ür xy本", 9));
        prompt.apply(Stroke::EraseWord);
        assert_eq!(prompt.text, "ür ");
        prompt.apply(Stroke::EraseToStart);
        prompt.apply(Stroke::Backspace);
        prompt.apply(Stroke::Left);
        assert_eq!((prompt.text.as_str(), prompt.cursor), ("", 0));
    }
}
