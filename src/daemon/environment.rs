//! What children inherit from the daemon, and what not.

use std::{collections::BTreeMap, env, ffi::OsString};

/// Variables that speak to the daemon itself. A child that took them for its own would answer to
/// systemd in the daemon's name, or write to its journal stream.
const ONLY_OURS: [&str; 6] = [
    "NOTIFY_SOCKET",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "SYSTEMD_EXEC_PID",
    "BPM_PROCESS",
    "BPM_RUN",
];
const ONLY_OURS_PREFIXES: [&str; 2] = ["WATCHDOG_", "LISTEN_"];

/// The daemon's environment without what is meant for the daemon alone.
pub(super) fn for_children() -> BTreeMap<OsString, OsString> {
    env::vars_os()
        .filter(|(name, _)| !is_only_ours(&name.to_string_lossy()))
        .collect()
}

fn is_only_ours(name: &str) -> bool {
    ONLY_OURS.contains(&name)
        || ONLY_OURS_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// What the daemon's own parent left open for it stays open, but children do not inherit it.
pub(super) fn keep_descriptors_from_children() {
    close_fds::CloseFdsBuilder::new().cloexecfrom(3);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_to_the_daemon_is_not_inherited() {
        for name in [
            "NOTIFY_SOCKET",
            "WATCHDOG_USEC",
            "WATCHDOG_PID",
            "LISTEN_FDS",
            "JOURNAL_STREAM",
        ] {
            assert!(is_only_ours(name), "{name}");
        }
        for name in ["PATH", "HOME", "LISTEN", "RUST_LOG"] {
            assert!(!is_only_ours(name), "{name}");
        }
    }
}
