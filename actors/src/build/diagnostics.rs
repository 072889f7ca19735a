//! Findings of the compiler: counted, the first ones kept, and placed within the project.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anstream::adapter::strip_str;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    artifact::{BuildReport, Diagnostic},
    build::{
        messages::{CompilerMessage, Finding},
        output::head,
    },
    spec::Project,
};

/// Beyond this many different findings, repeated ones are counted again: memory stays bounded.
const MOST_REMEMBERED: usize = 100_000;

/// What the compiler found in one build.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    pub(crate) error_count: usize,
    pub(crate) warning_count: usize,
    first: Vec<Unplaced>,
    seen: HashSet<u128>,
}

/// An error whose file is still named as rustc names it: relative to the root of its workspace.
#[derive(Debug)]
struct Unplaced {
    diagnostic: Diagnostic,
    file: Option<PathBuf>,
    package: Option<PathBuf>,
}

impl Diagnostics {
    /// Takes a message of the compiler in; answers what people should read of it.
    pub(crate) fn note(&mut self, message: CompilerMessage) -> Option<String> {
        let finding = message.message;
        if is_summary(&finding) {
            return None;
        }
        let rendered = finding.rendered.clone().unwrap_or_default();
        // The same source, compiled for two targets, is found fault with twice.
        if self.seen.len() < MOST_REMEMBERED && !self.seen.insert(xxh3_128(rendered.as_bytes())) {
            return None;
        }
        if finding.level.starts_with("error") {
            self.error_count += 1;
            if self.first.len() < BuildReport::MOST_SHOWN {
                let package = message.manifest_path.as_deref().and_then(Path::parent);
                self.first.push(unplaced(finding, package));
            }
        } else if finding.level == "warning" {
            self.warning_count += 1;
        }
        Some(rendered)
    }

    /// The first errors, with files as people of `project` write them. Looks at the disk.
    pub(crate) fn first_errors(self, project: &Project) -> Vec<Diagnostic> {
        let placed = |error: Unplaced| {
            let (file, package) = (error.file, error.package);
            let file = file.map(|file| place(&file, package.as_deref(), project));
            Diagnostic {
                file,
                ..error.diagnostic
            }
        };
        self.first.into_iter().map(placed).collect()
    }
}

/// rustc's last words, which only count what was said before.
fn is_summary(finding: &Finding) -> bool {
    let message = finding.message.as_str();
    let counts_warnings = message.starts_with(|c: char| c.is_ascii_digit())
        && (message.ends_with(" warning emitted") || message.ends_with(" warnings emitted"));
    finding.spans.is_empty()
        && finding.code.is_none()
        && (message.starts_with("aborting due to ") || counts_warnings)
}

fn unplaced(finding: Finding, package: Option<&Path>) -> Unplaced {
    let span = finding.spans.into_iter().find(|span| span.is_primary);
    let rendered = finding.rendered.unwrap_or_default();
    let rendered = strip_str(&rendered).to_string();
    Unplaced {
        diagnostic: Diagnostic {
            level: "error".to_owned(),
            code: finding.code.map(|code| code.code),
            file: None,
            line: span.as_ref().map(|span| span.line_start),
            column: span.as_ref().map(|span| span.column_start),
            message: finding.message,
            rendered: head(rendered.trim_end(), BuildReport::MOST_RENDERED),
            new: true,
        },
        file: span.map(|span| span.file_name),
        package: package.map(Path::to_owned),
    }
}

/// The file that rustc means, which it names relative to the root of the workspace: an unknown one
/// of the folders above the package.
fn place(file: &Path, package: Option<&Path>, project: &Project) -> String {
    let roots = package.into_iter().flat_map(Path::ancestors);
    let mut candidates = roots.map(|root| root.join(file));
    let found = candidates.find(|path| path.is_file());
    let path = found.as_deref().unwrap_or(file);
    project.relative(path).display().to_string()
}

/// Why a build failed, in one line: how many errors, and the first one.
pub(crate) fn summary(error_count: usize, first: &Diagnostic) -> String {
    let count = match error_count {
        0 | 1 => "1 error: ".to_owned(),
        several => format!("{several} errors; the first: "),
    };
    let place = match (&first.file, first.line, first.column) {
        (None, _, _) => String::new(),
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column} "),
        (Some(file), _, _) => format!("{file} "),
    };
    let code = first.code.as_ref();
    let code = code.map_or(String::new(), |code| format!(" [{code}]"));
    format!("{count}{place}{}{code}", first.message)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::build::messages::{Message, parse};

    /// What cargo 1.95 said about a member of a workspace in `/p` with two errors.
    const TWO_ERRORS: &str = include_str!("samples/two-errors.jsonl");

    fn noted(lines: &str) -> (Diagnostics, String) {
        let (mut diagnostics, mut shown) = (Diagnostics::default(), String::new());
        for line in lines.lines() {
            if let Message::Compiler(message) = parse(line.as_bytes()) {
                shown.extend(diagnostics.note(message));
            }
        }
        (diagnostics, shown)
    }

    fn message(level: &str, message: &str, rendered: &str) -> String {
        let message = serde_json::json!({
            "reason": "compiler-message",
            "message": {
                "level": level, "message": message, "code": null, "spans": [], "rendered": rendered,
            },
        });
        format!("{message}\n")
    }

    fn project(dir: &Path) -> Project {
        Project {
            dir: dir.to_owned(),
            state_dir: "/s".into(),
        }
    }

    #[test]
    fn errors_of_a_workspace_member_are_placed_within_the_project() {
        let dir = TempDir::new().unwrap();
        let source = dir.path().join("ws/a/src/main.rs");
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "").unwrap();
        let root = dir.path().join("ws").display().to_string();
        let (diagnostics, shown) = noted(&TWO_ERRORS.replace("/p/", &format!("{root}/")));
        assert_eq!((diagnostics.error_count, diagnostics.warning_count), (2, 0));
        assert!(shown.contains("\u{1b}[") && shown.contains("rustc --explain E0308"));

        let errors = diagnostics.first_errors(&project(dir.path()));
        let places: Vec<_> = errors
            .iter()
            .map(|e| {
                (
                    e.file.as_deref().unwrap(),
                    e.line.unwrap(),
                    e.column.unwrap(),
                )
            })
            .collect();
        let file = "ws/a/src/main.rs";
        assert_eq!(places, [(file, 2, 18), (file, 3, 21)]);
        assert!(
            errors[0]
                .rendered
                .starts_with("error[E0308]: mismatched types\n")
        );
        assert_eq!(
            summary(2, &errors[0]),
            "2 errors; the first: ws/a/src/main.rs:2:18 mismatched types [E0308]"
        );
    }

    #[test]
    fn summaries_notes_and_repetitions_are_not_counted() {
        let lines = [
            message("warning", "unused", "w1"),
            message("warning", "unused", "w1"),
            message("warning", "unused", "w2"),
            message("error", "bad", "e"),
            message("error: internal compiler error", "oh", "ice"),
            message(
                "error",
                "aborting due to 2 previous errors; 1 warning emitted",
                "a",
            ),
            message("warning", "1 warning emitted", "b"),
            message("warning", "2 warnings emitted", "c"),
            message("failure-note", "For more information", "f"),
        ];
        let (diagnostics, shown) = noted(&lines.concat());
        assert_eq!((diagnostics.error_count, diagnostics.warning_count), (2, 2));
        assert_eq!(shown, "w1w2eicef");
    }

    #[test]
    fn the_first_errors_are_kept_and_all_are_counted() {
        let lines: String = (0..9)
            .map(|n| message("error", &n.to_string(), &format!("{n}{}", "ä".repeat(5000))))
            .collect();
        let (diagnostics, _) = noted(&lines);
        assert_eq!(diagnostics.error_count, 9);
        let errors = diagnostics.first_errors(&project(Path::new("/p")));
        let messages: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
        assert_eq!(messages, ["0", "1", "2", "3", "4"]);
        let rendered = &errors[0].rendered;
        assert!(rendered.len() <= BuildReport::MOST_RENDERED && rendered.ends_with('…'));
    }

    #[test]
    fn a_file_that_is_nowhere_keeps_its_name() {
        let place = |file: &str| {
            place(
                Path::new(file),
                Some(Path::new("/no/a")),
                &project(Path::new("/no")),
            )
        };
        assert_eq!(place("src/x.rs"), "src/x.rs");
        assert_eq!(
            place("/rustc/1/library/core/src/lib.rs"),
            "/rustc/1/library/core/src/lib.rs"
        );
    }
}
