mod claims;
mod file;
mod hostile;
mod keys;
mod listen;
mod logs;
mod plan;
mod ready;
mod sockets;
mod target;
mod valid;
mod values;

use std::path::Path;

use bpm_actors::spec::ProcessSpec;

use super::Config;

const MINIMAL: &str = "mcp_port = 3001\n[process.main]\ntype = \"rust\"\nargs = []\n";

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("/")).unwrap()
}

/// What is wrong with `text`, in a project at `/`, without the file's name.
fn wrong(text: &str) -> Vec<String> {
    let invalid = Config::parse(text, Path::new("/")).unwrap_err();
    let message = invalid.to_string();
    let lines = message
        .lines()
        .map(|line| line.strip_prefix("/.mcp-run:").unwrap());
    lines.map(|line| line.trim_start().to_owned()).collect()
}

/// What is wrong with a line of the file itself.
fn wrong_at_the_top(line: &str) -> Vec<String> {
    wrong(&format!("{line}\n{MINIMAL}"))
}

/// What is wrong with a line of a rust process.
fn wrong_in_rust(line: &str) -> Vec<String> {
    wrong(&format!("{MINIMAL}{line}\n"))
}

/// What lines of a rust process mean.
fn in_rust(lines: &str) -> ProcessSpec {
    let mut config = parse(&format!("{MINIMAL}{lines}\n"));
    config.processes.remove(0)
}
