//! What a changed file changes.

use super::{MINIMAL, parse, wrong_at_the_top};
use crate::config::{Config, Fate, Plan, Reload};

const TWO: &str = "mcp_port = 3001\n[process.main]\ntype = \"rust\"\n\
                   [process.web]\ntype = \"command\"\ncommand = [\"web\"]\n";

fn plan(old: &str, new: &str) -> Plan {
    parse(old).plan_to(&parse(new))
}

fn process(lines: &str) -> String {
    format!("mcp_port = 3001\n[process.main]\ntype = \"rust\"\n{lines}\n")
}

#[test]
fn each_change_of_a_process_has_its_fate() {
    let table: &[(&str, &str, Fate)] = &[
        ("", "", Fate::Unchanged),
        ("", "# a comment", Fate::Unchanged),
        ("", "args = []", Fate::Unchanged),
        ("", "env = { A = \"1\" }", Fate::Swapped(vec!["env"])),
        (
            "env = { A = \"1\" }",
            "env = { A = \"2\" }\nargs = [\"-v\"]",
            Fate::Swapped(vec!["args", "env"]),
        ),
        ("", "port = 8080", Fate::Swapped(vec!["port"])),
        ("port = 8080", "", Fate::Swapped(vec!["port"])),
        ("port = 8080", "port = 8081", Fate::Swapped(vec!["port"])),
        (
            "listen = [\"127.0.0.1:8080\"]",
            "listen = [\"127.0.0.1:8080\", \"127.0.0.1:8081\"]",
            Fate::Swapped(vec!["listen"]),
        ),
        (
            "port = 8080",
            "port = 8080\noverlap = false",
            Fate::Settled(vec!["overlap"]),
        ),
        (
            "",
            "ready = { tcp = \"127.0.0.1:8080\" }",
            Fate::Swapped(vec!["ready"]),
        ),
        (
            "ready = { notify = true }",
            "ready = { notify = true, timeout_seconds = 3 }",
            Fate::Settled(vec!["ready.timeout_seconds"]),
        ),
        (
            "",
            "settle_seconds = 3",
            Fate::Settled(vec!["settle_seconds"]),
        ),
        (
            "",
            "stop_grace_seconds = 3",
            Fate::Settled(vec!["stop_grace_seconds", "drain_seconds"]),
        ),
        ("", "features = [\"fast\"]", Fate::Rebuilt(vec!["features"])),
        ("", "cwd = \"/tmp\"", Fate::Rebuilt(vec!["cwd"])),
        (
            "",
            "package = \"p\"\nenv = { A = \"1\" }",
            Fate::Rebuilt(vec!["package", "env"]),
        ),
    ];
    for (old, new, fate) in table {
        let plan = plan(&process(old), &process(new));
        let found = plan.fate(&"main".parse().unwrap());
        assert_eq!(found, fate, "{old:?} to {new:?}");
        assert_eq!(plan.is_empty(), *fate == Fate::Unchanged);
    }
}

#[test]
fn processes_come_and_go_by_their_names() {
    let named = |plan: &Plan| -> Vec<(String, Fate)> {
        let all = plan.processes.iter();
        all.map(|(name, fate)| (name.to_string(), fate.clone()))
            .collect()
    };
    assert_eq!(
        named(&plan(MINIMAL, TWO)),
        [
            ("main".into(), Fate::Unchanged),
            ("web".into(), Fate::Added)
        ]
    );
    let renamed = TWO.replace("process.main", "process.server");
    assert_eq!(
        named(&plan(TWO, &renamed)),
        [
            ("server".into(), Fate::Added),
            ("web".into(), Fate::Unchanged),
            ("main".into(), Fate::Removed)
        ]
    );
}

#[test]
fn each_key_of_the_file_itself_is_named() {
    let with = |lines: &str| parse(&format!("{lines}\n{MINIMAL}"));
    let table: &[(&str, &[&str])] = &[
        ("dev_timeout_hours = 1", &["dev_timeout_hours"]),
        ("reload = \"manual\"", &["reload"]),
        ("reload = \"auto\"", &[]),
        (
            "logs.keep_days = 3\nlogs.keep_bytes = \"1M\"\nlogs.memory_bytes = \"1M\"",
            &["logs.keep_bytes", "logs.keep_days", "logs.memory_bytes"],
        ),
    ];
    for (lines, keys) in table {
        assert_eq!(parse(MINIMAL).plan_to(&with(lines)).keys, *keys, "{lines}");
    }
    let moved = parse(&MINIMAL.replace("3001", "3002"));
    assert_eq!(parse(MINIMAL).plan_to(&moved).keys, ["mcp_port"]);
    let plan = parse(MINIMAL).plan_to(&with("logs.disk = false"));
    assert_eq!((plan.keys.len(), plan.later), (0, vec!["logs.disk"]));
}

#[test]
fn the_waits_of_the_file_are_those_of_every_process() {
    let plan = parse(TWO).plan_to(&parse(&format!("dev_crash_wait_seconds = 5\n{TWO}")));
    let settled = Fate::Settled(vec!["dev_crash_wait_seconds"]);
    assert!(plan.processes.iter().all(|(_, fate)| *fate == settled));
}

#[test]
fn a_plan_fits_on_a_line() {
    assert_eq!(plan(TWO, TWO).to_string(), "nothing changed");
    let text = TWO.replace("[process.web]", "env = { A = \"\" }\n[process.site]");
    assert_eq!(
        plan(TWO, &text).to_string(),
        "main: env (swapped); site: added; web: removed"
    );
}

#[test]
fn reload_is_auto_unless_the_file_says_manual() {
    let reload = |text: &str| -> Reload { Config::parse(text, "/".as_ref()).unwrap().reload };
    assert_eq!(reload(MINIMAL), Reload::Auto);
    let manual = format!("reload = \"manual\"\n{MINIMAL}");
    assert_eq!(reload(&manual), Reload::Manual);
    assert_eq!(
        wrong_at_the_top("reload = true"),
        ["1: reload = true: must be \"auto\" or \"manual\""]
    );
}
