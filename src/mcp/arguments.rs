//! Reads what a tool was given. Strict: a wrong type or an unknown name is refused with what would
//! be right, because a silently ignored argument gives a wrong answer that looks right.
//!
//! null is the same as absent, and `5.0` is the integer 5: some clients cannot write otherwise.

use std::ops::RangeInclusive;

use rmcp::model::JsonObject;
use serde_json::Value;

/// Integers up to here are exact in a JSON number that is written as a fraction.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;
/// How much of a wrong value is repeated, in characters.
const REPEATED: usize = 60;

/// The arguments of one call. Each is taken by its name; what is wrong is told at the end, together.
pub(super) struct Arguments {
    left: JsonObject,
    known: Vec<&'static str>,
    wrong: Vec<String>,
}

/// The arguments are not what the tool takes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(super) struct BadArguments(Vec<String>);

impl Arguments {
    /// Begins to read.
    pub(super) fn new(given: Option<JsonObject>) -> Self {
        Self {
            left: given.unwrap_or_default(),
            known: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.take(name, "a string", |value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// An integer, `example` being one.
    pub(super) fn integer(&mut self, name: &'static str, example: &str) -> Option<i64> {
        let right = format!("an integer such as {example}");
        self.take(name, &right, integer)
    }

    /// An integer that is not negative.
    pub(super) fn count(&mut self, name: &'static str) -> Option<usize> {
        self.take(name, "an integer, 0 or more", |value| {
            // No log has more lines than this, so that more is the same.
            let large = value.as_u64().and_then(|it| i64::try_from(it).err());
            match large {
                Some(_) => Some(usize::MAX),
                None => integer(value).and_then(|it| usize::try_from(it).ok()),
            }
        })
        .map(|it| it.min(u32::MAX as usize))
    }

    /// An integer within a range.
    pub(super) fn within(
        &mut self,
        name: &'static str,
        range: RangeInclusive<usize>,
    ) -> Option<usize> {
        let right = if *range.end() >= usize::MAX >> 1 {
            format!("an integer, {} or more", range.start())
        } else {
            format!("an integer from {} to {}", range.start(), range.end())
        };
        self.take(name, &right, |value| {
            let number = usize::try_from(integer(value)?).ok()?;
            Some(number).filter(|it| range.contains(it))
        })
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.take(name, "true or false", Value::as_bool)
    }

    /// Takes what another form of the call has a use for; answers whether it was there.
    pub(super) fn drop(&mut self, name: &str) -> bool {
        let value = self.left.shift_remove(name);
        value.is_some_and(|value| !value.is_null())
    }

    /// One text or several; none where it is absent.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        let texts = self.take(
            name,
            "a string, or a list of strings",
            |value| match value {
                Value::String(text) => Some(vec![text.clone()]),
                Value::Array(texts) => {
                    let texts = texts.iter().map(|it| it.as_str().map(str::to_owned));
                    texts.collect()
                }
                _ => None,
            },
        );
        texts.unwrap_or_default()
    }

    /// What `read` makes of a text; `None` from it is told as not being what is `right`.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.take(name, right, |value| read(value.as_str()?))
    }

    /// A number of seconds from 0 to `most`.
    pub(super) fn seconds(&mut self, name: &'static str, most: f64) -> Option<f64> {
        let right = format!("a number of seconds from 0 to {most}");
        self.take(name, &right, |value| {
            value.as_f64().filter(|it| (0.0..=most).contains(it))
        })
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        self.take(name, &quoted(words), |value| {
            let text = value.as_str()?;
            let (_, meaning) = words.iter().find(|(word, _)| *word == text)?;
            Some(*meaning)
        })
    }

    /// One of several words, which must be given. `None` is told at the end.
    pub(super) fn required_word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let wrong = self.wrong.len();
        let word = self.word(name, words);
        if word.is_none() && self.wrong.len() == wrong {
            let quoted = quoted(words);
            self.refuse(format!("`{name}` is missing, but must be {quoted}"));
        }
        word
    }

    /// Something is wrong with what was taken, in words.
    pub(super) fn refuse(&mut self, why: impl Into<String>) {
        self.wrong.push(why.into());
    }

    /// Ends: tells what was wrong and what was not taken.
    ///
    /// # Errors
    /// When anything was.
    pub(super) fn finish(mut self) -> Result<(), BadArguments> {
        for name in self.left.keys() {
            let known = &self.known;
            let nearest = known
                .iter()
                .map(|it| (strsim::jaro_winkler(it, name), it))
                .filter(|(similarity, _)| *similarity > 0.8)
                .max_by(|(a, _), (b, _)| a.total_cmp(b))
                .map(|(_, it)| format!(" (did you mean `{it}`?)"))
                .unwrap_or_default();
            let takes = if known.is_empty() {
                "it takes none".to_owned()
            } else {
                format!("it takes {}", known.join(", "))
            };
            let name = clipped(name);
            self.wrong.push(format!(
                "this tool has no parameter `{name}`{nearest}; {takes}"
            ));
        }
        if self.wrong.is_empty() {
            Ok(())
        } else {
            Err(BadArguments(self.wrong))
        }
    }

    fn take<T>(
        &mut self,
        name: &'static str,
        right: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        let value = self.left.shift_remove(name)?;
        if value.is_null() {
            return None;
        }
        let read = read(&value);
        if read.is_none() {
            let value = clipped(&value.to_string());
            self.wrong
                .push(format!("`{name}` is {value}, but must be {right}"));
        }
        read
    }
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        let exact = number.fract() == 0.0 && number.abs() < MOST_EXACT;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an integer below 2^53, as the line above found"
        )]
        exact.then_some(number as i64)
    })
}

/// These words as a choice.
fn quoted<T>(words: &[(&'static str, T)]) -> String {
    let quoted: Vec<String> = words.iter().map(|(it, _)| format!("\"{it}\"")).collect();
    quoted.join(" or ")
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(REPEATED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(value: &Value) -> Arguments {
        Arguments::new(value.as_object().cloned())
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let mut arguments = given(&json!({"process": null, "head": null, "index": null}));
        assert_eq!(arguments.text("process"), None);
        assert_eq!(arguments.count("head"), None);
        assert_eq!(arguments.integer("index", "-1"), None);
        assert_eq!(arguments.text("pattern"), None);
        assert_eq!(arguments.finish(), Ok(()));
    }

    #[test]
    fn an_integer_may_be_written_as_a_fraction() {
        let mut arguments = given(&json!({"head": 5.0, "index": -2.0, "tail": 7}));
        assert_eq!(arguments.count("head"), Some(5));
        assert_eq!(arguments.integer("index", "-1"), Some(-2));
        assert_eq!(arguments.count("tail"), Some(7));
        assert_eq!(arguments.finish(), Ok(()));
    }

    #[test]
    fn a_count_that_no_log_reaches_is_as_good_as_all() {
        let mut arguments = given(&json!({"head": u64::MAX, "tail": i64::MAX}));
        assert_eq!(arguments.count("head"), Some(u32::MAX as usize));
        assert_eq!(arguments.count("tail"), Some(u32::MAX as usize));
        assert_eq!(arguments.finish(), Ok(()));
    }

    #[test]
    fn wrong_types_are_refused_with_name_value_and_what_is_right() {
        let mut arguments = given(&json!({
            "index": "-2", "head": -1, "tail": 1.5, "context_lines": 1e300, "pattern": 3,
            "stream": "both", "timeout_seconds": 3601, "process": ["main"], "hed": 3,
        }));
        arguments.integer("index", "-1");
        arguments.count("head");
        arguments.count("tail");
        arguments.count("context_lines");
        arguments.text("pattern");
        arguments.word("stream", &[("stdout", 1), ("stderr", 2)]);
        arguments.seconds("timeout_seconds", 3600.0);
        arguments.text("process");
        let BadArguments(wrong) = arguments.finish().unwrap_err();
        assert_eq!(
            wrong,
            [
                "`index` is \"-2\", but must be an integer such as -1",
                "`head` is -1, but must be an integer, 0 or more",
                "`tail` is 1.5, but must be an integer, 0 or more",
                "`context_lines` is 1e+300, but must be an integer, 0 or more",
                "`pattern` is 3, but must be a string",
                "`stream` is \"both\", but must be \"stdout\" or \"stderr\"",
                "`timeout_seconds` is 3601, but must be a number of seconds from 0 to 3600",
                "`process` is [\"main\"], but must be a string",
                "this tool has no parameter `hed` (did you mean `head`?); it takes index, head, \
                 tail, context_lines, pattern, stream, timeout_seconds, process",
            ]
        );
    }

    #[test]
    fn names_may_be_one_or_several_and_numbers_have_limits() {
        let mut arguments = given(&json!({
            "process": "main", "processes": ["main", "web"], "invert": true, "max_bytes": 500.0,
            "level": "warn",
        }));
        assert_eq!(arguments.texts("process"), ["main"]);
        assert_eq!(arguments.texts("processes"), ["main", "web"]);
        assert!(arguments.texts("others").is_empty());
        assert_eq!(arguments.flag("invert"), Some(true));
        assert_eq!(arguments.within("max_bytes", 500..=40_000), Some(500));
        assert_eq!(
            arguments.read("level", "a level", |it| Some(it.len())),
            Some(4)
        );
        assert_eq!(arguments.finish(), Ok(()));

        let mut arguments = given(&json!({
            "process": ["main", 5], "invert": "yes", "max_bytes": 499, "level": "bad", "since": 5,
        }));
        arguments.texts("process");
        arguments.flag("invert");
        arguments.within("max_bytes", 500..=40_000);
        arguments.read("level", "a level", |_| None::<()>);
        arguments.read("since", "an age", |_| Some(()));
        let BadArguments(wrong) = arguments.finish().unwrap_err();
        assert_eq!(
            wrong,
            [
                "`process` is [\"main\",5], but must be a string, or a list of strings",
                "`invert` is \"yes\", but must be true or false",
                "`max_bytes` is 499, but must be an integer from 500 to 40000",
                "`level` is \"bad\", but must be a level",
                "`since` is 5, but must be an age",
            ]
        );
    }

    #[test]
    fn what_is_required_is_asked_for_once() {
        let words = [("ready", 1), ("exit", 2)];
        for (value, wrong) in [
            (
                json!({}),
                "`until` is missing, but must be \"ready\" or \"exit\"",
            ),
            (
                json!({"until": null}),
                "`until` is missing, but must be \"ready\" or \"exit\"",
            ),
            (
                json!({"until": 3}),
                "`until` is 3, but must be \"ready\" or \"exit\"",
            ),
        ] {
            let mut arguments = given(&value);
            assert_eq!(arguments.required_word("until", &words), None);
            assert_eq!(arguments.finish().unwrap_err().to_string(), wrong);
        }
    }

    #[test]
    fn a_long_wrong_value_is_clipped() {
        let mut arguments = given(&json!({"head": "ä".repeat(100_000)}));
        arguments.count("head");
        let message = arguments.finish().unwrap_err().to_string();
        assert!(message.len() < 300, "{message}");
    }
}
