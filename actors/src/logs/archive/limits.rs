//! How much history is kept.

use crate::spec::LogSettings;

/// How much history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes on disk for one process, runs and builds together, indexes included.
    pub keep_bytes: u64,
    /// How many days a file is kept after its last line; 0 keeps it however old it is.
    pub keep_days: u32,
    /// How many runs, and how many builds, of one process: a program that crashes all the time has
    /// many of a few bytes.
    pub keep_logs: usize,
    /// How large a log becomes before its next file begins, in bytes.
    pub segment_bytes: u64,
    /// How large an index becomes before its next file begins, in bytes.
    pub index_bytes: u64,
}

impl From<&LogSettings> for ArchiveLimits {
    fn from(settings: &LogSettings) -> Self {
        // Small enough that not much leaves at once.
        let part = (settings.keep_bytes / 8).max(1);
        Self {
            keep_bytes: settings.keep_bytes,
            keep_days: settings.keep_days,
            keep_logs: 1_000,
            segment_bytes: part.min(8 << 20),
            index_bytes: part.min(1 << 20),
        }
    }
}
