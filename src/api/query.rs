//! The parameters of a request: each is taken by its name and read into what it stands for. What is
//! wrong is said with the name, the value and what would be right; what nobody took is unknown.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use actix_web::{HttpRequest, web};

use super::errors::Refused;
use crate::http::refusal::Refusal;

/// How much of a wrong value is repeated, in characters.
const REPEATED: usize = 80;
/// Names that differ more than this from a known one are not taken for it (1 is equality).
const SIMILAR: f64 = 0.7;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    given: Vec<(String, String)>,
    /// The names that were asked for.
    known: Vec<&'static str>,
    problems: Vec<String>,
}

impl Parameters {
    /// Those of a request.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        Self::parse(request.query_string())
    }

    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let given = web::Query::<Vec<(String, String)>>::from_query(text);
        let given = given.map_err(|error| Refusal::bad_request(format!("the query: {error}")))?;
        Ok(Self {
            given: given.into_inner(),
            ..Self::default()
        })
    }

    /// Something is wrong.
    pub(super) fn refuse(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// All values of a parameter that may be repeated, or be a list with commas.
    pub(super) fn all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let own = self.given.extract_if(.., |(given, _)| given == name);
        let values: Vec<String> = own.map(|(_, value)| value).collect();
        let values = values.iter().flat_map(|it| it.split(','));
        values.map(|it| it.trim().to_owned()).collect()
    }

    /// The value of a parameter that may be there once.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let own = self.given.extract_if(.., |(given, _)| given == name);
        let mut values: Vec<String> = own.map(|(_, value)| value).collect();
        if values.len() > 1 {
            self.refuse(format!("`{name}` is there more than once"));
        }
        values.pop()
    }

    /// A value that `read` understands; `right` says what would be one.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        right: impl Display,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            let text: String = text.chars().take(REPEATED).collect();
            self.refuse(format!("`{name}` must be {right}, not {text:?}"));
        }
        value
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, "true or false", |it| it.parse().ok())
    }

    /// A whole number.
    pub(super) fn number<T>(&mut self, name: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let (least, most) = (range.start(), range.end());
        let right = format!("a whole number from {least} to {most}");
        self.read(name, right, |it| {
            it.parse().ok().filter(|number| range.contains(number))
        })
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.read(name, format!("one of {}", list.join(", ")), |it| {
            let found = words.iter().find(|(word, _)| *word == it);
            found.map(|(_, value)| *value)
        })
    }

    /// Refuses what is wrong and what nobody took.
    pub(super) fn finish(mut self) -> Result<(), Refused> {
        let unknown = std::mem::take(&mut self.given);
        for (name, _) in unknown {
            let problem = self.unknown(&name);
            self.problems.push(problem);
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Refusal::bad_request(self.problems.join("; ")).into())
    }

    fn unknown(&self, name: &str) -> String {
        let shown: String = name.chars().take(REPEATED).collect();
        if self.known.is_empty() {
            return format!("`{shown}` is no parameter: there are none here");
        }
        let alike = |known: &&&str| strsim::jaro_winkler(known, name) >= SIMILAR;
        let nearest = self.known.iter().filter(alike).max_by(|one, other| {
            let likeness = |known| strsim::jaro_winkler(known, name);
            likeness(one).total_cmp(&likeness(other))
        });
        let meant = nearest.map_or(String::new(), |it| format!(" (did you mean `{it}`?)"));
        let known = self.known.join(", ");
        format!("`{shown}` is no parameter{meant}; there are {known}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let mut parameters = Parameters::parse(text).unwrap();
        parameters.all("process");
        parameters.number("tail", 0..=100);
        parameters.flag("follow");
        parameters.word("kind", &[("run", 1), ("build", 2)]);
        match parameters.finish() {
            Ok(()) => String::new(),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn what_is_right_is_read() {
        let mut given =
            Parameters::parse("process=a,b&process=c&tail=5&follow=true&p=%5Ea+b%26").unwrap();
        assert_eq!(given.all("process"), ["a", "b", "c"]);
        assert_eq!(given.number("tail", 0..=9), Some(5));
        assert_eq!(given.flag("follow"), Some(true));
        assert_eq!(given.text("p").as_deref(), Some("^a b&"));
        assert_eq!(given.text("q"), None);
        assert!(given.finish().is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_name_its_value_and_what_would_be_right() {
        for (text, said) in [
            (
                "tail=101",
                "`tail` must be a whole number from 0 to 100, not \"101\"",
            ),
            (
                "tail=-1",
                "`tail` must be a whole number from 0 to 100, not \"-1\"",
            ),
            ("follow=yes", "`follow` must be true or false, not \"yes\""),
            ("follow", "`follow` must be true or false, not \"\""),
            ("kind=x", "`kind` must be one of run, build, not \"x\""),
            ("tail=1&tail=2", "`tail` is there more than once"),
            (
                "folow=true",
                "`folow` is no parameter (did you mean `follow`?); \
                 there are process, tail, follow, kind",
            ),
        ] {
            assert_eq!(refusal(text), said, "{text}");
        }
        let both = refusal("tail=x&nonsense=1");
        assert!(both.contains("`tail`") && both.contains("`nonsense`"));
    }
}
