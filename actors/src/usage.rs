//! What the trees of processes use, read from `/proc` when somebody asks: nothing is sampled.

use std::collections::HashSet;

use nix::unistd::{SysconfVar, sysconf};

use crate::proc_table::{self, Stat};

/// What a tree uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time so far, of those who live and of those whom they outlived, in seconds.
    pub cpu_seconds: f64,
    /// Memory now, in bytes. What several share counts for each of them.
    pub resident_bytes: u64,
    /// Threads now.
    pub tasks: u64,
}

/// What the trees of these leaders use together; `None` where nobody of them lives. Whoever left his
/// leader's tree belongs to it as long as he is in its session.
#[must_use]
pub fn of_trees(leaders: &[u32]) -> Option<Usage> {
    if leaders.is_empty() {
        return None;
    }
    let adopted = proc_table::children_of(std::process::id());
    let adopted = adopted.into_iter().filter_map(Stat::of);
    let adopted = adopted
        .filter(|it| leaders.contains(&it.session))
        .map(|it| it.identity.pid);
    let roots: HashSet<u32> = leaders.iter().copied().chain(adopted).collect();
    let mut members = roots.clone();
    for root in roots {
        let descendants = proc_table::descendants_of(root);
        members.extend(descendants.iter().map(|it| it.identity.pid));
    }
    let used = members.into_iter().filter_map(of_process);
    used.reduce(|one, other| Usage {
        cpu_seconds: one.cpu_seconds + other.cpu_seconds,
        resident_bytes: one.resident_bytes + other.resident_bytes,
        tasks: one.tasks + other.tasks,
    })
}

fn of_process(pid: u32) -> Option<Usage> {
    let text = proc_table::stat_text(pid)?;
    parse(
        &text,
        setting(SysconfVar::CLK_TCK, 100),
        setting(SysconfVar::PAGE_SIZE, 4096),
    )
}

/// What the system says, or what it is nearly everywhere.
fn setting(what: SysconfVar, usual: u64) -> u64 {
    let said = sysconf(what).ok().flatten();
    said.and_then(|it| u64::try_from(it).ok())
        .filter(|it| *it > 0)
        .unwrap_or(usual)
}

/// Reads `/proc/PID/stat`.
fn parse(text: &str, ticks_per_second: u64, page: u64) -> Option<Usage> {
    // The name stands in parentheses and may itself contain them and spaces.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Fields are counted from 1 in the manual, and the third one is the first here.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    let ticks = field(14)? + field(15)? + field(16)? + field(17)?;
    #[expect(clippy::cast_precision_loss, reason = "no program runs for so long")]
    Some(Usage {
        cpu_seconds: ticks as f64 / ticks_per_second as f64,
        resident_bytes: field(24)? * page,
        tasks: field(20)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_manual() {
        let text = "42 (a) S (b) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 7 0 12345 999 50 0 0";
        let usage = parse(text, 100, 4096).unwrap();
        assert!((usage.cpu_seconds - 1.27).abs() < 1e-9, "{usage:?}");
        assert_eq!((usage.resident_bytes, usage.tasks), (50 * 4096, 7));
        assert_eq!(parse(&text.replace(") S 1", ") Z 1"), 100, 4096), None);
        for text in ["", "1 (a", "1 (a) S 1 2"] {
            assert_eq!(parse(text, 100, 4096), None, "{text:?}");
        }
    }

    #[test]
    fn this_very_process_uses_something_and_nobody_uses_nothing() {
        let usage = of_trees(&[std::process::id()]).unwrap();
        assert!(usage.resident_bytes > 0 && usage.tasks > 0, "{usage:?}");
        assert_eq!(of_trees(&[]), None);
        assert_eq!(of_trees(&[u32::MAX]), None);
    }
}
