//! express below npm, pnpm and yarn: what they pass on, and what is left of them.

use std::fs;

use serde_json::json;

use super::kit::{Web, are_gone};
use crate::support::{Daemon, Visitor, ask, descendants_of, eventually, pid_in};

/// Ends as it is told to, and takes its time when it is asked to leave.
const SERVER: &str = r#"
import express from "express";
import { writeFileSync } from "node:fs";
const app = express();
app.get("/", (_, answer) => answer.send(String(process.pid)));
app.get("/exit", (_, answer) => answer.on("finish", () => process.exit(3)).send("3"));
app.get("/kill", (_, answer) =>
    answer.on("finish", () => process.kill(process.pid, "SIGKILL")).send("9"));
const server = app.listen(Number(process.env.PORT), "127.0.0.1", () =>
    console.log("listening on", process.env.PORT));
process.on("SIGTERM", () => {
    server.close();
    setTimeout(() => { writeFileSync("drained", "yes"); process.exit(0); }, 300);
});
"#;

fn express(name: &str, manager: &str, entry: &str) -> Web {
    let command = format!("command = [\"{manager}\", \"run\", \"dev\"]\n{entry}");
    let web = Web::new(&format!("{name}-{manager}"), "node server.js", &command);
    web.project.file("server.js", SERVER);
    web
}

/// Which process answers now.
#[track_caller]
fn server(web: &Web) -> u32 {
    let (status, pid) = ask(web.address, "/").unwrap();
    assert_eq!(status, 200, "{pid}");
    pid.parse().unwrap()
}

/// Asks for a page that ends the server; what is said of that then.
#[track_caller]
fn last_exit(web: &Web, daemon: &Daemon, page: &str) -> serde_json::Value {
    let before = daemon.process("web");
    // The answer may not come to its end.
    let _ = ask(web.address, page);
    let after = daemon.until("web", "back", |web| {
        web["state"] == "running" && web["run"] != before["run"]
    });
    assert_eq!(after["last_exit"]["run"], before["run"]);
    after["last_exit"].clone()
}

fn is_restarted_and_tells_how_it_ended(manager: &str) {
    let ready = "env = { PORT = \"%PORT%\" }\nready = { http = \"http://%ADDRESS%/\" }";
    let web = express("express", manager, ready);
    let daemon = web.start();
    daemon.until_state("web", "running");

    let before = descendants_of(daemon.pid());
    assert!(
        before.contains(&server(&web)) && before.len() > 1,
        "{before:?}"
    );
    let answer = daemon.restart("web");
    assert_eq!(answer["outcome"], "restarted", "{answer}");
    are_gone(&before);
    assert_ne!(server(&web), pid_in(&answer), "{manager} is a wrapper");
    // The server was asked, and was given the time that it needed.
    assert_eq!(web.project.read("drained"), "yes");

    let exit = last_exit(&web, &daemon, "/exit");
    assert_eq!(
        (&exit["code"], &exit["text"]),
        (&json!(3), &json!("exit code 3"))
    );
    // As an exit code of 128 and more, or by its own death: that is up to the manager.
    let exit = last_exit(&web, &daemon, "/kill");
    assert!(exit["text"].as_str().unwrap().contains("SIGKILL"), "{exit}");

    fs::remove_file(web.project.dir().join("drained")).unwrap();
    daemon.call("stop", &json!({"process": "web"}));
    assert_eq!(web.project.read("drained"), "yes");
    assert_eq!(descendants_of(daemon.pid()), [0; 0]);
    web.ends_clean(daemon);
}

fn is_swapped_behind_the_relay(manager: &str) {
    let entry = "port = %PORT%\nready = { http = \"http://127.0.0.1:{port}/\" }";
    let web = express("relay", manager, entry);
    let daemon = web.start();
    daemon.until_state("web", "running");
    let (before, old) = (descendants_of(daemon.pid()), server(&web));
    let visitor = Visitor::of(web.address);
    let answer = daemon.restart("web");
    assert_eq!(answer["outcome"], "swapped", "{answer}");
    are_gone(&before);
    let new = server(&web);
    let seen = visitor.leaves();
    assert_eq!(seen.refused, 0, "{seen:?}");
    assert!(seen.answers > 0 && new != old, "{seen:?}");
    let log = eventually("the server's line", || {
        let log = daemon.logs("web");
        if log.contains("listening on") {
            Ok(log)
        } else {
            Err(log)
        }
    });
    let public = format!("listening on {}", web.address.port());
    assert!(!log.contains(&public), "its PORT is a private one: {log}");
    web.ends_clean(daemon);
}

macro_rules! managers {
    ($($manager:literal: $ends:ident, $swaps:ident;)*) => {$(
        #[test]
        fn $ends() {
            is_restarted_and_tells_how_it_ended($manager);
        }

        #[test]
        fn $swaps() {
            is_swapped_behind_the_relay($manager);
        }
    )*};
}

managers! {
    "npm": express_below_npm_leaves_nothing_and_its_ends_are_named,
        express_below_npm_is_swapped_behind_the_relay;
    "pnpm": express_below_pnpm_leaves_nothing_and_its_ends_are_named,
        express_below_pnpm_is_swapped_behind_the_relay;
    "yarn": express_below_yarn_leaves_nothing_and_its_ends_are_named,
        express_below_yarn_is_swapped_behind_the_relay;
}
