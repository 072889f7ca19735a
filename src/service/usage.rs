//! What the processes use.

use bpm_actors::{history::timestamp, usage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::Service;

/// What the processes use at this moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageReport {
    /// The processes, in the order of the configuration.
    pub processes: Vec<ProcessUsage>,
    /// When that was.
    pub at: Timestamp,
}

/// What one process uses with all its children; null while it does not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// Its name.
    pub process: String,
    /// CPU time so far of those who run, and of their children that ended.
    pub cpu_seconds: Option<f64>,
    /// Memory.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub tasks: Option<u64>,
}

impl Service {
    /// What the processes use. Read when it is asked for, on a thread that may block.
    pub async fn usage(&self) -> UsageReport {
        let configured = self.configured();
        let leaders = configured.members.iter().map(|member| {
            let leaders = member.board.borrow().leaders();
            (member.name.to_string(), leaders)
        });
        let leaders: Vec<(String, Vec<u32>)> = leaders.collect();
        let names = leaders.iter().map(|(name, _)| name.clone());
        let names: Vec<String> = names.collect();
        let read = spawn_blocking(move || {
            let leaders = leaders.iter();
            leaders
                .map(|(_, leaders)| usage::of_trees(leaders))
                .collect()
        });
        // It neither panics nor is cancelled, but where the daemon ends.
        let used: Vec<_> = read.await.unwrap_or_else(|_| vec![None; names.len()]);
        let processes = names
            .into_iter()
            .zip(used)
            .map(|(process, usage)| ProcessUsage {
                process,
                cpu_seconds: usage.map(|it| it.cpu_seconds),
                resident_bytes: usage.map(|it| it.resident_bytes),
                tasks: usage.map(|it| it.tasks),
            });
        UsageReport {
            processes: processes.collect(),
            at: timestamp(std::time::SystemTime::now()),
        }
    }
}
