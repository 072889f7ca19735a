//! The file as a whole: found, read, and reported about.

use std::{fs, path::Path};

use super::{MINIMAL, wrong, wrong_in_rust};
use crate::config::{Config, EXAMPLE};

#[test]
fn a_syntax_error_is_reported_alone_with_its_line() {
    assert_eq!(
        wrong("mcp_prt = 1\n\nmcp_port 3001\nx = 1"),
        ["3: mcp_port 3001: not valid TOML: key with no value, expected `=`"]
    );
    assert_eq!(
        wrong("mcp_port = 1\nmcp_port = 2\n"),
        ["2: mcp_port = 2: not valid TOML: duplicate key"]
    );
    assert_eq!(wrong("a = \"\u{1b}[31m\n").len(), 1);
    assert!(!wrong("a = \"\u{1b}[31m\n")[0].contains('\u{1b}'));
}

#[test]
fn long_values_are_shortened() {
    let long = "x".repeat(200);
    assert_eq!(
        wrong_in_rust(&format!("in_place = \"{long}\"")),
        [format!(
            "5: process.main.in_place = \"{}…: must be true or false",
            "x".repeat(79)
        )]
    );
    assert_eq!(
        wrong_in_rust("in_place = [\n1,\n2]"),
        ["5: process.main.in_place = […: must be true or false"]
    );
}

#[test]
fn all_independent_errors_are_reported_together() {
    let text = "mcp_port = \"x\"\ndev_timeout_hours = 0\n[process.a]\ntype = \"rust\"\nargs = 3\nbogus = 1\n[process.b]\n";
    let lines: Vec<_> = wrong(text);
    let numbers: Vec<_> = lines
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(numbers, ["1", "2", "5", "6", "7"]);
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path().canonicalize().unwrap();
    let file = dir.join(".mcp-run");
    let refused = || Config::load(&dir).unwrap_err().to_string();

    assert_eq!(
        refused(),
        format!(
            "{}: no such file; one to begin with:\n\n{EXAMPLE}",
            file.display()
        )
    );
    fs::create_dir(&file).unwrap();
    assert_eq!(refused(), format!("{}: not a regular file", file.display()));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"mcp_port = 1\n# caf\xe9\n").unwrap();
    assert_eq!(
        refused(),
        format!("{}:2: not UTF-8 text: byte 0xe9", file.display())
    );
    fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    assert_eq!(
        refused(),
        format!("{}: larger than 1048576 bytes", file.display())
    );
    fs::write(&file, MINIMAL).unwrap();
    assert_eq!(Config::load(&dir).unwrap().project_dir, dir);

    assert_eq!(
        Config::load(&file).unwrap_err().to_string(),
        format!(
            "{}: not a directory: name the one that contains .mcp-run",
            file.display()
        )
    );
    let missing = Path::new("/nowhere/at/all");
    assert_eq!(
        Config::load(missing).unwrap_err().to_string(),
        "/nowhere/at/all: cannot use it as the project's directory: No such file or directory (os error 2)"
    );
}
