//! What cargo itself complains about on its stderr: a broken manifest, a missing dependency, a build
//! script that failed. It does not send these as messages.

use std::path::{Path, PathBuf};

use anstream::adapter::strip_str;

use crate::{
    artifact::{BuildReport, Diagnostic},
    build::output::{Line, Lines, head},
    exit::Exit,
    spec::Project,
};

/// How much of the end of stderr is kept.
const TAIL: usize = 8 << 10;
const LONGEST_LINE: usize = 16 << 10;
const MOST_MESSAGE: usize = 500;

/// The end of cargo's stderr, and the first error in it.
pub(crate) struct Complaint {
    lines: Lines,
    tail: Vec<u8>,
    first_error: Option<String>,
    lock: Lock,
}

/// What is known about cargo's lock on the target folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Free,
    Waited,
}

/// What a portion of stderr told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    None,
    /// Another cargo holds the lock on this, in cargo's words. Told once.
    WaitsForLock(String),
}

impl Complaint {
    pub(crate) fn new() -> Self {
        Self {
            lines: Lines::new(LONGEST_LINE),
            tail: Vec::new(),
            first_error: None,
            lock: Lock::Free,
        }
    }

    /// Takes a portion of stderr in.
    pub(crate) fn push(&mut self, portion: &[u8]) -> News {
        self.tail.extend_from_slice(portion);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        let mut news = News::None;
        for line in self.lines.push(portion) {
            if let Line::Whole(line) = line {
                let line = String::from_utf8_lossy(&line);
                let line = strip_str(&line).to_string();
                match lock_in(&line) {
                    Some(what) if self.lock == Lock::Free => {
                        self.lock = Lock::Waited;
                        news = News::WaitsForLock(what.to_owned());
                    }
                    _ => {}
                }
                if self.first_error.is_none() && line.starts_with("error") {
                    self.first_error = Some(line);
                }
            }
        }
        news
    }

    /// The complaint as an error of the build. `cwd` is where cargo ran.
    pub(crate) fn into_error(
        self,
        exit: Option<Exit>,
        cwd: &Path,
        project: &Project,
    ) -> Diagnostic {
        let text = String::from_utf8_lossy(&self.tail);
        let text = strip_str(&text).to_string();
        let first = self.first_error.or_else(|| {
            // The only line may lack its newline.
            text.lines()
                .find(|l| l.starts_with("error"))
                .map(str::to_owned)
        });
        let Some(first) = first else {
            let exit = exit.map_or("its end was not seen".to_owned(), |e| e.to_string());
            return plain(&format!("cargo failed: {exit}"), text.trim());
        };
        let from = text.find(&first).unwrap_or(0);
        let told = text[from..].trim_end();
        let message = match told.rsplit_once("Caused by:\n") {
            Some((_, cause)) => format!("{}: {}", headline(&first), headline(cause)),
            None => headline(&first).to_owned(),
        };
        let mut error = plain(&message, told);
        if let Some((file, line, column)) = told.lines().nth(1).and_then(arrow) {
            let path = cwd.join(file);
            let path = path.canonicalize().unwrap_or(path);
            error.file = Some(project.relative(&path).display().to_string());
            (error.line, error.column) = (Some(line), Some(column));
        }
        error
    }
}

/// What cargo waits for, if this line says that it does.
fn lock_in(line: &str) -> Option<&str> {
    let (_, what) = line.split_once("Blocking waiting for file lock on ")?;
    Some(what.trim())
}

/// An error without a place in a source.
pub(crate) fn plain(message: &str, rendered: &str) -> Diagnostic {
    let rendered = if rendered.is_empty() {
        message
    } else {
        rendered
    };
    Diagnostic {
        level: "error".to_owned(),
        code: None,
        file: None,
        line: None,
        column: None,
        rendered: middle_cut(rendered, BuildReport::MOST_RENDERED),
        message: head(message, MOST_MESSAGE),
        new: false,
    }
}

/// The first line that says something, without `error:`.
fn headline(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

/// `--> file:line:column`
fn arrow(line: &str) -> Option<(PathBuf, usize, usize)> {
    let place = line.trim_start().strip_prefix("--> ")?;
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next()?.trim().parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some((parts.next()?.into(), line, column))
}

/// At most `limit` bytes: the beginning says what failed, the end says how.
fn middle_cut(text: &str, limit: usize) -> String {
    const SIGN: &str = "\n…\n";
    if text.len() <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(SIGN.len());
    let end = text.floor_char_boundary(room / 3);
    let start = text.ceil_char_boundary(text.len() - (room - room / 3));
    format!("{}{SIGN}{}", &text[..end], &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> Project {
        Project {
            dir: "/p".into(),
            state_dir: "/s".into(),
        }
    }

    fn error(stderr: &str) -> Diagnostic {
        let mut complaint = Complaint::new();
        complaint.push(stderr.as_bytes());
        complaint.into_error(Some(Exit::Code(101)), Path::new("/p/a"), &project())
    }

    #[test]
    fn a_broken_manifest_is_found_in_its_file() {
        let error = error(
            "error: unclosed table, expected `]`\n --> Cargo.toml:1:9\n  |\n1 | [package\n  |         ^\n",
        );
        assert_eq!(error.message, "unclosed table, expected `]`");
        assert_eq!(error.file.as_deref(), Some("a/Cargo.toml"));
        assert_eq!((error.line, error.column), (Some(1), Some(9)));
        assert!(error.rendered.ends_with('^'), "{}", error.rendered);
    }

    #[test]
    fn a_chain_of_causes_is_told_by_its_ends() {
        let error = error(
            "   Compiling x\nerror: failed to load manifest for workspace member `/p/a`\nreferenced by workspace at `/p/Cargo.toml`\n\nCaused by:\n  failed to load manifest for dependency `nope`\n\nCaused by:\n  failed to read `/p/nope/Cargo.toml`\n\nCaused by:\n  No such file or directory (os error 2)\n",
        );
        assert_eq!(
            error.message,
            "failed to load manifest for workspace member `/p/a`: No such file or directory (os error 2)"
        );
        assert!(
            error.rendered.starts_with("error: failed"),
            "{}",
            error.rendered
        );
        assert_eq!(error.file, None);
    }

    #[test]
    fn colours_and_a_missing_newline_do_not_matter() {
        let error = error("\u{1b}[1m\u{1b}[91merror\u{1b}[0m: no such command");
        assert_eq!(error.message, "no such command");
    }

    #[test]
    fn without_any_word_the_exit_is_told() {
        assert_eq!(error("").message, "cargo failed: exit code 101");
        let error = error("Killed\n");
        assert_eq!(
            (&*error.message, &*error.rendered),
            ("cargo failed: exit code 101", "Killed")
        );
    }

    #[test]
    fn a_flood_keeps_its_first_error_and_its_end() {
        let mut complaint = Complaint::new();
        complaint.push(b"error: failed to run custom build command for `x`\n");
        for _ in 0..100 {
            complaint.push(&[b'a'; 1000]);
            assert!(complaint.tail.len() <= TAIL);
        }
        complaint.push(b"\nthe end\n");
        let error = complaint.into_error(None, Path::new("/p"), &project());
        assert_eq!(error.message, "failed to run custom build command for `x`");
        assert!(error.rendered.ends_with("the end"));
        assert!(error.rendered.len() <= BuildReport::MOST_RENDERED);
    }

    #[test]
    fn a_wait_for_the_lock_is_told_once() {
        let mut complaint = Complaint::new();
        let line = b"    Blocking waiting for file lock on build directory\n";
        let what = "build directory".to_owned();
        assert_eq!(complaint.push(line), News::WaitsForLock(what));
        assert_eq!(complaint.push(line), News::None);
    }

    #[test]
    fn a_text_is_cut_in_its_middle_between_characters() {
        let cut = middle_cut(&"ä".repeat(100), 50);
        assert!(
            cut.len() <= 50 && cut.contains('…') && cut.starts_with('ä') && cut.ends_with('ä'),
            "{cut}"
        );
    }
}
