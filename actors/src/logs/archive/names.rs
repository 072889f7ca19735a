//! How files are named: `run-000007.log` is being written, or was written last; what was written
//! before it is `run-000007.0001.log`, then `run-000007.0002.log`: the order in which a shell gives
//! them. Each has an index beside it, with `idx` at the end, and a build may have `build-000009.json`.

use crate::search::LogKind;

/// The highest id that a file is believed to have: a run each second for thirty years. New ids go on
/// behind the highest one, so whoever puts an absurd name there would otherwise have them all.
pub(super) const MOST_ID: u64 = 999_999_999;

/// Which of a log's files.
pub(super) type Number = u32;

/// The highest number that a file is believed to have.
const MOST_NUMBER: Number = 999_999_999;

/// The newest file of a log, whose name has no number.
pub(super) const NEWEST: Number = Number::MAX;

/// A file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) kind: LogKind,
    pub(super) id: u64,
    pub(super) number: Number,
    pub(super) content: Content,
}

/// Lines, or what is to be known of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Log,
    Index,
    /// What the compiler found in a build, whatever the number of its files.
    Findings,
}

/// The name of a log file.
pub(super) fn log_name(kind: LogKind, id: u64, number: Number) -> String {
    let kind = match kind {
        LogKind::Runs => "run",
        LogKind::Builds => "build",
    };
    if number == NEWEST {
        format!("{kind}-{id:06}.log")
    } else {
        format!("{kind}-{id:06}.{number:04}.log")
    }
}

/// The name of what the compiler found in a build.
pub(super) fn findings_name(build: u64) -> String {
    format!("build-{build:06}.json")
}

impl FileName {
    /// `None` for what is no file of a log.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once('-')?;
        let kind = match kind {
            "run" => LogKind::Runs,
            "build" => LogKind::Builds,
            _ => return None,
        };
        let (rest, extension) = rest.rsplit_once('.')?;
        let content = match extension {
            "log" => Content::Log,
            "idx" => Content::Index,
            "json" if kind == LogKind::Builds => Content::Findings,
            _ => return None,
        };
        let (id, number) = match rest.split_once('.') {
            None => (rest, NEWEST),
            Some(_) if content == Content::Findings => return None,
            Some((id, number)) => (id, number.parse().ok()?),
        };
        let found = Self {
            kind,
            id: id.parse().ok()?,
            number,
            content,
        };
        // Only names that we give: `run-7.log` or `run-+00007.log` is somebody else's.
        let ours = log_name(kind, found.id, number);
        let same = ours.strip_suffix("log") == name.strip_suffix(extension);
        same.then_some(found)
    }

    /// Whether it can be a file of ours; a name of that form can be anybody's.
    pub(super) fn is_likely(&self) -> bool {
        self.id <= MOST_ID && (self.number == NEWEST || self.number <= MOST_NUMBER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_a_shell_gives_them_in_the_order_of_writing() {
        let mut names = Vec::new();
        for id in [7, 8, 1_234_567] {
            for number in [1, 2, 10, NEWEST] {
                let name = log_name(LogKind::Runs, id, number);
                let parsed = FileName::parse(&name).unwrap();
                assert_eq!((parsed.id, parsed.number), (id, number));
                names.push(name);
            }
        }
        assert_eq!(names[0], "run-000007.0001.log");
        assert!(names[..8].is_sorted());
        let index = FileName::parse("build-000009.idx").unwrap();
        assert_eq!(
            (index.kind, index.content),
            (LogKind::Builds, Content::Index)
        );
        let findings = FileName::parse(&findings_name(9)).unwrap();
        assert_eq!((findings.id, findings.content), (9, Content::Findings));
    }

    #[test]
    fn absurd_numbers_are_unlikely() {
        for (name, expected) in [
            ("run-999999999.log", true),
            ("run-1000000000.log", false),
            ("run-18446744073709551615.idx", false),
            ("build-999999999999.json", false),
            ("run-000007.999999999.log", true),
            ("run-000007.4294967294.log", false),
        ] {
            let parsed = FileName::parse(name).unwrap();
            assert_eq!(parsed.is_likely(), expected, "{name}");
        }
        // No number at all.
        assert_eq!(FileName::parse("run-18446744073709551616.log"), None);
    }

    #[test]
    fn other_names_are_no_files_of_logs() {
        for name in [
            "run-7.log",
            "run-+00007.log",
            "run-000007.1.log",
            "run-000007.log.gz",
            "run-000007",
            "notes.log",
            "removed",
            "run-.log",
            "run-000007.0001.0001.log",
            "run-000007.json",
            "build-000007.0001.json",
            "build-7.json",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
