//! What is wrong with a file, and how people are told.

use std::{fmt, path::PathBuf};

use super::entry::Entry;

/// Everything that is wrong with a configuration file, in the order of the file. Displayed as one
/// line each: `FILE:LINE: KEY = VALUE: what would be right`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidConfig {
    /// The file.
    pub file: PathBuf,
    /// What is wrong; at least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; `None` where something is missing from the file as a whole.
    pub line: Option<usize>,
    /// The key and, where it is short enough to be shown, its value.
    pub subject: Option<String>,
    /// What would be right.
    pub advice: String,
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            if let Some(subject) = &problem.subject {
                write!(f, ": {subject}")?;
            }
            write!(f, ": {}", problem.advice)?;
        }
        Ok(())
    }
}

/// Collects problems while a text is read, so that one does not hide the next.
pub(super) struct Report<'d> {
    text: &'d str,
    problems: Vec<Problem>,
}

impl<'d> Report<'d> {
    /// Nothing is wrong with `text` yet.
    pub(super) fn new(text: &'d str) -> Self {
        Self {
            text,
            problems: Vec::new(),
        }
    }

    /// A key has a value that it may not have.
    pub(super) fn reject(&mut self, entry: &Entry<'_>, advice: impl Into<String>) {
        let mut subject = entry.path.clone();
        if let Some(value) = self.excerpt(entry) {
            subject = format!("{subject} = {value}");
        }
        self.add(Some(entry.at), Some(subject), advice.into());
    }

    /// The file as a whole lacks something.
    pub(super) fn lacks(&mut self, advice: impl Into<String>) {
        self.add(None, None, advice.into());
    }

    /// The text is no TOML; `at` is the byte where that shows.
    pub(super) fn reject_syntax(&mut self, at: usize, cause: &str) {
        let line = self.text.lines().nth(self.line_of(at) - 1).map(str::trim);
        let subject = line.filter(|line| !line.is_empty()).map(shorten);
        self.add(Some(at), subject, format!("not valid TOML: {cause}"));
    }

    /// The problems, in the order of the file, what it lacks as a whole first.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }

    /// A key and its line, to point at from another one.
    pub(super) fn place(&self, entry: &Entry<'_>) -> String {
        format!("{} (line {})", entry.path, self.line_of(entry.at))
    }

    fn add(&mut self, at: Option<usize>, subject: Option<String>, advice: String) {
        self.problems.push(Problem {
            line: at.map(|at| self.line_of(at)),
            subject,
            advice,
        });
    }

    fn line_of(&self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        line_after(bytes.get(..at).unwrap_or(bytes))
    }

    /// The value as the file writes it; `None` for tables, whose place is a header and no value.
    fn excerpt(&self, entry: &Entry<'_>) -> Option<String> {
        let first = entry.value.as_array().and_then(|list| list.first());
        if entry.value.is_table() || first.is_some_and(|first| first.get_ref().is_table()) {
            return None;
        }
        self.text.get(entry.span.clone()).map(shorten)
    }
}

/// The line, from 1, that begins or goes on after these bytes.
pub(super) fn line_after(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}

/// At most one short line, with nothing in it that a terminal would obey.
fn shorten(text: &str) -> String {
    const MOST: usize = 80;
    let first = text.lines().next().unwrap_or_default();
    let mut shown: String = first
        .chars()
        .take(MOST)
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    if first.len() < text.len() || first.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}
