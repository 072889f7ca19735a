//! A regular expression as searches take it.

use regex::bytes::Regex;

/// A valid pattern. It matches the text of one line as the reader sees it: without colours, without
/// the line's end.
#[derive(Clone, Debug)]
pub struct Pattern {
    line: Regex,
}

/// The text is no regular expression. The message shows where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPattern(String);

impl Pattern {
    /// Reads a Rust regex, case-sensitive unless it says otherwise.
    ///
    /// # Errors
    /// When it is not valid or too large.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let line = Regex::new(text).map_err(|error| BadPattern(error.to_string()))?;
        Ok(Self { line })
    }

    /// Whether this one line matches.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        self.line.is_match(line)
    }
}
