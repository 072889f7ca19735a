//! The most memory that the daemon ever had, beyond what it may keep of the logs.

use std::{
    fmt::{self, Write as _},
    process::Stdio,
    thread,
};

use serde_json::json;

use crate::{
    program::{Manner, Order},
    stage::{Stage, scaled},
    support::peak_memory,
};

/// What is configured, in MiB.
const BOUND: u64 = 16;
const LINES: usize = 2_000_000;
const NAMES: [&str; 2] = ["left", "right"];

/// The table.
pub(crate) struct Memory {
    /// Of a daemon whose children print nothing, in MiB.
    idle: u64,
    rows: Vec<(Manner, u64)>,
}

pub(crate) fn measure() -> Memory {
    let set = || {
        let logs = format!("disk = true\nmemory_bytes = \"{BOUND}M\"");
        Stage::set(&logs, &NAMES, Stdio::null())
    };
    let peak = |stage: &Stage| peak_memory(stage.daemon().pid());
    let stage = set();
    stage.daemon().status();
    let idle = peak(&stage);
    drop(stage);
    let rows = Manner::ALL.into_iter().map(|manner| {
        eprintln!("memory: {manner}");
        let stage = set();
        let lines = scaled(LINES);
        thread::scope(|scope| {
            for name in NAMES {
                let stage = &stage;
                scope.spawn(move || stage.flood(name, Order { manner, lines }));
            }
        });
        // Whoever reads must not cost much either.
        let mut client = stage.client();
        for arguments in [
            json!({}),
            json!({"pattern": "error.*timeout", "context_lines": 5}),
        ] {
            let mut arguments = arguments;
            arguments["process"] = json!(NAMES[0]);
            client.call("search_logs", &arguments);
        }
        (manner, peak(&stage))
    });
    Memory {
        idle,
        rows: rows.collect(),
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!(
            "peak memory of the daemon, memory_bytes = \"{BOUND}M\", after 200 MB from each of two processes; MiB\n\
             {:<20} {:>8} {:>14}\n{:<20} {:>8} {:>14}\n",
            "", "peak", "beyond bound", "nothing printed", self.idle, "-"
        );
        for (manner, peak) in &self.rows {
            let title = match manner {
                Manner::Blocks => "lines in blocks",
                Manner::Lines => "a line per write",
                Manner::Empty => "only newlines",
                Manner::Endless => "no newline",
                Manner::Binary => "no text",
            };
            let beyond = peak.saturating_sub(BOUND);
            writeln!(text, "{title:<20} {peak:>8} {beyond:>14}")?;
        }
        f.write_str(&text)
    }
}
