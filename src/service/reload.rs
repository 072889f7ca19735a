//! The reload of the configuration, as those who ask for it see it. The daemon does the work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::Service;
use crate::config::{Fate, Plan};

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadReport {
    /// Whether anything did.
    pub changed: bool,
    /// The processes that changed. What a new run comes to is in `get_status`.
    pub processes: Vec<ReloadedProcess>,
    /// The keys outside of the processes that changed.
    pub keys: Vec<String>,
    /// The keys that changed and take effect only when the daemon is started again.
    pub later: Vec<String>,
    /// Where MCP is served now.
    pub url: String,
}

/// What a reload changed of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadedProcess {
    /// Its name.
    pub name: String,
    /// What was done.
    pub change: ReloadChange,
    /// The keys that changed.
    pub keys: Vec<String>,
}

/// What a reload does with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReloadChange {
    /// It is new, and started.
    Added,
    /// It is stopped; its logs stay on disk.
    Removed,
    /// Limits and waits hold from now on; what runs is not touched.
    Settled,
    /// A new run takes over, without a build.
    Swapped,
    /// It is built, then a new run takes over.
    Rebuilt,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// The file is wrong, or something that it asks for cannot be had. In the words of `--check`, or
    /// of the start.
    #[error("{0}")]
    Refused(String),
    /// The daemon ends.
    #[error("the daemon is shutting down")]
    ShuttingDown,
}

/// Somebody asks for a reload.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Where the outcome goes.
    pub answer: oneshot::Sender<Result<ReloadReport, ReloadError>>,
}

impl Service {
    /// Reads the configuration again and lets what changed take effect. Answers when that has begun:
    /// swaps and builds go on.
    ///
    /// # Errors
    /// When the file is wrong or asks for a port that cannot be had, so that nothing was changed; or
    /// when the daemon ends.
    pub async fn reload(&self) -> Result<ReloadReport, ReloadError> {
        let (answer, outcome) = oneshot::channel();
        let request = ReloadRequest { answer };
        let sent = self.parts.reload.send(request).await;
        sent.map_err(|_| ReloadError::ShuttingDown)?;
        outcome.await.unwrap_or(Err(ReloadError::ShuttingDown))
    }
}

/// Where reloads are asked for.
pub type ReloadDesk = mpsc::Sender<ReloadRequest>;

impl ReloadReport {
    /// What a plan that was carried out changed.
    #[must_use]
    pub fn of(plan: &Plan, url: &str) -> Self {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let processes = plan.processes.iter().filter_map(|(name, fate)| {
            let change = match fate {
                Fate::Unchanged => return None,
                Fate::Added => ReloadChange::Added,
                Fate::Removed => ReloadChange::Removed,
                Fate::Settled(_) => ReloadChange::Settled,
                Fate::Swapped(_) => ReloadChange::Swapped,
                Fate::Rebuilt(_) => ReloadChange::Rebuilt,
            };
            Some(ReloadedProcess {
                name: name.to_string(),
                change,
                keys: owned(fate.keys()),
            })
        });
        Self {
            changed: !plan.is_empty(),
            processes: processes.collect(),
            keys: owned(&plan.keys),
            later: owned(&plan.later),
            url: url.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_changed_and_nothing_else() {
        let plan = Plan {
            processes: vec![
                ("same".parse().unwrap(), Fate::Unchanged),
                ("main".parse().unwrap(), Fate::Swapped(vec!["env"])),
                ("old".parse().unwrap(), Fate::Removed),
            ],
            keys: vec!["mcp_port"],
            later: vec!["logs.disk"],
        };
        let report = ReloadReport::of(&plan, "http://localhost:3002/mcp");
        assert_eq!(
            serde_json::to_value(report).unwrap(),
            serde_json::json!({
                "changed": true,
                "processes": [
                    {"name": "main", "change": "swapped", "keys": ["env"]},
                    {"name": "old", "change": "removed", "keys": []},
                ],
                "keys": ["mcp_port"],
                "later": ["logs.disk"],
                "url": "http://localhost:3002/mcp",
            })
        );
        assert!(!ReloadReport::of(&Plan::default(), "").changed);
    }
}
