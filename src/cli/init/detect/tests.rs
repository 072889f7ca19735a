use super::{super::draft, *};
use crate::config::Config;

/// What is written for a directory with these files; it must be a valid configuration.
fn written(files: &[(&str, &str)]) -> String {
    let folder = tempfile::Builder::new().prefix("sample").tempdir().unwrap();
    let project = folder.path().join("ganbot");
    for (path, text) in files {
        let path = project.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let Some(text) = draft::text(&detect(&project, &mut Unusable::default())) else {
        return "nothing".to_owned();
    };
    Config::parse(&text, &project).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // What could be made of the comments must be valid, too.
    let lines = text.lines().map(|line| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_key = bare.starts_with('[') || bare.contains(" = ");
        if is_key && !bare.starts_with("ready") && !bare.starts_with("port") {
            bare
        } else {
            line
        }
    });
    let all = lines.collect::<Vec<_>>().join("\n");
    Config::parse(&all, &project).unwrap_or_else(|error| panic!("{error}\n{all}"));
    text.split_once("\n\n# the ")
        .map_or(text.clone(), |(_, rest)| format!("# the {rest}"))
}

const PACKAGE: &str = "[package]\nname = \"ganbot\"\n";

#[test]
fn a_package_with_one_binary_is_one_process() {
    insta::assert_snapshot!(written(&[("Cargo.toml", PACKAGE), ("src/main.rs", "")]), @r#"
        # the package ganbot
        [process.ganbot]
        type = "rust"              # cargo builds it; restart swaps the new build in
        args = []                  # what it is started with
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        # port = 8080              # swaps without a refused connection: the program serves at $PORT
        "#);
}

#[test]
fn of_several_binaries_the_main_one_runs_and_the_others_are_comments() {
    let manifest = "[package]\nname = \"ganbot\"\ndefault-run = \"server\"\n\
                    [[bin]]\nname = \"server\"\npath = \"src/main.rs\"\n";
    insta::assert_snapshot!(
        written(&[
            ("Cargo.toml", manifest),
            ("src/main.rs", ""),
            ("src/bin/import.rs", ""),
            ("src/bin/tool/main.rs", ""),
            ("src/bin/notes.txt", ""),
        ]),
        @r#"
        # the package ganbot
        [process.server]
        type = "rust"              # cargo builds it; restart swaps the new build in
        bin = "server"
        args = []                  # what it is started with
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        # port = 8080              # swaps without a refused connection: the program serves at $PORT

        # another binary of the package ganbot
        # [process.import]
        # type = "rust"              # cargo builds it; restart swaps the new build in
        # bin = "import"
        # args = []                  # what it is started with

        # another binary of the package ganbot
        # [process.tool]
        # type = "rust"              # cargo builds it; restart swaps the new build in
        # bin = "tool"
        # args = []                  # what it is started with
        "#
    );
}

#[test]
fn a_workspace_has_the_binaries_of_its_members() {
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\", \"tools\"]\nexclude = [\"crates/old\"]\n",
        ),
        ("crates/api/Cargo.toml", "[package]\nname = \"api\"\n"),
        ("crates/api/src/main.rs", ""),
        ("crates/worker/Cargo.toml", "[package]\nname = \"worker\"\n"),
        ("crates/worker/src/main.rs", ""),
        ("crates/lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        ("crates/lib/src/lib.rs", ""),
        ("crates/old/Cargo.toml", "[package]\nname = \"old\"\n"),
        ("crates/old/src/main.rs", ""),
    ];
    insta::assert_snapshot!(written(&files), @r#"
        # the package api
        [process.api]
        type = "rust"              # cargo builds it; restart swaps the new build in
        package = "api"
        args = []                  # what it is started with
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        # port = 8080              # swaps without a refused connection: the program serves at $PORT

        # the package worker
        [process.worker]
        type = "rust"              # cargo builds it; restart swaps the new build in
        package = "worker"
        args = []                  # what it is started with
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        # port = 8080              # swaps without a refused connection: the program serves at $PORT
        "#);
}

#[test]
fn a_package_json_gives_its_dev_script_run_by_the_manager_of_its_lock_file() {
    let package = r#"{"name": "@me/shop", "scripts": {"start": "node .", "dev": "vite"}}"#;
    insta::assert_snapshot!(written(&[("package.json", package), ("pnpm-lock.yaml", "")]), @r#"
        # the script dev of package.json: vite
        [process.shop]
        type = "npm"
        command = ["pnpm", "run", "dev"]
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        "#);
    let managers = [
        ("yarn.lock", "\"yarn\", \"run\""),
        ("bun.lock", "\"bun\", \"run\""),
        ("package-lock.json", "\"npm\", \"run\""),
        ("README", "\"npm\", \"run\""),
    ];
    for (lock, command) in managers {
        let text = written(&[("package.json", package), (lock, "")]);
        assert!(text.contains(command), "{text}");
    }
    let said = r#"{"packageManager": "pnpm@10.1.0", "scripts": {"start": "node ."}}"#;
    let text = written(&[("package.json", said), ("yarn.lock", "")]);
    assert!(text.contains("[process.ganbot]"), "{text}");
    assert!(text.contains("[\"pnpm\", \"run\", \"start\"]"), "{text}");
}

#[test]
fn a_web_frontend_beside_a_rust_server_is_found() {
    let files = [
        ("Cargo.toml", PACKAGE),
        ("src/main.rs", ""),
        ("web/package.json", r#"{"scripts": {"dev": "vite"}}"#),
        (
            "node_modules/x/package.json",
            r#"{"scripts": {"dev": "x"}}"#,
        ),
    ];
    insta::assert_snapshot!(written(&files), @r#"
        # the package ganbot
        [process.ganbot]
        type = "rust"              # cargo builds it; restart swaps the new build in
        args = []                  # what it is started with
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        # port = 8080              # swaps without a refused connection: the program serves at $PORT

        # the script dev of web/package.json: vite
        [process.web]
        type = "npm"
        command = ["npm", "run", "dev"]
        cwd = "web"
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        "#);
}

#[test]
fn a_procfile_says_what_runs_but_cargo_is_understood_better() {
    let procfile = "web: ./target/release/ganbot\nworker: python3 worker.py\n\
                    js: npm start\nrelease: ./migrate\n# comment\n";
    let files = [
        ("Procfile", procfile),
        ("Cargo.toml", PACKAGE),
        ("src/main.rs", ""),
        ("package.json", r#"{"scripts": {"start": "node ."}}"#),
    ];
    insta::assert_snapshot!(written(&files), @r#"
        # the package ganbot
        [process.ganbot]
        type = "rust"              # cargo builds it; restart swaps the new build in
        args = []                  # what it is started with
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready
        # port = 8080              # swaps without a refused connection: the program serves at $PORT

        # worker of the Procfile
        [process.worker]
        type = "command"
        command = ["python3", "worker.py"]
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready

        # js of the Procfile
        [process.js]
        type = "npm"
        command = ["npm", "start"]
        # ready = { http = "http://127.0.0.1:8080/" }   # how a new run shows that it is ready

        # runs once, before a release: not a process that stays
        # [process.release]
        # type = "command"
        # command = ["./migrate"]
        "#);
}

#[test]
fn where_nothing_runs_nothing_is_written() {
    assert_eq!(written(&[("README.md", "")]), "nothing");
    assert_eq!(
        written(&[("Cargo.toml", "not toml ["), ("package.json", "{")]),
        "nothing"
    );
    assert_eq!(
        written(&[("Cargo.toml", PACKAGE), ("src/lib.rs", "")]),
        "nothing"
    );
    assert_eq!(written(&[("Procfile", "release: ./migrate\n")]), "nothing");
}

#[test]
fn what_is_of_no_use_is_left_out_and_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("Cargo.toml", "[package]\nname = \"a\nversion = \"1\"\n"),
        ("web/package.json", "{\"scripts\": {\"dev\": \"vite\"},}"),
        ("shop/package.json", "{\"scripts\": {}}"),
        (
            "Procfile",
            "# of heroku\n\nmy web: npm start\nworker: \x1b[2Jsh work.sh\nnonsense\u{202e}\n",
        ),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut unusable = Unusable::default();
    let found = detect(folder.path(), &mut unusable);
    let names: Vec<_> = found.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["worker"]);
    let place = format!("{}/", folder.path().display());
    let said = unusable.lines().join("\n").replace(&place, "");
    insta::assert_snapshot!(said, @r#"
        Cargo.toml:2: invalid basic string, expected `"`
        Procfile:3: no entry such as `web: command`, with a name of letters, digits, _ and -: my web: npm start
        Procfile:5: no entry such as `web: command`, with a name of letters, digits, _ and -: nonsense\u{202e}
        web/package.json: trailing comma at line 1 column 29
        "#);
}
