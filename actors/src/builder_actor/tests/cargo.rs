//! Real cargo on small real packages.

use std::{fs, path::Path};

use super::stage::Stage;
use crate::{
    artifact::Work,
    ids::BuildId,
    logs::BuildEnding,
    spec::{CargoTarget, Mode},
};

const HELLO: &str = "fn main() { println!(\"hello\"); }\n";

fn bin(name: &str) -> CargoTarget {
    CargoTarget {
        bin: Some(name.to_owned()),
        ..CargoTarget::default()
    }
}

#[actix::test]
async fn a_build_leaves_a_copy_that_runs_in_the_environment_of_cargo_run() {
    let main = r#"
        fn main() {
            let unused = 1;
            println!("{}", std::env::var("CARGO_MANIFEST_DIR").unwrap());
            println!("{}", std::env::var("CARGO_PKG_NAME").unwrap());
        }
    "#;
    let stage = Stage::new().package(".", "hello", main);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let built = bench.compiled().await;

    let project = bench.stage.project();
    let program = &built.artifact.program;
    assert!(program.starts_with(project.state_dir.join("artifacts/main")));
    assert_eq!(program.file_name().unwrap(), "hello");
    let expected = format!("{}\nhello\n", project.dir.display());
    assert_eq!(bench.run(&built.artifact), expected);
    assert_eq!(built.artifact.build, Some(BuildId(1)));
    assert_eq!(built.artifact.mode, Mode::Dev);

    let report = built.report.unwrap();
    assert_eq!((report.error_count, report.warning_count), (0, 1));
    assert!(report.errors.is_empty());
    assert_eq!(bench.opened, [BuildId(1)]);
    assert_eq!(bench.ended, [(BuildId(1), BuildEnding::Succeeded)]);
    assert_eq!(bench.started.len(), 1);
    for said in ["Compiling hello", "unused variable", "Finished"] {
        assert!(bench.log.contains(said), "{said}: {}", bench.log);
    }
}

#[actix::test]
async fn a_release_build_is_another_file() {
    let main = "fn main() { print!(\"{}\", cfg!(debug_assertions)); }";
    let stage = Stage::new().package(".", "hello", main);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let dev = bench.compiled().await.artifact;
    let release = bench.built(Work::Compile(Mode::Release)).await.unwrap();
    assert_eq!(release.artifact.mode, Mode::Release);
    let printed = [&dev, &release.artifact].map(|artifact| bench.run(artifact));
    assert_eq!(printed, ["true", "false"]);
}

#[actix::test]
async fn a_failed_build_tells_where_the_first_error_is() {
    let main = "fn main() {\n    let x: u32 = \"a\";\n    let y: String = 3;\n}\n";
    let stage = Stage::new().package(".", "hello", main);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    assert_eq!(
        failure.reason,
        "2 errors; the first: src/main.rs:2:18 mismatched types [E0308]"
    );
    let report = failure.report.unwrap();
    assert_eq!((report.id, report.error_count), (BuildId(1), 2));
    let second = &report.errors[1];
    assert_eq!(second.file.as_deref(), Some("src/main.rs"));
    assert_eq!((second.line, second.column), (Some(3), Some(21)));
    assert!(second.rendered.starts_with("error[E0308]: mismatched"));
    assert_eq!(bench.ended, [(BuildId(1), BuildEnding::Failed)]);
    assert!(bench.log.contains("could not compile"), "{}", bench.log);
}

#[actix::test]
async fn a_broken_manifest_is_an_error_with_its_place() {
    let stage = Stage::new().file("Cargo.toml", "[package\n");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    let report = failure.report.unwrap();
    assert_eq!(report.error_count, 1);
    let error = &report.errors[0];
    assert_eq!(error.file.as_deref(), Some("Cargo.toml"));
    assert_eq!(error.line, Some(1));
    assert!(
        failure.reason.contains(&error.message),
        "{}",
        failure.reason
    );
}

#[actix::test]
async fn a_build_script_that_fails_is_an_error_with_its_last_words() {
    let stage = Stage::new().package(".", "hello", HELLO).file(
        "build.rs",
        "fn main() { eprintln!(\"no luck\"); std::process::exit(3); }",
    );
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    let error = &failure.report.unwrap().errors[0];
    assert!(error.message.contains("custom build command"), "{error:?}");
    assert!(error.rendered.contains("no luck"), "{error:?}");
}

#[actix::test]
async fn a_binary_with_another_name_is_found() {
    let stage = Stage::new()
        .package(".", "hello", HELLO)
        .file(
            "Cargo.toml",
            "[package]\nname = \"hello\"\nversion = \"0.1.0\"\n[[bin]]\nname = \"other\"\npath = \"src/main.rs\"\n",
        );
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let built = bench.compiled().await;
    assert_eq!(built.artifact.program.file_name().unwrap(), "other");
    assert_eq!(bench.run(&built.artifact), "hello\n");
}

#[actix::test]
async fn a_member_of_a_workspace_is_built_in_its_folder() {
    let stage = Stage::new()
        .file(
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n",
        )
        .package("a", "first", HELLO)
        .package("b", "second", "fn main() { nothing(); }");
    let in_folder = |name: &str, folder: &str| {
        let mut spec = stage.rust(name, CargoTarget::default());
        spec.cwd = stage.path(folder);
        spec
    };
    let specs = [in_folder("main", "a"), in_folder("other", "b")];
    let mut bench = stage.build_for(specs).await;
    let built = bench.compiled().await;
    assert_eq!(bench.run(&built.artifact), "hello\n");

    bench.ask("other", Work::Compile(Mode::Dev)).await;
    let (_, outcome) = bench.done().await;
    let errors = outcome.unwrap_err().report.unwrap().errors;
    assert_eq!(errors[0].file.as_deref(), Some("b/src/main.rs"));
}

#[actix::test]
async fn the_target_folder_may_be_anywhere() {
    let config = "[build]\ntarget-dir = \"from-config\"\n";
    let stage = Stage::new()
        .package(".", "hello", HELLO)
        .file(".cargo/config.toml", config);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let built = bench.compiled().await;
    assert_eq!(bench.run(&built.artifact), "hello\n");
    assert!(bench.stage.path("from-config/debug/hello").exists());

    let stage = Stage::new().package(".", "hello", HELLO);
    let from_environment = stage.path("from-environment");
    let stage = stage.with("CARGO_TARGET_DIR", &from_environment);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    bench.compiled().await;
    assert!(from_environment.join("debug/hello").exists());

    let configured = CargoTarget {
        target_dir: Some(bench.stage.path("configured")),
        in_place: true,
        ..CargoTarget::default()
    };
    let spec = bench.stage.rust("main", configured);
    bench.enlist(spec).await;
    let built = bench.compiled().await;
    assert_eq!(
        built.artifact.program,
        bench.stage.path("configured/debug/hello"),
        "in place"
    );
}

#[actix::test]
async fn one_of_several_binaries_must_be_named() {
    let stage = Stage::new()
        .package(".", "hello", HELLO)
        .file("src/bin/extra.rs", "fn main() { println!(\"extra\"); }");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    let problem = "the package has several binaries (extra, hello): set `bin` in [process.main] and start the daemon again";
    assert_eq!(failure.reason, format!("1 error: {problem}"));
    assert_eq!(failure.report.unwrap().errors[0].message, problem);
    assert!(bench.log.ends_with(&format!("error: {problem}\n")));
    assert_eq!(bench.ended, [(BuildId(1), BuildEnding::Failed)]);

    let spec = bench.stage.rust("main", bin("extra"));
    bench.enlist(spec).await;
    let built = bench.compiled().await;
    assert_eq!(bench.run(&built.artifact), "extra\n");
}

#[actix::test]
async fn the_manifest_may_name_the_binary() {
    let stage = Stage::new()
        .package(".", "hello", HELLO)
        .file("src/bin/extra.rs", "fn main() { println!(\"extra\"); }")
        .file(
            "Cargo.toml",
            "[package]\nname = \"hello\"\nversion = \"0.1.0\"\ndefault-run = \"extra\"\n",
        );
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let built = bench.compiled().await;
    assert_eq!(bench.run(&built.artifact), "extra\n");
}

#[actix::test]
async fn a_library_alone_cannot_be_run() {
    let stage = Stage::new().package(".", "hello", HELLO);
    fs::rename(stage.path("src/main.rs"), stage.path("src/lib.rs")).unwrap();
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    assert!(
        failure.reason.contains("made no executable"),
        "{}",
        failure.reason
    );
}

#[actix::test]
async fn a_rust_dylib_is_found_at_run_time() {
    let stage = Stage::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"app\", \"lib\"]\nresolver = \"3\"\n")
        .package("app", "app", "fn main() { println!(\"{}\", greeting::greet()); }")
        .file(
            "app/Cargo.toml",
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\ngreeting = { path = \"../lib\" }\n",
        )
        .file(
            "lib/Cargo.toml",
            "[package]\nname = \"greeting\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"dylib\"]\n",
        )
        .file("lib/src/lib.rs", "pub fn greet() -> &'static str { \"dynamic\" }\n")
        // Otherwise the one of `cargo test` would find everything.
        .with("LD_LIBRARY_PATH", "")
        .with("RUSTFLAGS", "-C prefer-dynamic");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let mut spec = bench.stage.rust("main", CargoTarget::default());
    spec.cwd = bench.stage.path("app");
    bench.enlist(spec).await;
    let built = bench.compiled().await;
    assert_eq!(bench.run(&built.artifact), "dynamic\n");
}

#[actix::test]
async fn without_cargo_the_failure_says_where_it_was_sought() {
    let stage = Stage::new().package(".", "hello", HELLO);
    let nowhere = stage.path("nowhere");
    let stage = stage
        .with("PATH", nowhere.join("path"))
        .with("HOME", nowhere.join("home"))
        .with("CARGO_HOME", nowhere.join("cargo-home"));
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    assert!(failure.report.is_none());
    for place in ["path", "home/.cargo/bin", "cargo-home/bin"] {
        let place = nowhere.join(place).display().to_string();
        assert!(failure.reason.contains(&place), "{}", failure.reason);
    }
    assert!(bench.started.is_empty() && bench.ended.is_empty());
}

#[actix::test]
async fn a_missing_working_directory_is_named() {
    let stage = Stage::new();
    let mut spec = stage.rust("main", CargoTarget::default());
    spec.cwd = stage.path("nowhere");
    let mut bench = stage.build_for([spec]).await;
    let reason = bench.failed().await.reason;
    assert!(reason.contains("nowhere does not exist"), "{reason}");
}

#[actix::test]
async fn a_copy_that_cannot_be_written_is_a_failed_build() {
    let stage = Stage::new().package(".", "hello", HELLO);
    let state = stage.project().state_dir;
    fs::write(&state, "in the way").unwrap();
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let failure = bench.failed().await;
    let folder = Path::new("artifacts/main");
    let folder = state.join(folder).display().to_string();
    assert!(failure.reason.contains(&folder), "{}", failure.reason);
    assert_eq!(failure.report.unwrap().error_count, 1);
    assert_eq!(bench.ended, [(BuildId(1), BuildEnding::Failed)]);
}

#[actix::test]
async fn an_artifact_is_used_again_at_once_and_made_anew_when_it_is_lost() {
    let stage = Stage::new().package(".", "hello", HELLO);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let first = bench.compiled().await.artifact;
    let again = bench.built(Work::Reuse(first.clone())).await.unwrap();
    assert_eq!((&again.artifact, again.report), (&first, None));
    assert_eq!(bench.spawner.started.borrow().len(), 1);

    fs::remove_dir_all(first.program.parent().unwrap()).unwrap();
    let anew = bench.built(Work::Reuse(first.clone())).await.unwrap();
    assert_eq!(anew.artifact.program, first.program);
    assert_eq!(anew.artifact.build, Some(BuildId(2)));
    assert_eq!(bench.run(&anew.artifact), "hello\n");
}
