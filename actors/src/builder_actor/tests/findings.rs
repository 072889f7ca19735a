//! What real cargo's findings are compared with: the build before of the same process.

use std::fs;

use super::stage::{Bench, Stage};
use crate::{
    artifact::{BuildReport, Work},
    ids::BuildId,
    spec::{CargoTarget, Mode},
};

async fn report(bench: &mut Bench, mode: Mode) -> BuildReport {
    match bench.built(Work::Compile(mode)).await {
        Ok(built) => built.report.unwrap(),
        Err(failure) => *failure.report.unwrap(),
    }
}

fn counts(report: &BuildReport) -> [usize; 5] {
    [
        report.error_count,
        report.warning_count,
        report.new_count,
        report.fixed_count,
        report.omitted_count,
    ]
}

#[actix::test]
async fn findings_are_compared_with_the_build_before_of_either_mode() {
    let old = "fn main() {\n    let old = 1;\n}\n";
    let stage = Stage::new().package(".", "hello", old);
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let main = bench.stage.path("src/main.rs");
    let first = report(&mut bench, Mode::Dev).await;
    assert_eq!((counts(&first), first.errors.len()), ([0, 1, 0, 0, 1], 0));
    let fresh = report(&mut bench, Mode::Dev).await;
    assert_eq!(counts(&fresh), [0, 1, 0, 0, 1], "cargo repeats them");

    fs::write(&main, format!("// moved\n\n{old}")).unwrap();
    let release = report(&mut bench, Mode::Release).await;
    assert_eq!(counts(&release), [0, 1, 0, 0, 1]);

    let two = "fn main() {\n    let young = 1;\n    let old = 1;\n}\n";
    fs::write(&main, two).unwrap();
    let second = report(&mut bench, Mode::Dev).await;
    assert_eq!(counts(&second), [0, 2, 1, 0, 1]);
    let shown = &second.errors[0];
    assert_eq!((shown.level.as_str(), shown.new), ("warning", true));
    assert_eq!(
        (shown.file.as_deref(), shown.line),
        (Some("src/main.rs"), Some(2))
    );
    assert_eq!(shown.code.as_deref(), Some("unused_variables"));
    assert!(shown.rendered.len() <= BuildReport::MOST_RENDERED_WARNING);

    fs::write(&main, format!("{two}fn broken() -> u32 {{ \"\" }}\n")).unwrap();
    let broken = report(&mut bench, Mode::Dev).await;
    assert_eq!(
        [broken.error_count, broken.new_count, broken.fixed_count],
        [1, 1, 0],
        "the compiler does not come to the warnings"
    );
    assert!(broken.errors[0].new);
    let levels: Vec<_> = bench
        .diagnosed
        .iter()
        .map(|it| {
            let findings = it.diagnosis.findings.iter();
            let levels = findings.map(|it| (it.level.as_str(), it.new));
            // Some compilers come to the warnings where there is an error, some do not.
            let levels: Vec<_> = levels.take(2 - it.diagnosis.error_count).collect();
            (it.build, it.diagnosis.new_count, levels)
        })
        .collect();
    let (old, new) = (("warning", false), ("warning", true));
    assert_eq!(
        levels,
        [
            (BuildId(1), None, vec![old]),
            (BuildId(2), Some(0), vec![old]),
            (BuildId(3), Some(0), vec![old]),
            (BuildId(4), Some(1), vec![new, old]),
            (BuildId(5), Some(1), vec![("error", true)]),
        ]
    );

    fs::write(&main, "fn main() {}\n").unwrap();
    let clean = report(&mut bench, Mode::Dev).await;
    assert_eq!(counts(&clean), [0, 0, 0, 3, 0]);
}

#[actix::test]
async fn a_file_of_two_binaries_is_found_fault_with_once() {
    let shared = "pub fn shared() {\n    let never = 1;\n}\n";
    let stage = Stage::new()
        .package(".", "hello", "mod shared;\nfn main() { shared::shared(); }\n")
        .file("src/shared.rs", shared)
        .file(
            "src/bin/other.rs",
            "#[path = \"../shared.rs\"]\nmod shared;\nfn main() { let first = 1; shared::shared(); }\n",
        )
        .file(
            "Cargo.toml",
            "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\ndefault-run = \"hello\"\n",
        );
    let mut bench = stage.build_main(CargoTarget::default()).await;
    let report = report(&mut bench, Mode::Dev).await;
    assert_eq!(report.warning_count, 2, "{}", bench.log);
    let findings = &bench.diagnosed[0].diagnosis.findings;
    let mut files: Vec<_> = findings.iter().map(|it| it.file.as_deref()).collect();
    files.sort_unstable();
    assert_eq!(files, [Some("src/bin/other.rs"), Some("src/shared.rs")]);
}

#[actix::test]
async fn a_cancelled_build_is_compared_with_nothing() {
    let stage = Stage::new()
        .package(".", "hello", "fn main() {}\n")
        .fifo("running")
        .fifo("go");
    let mut bench = stage.build_main(CargoTarget::default()).await;
    report(&mut bench, Mode::Dev).await;

    // It has its findings and does not end.
    let script = "fn main() {\n    let waits = 1;\n    std::fs::write(\"running\", \"\").unwrap();\n    std::fs::read(\"go\").unwrap();\n}\n";
    fs::write(bench.stage.path("build.rs"), script).unwrap();
    let job = bench.ask("main", Work::Compile(Mode::Dev)).await;
    bench.hear("running").await;
    bench.cancel("main", job).await;

    let quick = "fn main() {\n    let waits = 1;\n}\n";
    fs::write(bench.stage.path("build.rs"), quick).unwrap();
    let next = report(&mut bench, Mode::Dev).await;
    assert_eq!(counts(&next), [0, 1, 1, 0, 0]);
    let builds: Vec<_> = bench.diagnosed.iter().map(|it| it.build).collect();
    assert_eq!(builds, [BuildId(1), BuildId(3)]);
    assert_eq!(next.errors[0].file.as_deref(), Some("build.rs"));
}
