//! The lines of a log that look like errors, and that another log does not have.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    logs::{
        Stream,
        chunk::{Chunk, Line, LineEnd},
        level::{Level, is_panic, level},
        shelf::Snapshot,
        text::clean,
    },
    search::{likeness::Likeness, show},
};

/// How much of the beginning of a log is looked at, in bytes.
const LOOKED_AT: usize = 4 << 20;
/// How many different lines are found at most, before those of the other log are left out.
const MOST_FOUND: usize = 1_000;
/// The longest text of one line that is given whole, in bytes.
pub(crate) const LONGEST: usize = 400;

/// The first `count` lines of `log` that look like errors, without those of `unlike`, as readers see
/// them. `None` if `cancelled` was set meanwhile.
pub(crate) fn error_lines(
    log: &Snapshot,
    unlike: Option<&Snapshot>,
    count: usize,
    cancelled: &AtomicBool,
) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let most = if unlike.is_some() { MOST_FOUND } else { count };
    each_error(beginning(log), cancelled, &mut |line, text| {
        let likeness = Likeness::of(text);
        if found.len() < most && seen.insert(likeness) {
            found.push((likeness, show::text(line, LONGEST).0));
        }
        found.len() < most
    })?;
    if let (Some(unlike), false) = (unlike, found.is_empty()) {
        // All that is kept of it: what is new is seldom much, and only that is remembered.
        each_error(unlike.chunks(), cancelled, &mut |_, text| {
            seen.remove(&Likeness::of(text));
            !seen.is_empty()
        })?;
    }
    let new = found
        .into_iter()
        .filter(|(likeness, _)| seen.contains(likeness));
    Some(new.map(|(_, text)| text).take(count).collect())
}

fn beginning(log: &Snapshot) -> impl Iterator<Item = Arc<Chunk>> {
    log.chunks().scan(0, |before, chunk| {
        let within = *before < LOOKED_AT;
        *before += chunk.bytes().len();
        within.then_some(chunk)
    })
}

/// Calls `found` with each line that looks like an error, and with its text, until that answers
/// false. `None` if `cancelled` was set meanwhile.
fn each_error(
    chunks: impl Iterator<Item = Arc<Chunk>>,
    cancelled: &AtomicBool,
    found: &mut impl FnMut(&Line<'_>, &[u8]) -> bool,
) -> Option<()> {
    let mut outputs = [Output::default(); 2];
    let mut text = String::new();
    for chunk in chunks {
        if cancelled.load(Ordering::Relaxed) {
            return None;
        }
        for position in 0..chunk.len() {
            let line = chunk.line(position);
            let output = &mut outputs[usize::from(line.stream == Stream::Stderr)];
            let text = if chunk.is_plain() {
                line.bytes
            } else {
                text.clear();
                clean(line.bytes, &mut text);
                text.as_bytes()
            };
            if output.is_error(&line, text) && !found(&line, text) {
                return Some(());
            }
        }
    }
    Some(())
}

/// What the line before on the same stream says about the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Output {
    #[default]
    Any,
    /// It goes on: it is no line of its own.
    Continues,
    /// It is what a thread panicked with.
    SaysWhy,
}

impl Output {
    fn is_error(&mut self, line: &Line<'_>, text: &[u8]) -> bool {
        let before = std::mem::take(self);
        if line.end == LineEnd::Length {
            *self = Self::Continues;
        } else if before != Self::Continues && is_panic(text) && text.ends_with(b":") {
            *self = Self::SaysWhy;
        }
        match before {
            Self::Continues => false,
            Self::SaysWhy => !text.trim_ascii().is_empty(),
            Self::Any => level(text).is_some_and(|level| level <= Level::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{
        ids::RunId,
        logs::{
            Source,
            shelf::{Log, Moment},
        },
        spec::Mode,
    };

    fn log(text: &str) -> Snapshot {
        streams(&[(Stream::Stdout, text)])
    }

    fn streams(portions: &[(Stream, &str)]) -> Snapshot {
        let mut log = Log::new(Source::Run(RunId(1)), Mode::Dev, UNIX_EPOCH);
        let moment = Moment {
            now: tokio::time::Instant::now(),
            at: UNIX_EPOCH,
        };
        for (stream, text) in portions {
            log.take(*stream, text.as_bytes(), moment, &mut |_| {});
        }
        log.snapshot()
    }

    fn errors(log: &Snapshot, unlike: Option<&Snapshot>, count: usize) -> Vec<String> {
        error_lines(log, unlike, count, &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn the_first_errors_are_given_once_and_without_colours() {
        let log = log(
            "INFO start\n\x1b[31mERROR\x1b[0m one 1\nERROR one 2\nerror: two\nWARN w\nFATAL three\n",
        );
        let all = ["ERROR one 1", "error: two", "FATAL three"];
        assert_eq!(errors(&log, None, 10), all);
        assert_eq!(errors(&log, None, 2), all[..2]);
        assert!(errors(&log, None, 0).is_empty());
    }

    #[test]
    fn what_the_other_log_has_is_left_out() {
        let before = log("12:00 ERROR old 1\nno error\n");
        let now = log("13:00 ERROR new\n13:01 ERROR old 2\n13:02 ERROR newer\n");
        let new = ["13:00 ERROR new", "13:02 ERROR newer"];
        assert_eq!(errors(&now, Some(&before), 10), new);
        assert_eq!(errors(&now, Some(&before), 1), new[..1]);
        assert!(errors(&now, Some(&now), 10).is_empty());
        assert!(errors(&log(""), Some(&before), 10).is_empty());
    }

    #[test]
    fn a_panic_is_given_with_its_reason_on_the_same_stream() {
        let log = streams(&[
            (
                Stream::Stderr,
                "thread 'main' panicked at src/main.rs:2:5:\n",
            ),
            (Stream::Stdout, "something else\n"),
            (
                Stream::Stderr,
                "out of luck\nnote: run with `RUST_BACKTRACE=1`\n",
            ),
        ]);
        let expected = ["thread 'main' panicked at src/main.rs:2:5:", "out of luck"];
        assert_eq!(errors(&log, None, 10), expected);
    }

    #[test]
    fn long_lines_are_shortened_and_their_pieces_are_no_lines() {
        let piece = "x".repeat(70_000);
        let log = log(&format!("ERROR {piece}\nerror: {}\n", "ä".repeat(1000)));
        let found = errors(&log, None, 10);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("ERROR xxx") && found[0].ends_with(" [continues]"));
        for line in found {
            assert!(
                line.len() < LONGEST + 20 && line.contains("left out"),
                "{line}"
            );
        }
    }

    #[test]
    fn only_the_beginning_of_a_log_is_looked_at() {
        let filler = format!("{}\n", "x".repeat(999)).repeat(LOOKED_AT / 1000 + 600);
        assert!(errors(&log(&format!("{filler}ERROR late\n")), None, 10).is_empty());
    }

    #[test]
    fn no_more_lines_than_allowed_are_remembered() {
        let letters = |n: usize| {
            let letter = |n: usize| char::from(b'g' + u8::try_from(n % 20).unwrap());
            [letter(n), letter(n / 20), letter(n / 400)]
                .iter()
                .collect::<String>()
        };
        let text: Vec<_> = (0..2 * MOST_FOUND)
            .map(|n| format!("ERROR {}\n", letters(n)))
            .collect();
        let found = errors(&log(&text.concat()), Some(&log("ERROR ggg\n")), usize::MAX);
        assert_eq!(found.len(), MOST_FOUND - 1);
    }

    #[test]
    fn a_cancelled_question_has_no_answer() {
        let cancelled = AtomicBool::new(true);
        assert_eq!(error_lines(&log("ERROR x\n"), None, 1, &cancelled), None);
    }
}
