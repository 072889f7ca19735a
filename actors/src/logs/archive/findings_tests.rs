use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::{
    artifact::Diagnostic,
    build::known::{Identity, Origin, Severity, Unit},
    report::BuildOutcome,
    spec::Mode,
};

fn findings() -> Findings {
    let mut known = Known::default();
    for (message, severity, unit) in [
        ("cargo's", Severity::Error, None),
        (
            "rustc's",
            Severity::Warning,
            Some(Unit::of(b"/p/Cargo.toml", ["bin"], "main")),
        ),
    ] {
        let finding = Identity::of(severity, None, &[b"src/main.rs"], message, "x");
        known.add(finding, Origin { severity, unit }).unwrap();
    }
    Findings {
        diagnosis: Arc::new(Diagnosis {
            mode: Mode::Dev,
            outcome: BuildOutcome::Failed,
            error_count: 1,
            warning_count: 1,
            new_count: Some(1),
            findings: vec![Diagnostic {
                level: "error".to_owned(),
                code: None,
                file: Some("Cargo.toml".to_owned()),
                line: Some(3),
                column: None,
                message: "ä \u{1b}[31m".to_owned(),
                rendered: "text\n".to_owned(),
                new: true,
            }],
        }),
        known: Arc::new(known),
    }
}

/// What is read of a file with this content.
fn read(content: &[u8]) -> Option<Findings> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("build-000001.json");
    fs::write(&path, content).unwrap();
    Findings::read(&path)
}

fn written(folder: &TempDir) -> String {
    let [draft, path] = ["draft", "build-000001.json"].map(|name| folder.path().join(name));
    let size = findings().write(&draft, &path, u64::MAX).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(size, Some(text.len() as u64));
    text
}

#[test]
fn they_come_back_as_they_were_and_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = written(&folder);
    assert_eq!(read(text.as_bytes()), Some(findings()));
    let entries: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    let [Ok(entry)] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(
        entry.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn what_is_torn_or_of_another_version_or_cannot_be_is_not_remembered() {
    let text = written(&tempfile::tempdir().unwrap());
    for end in 0..text.len() {
        assert_eq!(read(&text.as_bytes()[..end]), None, "{end}");
    }
    for (old, new) in [
        ("\"version\":1", "\"version\":2"),
        ("\"version\":1", "\"version\":99999999999999999999"),
        ("\"error_count\":1", "\"error_count\":18446744073709551615"),
        ("\"new_count\":1", "\"new_count\":18446744073709551615"),
        ("\"warning\"", "\"advice\""),
        ("\"known\":[[\"", "\"known\":[[\"no hash"),
        (",1,\"error\"", ",-1,\"error\""),
    ] {
        let other = text.replacen(old, new, 1);
        assert_ne!(other, text, "{old}");
        assert_eq!(read(other.as_bytes()), None, "{new}");
    }
    let deep = "[".repeat(1 << 20);
    for content in [deep.as_bytes(), b"null", b"\xff", &vec![0; 1 << 23]] {
        assert_eq!(read(content), None);
    }
    assert_eq!(Findings::read(Path::new("/nowhere")), None);
}

#[test]
fn more_than_there_is_room_for_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let [draft, path] = ["draft", "kept"].map(|name| folder.path().join(name));
    assert_eq!(findings().write(&draft, &path, 10).unwrap(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
