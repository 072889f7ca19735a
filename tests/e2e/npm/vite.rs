//! `npm run dev` with vite.

use std::fs;

use super::kit::{Web, are_gone};
use crate::support::{Visitor, ask, descendants_of, eventually, pid_in};

const OWN: &str = r#"
command = ["npm", "run", "dev", "--", "--host", "127.0.0.1", "--port", "%PORT%", "--strictPort"]
ready = { http = "http://%ADDRESS%/" }
"#;
/// As in `config-examples/vite.mcp-run`.
const RELAYED: &str = r#"
command = ["npm", "run", "dev", "--", "--port", "{port}", "--strictPort"]
port = %PORT%
ready = { http = "http://localhost:{port}/" }
"#;
const PAGE: &str =
    "<!doctype html><p>run PID</p><script type=\"module\" src=\"/main.js\"></script>";
/// The folder of vite's own files is that of all tests otherwise.
const CONFIG: &str = r#"
const pid = { name: "pid", transformIndexHtml: (html) => html.replace("PID", process.pid) };
export default { cacheDir: ".vite", plugins: [pid] };
"#;
const COLOUR: &str = "\u{1b}[32m";

fn vite(name: &str, entry: &str) -> Web {
    let web = Web::new(name, "vite", entry);
    web.project
        .file("index.html", PAGE)
        .file("main.js", "document.title = 'hello';\n")
        .file("vite.config.js", CONFIG);
    web
}

/// Which process made the page that is served now.
#[track_caller]
fn server(web: &Web) -> u32 {
    let (status, page) = ask(web.address, "/").unwrap();
    assert_eq!(status, 200, "{page}");
    let pid = page
        .split("run ")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    pid.unwrap_or_else(|| panic!("{page}")).parse().unwrap()
}

/// What is on disk of all runs of the process, as it was printed.
fn history(web: &Web) -> String {
    let state = web.project.state_home().join("background-process-manager");
    let projects = fs::read_dir(state).unwrap().flatten();
    let folders = projects.filter_map(|it| fs::read_dir(it.path().join("logs/web")).ok());
    let files = folders.flatten().flatten().map(|file| file.path());
    let logs = files.filter(|path| path.extension().is_some_and(|it| it == "log"));
    logs.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn a_restart_of_vite_leaves_no_node_and_no_held_port_and_its_colours_survive() {
    let web = vite("vite-own", OWN);
    let daemon = web.start();
    daemon.until_state("web", "running");
    for _ in 0..2 {
        let before = descendants_of(daemon.pid());
        assert!(
            before.contains(&server(&web)) && before.len() > 1,
            "{before:?}"
        );
        let answer = daemon.restart("web");
        assert_eq!(answer["outcome"], "restarted", "{answer}");
        are_gone(&before);
        assert_ne!(server(&web), pid_in(&answer), "npm is a wrapper");
    }
    let log = eventually("vite's words", || {
        let log = daemon.logs("web");
        if log.contains("VITE v7") {
            Ok(log)
        } else {
            Err(log)
        }
    });
    assert!(!log.contains('\u{1b}'), "agents read no colours: {log}");
    let kept = history(&web);
    assert!(kept.contains(COLOUR) && kept.contains("VITE"), "{kept:?}");
    let printed = daemon.output();
    let printed = printed
        .lines()
        .find(|line| line.starts_with("[web] ") && line.contains("VITE"));
    assert!(printed.unwrap().contains(COLOUR), "{printed:?}");
    assert_eq!(daemon.process("web")["crashes"], 0);
    web.ends_clean(daemon);
}

#[test]
fn who_wants_no_colours_of_vite_gets_none() {
    let web = vite(
        "vite-plain",
        &format!("{OWN}env = {{ NO_COLOR = \"1\" }}\n"),
    );
    let daemon = web.start();
    daemon.until_state("web", "running");
    daemon.prints("VITE v7");
    let output = daemon.output();
    let words = output.lines().filter(|line| line.starts_with("[web] "));
    for line in words {
        // Of npm and node neither: who sets both is warned by node.
        assert!(
            !line.contains('\u{1b}') && !line.contains("FORCE_COLOR"),
            "{line:?}"
        );
    }
}

#[test]
fn vite_behind_the_relay_is_swapped_and_nobody_who_comes_is_refused() {
    let web = vite("vite-relayed", RELAYED);
    let daemon = web.start();
    daemon.until_state("web", "running");
    let (before, old) = (descendants_of(daemon.pid()), server(&web));
    assert!(before.contains(&old));
    let visitor = Visitor::of(web.address);
    let answer = daemon.restart("web");
    assert_eq!(answer["outcome"], "swapped", "{answer}");
    are_gone(&before);
    let new = server(&web);
    let seen = visitor.leaves();
    assert_eq!(seen.refused, 0, "{seen:?}");
    assert!(seen.answers > 0 && new != old, "{seen:?}");
    let changed = "document.title = 'goodbye';\n";
    web.project.file("main.js", changed);
    eventually("the changed script", || {
        match ask(web.address, "/main.js") {
            Ok((200, script)) if script.contains("goodbye") => Ok(()),
            other => Err(other.map_err(|error| error.to_string())),
        }
    });
    web.ends_clean(daemon);
}
