//! The search within what is shown.

use std::ops::Range;

use bpm_actors::pattern::Pattern;
use regex::Regex;

use super::{feed::Topic, pane::Pane, selection::text_of};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Search {
    /// As typed.
    pub text: String,
    regex: Regex,
    /// The entry that n and N go on from, and where it is.
    current: Option<(Topic, i64)>,
}

/// Which way n and N go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To newer lines.
    Down,
    /// To older lines.
    Up,
}

impl Search {
    /// Reads a regular expression. Case counts only where it has a capital letter.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        check(text)?;
        let regex = regex::RegexBuilder::new(text)
            .case_insensitive(ignores_case(text))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            text: text.to_owned(),
            regex,
            current: None,
        })
    }

    /// The entry of this topic that was found last.
    #[must_use]
    pub fn current(&self, topic: &Topic) -> Option<i64> {
        let (found_in, entry) = self.current.as_ref()?;
        (found_in == topic).then_some(*entry)
    }

    /// This entry was found.
    pub fn found(&mut self, topic: Topic, entry: i64) {
        self.current = Some((topic, entry));
    }

    /// Where it matches in a text. Matches that touch are one: a pattern such as `.` has as many as the
    /// text has letters.
    #[must_use]
    pub fn matches(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.regex.find_iter(text).map(|it| it.range());
        let mut matches: Vec<Range<usize>> = Vec::new();
        for it in found.filter(|it| !it.is_empty()) {
            match matches.last_mut() {
                Some(last) if last.end == it.start => last.end = it.end,
                _ => matches.push(it),
            }
        }
        matches.shrink_to_fit();
        matches
    }

    /// The next entry that matches, beginning with `from`; round the end where there is none.
    #[must_use]
    pub fn next(&self, pane: &Pane, from: i64, way: Way) -> Option<i64> {
        let (first, end) = (pane.ring.first(), pane.ring.end());
        let matches = |number: &i64| {
            let entry = pane.ring.entry(*number);
            entry.is_some_and(|entry| self.regex.is_match(&text_of(entry)))
        };
        match way {
            Way::Down => {
                let from = from.clamp(first, end);
                (from..end).chain(first..from).find(matches)
            }
            Way::Up => {
                let behind = from.saturating_add(1).clamp(first, end);
                let up = (first..behind).rev();
                up.chain((behind..end).rev()).find(matches)
            }
        }
    }
}

/// Whether capitals and small letters are the same to a pattern: it has no capital, but for those that
/// name a class such as `\S`.
#[must_use]
pub fn ignores_case(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            chars.next();
        } else if char.is_uppercase() {
            return false;
        }
    }
    true
}

/// Whether the daemon would take this pattern.
///
/// # Errors
/// Why it would not.
pub fn check(text: &str) -> Result<(), String> {
    Pattern::parse(text)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_that_touch_are_one() {
        let search = Search::parse("a|b").unwrap();
        assert_eq!(search.matches("abcaab"), [0..2, 3..6]);
        let search = Search::parse(".").unwrap();
        let matches = search.matches(&"x".repeat(14_000));
        assert_eq!((matches.len(), &matches[0]), (1, &(0..14_000)));
    }

    #[test]
    fn only_a_capital_letter_makes_case_count() {
        for (pattern, ignores) in [
            ("error", true),
            ("Error", false),
            (r"\Serror\W", true),
            (r"\\S", false),
            ("größe", true),
            ("GRÖSSE", false),
            ("\\", true),
        ] {
            assert_eq!(ignores_case(pattern), ignores, "{pattern}");
        }
    }
}
