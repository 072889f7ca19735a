//! What the builds of a process are known to find fault with, so that an answer can tell what is new
//! and what is gone.
//!
//! A finding is recognised by what it says and what it points at, not by where that stands: an
//! inserted line above it changes nothing. Equal findings are counted.
//!
//! cargo repeats the warnings of what it need not compile again, so after a build that succeeded the
//! findings are complete. A build that failed is silent about what it did not come to, and a compiler
//! that found an error does not come to most of its warnings: what was known of these stays known, so
//! that it is neither fixed now nor new when it is reported again. It must not know where findings
//! come from, nor what is shown of them.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// How many different findings are remembered. What is beyond is counted, but not compared.
const MOST: usize = 20_000;

/// How much of what a finding points at is looked at, in characters.
const MOST_POINTED_AT: usize = 200;

/// The findings that a process is known to have: what its next build is compared with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known {
    findings: HashMap<Identity, Times>,
}

/// What makes a finding the same in two builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity(u128);

/// One target of one package, whatever the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unit(u128);

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// Who reported a finding, and how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) severity: Severity,
    /// `None`: cargo itself.
    pub(crate) unit: Option<Unit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    count: usize,
    origin: Origin,
}

/// One finding as it is written down: what makes it the same, how often it is there, how bad it is,
/// and who reported it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row(String, u32, Severity, Option<String>);

/// What a build looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All there is: it succeeded.
    Everything,
    /// It failed.
    Some {
        /// What was compiled, or was found to be compiled already.
        compiled: HashSet<Unit>,
        /// Where the compiler found an error.
        failed: HashSet<Unit>,
    },
}

impl Coverage {
    /// Whether the silence about a finding means that it is gone.
    fn tells_of(&self, origin: Origin) -> bool {
        match (self, origin.unit) {
            (Self::Everything, _) | (_, None) => true,
            (Self::Some { compiled, failed }, Some(unit)) => {
                compiled.contains(&unit)
                    || (origin.severity == Severity::Error && failed.contains(&unit))
            }
        }
    }
}

impl Known {
    /// Takes a finding in; answers how often there is an equal one by now. `None` if there is no room
    /// for it.
    pub(crate) fn add(&mut self, finding: Identity, origin: Origin) -> Option<usize> {
        if self.findings.len() >= MOST && !self.findings.contains_key(&finding) {
            return None;
        }
        let times = self
            .findings
            .entry(finding)
            .or_insert(Times { count: 0, origin });
        times.count += 1;
        Some(times.count)
    }

    /// All that is known, to be written down.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let rows = self.findings.iter().map(|(finding, times)| {
            let Origin { severity, unit } = times.origin;
            let count = u32::try_from(times.count).unwrap_or(u32::MAX);
            let unit = unit.map(|Unit(hash)| text_of(hash));
            Row(text_of(finding.0), count, severity, unit)
        });
        rows.collect()
    }

    /// What was written down; `None` if it was something else.
    pub(crate) fn of_rows(rows: Vec<Row>) -> Option<Self> {
        if rows.len() > MOST {
            return None;
        }
        let findings = rows.into_iter().map(|Row(finding, count, severity, unit)| {
            let unit = match unit {
                Some(unit) => Some(Unit(hash_of(&unit)?)),
                None => None,
            };
            let origin = Origin { severity, unit };
            let count = usize::try_from(count).ok()?;
            Some((Identity(hash_of(&finding)?), Times { count, origin }))
        });
        let findings = findings.collect::<Option<_>>()?;
        Some(Self { findings })
    }

    /// How often a finding is known.
    fn count(&self, finding: Identity) -> usize {
        self.findings.get(&finding).map_or(0, |times| times.count)
    }

    /// Whether a build that has a finding so often has it once more than is known.
    pub(crate) fn lacks(&self, finding: Identity, times: usize) -> bool {
        // One that there was no room for may have been there.
        self.count(finding) < times && self.findings.len() < MOST
    }

    /// These are the findings of one build, and `before` is what was known until then: answers what
    /// is known from now on, and how many are gone.
    pub(crate) fn after(mut self, before: &Self, coverage: &Coverage) -> (Self, usize) {
        let mut gone = 0;
        for (&finding, &old) in &before.findings {
            let missing = old.count.saturating_sub(self.count(finding));
            if missing == 0 {
                continue;
            }
            if coverage.tells_of(old.origin) {
                gone += missing;
            } else if self.findings.len() < MOST {
                self.findings.insert(finding, old);
            }
        }
        (self, gone)
    }
}

impl Identity {
    /// Of a finding of this level and code, about this file, with this message, that points at this
    /// text.
    pub(crate) fn of(
        severity: Severity,
        code: Option<&str>,
        file: &[&[u8]],
        message: &str,
        pointed_at: &str,
    ) -> Self {
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (message, code) = (without_places(message), code.unwrap_or_default());
        let said = [severity, code, &message, pointed_at].map(str::as_bytes);
        Self(hash(said.into_iter().chain(file.iter().copied())))
    }
}

impl Unit {
    /// The target of this kind and name of the package with this manifest.
    pub(crate) fn of<'a>(
        manifest: &'a [u8],
        kind: impl IntoIterator<Item = &'a str>,
        name: &'a str,
    ) -> Self {
        let kind = kind.into_iter().map(str::as_bytes);
        Self(hash([manifest, name.as_bytes()].into_iter().chain(kind)))
    }
}

/// The hash of a list: where one part ends and the next begins counts.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest128()
}

fn text_of(hash: u128) -> String {
    format!("{hash:032x}")
}

fn hash_of(text: &str) -> Option<u128> {
    u128::from_str_radix(text, 16).ok()
}

/// The part of a source line from column `start` to before column `end`, counted from 1.
pub(crate) fn pointed_at(line: &str, start: usize, end: usize) -> String {
    let length = end.saturating_sub(start).min(MOST_POINTED_AT);
    let from = start.saturating_sub(1);
    line.chars().skip(from).take(length).collect()
}

/// Closures and their like are named by their places (`{closure@src/main.rs:3:13: 3:16}`), which move.
fn without_places(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut follows_colon = false;
    for char in message.chars() {
        if follows_colon && (char.is_ascii_digit() || char == ' ') {
            continue;
        }
        follows_colon = char == ':';
        text.push(char);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(name: &str) -> Unit {
        Unit::of(b"/p/Cargo.toml", ["bin"], name)
    }

    fn finding(message: &str) -> Identity {
        Identity::of(Severity::Warning, None, &[b"src/main.rs"], message, "x")
    }

    fn known(findings: &[(&str, Severity, &str)]) -> Known {
        let mut known = Known::default();
        for (message, severity, by) in findings {
            let origin = Origin {
                severity: *severity,
                unit: (*by != "cargo").then(|| unit(by)),
            };
            known.add(finding(message), origin).unwrap();
        }
        known
    }

    fn some(compiled: &[&str], failed: &[&str]) -> Coverage {
        let units = |names: &[&str]| names.iter().map(|name| unit(name)).collect();
        Coverage::Some {
            compiled: units(compiled),
            failed: units(failed),
        }
    }

    use Severity::{Error, Warning};

    #[test]
    fn after_a_success_all_that_was_not_reported_again_is_gone() {
        let before = known(&[("a", Warning, "x"), ("b", Error, "x"), ("b", Error, "x")]);
        let now = || known(&[("b", Error, "x"), ("c", Warning, "x")]);
        let (known, gone) = now().after(&before, &Coverage::Everything);
        assert_eq!((known, gone), (now(), 2));
    }

    #[test]
    fn after_a_failure_only_what_was_looked_at_can_be_gone() {
        let before = [
            ("of what compiles", Warning, "lib"),
            ("error where there are others", Error, "bin"),
            ("warning where there are errors", Warning, "bin"),
            ("where cargo did not come", Error, "late"),
            ("what cargo said", Error, "cargo"),
        ];
        let now = known(&[("other", Error, "bin")]);
        let (after, gone) = now.after(&known(&before), &some(&["lib"], &["bin"]));
        assert_eq!(gone, 3);
        let expected = known(&[("other", Error, "bin"), before[2], before[3]]);
        assert_eq!(after, expected);
    }

    #[test]
    fn a_finding_that_a_failure_hides_is_not_new_when_it_comes_back() {
        let first = known(&[("w", Warning, "bin"), ("w", Warning, "bin")]);
        let failed = known(&[("e", Error, "bin")]);
        let (second, _) = failed.after(&first, &some(&[], &["bin"]));
        assert_eq!(
            (second.count(finding("w")), second.count(finding("e"))),
            (2, 1)
        );
        let third = known(&[("w", Warning, "bin"), ("w", Warning, "bin")]);
        let (third, gone) = third.after(&second, &Coverage::Everything);
        assert_eq!((third, gone), (first, 1));
    }

    #[test]
    fn a_finding_is_known_by_what_it_says_and_points_at() {
        let of = |severity, code, file: &str, message: &str, at: &str| {
            Identity::of(severity, code, &[file.as_bytes()], message, at)
        };
        let one = of(Warning, Some("c"), "f", "m", "t");
        assert_eq!(one, of(Warning, Some("c"), "f", "m", "t"));
        for other in [
            of(Error, Some("c"), "f", "m", "t"),
            of(Warning, None, "f", "m", "t"),
            of(Warning, Some("c"), "g", "m", "t"),
            of(Warning, Some("c"), "f", "n", "t"),
            of(Warning, Some("c"), "f", "m", "u"),
            of(Warning, Some("c"), "f", "mt", ""),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn places_within_a_message_do_not_matter() {
        let [one, other] = ["3:13: 3:16", "14:9: 14:12"]
            .map(|place| format!("expected `{{closure@src/main.rs:{place}}}`, found `u32`"));
        assert_eq!(finding(&one), finding(&other));
        assert_ne!(
            finding("expected 2 arguments"),
            finding("expected 3 arguments")
        );
    }

    #[test]
    fn what_is_pointed_at_is_cut_out_by_characters() {
        assert_eq!(pointed_at("let ä = ö;", 5, 6), "ä");
        for (start, end) in [(0, 0), (9, 3), (50, 60), (usize::MAX, 0)] {
            assert_eq!(pointed_at("short", start, end), "");
        }
        assert_eq!(pointed_at(&"x".repeat(900), 1, 800).len(), MOST_POINTED_AT);
    }

    #[test]
    fn memory_is_bounded() {
        let origin = Origin {
            severity: Warning,
            unit: None,
        };
        let mut known = Known::default();
        for n in 0..MOST + 10 {
            assert_eq!(
                known.add(finding(&format!("w{n}!")), origin).is_some(),
                n < MOST
            );
        }
        assert_eq!(known.add(finding("w0!"), origin), Some(2));
    }

    proptest! {
        #[test]
        fn the_same_build_again_changes_nothing(messages in prop::collection::vec("[a-c]{1,2}", 0..20)) {
            let findings: Vec<_> = messages.iter().map(|m| (m.as_str(), Warning, "x")).collect();
            for coverage in [Coverage::Everything, some(&["x"], &[]), some(&[], &[])] {
                let (after, gone) = known(&findings).after(&known(&findings), &coverage);
                prop_assert_eq!((after, gone), (known(&findings), 0));
            }
        }
    }
}
