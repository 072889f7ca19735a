//! The query of an URL.

use std::fmt::{Display, Write};

/// Names and values, written as an URL wants them.
#[derive(Debug, Default)]
pub(super) struct Query {
    text: String,
}

impl Query {
    /// Adds one.
    pub(super) fn push(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.text.push(if self.text.is_empty() { '?' } else { '&' });
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&encoded(&value.to_string()));
        self
    }

    /// Adds one that is given.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.push(name, value),
            None => self,
        }
    }

    /// Adds one that is set.
    pub(super) fn flag(&mut self, name: &str, is_set: bool) -> &mut Self {
        self.maybe(name, is_set.then_some(true))
    }

    /// With the question mark; empty when nothing is asked.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A text as part of a path or query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
