//! How long after its start a program is found ready that needs a known time for it.

use std::{
    fmt::{self, Write as _},
    time::Instant,
};

use nix::sys::signal::Signal;

use crate::{
    program::READY,
    stage::{Probe, Process, Stage, Way, free_address},
    summary::Spread,
};

/// How often each has its turn.
const ROUNDS: usize = 11;
/// What the program sleeps before it listens, in milliseconds.
const DELAYS: [u64; 4] = [0, 5, 20, 100];

const PROCESSES: [Process; 9] = [
    process("http", Way::Own, Probe::Http),
    process("http-listen", Way::Held, Probe::Http),
    process("http-port", Way::Relayed, Probe::Http),
    process("tcp", Way::Own, Probe::Tcp),
    process("tcp-listen", Way::Held, Probe::Tcp),
    process("tcp-port", Way::Relayed, Probe::Tcp),
    process("log", Way::Own, Probe::Log),
    process("notify", Way::Own, Probe::Notify),
    process("exec", Way::Own, Probe::Exec),
];

const fn process(name: &'static str, way: Way, probe: Probe) -> Process {
    Process { name, way, probe }
}

/// The table.
pub(crate) struct Ready {
    by_hand: [Vec<f64>; DELAYS.len()],
    rows: Vec<Row>,
}

#[derive(Default)]
struct Row {
    /// What the daemon says, by delay: from its start to the proof, in milliseconds.
    after: [Vec<f64>; DELAYS.len()],
    /// From the program's own word to the answer of `restart`, in milliseconds.
    answered: Vec<f64>,
}

pub(crate) fn measure() -> Ready {
    let stage = Stage::set(&PROCESSES);
    let mut by_hand: [Vec<f64>; DELAYS.len()] = Default::default();
    let mut rows: Vec<Row> = PROCESSES.iter().map(|_| Row::default()).collect();
    let address = free_address();
    for round in 0..ROUNDS {
        eprintln!("ready: round {} of {ROUNDS}", round + 1);
        for (number, delay) in DELAYS.into_iter().enumerate() {
            stage.delays(delay);
            stage.nothing_heard();
            let begin = Instant::now();
            let program = stage.by_hand("NOTIFY_SOCKET", address);
            by_hand[number].push(since(begin, stage.hears(b"READY=1")));
            program.stop(Signal::SIGKILL);
            for (process, row) in PROCESSES.iter().zip(&mut rows) {
                stage.nothing_heard();
                let answer = stage.restart(process.name);
                let answered = Instant::now();
                row.answered.push(since(stage.hears(READY), answered));
                row.after[number].push(answer["ready_after_ms"].as_f64().unwrap());
            }
        }
    }
    Ready { by_hand, rows }
}

fn since(begin: Instant, end: Instant) -> f64 {
    // A word may be heard after what it caused.
    end.saturating_duration_since(begin).as_secs_f64() * 1e3
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!(
            "found ready after, by what the program sleeps before it is; ms, median (worst) of {ROUNDS}\n{:<14}",
            ""
        );
        for delay in DELAYS {
            write!(text, " {:>17}", format!("{delay} ms"))?;
        }
        writeln!(text, " {:>8} {:>17}", "/ hand", "ready to answer")?;
        let hand = self.by_hand.each_ref().map(|it| Spread::of(it.clone()));
        write!(text, "{:<14}", "by hand")?;
        for spread in &hand {
            write!(text, " {spread:>17}")?;
        }
        writeln!(text, " {:>8.2}", 1.0)?;
        for (process, row) in PROCESSES.iter().zip(&self.rows) {
            write!(text, "{:<14}", process.name)?;
            let after = row.after.each_ref().map(|it| Spread::of(it.clone()));
            for spread in &after {
                write!(text, " {spread:>17}")?;
            }
            let ratio = after[2].median / hand[2].median;
            let answered = Spread::of(row.answered.clone());
            writeln!(text, " {ratio:>8.2} {answered:>17}")?;
        }
        f.write_str(&text)
    }
}
