//! What describes something that could run, but is of no use: it is left out, and said.

use std::{fs, io, path::Path};

use crate::cli::{harmless, paint::Colours};

/// How much of a reason is said, in characters.
const SAID: usize = 300;

/// Where it stands and what is wrong with it, of each.
#[derive(Debug, Default)]
pub(super) struct Unusable(Vec<String>);

impl Unusable {
    /// Something more.
    pub(super) fn add(&mut self, why: impl AsRef<str>) {
        // It may repeat what the file says.
        let why: String = why.as_ref().chars().take(SAID).collect();
        self.0.push(harmless::line(&why, Colours::Off));
    }

    /// The text of a file. One that is not there is not missing.
    pub(super) fn read(&mut self, file: &Path) -> Option<String> {
        match fs::read_to_string(file) {
            Ok(text) => Some(text),
            Err(cause)
                if matches!(
                    cause.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                None
            }
            Err(cause) => {
                self.add(format!("{}: {cause}", file.display()));
                None
            }
        }
    }

    /// All of it, a line each.
    pub(super) fn lines(&self) -> &[String] {
        &self.0
    }
}
