//! Findings of the compiler: each counted once, compared with those of the build before, the first
//! ones kept and placed within the project.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use anstream::adapter::strip_str;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    artifact::{BuildReport, Diagnostic},
    build::{
        known::{Coverage, Identity, Known, Origin, Severity, Unit, hash, pointed_at},
        messages::{Artifact, CompilerMessage, Finding, Span, Target},
        output::head,
        source_path::{place, straight},
    },
    exit::Exit,
    spec::Project,
};

/// Beyond this many different findings, repeated ones are counted again: memory stays bounded.
const MOST_REMEMBERED: usize = 100_000;

/// What the compiler found in one build.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    /// What was known before; `None` if there was no build.
    before: Option<Arc<Known>>,
    error_count: usize,
    warning_count: usize,
    new_count: usize,
    errors: Kept,
    warnings: Kept,
    /// What was counted.
    seen: HashSet<u128>,
    /// What people were shown: what is counted once may be worded in two ways.
    shown: HashSet<u128>,
    now: Known,
    compiled: HashSet<Unit>,
    failed: HashSet<Unit>,
}

/// All that one build found.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) error_count: usize,
    pub(crate) warning_count: usize,
    pub(crate) new_count: usize,
    pub(crate) fixed_count: usize,
    /// The first errors and, behind them, new warnings.
    pub(crate) shown: Vec<Diagnostic>,
    /// All errors and, behind them, all warnings, as far as there was room.
    pub(crate) all: Vec<Diagnostic>,
    /// What the next build is compared with.
    pub(crate) known: Known,
}

/// Findings of one severity, bounded in number and in bytes.
#[derive(Debug, Default)]
struct Kept {
    findings: Vec<Unplaced>,
    /// How much text they have.
    bytes: usize,
    /// How many of them are new.
    new: usize,
}

impl Kept {
    /// How many there may be.
    const MOST: usize = 500;
    /// How much text they may have, in bytes; the first few errors and new warnings always fit.
    const MOST_BYTES: usize = 128 << 10;

    fn add(&mut self, finding: Unplaced) {
        let new = finding.diagnostic.new;
        let size = finding.diagnostic.message.len() + finding.diagnostic.rendered.len();
        let fits = self.findings.len() < Self::MOST && self.bytes + size <= Self::MOST_BYTES;
        let is_shown = self.findings.len() < BuildReport::MOST_SHOWN
            || (new && self.new < BuildReport::MOST_SHOWN);
        if fits || is_shown {
            self.bytes += size;
            self.new += usize::from(new);
            self.findings.push(finding);
        }
    }
}

/// A finding whose file is still named as rustc names it: relative to the root of its workspace.
#[derive(Debug)]
struct Unplaced {
    diagnostic: Diagnostic,
    file: Option<PathBuf>,
    package: Option<PathBuf>,
}

impl Diagnostics {
    /// Nothing yet; `before` is what was known when the build began.
    pub(crate) fn against(before: Option<Arc<Known>>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// Takes a message of the compiler in; answers what people should read of it.
    pub(crate) fn note(&mut self, message: CompilerMessage) -> Option<String> {
        if is_summary(&message.message) {
            return None;
        }
        let rendered = message.message.rendered.as_deref().unwrap_or_default();
        let is_unread = remember(&mut self.shown, xxh3_128(rendered.as_bytes()));
        let rendered = rendered.to_owned();
        self.count(message);
        is_unread.then_some(rendered)
    }

    /// This was compiled, or had been before.
    pub(crate) fn note_artifact(&mut self, artifact: &Artifact) {
        if self.compiled.len() < MOST_REMEMBERED {
            let manifest = &artifact.manifest_path;
            self.compiled.insert(unit(manifest, &artifact.target));
        }
    }

    /// Takes in what is wrong, but not with what the compiler saw.
    pub(crate) fn note_complaint(&mut self, mut complaint: Diagnostic) {
        let file = complaint.file.clone().unwrap_or_default();
        let file = [file.as_bytes()];
        let identity = Identity::of(Severity::Error, None, &file, &complaint.message, "");
        let origin = Origin {
            severity: Severity::Error,
            unit: None,
        };
        complaint.new = self.is_new(identity, origin);
        self.error_count += 1;
        self.errors.add(Unplaced {
            file: None,
            package: None,
            diagnostic: complaint,
        });
    }

    /// Whether there was an error.
    pub(crate) fn has_errors(&self) -> bool {
        self.error_count > 0
    }

    fn count(&mut self, message: CompilerMessage) {
        let finding = message.message;
        let severity = match finding.level.as_str() {
            "warning" => Severity::Warning,
            level if level.starts_with("error") => Severity::Error,
            _ => return,
        };
        let manifest = message.manifest_path.as_deref();
        let unit = message
            .target
            .map(|target| unit(manifest.unwrap_or(Path::new("")), &target));
        if severity == Severity::Error {
            self.failed.extend(unit);
        }
        let package = manifest.and_then(Path::parent);
        // The same source, compiled for two targets, is found fault with twice.
        if !remember(&mut self.seen, place_of(&finding, package)) {
            return;
        }
        let new = self.is_new(
            identity(severity, &finding, package),
            Origin { severity, unit },
        );
        let kept = match severity {
            Severity::Error => {
                self.error_count += 1;
                &mut self.errors
            }
            Severity::Warning => {
                self.warning_count += 1;
                &mut self.warnings
            }
        };
        kept.add(Unplaced {
            file: primary(&finding).map(|span| span.file_name.clone()),
            package: package.map(Path::to_owned),
            diagnostic: diagnostic(severity, finding, new),
        });
    }

    /// Whether this finding was not known before, of which there is now one more.
    fn is_new(&mut self, finding: Identity, origin: Origin) -> bool {
        let times = self.now.add(finding, origin);
        let new = match (&self.before, times) {
            (Some(before), Some(times)) => before.lacks(finding, times),
            _ => false,
        };
        self.new_count += usize::from(new);
        new
    }

    /// There are no more, and `exit` is how cargo ended. Files are named as people of `project` write
    /// them. Looks at the disk.
    pub(crate) fn conclude(self, exit: Option<Exit>, project: &Project) -> Findings {
        let coverage = match exit {
            Some(Exit::Code(0)) => Coverage::Everything,
            _ => Coverage::Some {
                compiled: self.compiled,
                failed: self.failed,
            },
        };
        let (known, fixed_count) = match &self.before {
            Some(before) => self.now.after(before, &coverage),
            None => (self.now, 0),
        };
        let placed = |finding: Unplaced| {
            let package = finding.package.as_deref();
            let file = finding.file.map(|file| place(&file, package, project));
            Diagnostic {
                file: file.or(finding.diagnostic.file),
                ..finding.diagnostic
            }
        };
        let place_all =
            |kept: Kept| -> Vec<Diagnostic> { kept.findings.into_iter().map(placed).collect() };
        let (mut all, warnings) = (place_all(self.errors), place_all(self.warnings));
        let new_warnings = warnings.iter().filter(|warning| warning.new);
        let new_warnings = new_warnings.map(|warning| Diagnostic {
            rendered: head(&warning.rendered, BuildReport::MOST_RENDERED_WARNING),
            ..warning.clone()
        });
        let shown = all.iter().cloned().chain(new_warnings);
        let shown = shown.take(BuildReport::MOST_SHOWN).collect();
        all.extend(warnings);
        Findings {
            error_count: self.error_count,
            warning_count: self.warning_count,
            new_count: self.new_count,
            fixed_count,
            shown,
            all,
            known,
        }
    }
}

/// Whether this was not there; as long as there is room.
fn remember(seen: &mut HashSet<u128>, hash: u128) -> bool {
    seen.len() >= MOST_REMEMBERED || seen.insert(hash)
}

fn unit(manifest: &Path, target: &Target) -> Unit {
    let kind = target.kind.iter().map(String::as_str);
    Unit::of(manifest.as_os_str().as_encoded_bytes(), kind, &target.name)
}

fn primary(finding: &Finding) -> Option<&Span> {
    finding.spans.iter().find(|span| span.is_primary)
}

/// What makes a finding the same within one build. Its wording is not part of that: which lint is on
/// by default is explained only where it fires first. Without a place the wording is all there is.
fn place_of(finding: &Finding, package: Option<&Path>) -> u128 {
    let Some(span) = primary(finding) else {
        let rendered = finding.rendered.as_deref().unwrap_or_default();
        return hash([rendered.as_bytes()]);
    };
    let code = finding.code.as_ref().map_or("", |code| &code.code);
    let place = format!("{}:{}", span.line_start, span.column_start);
    let words = [&finding.level, code, &finding.message, &place].map(str::as_bytes);
    let file = file_of(span, package);
    hash(words.into_iter().chain(file.iter().map(Vec::as_slice)))
}

fn identity(severity: Severity, finding: &Finding, package: Option<&Path>) -> Identity {
    let code = finding.code.as_ref().map(|code| code.code.as_str());
    let span = primary(finding);
    let file: Vec<_> = span.into_iter().flat_map(|s| file_of(s, package)).collect();
    let file: Vec<_> = file.iter().map(Vec::as_slice).collect();
    let line = span.and_then(|span| span.text.first());
    let pointed_at = line.map_or(String::new(), |line| {
        pointed_at(&line.text, line.highlight_start, line.highlight_end)
    });
    Identity::of(severity, code, &file, &finding.message, &pointed_at)
}

/// A relative name alone could be a file of another package, too.
fn file_of(span: &Span, package: Option<&Path>) -> [Vec<u8>; 2] {
    let package = package.unwrap_or(Path::new("")).to_owned();
    [package, straight(&span.file_name)].map(|path| path.into_os_string().into_encoded_bytes())
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

fn diagnostic(severity: Severity, finding: Finding, new: bool) -> Diagnostic {
    let span = primary(&finding);
    let (line, column) = (span.map(|s| s.line_start), span.map(|s| s.column_start));
    let rendered = finding.rendered.unwrap_or_default();
    let rendered = strip_str(&rendered).to_string();
    Diagnostic {
        level: match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
        .to_owned(),
        code: finding.code.map(|code| code.code),
        file: None,
        line,
        column,
        message: finding.message,
        rendered: head(rendered.trim_end(), BuildReport::MOST_RENDERED),
        new,
    }
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
#[path = "diagnostics_tests.rs"]
mod tests;
