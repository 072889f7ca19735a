//! The entries of a Procfile.

use std::path::Path;

use super::{
    draft::{Found, Role, What},
    unusable::Unusable,
};

/// What node's package managers are called.
const NODE: [&str; 4] = ["npm", "pnpm", "yarn", "bun"];
/// What makes a command a matter for a shell.
const SHELL: [char; 19] = [
    '$', '&', '|', ';', '<', '>', '(', ')', '`', '\'', '"', '\\', '*', '?', '[', '~', '#', '{', '=',
];

/// The entries, in their order.
pub(super) fn detect(project: &Path, unusable: &mut Unusable) -> Vec<Found> {
    let file = project.join("Procfile");
    let text = unusable.read(&file).unwrap_or_default();
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match entry(line) {
            Some(entry) => found.push(entry),
            None if is_said(line) => unusable.add(format!(
                "{}:{number}: no entry such as `web: command`, with a name of letters, digits, _ and -: {line}",
                file.display()
            )),
            None => {}
        }
    }
    found
}

/// Whether a line says anything.
fn is_said(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
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
