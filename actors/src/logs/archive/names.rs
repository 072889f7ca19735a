//! How files are named: `run-000007.log` is being written, or was written last; what was written
//! before it is `run-000007.0001.log`, then `run-000007.0002.log`: the order in which a shell gives
//! them. Each has an index beside it, with `idx` at the end, and a build may have `build-000009.json`.

use crate::search::LogKind;

/// Which of a log's files.
pub(super) type Number = u32;

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
