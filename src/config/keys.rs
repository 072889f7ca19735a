//! Which keys there are, and what to say about one that does not belong where it stands.

use bpm_actors::spec::ProcessType;

use super::entry::Entry;

/// Keys of the file itself.
pub(super) const TOP: [&str; 9] = [
    "mcp_port",
    "token",
    "dev_timeout_hours",
    "dev_crash_wait_seconds",
    "release_crash_backoff_initial_seconds",
    "release_crash_backoff_max_seconds",
    "reload",
    "logs",
    "process",
];

/// Keys of `[logs]`.
pub(super) const LOGS: [&str; 4] = ["keep_bytes", "keep_days", "memory_bytes", "disk"];

/// The values of `type`.
pub(super) const TYPES: [&str; 3] = ["rust", "npm", "command"];

/// Keys of every `[process.NAME]`.
const ANY: [&str; 14] = [
    "type",
    "cwd",
    "env",
    "listen",
    "port",
    "overlap",
    "ready",
    "settle_seconds",
    "stable_seconds",
    "watchdog_seconds",
    "stop_grace_seconds",
    "drain_seconds",
    "in_place",
    "target_dir",
];

/// Keys of `ready` of which there is exactly one.
pub(super) const PROBES: [&str; 5] = ["http", "tcp", "log", "notify", "exec"];

/// How long a probe may take.
const TIMEOUT: &str = "timeout_seconds";

/// Further keys where cargo builds.
const RUST: [&str; 5] = ["args", "package", "bin", "features", "cargo_args"];

/// Further keys where nothing is built.
const COMMAND: [&str; 1] = ["command"];

/// The keys of a `[process.NAME]`, those of all types where the type is not known.
pub(super) fn of_process(kind: Option<ProcessType>) -> Vec<&'static str> {
    let own: &[&[&str]] = match kind {
        Some(ProcessType::Rust) => &[&ANY, &RUST],
        Some(ProcessType::Npm | ProcessType::Command) => &[&ANY, &COMMAND],
        None => &[&ANY, &RUST, &COMMAND],
    };
    own.concat()
}

/// The keys of a `ready` table.
pub(super) fn of_ready() -> Vec<&'static str> {
    let mut keys = PROBES.to_vec();
    keys.push(TIMEOUT);
    keys
}

/// Why `key` is not one of the file's own.
pub(super) fn not_at_the_top(key: &str) -> String {
    if key == "port" {
        return "belongs in a [process.NAME] table; the port for agents is mcp_port".to_owned();
    }
    if of_process(None).contains(&key) {
        return "belongs in a [process.NAME] table".to_owned();
    }
    if LOGS.contains(&key) {
        return IN_LOGS.to_owned();
    }
    unknown(key, &TOP, "here")
}

/// Why `key` is none of a process of this type.
pub(super) fn not_in_process(key: &str, kind: Option<ProcessType>) -> String {
    let valid = of_process(kind);
    let place = match kind {
        Some(ProcessType::Rust) => "for type = \"rust\"",
        Some(ProcessType::Npm) => "for type = \"npm\"",
        Some(ProcessType::Command) => "for type = \"command\"",
        None => "here",
    };
    let owners = if RUST.contains(&key) {
        "type = \"rust\""
    } else if COMMAND.contains(&key) {
        "type = \"npm\" and type = \"command\""
    } else if LOGS.contains(&key) {
        return IN_LOGS.to_owned();
    } else if key == "logs" {
        return "belongs at the top level: write [logs]".to_owned();
    } else if TOP.contains(&key) && key != "process" {
        return "belongs at the top of the file, above the first [process.NAME]".to_owned();
    } else if of_ready().contains(&key) {
        let example = if key == TIMEOUT { "http" } else { key };
        return format!("belongs to ready: write ready = {{ {example} = … }}");
    } else {
        return unknown(key, &valid, place);
    };
    format!("belongs to {owners}; valid {place}: {}", valid.join(", "))
}

/// Why `key` is none of the `[logs]` table.
pub(super) fn not_in_logs(key: &str) -> String {
    if TOP.contains(&key) {
        return "belongs at the top of the file, above [logs]".to_owned();
    }
    if of_process(None).contains(&key) {
        return "belongs in a [process.NAME] table".to_owned();
    }
    unknown(key, &LOGS, "in logs")
}

const IN_LOGS: &str = "belongs in the [logs] table";

/// Why `key` is none of a `ready` table.
pub(super) fn not_in_ready(key: &str) -> String {
    if of_process(None).contains(&key) {
        // TOML gives the last header everything that follows.
        return format!("the process's own {key} goes above its ready table");
    }
    unknown(key, &of_ready(), "in ready")
}

/// The type that the file names.
pub(super) fn process_type(name: &str) -> Option<ProcessType> {
    match name {
        "rust" => Some(ProcessType::Rust),
        "npm" => Some(ProcessType::Npm),
        "command" => Some(ProcessType::Command),
        _ => None,
    }
}

/// Whether one of the entries was probably meant to be `key`, so that nobody need be told that
/// `key` is missing.
pub(super) fn is_misspelt(key: &str, valid: &[&str], entries: &[Entry<'_>]) -> bool {
    let mut unknown = entries.iter().filter(|entry| !valid.contains(&entry.name));
    unknown.any(|entry| nearest(entry.name, valid) == Some(key))
}

/// The one of `valid` that `word` was probably meant to be.
pub(super) fn nearest<'v>(word: &str, valid: &[&'v str]) -> Option<&'v str> {
    const ALIKE: f64 = 0.69;
    let word = word.to_lowercase().replace('-', "_");
    valid
        .iter()
        .map(|known| (likeness(&word, known), *known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

fn likeness(word: &str, known: &str) -> f64 {
    // `port`, `stop_grace`: a piece of a longer name is meant more surely than a similar word.
    let begins_a_piece = known.starts_with(word) || known.contains(&format!("_{word}"));
    if word.len() >= 3 && begins_a_piece {
        return 1.0 + strsim::normalized_levenshtein(word, known);
    }
    strsim::jaro_winkler(word, known)
}

fn unknown(key: &str, valid: &[&str], place: &str) -> String {
    let valid_keys = valid.join(", ");
    match nearest(key, valid) {
        Some(meant) => format!("unknown key, did you mean {meant}? valid {place}: {valid_keys}"),
        None => format!("unknown key; valid {place}: {valid_keys}"),
    }
}
