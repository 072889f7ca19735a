//! Addresses that two keys want.

use std::fs;

use super::{MINIMAL, parse, wrong};
use crate::config::Config;

#[test]
fn no_address_is_wanted_twice() {
    let own = |place: &str, address: &str| {
        format!("must be an address of its own: {place} takes {address}")
    };
    for (one, two, problem) in [
        (
            "listen = [\"127.0.0.1:80\", \"127.0.0.1:80\"]",
            "",
            format!(
                "4: process.a.listen[1] = \"127.0.0.1:80\": {}",
                own("process.a.listen[0] (line 4)", "127.0.0.1:80")
            ),
        ),
        (
            "port = 80",
            "port = 80",
            format!(
                "7: process.b.port = 80: {}",
                own("process.a.port (line 4)", "127.0.0.1:80")
            ),
        ),
        (
            "port = 80",
            "listen = { x = \"[::1]:80\" }",
            format!(
                "7: process.b.listen.x = \"[::1]:80\": {}",
                own("process.a.port (line 4)", "[::1]:80")
            ),
        ),
        (
            "listen = [\"0.0.0.0:80\"]",
            "port = \"127.0.0.2:80\"",
            format!(
                "7: process.b.port = \"127.0.0.2:80\": {}",
                own("process.a.listen[0] (line 4)", "0.0.0.0:80")
            ),
        ),
        (
            "listen = [\"[::1]:80\"]",
            "port = \"[::]:80\"",
            format!(
                "7: process.b.port = \"[::]:80\": {}",
                own("process.a.listen[0] (line 4)", "[::1]:80")
            ),
        ),
        (
            "listen = [\"./nowhere/x.sock\"]",
            "listen = [\"/nowhere/x.sock\"]",
            format!(
                "7: process.b.listen[0] = \"/nowhere/x.sock\": {}",
                own("process.a.listen[0] (line 4)", "/nowhere/x.sock")
            ),
        ),
        (
            "port = 3001",
            "",
            format!(
                "4: process.a.port = 3001: {}",
                own("mcp_port (line 1)", "127.0.0.1:3001")
            ),
        ),
        (
            "listen = [\"[::]:3001\"]",
            "",
            format!(
                "4: process.a.listen[0] = \"[::]:3001\": {}",
                own("mcp_port (line 1)", "[::1]:3001")
            ),
        ),
    ] {
        assert_eq!(wrong(&two_processes(one, two)), [problem]);
    }
}

#[test]
fn addresses_that_only_look_alike_do_not_clash() {
    for (one, two) in [
        ("listen = [\"127.0.0.1:80\", \"[::1]:80\"]", "port = 81"),
        ("listen = [\"0.0.0.0:80\"]", "listen = [\"[::]:80\"]"),
        ("listen = [\"0.0.0.0:80\"]", "listen = [\"[::1]:80\"]"),
        ("listen = [\"127.0.0.1:80\"]", "listen = [\"127.0.0.2:80\"]"),
        (
            "listen = [\"192.168.1.5:3001\"]",
            "listen = [\"./a/x\", \"./b/x\"]",
        ),
    ] {
        assert_eq!(parse(&two_processes(one, two)).processes.len(), 2);
    }
    parse("mcp_port = 0\n[process.a]\ntype = \"rust\"\nport = 3001\n");
}

fn two_processes(one: &str, two: &str) -> String {
    format!(
        "mcp_port = 3001\n[process.a]\ntype = \"rust\"\n{one}\n[process.b]\ntype = \"rust\"\n{two}\n"
    )
}

#[test]
fn two_ways_to_the_same_folder_are_the_same_address() {
    let project = tempfile::tempdir().unwrap();
    fs::create_dir(project.path().join("run")).unwrap();
    std::os::unix::fs::symlink("run", project.path().join("link")).unwrap();
    let text = format!("{MINIMAL}listen = [\"run/x\", \"run/../run/x\", \"link/x\"]\n");

    let invalid = Config::parse(&text, project.path()).unwrap_err();

    assert_eq!(invalid.problems.len(), 2, "{invalid}");
}
