//! A regular expression as searches take it: what matches a line, made fit to run over many lines
//! at once.
//!
//! A pattern is compiled twice: as it is, for one line; and for a buffer of lines with a newline
//! behind each. In the second, `^` and `$` hold at every line and nothing matches a newline, so each
//! of its matches lies within one line and is a match of that line alone, and the other way round.
//! It does not exist where the pattern asks for the start or end of the whole text (`\A`, `\z`).

use regex_automata::{Input, meta};
use regex_syntax::{
    ParserBuilder,
    hir::{
        Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look,
    },
};

/// A valid pattern. It matches the text of one line as the reader sees it: without colours, without
/// the line's end.
#[derive(Clone, Debug)]
pub struct Pattern {
    line: meta::Regex,
    buffer: Option<meta::Regex>,
    case: Case,
}

/// Whether capitals and small letters differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// They do.
    #[default]
    Counts,
    /// They do not.
    Ignored,
}

/// The text is no regular expression. The message shows where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It is not valid; the message points at the place.
    #[error("{0}")]
    Syntax(String),
    /// The machine for it would be too large.
    #[error("the pattern is too large: compiled, it may have {} KiB; use smaller repetitions", .limit / 1024)]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl Pattern {
    /// The largest machine that a pattern may become, in bytes.
    const LARGEST: usize = 4 * 1024 * 1024;
    /// How deep groups may be nested.
    const DEEPEST: u32 = 100;

    /// Reads a Rust regex, case-sensitive unless it says otherwise.
    ///
    /// # Errors
    /// When it is not valid or too large.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        Self::parse_in(text, Case::Counts)
    }

    /// Reads a Rust regex. Where it says itself whether case counts, that holds.
    ///
    /// # Errors
    /// When it is not valid or too large.
    pub fn parse_in(text: &str, case: Case) -> Result<Self, BadPattern> {
        let mut parser = ParserBuilder::new();
        parser.utf8(false).case_insensitive(case == Case::Ignored);
        let line = compile(&parse(&mut parser, text)?)?;
        let hir = parse(parser.multi_line(true), text)?;
        let looks = hir.properties().look_set();
        let buffer = if looks.contains(Look::Start) || looks.contains(Look::End) {
            None
        } else {
            Some(compile(&within_lines(&hir))?)
        };
        // Where the pattern says `(?i)` or has no letters, nothing is different without case.
        let ignoring = parse(parser.case_insensitive(true), text).ok();
        let case = match ignoring {
            Some(ignoring) if ignoring != hir => Case::Counts,
            Some(_) | None => Case::Ignored,
        };
        Ok(Self { line, buffer, case })
    }

    /// Whether it could match more if case were ignored.
    #[must_use]
    pub fn case(&self) -> Case {
        self.case
    }

    /// Whether this one line matches.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        self.line.is_match(line)
    }

    /// How to search a buffer of lines.
    pub(crate) fn finder(&self) -> Finder<'_> {
        match &self.buffer {
            Some(buffer) => Finder::Buffer(buffer),
            None => Finder::EachLine(&self.line),
        }
    }
}

/// How to search a buffer of lines, each with a newline behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Finder<'a> {
    /// All at once.
    Buffer(&'a meta::Regex),
    /// Every line by itself.
    EachLine(&'a meta::Regex),
}

impl Finder<'_> {
    /// A place in the first matching line of `buffer` from `start`, where a line begins. The place
    /// is within that line or on the newline behind it.
    pub(crate) fn find(self, buffer: &[u8], start: usize) -> Option<usize> {
        match self {
            Self::Buffer(regex) => {
                let rest = Input::new(buffer).range(start..).earliest(true);
                // Behind the last newline there is no line, but an empty match could be there.
                regex
                    .search_half(&rest)
                    .map(|half| half.offset())
                    .filter(|&at| at < buffer.len())
            }
            Self::EachLine(regex) => {
                let mut start = start;
                while start < buffer.len() {
                    let length =
                        memchr::memchr(b'\n', &buffer[start..]).unwrap_or(buffer.len() - start);
                    if regex.is_match(&buffer[start..start + length]) {
                        return Some(start);
                    }
                    start += length + 1;
                }
                None
            }
        }
    }
}

fn parse(builder: &mut ParserBuilder, text: &str) -> Result<Hir, BadPattern> {
    let parser = builder.nest_limit(Pattern::DEEPEST).build().parse(text);
    parser.map_err(|error| BadPattern::Syntax(error.to_string()))
}

fn compile(hir: &Hir) -> Result<meta::Regex, BadPattern> {
    let limits = meta::Config::new()
        .nfa_size_limit(Some(Pattern::LARGEST))
        .utf8_empty(false);
    meta::Builder::new()
        .configure(limits)
        .build_from_hir(hir)
        .map_err(|error| match error.size_limit() {
            Some(limit) => BadPattern::TooLarge { limit },
            None => BadPattern::Syntax(error.to_string()),
        })
}

/// The same pattern, but nothing in it matches a newline.
fn within_lines(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => hir.clone(),
        HirKind::Class(class) => Hir::class(without_newline(class.clone())),
        HirKind::Repetition(repetition) => {
            let mut repetition = repetition.clone();
            repetition.sub = Box::new(within_lines(&repetition.sub));
            Hir::repetition(repetition)
        }
        HirKind::Capture(capture) => within_lines(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(within_lines).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(within_lines).collect()),
    }
}

fn without_newline(mut class: Class) -> Class {
    match &mut class {
        Class::Unicode(set) => {
            set.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
        }
        Class::Bytes(set) => {
            set.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pattern_is_shown_with_the_place() {
        let error = Pattern::parse("ab(c").unwrap_err().to_string();
        assert!(error.contains("    ab(c\n      ^\n"), "{error}");
        assert!(error.contains("unclosed group"), "{error}");
    }

    #[test]
    fn a_pattern_that_explodes_is_refused_and_usual_ones_are_not() {
        let error = Pattern::parse(r"(\w{100}){100}").unwrap_err();
        assert!(matches!(error, BadPattern::TooLarge { .. }), "{error}");
        assert!(Pattern::parse(&"(".repeat(1_000_000)).is_err());
        for usual in [
            r"\w{3,30}\s+\d+",
            r"(?i)error|warn(ing)?|panicked at .*:\d+:\d+",
            r"[^\n]{1,200}",
        ] {
            assert!(Pattern::parse(usual).is_ok(), "{usual}");
        }
    }

    #[test]
    fn case_counts_unless_it_is_ignored_or_the_pattern_says_otherwise() {
        let matches = |pattern: &str, case| {
            let pattern = Pattern::parse_in(pattern, case).unwrap();
            let found = pattern.finder().find(b"no\nERROR\n", 0);
            assert_eq!(pattern.matches(b"ERROR"), found.is_some());
            found.is_some()
        };
        let case = |pattern, case| Pattern::parse_in(pattern, case).unwrap().case();
        assert_eq!(case("error", Case::Counts), Case::Counts);
        assert_eq!(case("error", Case::Ignored), Case::Ignored);
        assert_eq!(case("(?i)error", Case::Counts), Case::Ignored);
        assert_eq!(case(r"^\d+$", Case::Counts), Case::Ignored);
        assert!(!matches("error", Case::Counts));
        assert!(matches("error", Case::Ignored));
        assert!(matches("(?i)error", Case::Counts));
        assert!(!matches("(?-i)error", Case::Ignored));
    }

    #[test]
    fn only_an_anchor_to_the_whole_text_forbids_the_buffer() {
        for (pattern, whole) in [
            ("^a$", true),
            (r"\Aa", false),
            (r"a\z", false),
            ("(?-m)^a", false),
            ("(?m)^a", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().buffer.is_some(),
                whole,
                "{pattern}"
            );
        }
    }
}
