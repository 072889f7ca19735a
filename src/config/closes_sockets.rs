//! Which programs do not pass on the sockets that they are handed.
//!
//! Node marks every descriptor that it inherits to be closed when it starts another program, and the
//! package managers start the real one. Node itself, Bun and Deno keep them, so a server that one of
//! these runs directly can be handed sockets.

use std::path::Path;

use bpm_actors::spec::CommandLine;

/// Programs that run another one and close its sockets.
const PACKAGE_MANAGERS: [&str; 9] = [
    "npm",
    "npx",
    "pnpm",
    "pnpx",
    "yarn",
    "yarnpkg",
    "bunx",
    "corepack",
    "npm-cli.js",
];

/// The part of a command that does not pass sockets on, if there is one.
pub(super) fn culprit(command: &CommandLine) -> Option<&str> {
    let words: Vec<&str> = std::iter::once(&command.program)
        .chain(&command.args)
        .map(String::as_str)
        .collect();
    let program = behind_wrappers(&words);
    // `node /usr/lib/node_modules/npm/bin/npm-cli.js` is npm.
    let script = program
        .split_first()
        .filter(|(first, _)| file_name(first) == "node");
    let candidates = [program.first(), script.and_then(|(_, rest)| rest.first())];
    candidates
        .into_iter()
        .flatten()
        .map(|word| file_name(word))
        .find(|name| PACKAGE_MANAGERS.contains(name))
}

/// The command without what only prepares for it: `env`, `direnv exec DIR`, `nohup`, `setsid`.
fn behind_wrappers<'w, 't>(mut words: &'w [&'t str]) -> &'w [&'t str] {
    while let Some((first, rest)) = words.split_first() {
        words = match file_name(first) {
            "env" => behind_env(rest),
            "direnv" if rest.first() == Some(&"exec") => rest.get(2..).unwrap_or_default(),
            "nohup" | "setsid" => behind_options(rest),
            _ => break,
        };
    }
    words
}

/// What `env` runs: behind its options and variables.
fn behind_env<'w, 't>(mut words: &'w [&'t str]) -> &'w [&'t str] {
    while let Some((first, rest)) = words.split_first() {
        words = match *first {
            "-u" | "--unset" | "-C" | "--chdir" => rest.get(1..).unwrap_or_default(),
            word if word.starts_with('-') || word.contains('=') => rest,
            _ => break,
        };
    }
    words
}

fn behind_options<'w, 't>(words: &'w [&'t str]) -> &'w [&'t str] {
    let options = words.iter().take_while(|word| word.starts_with('-'));
    &words[options.count()..]
}

fn file_name(word: &str) -> &str {
    let name = Path::new(word).file_name().and_then(|name| name.to_str());
    name.unwrap_or(word)
}
