//! What `/proc` says, independent of what the daemon says.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::eventually;

/// Living processes that carry the mark of this project.
pub(crate) fn marked(project: &Path) -> Vec<u32> {
    let mark = [b"BPM_PROJECT=", project.as_os_str().as_bytes()].concat();
    let is_marked = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == mark)
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_marked)
        .filter(|pid| is_alive(*pid))
        .collect()
}

/// Whether there is such a process that has not ended.
pub(crate) fn is_alive(pid: u32) -> bool {
    state_of(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Its state letter.
pub(crate) fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Children of a process, zombies included.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent_of = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parent_of == Some(parent)
    })
    .collect()
}

/// The pid in an answer of the daemon.
#[track_caller]
pub(crate) fn pid_in(answer: &Value) -> u32 {
    answer["pid"]
        .as_u64()
        .unwrap_or_else(|| panic!("no pid in {answer}"))
        .try_into()
        .unwrap()
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

/// The children of a process that have ended and were not reaped.
pub(crate) fn zombies_of(parent: u32) -> Vec<u32> {
    let mut children = children_of(parent);
    children.retain(|pid| state_of(*pid) == Some('Z'));
    children
}

/// Everybody below a process.
pub(crate) fn descendants_of(ancestor: u32) -> Vec<u32> {
    let mut found = children_of(ancestor);
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children_of(*pid));
        next += 1;
    }
    found
}

/// Waits until it has ended.
#[track_caller]
pub(crate) fn until_gone(pid: u32) {
    eventually(&format!("{pid} gone"), || {
        if is_alive(pid) {
            Err(fs::read_to_string(format!("/proc/{pid}/stat")))
        } else {
            Ok(())
        }
    });
}
