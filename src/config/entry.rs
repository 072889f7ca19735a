//! One key of the file with its value and its place.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// One `key = value`, or one table.
pub(super) struct Entry<'d> {
    /// The key within its table.
    pub(super) name: &'d str,
    /// The key with all tables around it, as people write it.
    pub(super) path: String,
    /// The byte where the key stands.
    pub(super) at: usize,
    /// The value.
    pub(super) value: &'d DeValue<'d>,
    /// The bytes where the value stands.
    pub(super) span: Range<usize>,
}

/// The entries of a table in the order of the file. `parent` is empty for the file itself.
pub(super) fn entries<'d>(parent: &str, table: &'d DeTable<'d>) -> Vec<Entry<'d>> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| Entry {
            name: key.get_ref().as_ref(),
            path: join(parent, key.get_ref()),
            at: key.span().start,
            value: value.get_ref(),
            span: value.span(),
        })
        .collect();
    // toml keeps its tables sorted by name.
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// The one of `entries` with this name.
pub(super) fn find<'e, 'd>(entries: &'e [Entry<'d>], name: &str) -> Option<&'e Entry<'d>> {
    entries.iter().find(|entry| entry.name == name)
}

impl<'d> Entry<'d> {
    /// The elements of a list; `None` if it is something else.
    pub(super) fn elements(&self) -> Option<Vec<Entry<'d>>> {
        let elements = self.value.as_array()?.iter().enumerate();
        Some(
            elements
                .map(|(index, element)| Entry {
                    name: self.name,
                    path: format!("{}[{index}]", self.path),
                    at: element.span().start,
                    value: element.get_ref(),
                    span: element.span(),
                })
                .collect(),
        )
    }
}

fn join(parent: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if parent.is_empty() {
        key
    } else {
        format!("{parent}.{key}")
    }
}
