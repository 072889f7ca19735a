//! What the kernel counts about a process, and who its children are.

use std::{collections::HashMap, fs};

use super::is_alive;

/// The most memory that a process ever had resident, in MiB.
#[track_caller]
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.split_whitespace().next());
    let kib: u64 = peak.unwrap_or_else(|| panic!("{status}")).parse().unwrap();
    kib / 1024
}

/// One variable of the environment that a process was started with.
pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    entries.find_map(|entry| {
        let entry = std::str::from_utf8(entry).ok()?;
        Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned())
    })
}

/// A child of the daemon that belongs to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pid: u32,
    pub(crate) process: String,
    pub(crate) run: u64,
}

/// The living direct children of a daemon that belong to runs, not to builds: leaders, and what
/// lost its parent.
pub(crate) fn members(daemon: u32) -> Vec<Member> {
    let children = direct_children(daemon).into_iter();
    let members = children.filter_map(|pid| {
        let process = variable(pid, "BPM_PROCESS")?;
        let run = variable(pid, "BPM_RUN")?.parse().ok()?;
        Some(Member { pid, process, run })
    });
    members.filter(|member| is_alive(member.pid)).collect()
}

/// The leaders among them, by process: those that lead a session of their own.
pub(crate) fn leaders(daemon: u32) -> HashMap<String, Vec<Member>> {
    let mut leaders: HashMap<String, Vec<Member>> = HashMap::new();
    for member in members(daemon) {
        if session(member.pid) == Some(member.pid) {
            leaders
                .entry(member.process.clone())
                .or_default()
                .push(member);
        }
    }
    leaders
}

/// Cheaper than to look at all processes of the machine, where the kernel offers it.
fn direct_children(parent: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(pids) => children.extend(
                pids.split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            // The thread ended, or this kernel has no such file.
            Err(_) if task.path().exists() => return super::children_of(parent),
            Err(_) => {}
        }
    }
    children
}

fn session(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(3)?.parse().ok()
}
