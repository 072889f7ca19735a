//! What the compiler found in one build, beside its log: `build-000009.json`.
//!
//! It is written when the build has ended, and read when somebody asks for it or the first build of
//! another daemon is to be compared with it. Nobody relies on it: what cannot be written, or is not
//! as it was written, is not remembered, and that is all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::writer::MODE;
use crate::{
    artifact::{Diagnosis, Known},
    build::known::Row,
};

/// Which form the file has. Another daemon may recognise findings by something else, so the number
/// changes with what makes a finding the same, too.
const VERSION: u32 = 1;

/// How large such a file may be, in bytes. All findings that a build remembers need less.
const MOST: u64 = 4 << 20;

/// More findings than a build has: beyond that a number is no count.
const MOST_COUNTED: usize = u32::MAX as usize;

/// What is kept of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What readers are told.
    pub(crate) diagnosis: Arc<Diagnosis>,
    /// What the next build is compared with.
    pub(crate) known: Arc<Known>,
}

/// The form of a file that is written.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    diagnosis: &'a Diagnosis,
    known: Vec<Row>,
}

/// The form of a file that is read.
#[derive(Deserialize)]
struct Kept {
    diagnosis: Diagnosis,
    known: Vec<Row>,
}

/// What all versions have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Why a file tells nothing.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("more than {MOST} bytes")]
    TooLarge,
    #[error("of version {0}")]
    Version(u32),
    #[error(transparent)]
    Form(#[from] serde_json::Error),
    #[error("what it counts cannot be")]
    Counts,
}

impl Findings {
    /// Writes them to `path` as a whole or not at all, by way of `draft`. Answers how many bytes that
    /// took; `None` if they are more than `most`.
    pub(super) fn write(&self, draft: &Path, path: &Path, most: u64) -> io::Result<Option<u64>> {
        let written = Written {
            version: VERSION,
            diagnosis: &self.diagnosis,
            known: self.known.rows(),
        };
        let bytes = serde_json::to_vec(&written)?;
        let length = bytes.len() as u64;
        if length > most.min(MOST) {
            return Ok(None);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file = options.mode(MODE).open(draft)?;
        let done = file
            .write_all(&bytes)
            .and_then(|()| fs::rename(draft, path));
        if done.is_err() {
            // It would only take room.
            let _ = fs::remove_file(draft);
        }
        done.map(|()| Some(length))
    }

    /// Reads them; `None` if there is nothing to be read.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        match Self::try_read(path) {
            Ok(findings) => Some(findings),
            Err(error) => {
                log::debug!("{}: {error}; not remembered", path.display());
                None
            }
        }
    }

    fn try_read(path: &Path) -> Result<Self, Unreadable> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST {
            return Err(Unreadable::TooLarge);
        }
        let Version { version } = serde_json::from_slice(&bytes)?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let Kept { diagnosis, known } = serde_json::from_slice(&bytes)?;
        let counts = [diagnosis.error_count, diagnosis.warning_count];
        let counts = counts.into_iter().chain(diagnosis.new_count);
        if counts.max().is_some_and(|most| most > MOST_COUNTED) {
            return Err(Unreadable::Counts);
        }
        Ok(Self {
            diagnosis: Arc::new(diagnosis),
            known: Arc::new(Known::of_rows(known).ok_or(Unreadable::Counts)?),
        })
    }
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
