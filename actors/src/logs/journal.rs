//! Lines as journald takes them from a service's stdout and stderr: with the number of a syslog
//! priority before each, `<3>text`, and as text that `journalctl` shows.
//!
//! The passthrough asks whether an output leads there, and writes its lines so; the daemon's logger
//! does the same. It must not know processes: whose a line is, is said by the prefix that it is given.

use std::{borrow::Cow, env, ffi::OsStr, os::fd::AsFd};

use crate::logs::{
    Source, Stream,
    level::{self, Level},
    text::clean,
};

/// journald takes lines of 48 KiB (`LineMax=`); what is behind would have neither prefix nor priority.
const LONGEST: usize = 40 * 1024;

/// How urgent a line is; the lower, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// A program cannot go on.
    pub const CRITICAL: Self = Self(2);
    /// Something failed: the least that `journalctl -p err` shows.
    pub const ERROR: Self = Self(3);
    /// Something is not as it should be.
    pub const WARNING: Self = Self(4);
    /// What happens.
    pub const INFO: Self = Self(6);
    /// What happens, in detail.
    pub const DEBUG: Self = Self(7);

    /// That of a line which says nothing about itself.
    #[must_use]
    pub fn of_source(source: Source, stream: Stream) -> Self {
        match (source, stream) {
            (Source::Run(_), Stream::Stderr) => Self::ERROR,
            // cargo says on stderr how far it is.
            (Source::Run(_), Stream::Stdout) | (Source::Build(_), _) => Self::INFO,
        }
    }

    /// That of the daemon's own lines.
    #[must_use]
    pub fn of_log(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::ERROR,
            log::Level::Warn => Self::WARNING,
            log::Level::Info => Self::INFO,
            log::Level::Debug | log::Level::Trace => Self::DEBUG,
        }
    }

    fn of_level(level: Level) -> Self {
        match level {
            Level::Fatal => Self::CRITICAL,
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARNING,
            Level::Info => Self::INFO,
            Level::Debug | Level::Trace => Self::DEBUG,
        }
    }
}

/// Whether this output of ours leads to journald, as systemd says in `JOURNAL_STREAM`. Who inherits
/// that variable and has an output of another kind does not believe it.
#[must_use]
pub fn is_behind(output: impl AsFd) -> bool {
    let stream = env::var_os("JOURNAL_STREAM");
    let stat = rustix::fs::fstat(output);
    stat.is_ok_and(|stat| names(stream.as_deref(), stat.st_dev, stat.st_ino))
}

/// Whether `stream`, a device and an inode in decimal with a colon between them, is this file.
fn names(stream: Option<&OsStr>, device: u64, inode: u64) -> bool {
    let numbers = stream
        .and_then(OsStr::to_str)
        .and_then(|stream| stream.split_once(':'));
    numbers.is_some_and(|(dev, ino)| dev.parse() == Ok(device) && ino.parse() == Ok(inode))
}

/// Writes one line of a child, with the newline. The text decides about its priority where it names a
/// level, else `otherwise` does.
pub fn line(prefix: &[u8], line: &[u8], otherwise: Priority, into: &mut Vec<u8>) {
    let mut text = String::with_capacity(line.len());
    clean(line, &mut text);
    let (priority, text) = said(&text).unwrap_or_else(|| {
        let named = level::level(text.as_bytes()).map(Priority::of_level);
        (named.unwrap_or(otherwise), &text)
    });
    let mut rest = text;
    loop {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(LONGEST));
        put(priority, prefix, piece.as_bytes(), into);
        rest = behind;
        if rest.is_empty() {
            return;
        }
    }
}

/// Text of the daemon's own: every line of it with this priority.
#[must_use]
pub fn lines(priority: Priority, text: &str) -> Vec<u8> {
    let mut into = Vec::with_capacity(text.len() + 4);
    for line in text.lines() {
        put(priority, b"", line.as_bytes(), &mut into);
    }
    into
}

/// What is said on stderr when nothing else is there to say it, by a daemon that ends.
#[must_use]
pub fn complaint(text: &str) -> Cow<'_, [u8]> {
    if is_behind(std::io::stderr()) {
        Cow::Owned(lines(Priority::ERROR, text))
    } else {
        Cow::Owned(format!("{text}\n").into_bytes())
    }
}

/// The priority that a child itself put before a line, for journald.
fn said(text: &str) -> Option<(Priority, &str)> {
    let (number, rest) = text.strip_prefix('<')?.split_once('>')?;
    match number.as_bytes() {
        [digit @ b'0'..=b'7'] => Some((Priority(digit - b'0'), rest)),
        _ => None,
    }
}

fn put(Priority(number): Priority, prefix: &[u8], text: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&[b'<', b'0' + number, b'>']);
    into.extend_from_slice(prefix);
    into.extend_from_slice(text);
    into.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BuildId, RunId};

    fn written(text: &str, otherwise: Priority) -> String {
        let mut into = Vec::new();
        line(b"[web] ", text.as_bytes(), otherwise, &mut into);
        String::from_utf8(into).unwrap()
    }

    #[test]
    fn a_line_that_names_its_level_has_the_priority_of_it() {
        for (text, priority) in [
            ("FATAL no more memory", 2),
            ("ERROR cannot open it", 3),
            ("2026-11-23T10:00:00Z WARN slow", 4),
            ("INFO listening", 6),
            ("DEBUG a step", 7),
            ("TRACE half a step", 7),
        ] {
            let expected = format!("<{priority}>[web] {text}\n");
            assert_eq!(written(text, Priority::ERROR), expected);
            assert_eq!(written(text, Priority::INFO), expected);
        }
    }

    #[test]
    fn a_line_that_names_none_goes_by_its_source() {
        let (run, build) = (Source::Run(RunId::from(1)), Source::Build(BuildId::from(1)));
        for (source, stream, priority) in [
            (run, Stream::Stdout, '6'),
            (run, Stream::Stderr, '3'),
            (build, Stream::Stdout, '6'),
            (build, Stream::Stderr, '6'),
        ] {
            let line = written("Compiling app", Priority::of_source(source, stream));
            assert_eq!(line, format!("<{priority}>[web] Compiling app\n"));
        }
    }

    #[test]
    fn a_priority_of_the_child_itself_is_kept_and_stands_first() {
        assert_eq!(written("<5>of note", Priority::ERROR), "<5>[web] of note\n");
        assert_eq!(
            written("<b>bold</b>", Priority::INFO),
            "<6>[web] <b>bold</b>\n"
        );
    }

    #[test]
    fn colours_are_left_out_and_nothing_is_left_that_journalctl_would_hide() {
        assert_eq!(
            written("\x1b[1;31merror\x1b[0m: no\r", Priority::INFO),
            "<3>[web] error: no\n"
        );
        let mut into = Vec::new();
        line(b"", b"caf\xe9\0", Priority::INFO, &mut into);
        assert_eq!(into, "<6>caf\u{fffd}\u{2400}\n".as_bytes());
    }

    #[test]
    fn a_line_that_is_too_long_for_journald_comes_in_pieces_that_are_lines_themselves() {
        let text = format!("ERROR {}", "é".repeat(32 * 1024));
        let written = written(&text, Priority::INFO);
        let pieces: Vec<&str> = written.lines().collect();
        assert_eq!(pieces.len(), 2);
        let pieces = pieces
            .iter()
            .map(|it| it.strip_prefix("<3>[web] ").unwrap());
        assert_eq!(pieces.collect::<String>(), text);
        assert_eq!(super::tests::written("", Priority::INFO), "<6>[web] \n");
    }

    #[test]
    fn every_line_of_the_daemons_own_text_has_the_priority() {
        assert_eq!(
            lines(Priority::of_log(log::Level::Warn), "a\n\nb"),
            b"<4>a\n<4>\n<4>b\n"
        );
    }

    #[test]
    fn only_the_very_file_that_systemd_names_is_believed() {
        let is = |stream: &str| names(Some(stream.as_ref()), 9, 4711);
        assert!(is("9:4711"));
        for other in ["9:4712", "8:4711", "9", "", ":", "9:4711:1", "x:4711"] {
            assert!(!is(other), "{other}");
        }
        assert!(!names(None, 9, 4711));
    }
}
