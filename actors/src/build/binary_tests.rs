//! What cargo said of small packages.

use std::ffi::OsStr;

use super::*;
use crate::build::messages::{Message, parse};

/// What cargo 1.95 said about a package `bee` with the binaries `one` and `two`.
const TWO_BINARIES: &str = include_str!("samples/two-binaries.jsonl");

fn products(lines: &str) -> Products {
    let mut products = Products::default();
    for line in lines.lines() {
        match parse(line.as_bytes()) {
            Message::Artifact(artifact) => products.note(artifact),
            Message::BuildScript(script) => products.note_script(script),
            _ => {}
        }
    }
    products
}

fn artifact(kind: &str, name: &str, file: &str) -> String {
    let executable = matches!(kind, "bin" | "example" | "test");
    let artifact = serde_json::json!({
        "reason": "compiler-artifact",
        "package_id": "path+file:///p#0.1.0",
        "manifest_path": "/p/Cargo.toml",
        "target": {"kind": [kind], "crate_types": [kind], "name": name},
        "profile": {"test": kind == "test"},
        "filenames": [file],
        "executable": executable.then_some(file),
    });
    format!("{artifact}\n")
}

fn main() -> ProcessName {
    "main".parse().unwrap()
}

fn chosen(products: &Products, bin: Option<&str>) -> Binary {
    match products.choose(&main(), bin) {
        Ok(Choice::One(binary)) => binary,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_of_several_is_taken_by_its_name() {
    let products = products(TWO_BINARIES);
    let two = chosen(&products, Some("two"));
    assert_eq!(two.path, Path::new("/p/target/debug/two"));
    let error = products.choose(&main(), Some("three")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cargo made no executable `three`, which [process.main] names as `bin`"
    );
}

#[test]
fn several_without_a_name_need_the_manifest() {
    let products = products(TWO_BINARIES);
    let Ok(Choice::Several(all)) = products.choose(&main(), None) else {
        panic!("{products:?}");
    };
    let package = |default_run: Option<&str>| Package {
        manifest_path: "/p/b/Cargo.toml".into(),
        default_run: default_run.map(str::to_owned),
    };
    let default = default_run(&all, &[package(Some("two"))]);
    assert_eq!(default.map(|b| b.name), Some("two".to_owned()));
    assert_eq!(default_run(&all, &[package(None)]), None);
    assert_eq!(
        NoBinary::several(&main(), &all).to_string(),
        "the package has several binaries (one, two): set `bin` in [process.main] and start the daemon again"
    );
}

#[test]
fn tests_are_no_programs_and_examples_only_where_there_is_nothing_else() {
    let lines = [
        artifact("lib", "p", "/p/target/debug/libp.rlib"),
        artifact("test", "p", "/p/target/debug/deps/p-1"),
        artifact("example", "show", "/p/target/debug/examples/show"),
    ];
    assert_eq!(chosen(&products(&lines.concat()), None).name, "show");
    let bin = artifact("bin", "p", "/p/target/debug/p");
    assert_eq!(
        chosen(&products(&(lines.concat() + &bin + &bin)), None).name,
        "p"
    );
    let error = products(&lines[..2].concat())
        .choose(&main(), None)
        .unwrap_err();
    assert!(error.to_string().contains("no executable"), "{error}");
}

#[test]
fn the_program_gets_what_cargo_run_would_give() {
    let products = products(TWO_BINARIES);
    let variables = products.variables(
        &chosen(&products, Some("one")),
        Path::new("/bin/cargo"),
        None,
    );
    assert_eq!(variables.libraries, [""; 0].map(PathBuf::from));
    for (name, value) in [
        ("CARGO", "/bin/cargo"),
        ("CARGO_MANIFEST_DIR", "/p/b"),
        ("CARGO_PKG_NAME", "bee"),
        ("CARGO_PKG_VERSION", "1.2.3-pre.1"),
        ("CARGO_PKG_VERSION_MAJOR", "1"),
        ("CARGO_PKG_VERSION_PATCH", "3"),
        ("CARGO_PKG_VERSION_PRE", "pre.1"),
    ] {
        assert_eq!(variables.variables[OsStr::new(name)], value, "{name}");
    }
}

#[test]
fn the_library_path_is_given_only_where_a_library_may_be_needed() {
    let bin = artifact("bin", "p", "/t/debug/p");
    let libraries = |lines: &str| {
        let products = products(lines);
        let binary = chosen(&products, None);
        let libraries = products.libraries(&binary, None);
        libraries
            .iter()
            .map(|l| l.display().to_string())
            .collect::<Vec<_>>()
    };
    let script = |path: &str| {
        format!(
            "{{\"reason\":\"build-script-executed\",\"linked_paths\":[\"{path}\"],\"out_dir\":\"/b/out\"}}\n"
        )
    };
    assert!(libraries(&bin).is_empty());
    assert!(libraries(&(bin.clone() + &script("native=/usr/lib"))).is_empty());
    assert_eq!(
        libraries(&(bin.clone() + &script("native=/b/out/lib") + &script("/t/debug/build/x/out"))),
        [
            "/b/out/lib",
            "/t/debug/build/x/out",
            "/t/debug/deps",
            "/t/debug"
        ]
    );
    let dylib = artifact("dylib", "d", "/t/debug/libd.so");
    assert_eq!(
        libraries(&(dylib.clone() + &bin)),
        ["/t/debug", "/t/debug/deps"]
    );
    assert!(products(&dylib).needs_rust_libraries());
    assert!(!products(&artifact("cdylib", "d", "/t/debug/libd.so")).needs_rust_libraries());
}

#[test]
fn every_form_of_a_package_id_tells_name_and_version() {
    for id in [
        "path+file:///p/b#bee@1.0.0",
        "path+file:///p/bee#1.0.0",
        "bee 1.0.0 (path+file:///p/b)",
        "path+file:///p/we#ird/bee#1.0.0",
    ] {
        assert_eq!(name_and_version(id), Some(("bee", "1.0.0")), "{id}");
    }
    assert_eq!(name_and_version("?"), None);
}
