//! Which files real cargo says that a program was made from.

use std::fs;

use super::stage::{Bench, Stage, write};
use crate::{
    artifact::{Sources, Work},
    spec::{CargoTarget, Mode},
};

fn names(bench: &Bench, sources: &Sources) -> Vec<String> {
    let dir = bench.stage.project().dir;
    let stamped = sources.stamped.iter().map(|(file, _)| file);
    let files = sources.files.iter().chain(stamped);
    let mut names: Vec<_> = files
        .map(|file| file.strip_prefix(&dir).unwrap().display().to_string())
        .collect();
    names.sort();
    names
}

#[actix::test]
async fn a_program_knows_the_files_that_it_was_made_from() {
    let main = "mod made;\nfn main() { print!(\"{}{}{}{}\", include_str!(\"../a text.txt\"), made::MADE, include!(concat!(env!(\"OUT_DIR\"), \"/gen.rs\")), lib::lib()); }\n";
    let build = r#"
        fn main() {
            println!("cargo::rerun-if-changed=a text.txt");
            println!("cargo::rerun-if-changed=no such file");
            let out = std::env::var("OUT_DIR").unwrap();
            std::fs::write(format!("{out}/gen.rs"), "1").unwrap();
            std::fs::write("src/made.rs", "pub const MADE: u32 = 2;").unwrap();
        }
    "#;
    let stage = Stage::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"an app\"]\nresolver = \"3\"\n")
        .package("an app", "app", main)
        .file(
            "an app/Cargo.toml",
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nlib = { path = \"../lib\" }\n",
        )
        .file("an app/build.rs", build)
        .file("an app/a text.txt", "text")
        .file(
            "lib/Cargo.toml",
            "[package]\nname = \"lib\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        )
        .file("lib/src/lib.rs", "pub fn lib() -> u32 { 3 }\n");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let mut spec = bench.stage.rust("main", CargoTarget::default());
    spec.cwd = bench.stage.path("an app");
    bench.enlist(spec).await;
    let built = bench.compiled().await;
    assert_eq!(bench.run(&built.artifact), "text213");
    let sources = built.artifact.sources;
    let expected = [
        "Cargo.lock",
        "Cargo.toml",
        "an app/Cargo.toml",
        "an app/a text.txt",
        "an app/build.rs",
        "an app/src/made.rs",
        "an app/src/main.rs",
        "lib/Cargo.toml",
        "lib/src/lib.rs",
    ];
    assert_eq!(names(&bench, &sources), expected);
    assert!(!sources.changed(), "{sources:#?}");

    for name in expected {
        let path = bench.stage.path(name);
        let modified = path.metadata().unwrap().modified().unwrap();
        let content = fs::read_to_string(&path).unwrap();
        write(&path, &content);
        assert!(sources.changed(), "{name}");
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        assert!(!sources.changed(), "{name}");
    }
    fs::remove_file(bench.stage.path("lib/src/lib.rs")).unwrap();
    assert!(sources.changed());
}

#[actix::test]
async fn a_change_is_live_after_the_next_build_and_an_artifact_keeps_its_sources() {
    let stage = Stage::new().package(".", "hello", "fn main() {}\n");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let first = bench.compiled().await.artifact;
    assert!(!first.sources.changed());
    write(&bench.stage.path("src/main.rs"), "fn main() { }\n");
    assert!(first.sources.changed());

    let again = bench.built(Work::Reuse(first.clone())).await.unwrap();
    assert!(again.artifact.sources.changed());
    let second = bench.compiled().await.artifact;
    assert!(!second.sources.changed());
    assert!(first.sources.changed());
}

#[actix::test]
async fn a_change_during_the_build_is_not_taken_for_live() {
    let build =
        "fn main() { std::fs::write(\"running\", \"\").unwrap(); std::fs::read(\"go\").unwrap(); }";
    let stage = Stage::new()
        .package(".", "hello", "mod other;\nfn main() {}\n")
        .file("src/other.rs", "")
        .file("build.rs", build)
        .fifo("running")
        .fifo("go");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    bench.ask("main", Work::Compile(Mode::Dev)).await;
    bench.hear("running").await;
    write(&bench.stage.path("build.rs"), "fn main() {}");
    bench.release("go").await;
    let (_, built) = bench.done().await;
    let sources = built.unwrap().artifact.sources;
    assert!(sources.changed(), "{sources:#?}");
}
