//! How long a child needs to get rid of 200 MB.

use std::{
    fmt::{self, Write as _},
    fs::File,
    process::Stdio,
};

use crate::{
    program::{Manner, Order},
    stage::{ByHand, Stage, scaled},
    summary::Spread,
};

/// How often each has its turn.
const ROUNDS: usize = 5;
const LINES: usize = 2_000_000;
const MANNERS: [(Manner, &str); 2] = [
    (Manner::Blocks, "64 KiB per write"),
    (Manner::Lines, "a line per write"),
];
/// All rounds stay, so that no line may be missing in the end.
const LOGS: &str = "disk = true\nkeep_bytes = \"8G\"";

/// The table.
pub(crate) struct Flood {
    rows: Vec<Row>,
    lines: usize,
}

struct Row {
    title: &'static str,
    /// By hand, passed on to nobody, passed on to a file; in seconds.
    times: [Vec<f64>; 3],
}

pub(crate) fn measure() -> Flood {
    let lines = scaled(LINES);
    let names = ["blocks", "lines"];
    let folder = tempfile::tempdir().unwrap();
    let passed_on = File::create(folder.path().join("passed-on")).unwrap();
    let to_nobody = Stage::set(LOGS, &names, Stdio::null());
    let to_file = Stage::set(LOGS, &names, passed_on.into());
    let by_hand = names.map(ByHand::start);
    let mut rows: Vec<Row> = MANNERS
        .iter()
        .map(|(_, title)| Row {
            title,
            times: Default::default(),
        })
        .collect();
    for round in 0..ROUNDS {
        eprintln!("flood: round {} of {ROUNDS}", round + 1);
        for (number, (manner, _)) in MANNERS.into_iter().enumerate() {
            let order = Order { manner, lines };
            let name = names[number];
            // Who is first changes, so that nobody always has the warmer machine.
            for turn in 0..3 {
                let who = (turn + round) % 3;
                let took = match who {
                    0 => by_hand[number].flood(order),
                    1 => to_nobody.flood(name, order),
                    _ => to_file.flood(name, order),
                };
                rows[number].times[who].push(took);
            }
        }
    }
    for (by_hand, name) in by_hand.into_iter().zip(names) {
        eprintln!("flood: looks whether all {name} are there");
        let written = by_hand.end();
        for stage in [&to_nobody, &to_file] {
            stage.keeps(name, run(name), ROUNDS * lines);
            let files = stage.files(name, run(name));
            assert!(written.is(&files), "{name}: {files:?} have another text");
        }
    }
    Flood { rows, lines }
}

/// The two processes start in the order of their names.
fn run(name: &str) -> u64 {
    if name == "blocks" { 1 } else { 2 }
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!(
            "a child prints {} lines of 100 bytes, kept on disk, none lost; s, median (worst) of {ROUNDS}\n\
             {:<20} {:>15} {:>18} {:>8} {:>18} {:>8}\n",
            self.lines, "", "child | cat > file", "to /dev/null", "/ cat", "to a file", "/ cat"
        );
        for Row { title, times } in &self.rows {
            let [hand, null, file] = times.each_ref().map(|it| Spread::of(it.clone()));
            let [to_null, to_file] = [null, file].map(|it| it.median / hand.median);
            writeln!(
                text,
                "{title:<20} {hand:>18} {null:>18} {to_null:>8.2} {file:>18} {to_file:>8.2}"
            )?;
        }
        f.write_str(&text)
    }
}
