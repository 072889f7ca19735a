//! What the processes use of the machine, as `/api/usage` tells it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What all processes use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageReport {
    /// The processes, in the order of the configuration.
    pub processes: Vec<ProcessUsage>,
    /// When it was measured.
    pub at: Timestamp,
}

/// What one process uses, with everything that it started; nothing is known of one that does not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// Its name.
    pub process: String,
    /// The processor time of those that live, since they began.
    pub cpu_seconds: Option<f64>,
    /// Their memory.
    pub resident_bytes: Option<u64>,
    /// How many they are.
    pub tasks: Option<u64>,
}
