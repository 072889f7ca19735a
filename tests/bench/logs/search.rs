//! Regexes over 200 MB of one process, against ripgrep on the same text.

use std::{
    fmt::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::json;

use crate::{
    program::{Manner, Order},
    stage::{ByHand, Stage, matched, scaled},
    summary::Spread,
};

/// How often each has its turn.
const ROUNDS: usize = 11;
const LINES: usize = 2_000_000;
const PATTERNS: [(&str, &str); 5] = [
    ("literal", "connection reset by peer"),
    ("alternation", "refused|reset|not saved"),
    ("two words", "error.*timeout"),
    ("every other line", r"items/\d+ 200 in [1-4]\d* ms"),
    ("no match", "no such text anywhere"),
];

/// The table.
pub(crate) struct Search {
    rows: Vec<Row>,
    /// Whether there is a yardstick.
    with_rg: bool,
}

struct Row {
    title: &'static str,
    count: usize,
    /// The answer shows the last matches, as agents get them.
    shown: Vec<f64>,
    /// The answer only counts, as ripgrep does here.
    counted: Vec<f64>,
    rg: Vec<f64>,
}

pub(crate) fn measure() -> Search {
    let lines = scaled(LINES);
    let order = Order {
        manner: Manner::Blocks,
        lines,
    };
    let stage = Stage::set("disk = true\nkeep_bytes = \"1G\"", &["main"], Stdio::null());
    stage.flood("main", order);
    stage.keeps("main", 1, lines);
    let by_hand = ByHand::start("hand");
    by_hand.flood(order);
    let written = by_hand.end();
    let with_rg = rg("x", &written.path()).is_some();
    if !with_rg {
        eprintln!("search: ripgrep cannot be started, so there is NO YARDSTICK");
    }
    let mut client = stage.client();
    let mut rows: Vec<Row> = PATTERNS
        .iter()
        .map(|(title, _)| Row {
            title,
            count: 0,
            shown: Vec::new(),
            counted: Vec::new(),
            rg: Vec::new(),
        })
        .collect();
    // The first round only warms up.
    for round in 0..=ROUNDS {
        eprintln!("search: round {round} of {ROUNDS}");
        for (row, (_, pattern)) in rows.iter_mut().zip(PATTERNS) {
            let arguments = json!({"process": "main", "pattern": pattern});
            let (text, shown) = client.call("search_logs", &arguments);
            row.count = matched(text.lines().next().unwrap());
            let arguments = json!({"process": "main", "pattern": pattern, "head": 0});
            let (text, counted) = client.call("search_logs", &arguments);
            assert_eq!(matched(text.lines().next().unwrap()), row.count, "{text}");
            let rg = rg(pattern, &written.path());
            if let Some((count, _)) = rg {
                assert_eq!(count, row.count, "{pattern}");
            }
            if round > 0 {
                row.shown.push(shown.as_secs_f64() * 1e3);
                row.counted.push(counted.as_secs_f64() * 1e3);
                row.rg.extend(rg.map(|(_, took)| took));
            }
        }
    }
    Search { rows, with_rg }
}

/// What `rg -c` counts and how many milliseconds it takes, from its start to its end; `None` where it
/// is not installed.
fn rg(pattern: &str, file: &Path) -> Option<(usize, f64)> {
    let begin = Instant::now();
    let output = Command::new("rg")
        .args(["--no-config", "-c", pattern])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let took = begin.elapsed().as_secs_f64() * 1e3;
    let text = String::from_utf8(output.stdout).unwrap();
    // It prints nothing when nothing matches.
    Some((text.trim().parse().unwrap_or(0), took))
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!(
            "search_logs over 200 MB of one run, over MCP, against `rg -c` as a process; ms, median (worst) of {ROUNDS}\n\
             {:<18} {:>9} {:>18} {:>18} {:>8} {:>18} {:>8}\n",
            "", "matches", "rg -c", "counts only", "/ rg", "shows the last", "/ rg"
        );
        for row in &self.rows {
            let [shown, counted] = [&row.shown, &row.counted].map(|it| Spread::of(it.clone()));
            let rg = self.with_rg.then(|| Spread::of(row.rg.clone()));
            let told = rg.map_or_else(|| "not there".to_owned(), |it| it.to_string());
            let ratio = |of: Spread| {
                rg.map_or_else(
                    || "-".to_owned(),
                    |it| format!("{:.2}", of.median / it.median),
                )
            };
            let (to_counted, to_shown) = (ratio(counted), ratio(shown));
            writeln!(
                text,
                "{:<18} {:>9} {told:>18} {counted:>18} {to_counted:>8} {shown:>18} {to_shown:>8}",
                row.title, row.count
            )?;
        }
        if !self.with_rg {
            text.push_str("NO YARDSTICK: ripgrep is not installed\n");
        }
        f.write_str(&text)
    }
}
