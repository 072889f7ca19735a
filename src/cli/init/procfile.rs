//! The entries of a Procfile.

use std::{fs, path::Path};

use super::draft::{Found, Role, What};

/// What node's package managers are called.
const NODE: [&str; 4] = ["npm", "pnpm", "yarn", "bun"];
/// What makes a command a matter for a shell.
const SHELL: [char; 19] = [
    '$', '&', '|', ';', '<', '>', '(', ')', '`', '\'', '"', '\\', '*', '?', '[', '~', '#', '{', '=',
];

/// The entries, in their order.
pub(super) fn detect(project: &Path) -> Vec<Found> {
    let text = fs::read_to_string(project.join("Procfile")).unwrap_or_default();
    text.lines().filter_map(entry).collect()
}

fn entry(line: &str) -> Option<Found> {
    let (name, command) = line.split_once(':')?;
    let (name, command) = (name.trim(), command.trim());
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || command.is_empty() || !name.chars().all(named) {
        return None;
    }
    let words: Vec<String> = if command.contains(SHELL) {
        ["sh", "-c", command].map(str::to_owned).to_vec()
    } else {
        command.split_whitespace().map(str::to_owned).collect()
    };
    let is_node = words.first().is_some_and(|it| NODE.contains(&it.as_str()));
    // Heroku runs this one once, before a release.
    let once = name == "release";
    Some(Found {
        name: name.to_owned(),
        what: if is_node {
            What::Npm(words)
        } else {
            What::Command(words)
        },
        cwd: ".".to_owned(),
        origin: if once {
            "runs once, before a release: not a process that stays".to_owned()
        } else {
            format!("{name} of the Procfile")
        },
        role: if once { Role::Other } else { Role::Main },
    })
}

/// Whether this starts what cargo builds.
pub(super) fn runs_cargo(command: &[String]) -> bool {
    let text = command.join(" ");
    ["cargo run", "target/release/", "target/debug/"]
        .iter()
        .any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_needs_a_shell_gets_one() {
        let what = |line: &str| entry(line).map(|found| found.what);
        let command = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            what("web: bundle exec  puma -C config/puma.rb"),
            Some(What::Command(command(&[
                "bundle",
                "exec",
                "puma",
                "-C",
                "config/puma.rb"
            ])))
        );
        assert_eq!(
            what("web: gunicorn app:app -b 0.0.0.0:$PORT"),
            Some(What::Command(command(&[
                "sh",
                "-c",
                "gunicorn app:app -b 0.0.0.0:$PORT"
            ])))
        );
        assert_eq!(
            what("js: yarn start"),
            Some(What::Npm(command(&["yarn", "start"])))
        );
        for none in ["", "# web: x", "web:", "no command", "a b: c"] {
            assert_eq!(what(none), None, "{none}");
        }
    }
}
