//! What a new configuration changes of an old one. Pure: nothing is done here.

use std::fmt;

use bpm_actors::{ids::ProcessName, spec::Change};

use super::Config;

/// What is to be done so that the new configuration holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every process that either configuration names: those of the new one in its order, then those
    /// that only the old one has.
    pub processes: Vec<(ProcessName, Fate)>,
    /// The keys outside of the processes that differ and take effect.
    pub keys: Vec<&'static str>,
    /// The keys that differ and take effect only when the daemon starts again.
    pub later: Vec<&'static str>,
}

/// What becomes of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Unchanged,
    /// It is new, and started.
    Added,
    /// It is stopped; its logs stay on disk.
    Removed,
    /// Only limits and waits differ, in these keys: they hold from now on.
    Settled(Vec<&'static str>),
    /// These keys differ; the program that there is runs anew.
    Swapped(Vec<&'static str>),
    /// These keys differ; it is built and then runs anew.
    Rebuilt(Vec<&'static str>),
}

impl Config {
    /// What it takes to come from this configuration to `new`.
    #[must_use]
    pub fn plan_to(&self, new: &Self) -> Plan {
        let named = new.processes.iter().map(|spec| {
            let fate = match self.process(&spec.name) {
                None => Fate::Added,
                Some(old) => Fate::of(old.change_to(spec), || old.changed_keys(spec)),
            };
            (spec.name.clone(), fate)
        });
        let gone = self.processes.iter().map(|it| &it.name);
        let gone = gone.filter(|name| new.process(name).is_none());
        let processes = named.chain(gone.map(|name| (name.clone(), Fate::Removed)));
        let (old_logs, new_logs) = (&self.logs, &new.logs);
        let keys = [
            ("mcp_port", self.mcp_port != new.mcp_port),
            ("dev_timeout_hours", self.dev_timeout != new.dev_timeout),
            ("reload", self.reload != new.reload),
            (
                "logs.keep_bytes",
                old_logs.keep_bytes != new_logs.keep_bytes,
            ),
            ("logs.keep_days", old_logs.keep_days != new_logs.keep_days),
            (
                "logs.memory_bytes",
                old_logs.memory_bytes != new_logs.memory_bytes,
            ),
        ];
        let later = [
            ("token", self.token != new.token),
            ("logs.disk", old_logs.disk != new_logs.disk),
        ];
        Plan {
            processes: processes.collect(),
            keys: differing(&keys),
            later: differing(&later),
        }
    }
}

impl Plan {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let same = |fate: &Fate| *fate == Fate::Unchanged;
        self.keys.is_empty()
            && self.later.is_empty()
            && self.processes.iter().all(|(_, fate)| same(fate))
    }

    /// What becomes of a process.
    #[must_use]
    pub fn fate(&self, name: &ProcessName) -> &Fate {
        let found = self.processes.iter().find(|(it, _)| it == name);
        found.map_or(&Fate::Unchanged, |(_, fate)| fate)
    }
}

impl Fate {
    fn of(change: Option<Change>, keys: impl FnOnce() -> Vec<&'static str>) -> Self {
        match change {
            None => Self::Unchanged,
            Some(Change::Settle) => Self::Settled(keys()),
            Some(Change::Swap) => Self::Swapped(keys()),
            Some(Change::Rebuild) => Self::Rebuilt(keys()),
        }
    }

    /// The keys that differ.
    #[must_use]
    pub fn keys(&self) -> &[&'static str] {
        match self {
            Self::Unchanged | Self::Added | Self::Removed => &[],
            Self::Settled(keys) | Self::Swapped(keys) | Self::Rebuilt(keys) => keys,
        }
    }
}

/// One line: `main: env (swapped), web: added, mcp_port`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let processes = self.processes.iter().filter_map(|(name, fate)| {
            let keys = fate.keys().join(", ");
            Some(match fate {
                Fate::Unchanged => return None,
                Fate::Added => format!("{name}: added"),
                Fate::Removed => format!("{name}: removed"),
                Fate::Settled(_) => format!("{name}: {keys}"),
                Fate::Swapped(_) => format!("{name}: {keys} (swapped)"),
                Fate::Rebuilt(_) => format!("{name}: {keys} (built anew)"),
            })
        });
        let keys = self.keys.iter().map(|key| (*key).to_owned());
        let all: Vec<String> = processes.chain(keys).collect();
        if all.is_empty() {
            return f.write_str("nothing changed");
        }
        f.write_str(&all.join("; "))
    }
}

fn differing(keys: &[(&'static str, bool)]) -> Vec<&'static str> {
    let differ = keys.iter().filter(|(_, differs)| *differs);
    differ.map(|(key, _)| *key).collect()
}
