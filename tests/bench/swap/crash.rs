//! What it costs a start to be handed sockets: from a crash to the next program's `main`.

use std::{
    fmt::{self, Write as _},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    program::{HEARER, MAIN},
    stage::{Probe, Process, Stage, Way, free_address, signal_to},
    summary::Spread,
};

/// How often each has its turn.
const ROUNDS: usize = 25;
/// How long a run lives: shorter lives are not repeated at once.
const LIFE: Duration = Duration::from_millis(150);

/// Without overlap, what waits for the old tree's end is the same as without sockets.
const PROCESSES: [Process; 3] = [
    process("own", Way::Own),
    process("held-alone", Way::HeldAlone),
    process("held", Way::Held),
];

const TITLES: [&str; PROCESSES.len()] = ["own", "listen, overlap = false", "listen"];

const fn process(name: &'static str, way: Way) -> Process {
    Process {
        name,
        way,
        probe: Probe::Notify,
    }
}

/// The table.
pub(crate) struct Crash {
    by_hand: Vec<f64>,
    processes: [Vec<f64>; PROCESSES.len()],
}

pub(crate) fn measure() -> Crash {
    let stage = Stage::set(&PROCESSES);
    let mut by_hand = Vec::new();
    let mut processes: [Vec<f64>; PROCESSES.len()] = Default::default();
    let address = free_address();
    let mut program = stage.by_hand(HEARER, address);
    for round in 0..ROUNDS {
        eprintln!("crash: round {} of {ROUNDS}", round + 1);
        thread::sleep(LIFE);
        stage.nothing_heard();
        let begin = Instant::now();
        program.stop(Signal::SIGKILL);
        program = stage.by_hand(HEARER, address);
        by_hand.push(until(begin, &stage));
        for (process, times) in PROCESSES.iter().zip(&mut processes) {
            let pid = stage.pid(process.name);
            thread::sleep(LIFE);
            stage.nothing_heard();
            let begin = Instant::now();
            signal_to(pid, Signal::SIGKILL);
            times.push(until(begin, &stage));
        }
    }
    Crash { by_hand, processes }
}

fn until(begin: Instant, stage: &Stage) -> f64 {
    stage.hears(MAIN).duration_since(begin).as_secs_f64() * 1e3
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hand = Spread::of(self.by_hand.clone());
        let own = Spread::of(self.processes[0].clone());
        let mut text = format!(
            "kill -9 to the next main, {ROUNDS} times; ms, median (worst)\n{:<24} {:>15} {:>8} {:>8}\n",
            "", "", "/ hand", "/ own"
        );
        let rows = [("by hand", hand)].into_iter().chain(
            TITLES
                .into_iter()
                .zip(self.processes.iter().map(|it| Spread::of(it.clone()))),
        );
        for (title, spread) in rows {
            let [to_hand, to_own] = [hand, own].map(|it| spread.median / it.median);
            writeln!(
                text,
                "{title:<24} {spread:>15} {to_hand:>8.2} {to_own:>8.2}"
            )?;
        }
        f.write_str(&text)
    }
}
