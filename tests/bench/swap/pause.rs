//! The pause over a restart, as those see it who connect all the time.

use std::{
    fmt::{self, Write as _},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    load::{Load, RATE, Tally},
    program::{HEARER, READY},
    stage::{ByHand, Probe, Process, Stage, Way, free_address},
    summary::Spread,
};

/// How often each contestant has its turn.
const ROUNDS: usize = 20;
/// Load before and after a restart.
const AROUND: Duration = Duration::from_millis(150);

const PROCESSES: [Process; 5] = [
    process("own", Way::Own),
    process("held", Way::Held),
    process("held-alone", Way::HeldAlone),
    process("relayed", Way::Relayed),
    process("relayed-alone", Way::RelayedAlone),
];

const fn process(name: &'static str, way: Way) -> Process {
    Process {
        name,
        way,
        probe: Probe::Http,
    }
}

/// Who is measured.
struct Contestant {
    title: &'static str,
    what: What,
    tallies: Vec<Tally>,
}

enum What {
    Never(#[expect(dead_code, reason = "it only serves")] ByHand),
    ByHand(Option<ByHand>),
    Process(&'static str),
}

/// The table.
pub(crate) struct Pause {
    contestants: Vec<Contestant>,
}

pub(crate) fn measure() -> Pause {
    let stage = Stage::set(&PROCESSES);
    stage.nothing_heard();
    let [never, by_hand] = [free_address(), free_address()];
    let contestant = |title, what| Contestant {
        title,
        what,
        tallies: Vec::new(),
    };
    let mut contestants = vec![
        contestant("never restarted", What::Never(stage.by_hand(HEARER, never))),
        contestant(
            "by hand",
            What::ByHand(Some(stage.by_hand(HEARER, by_hand))),
        ),
        contestant("own", What::Process("own")),
        contestant("listen", What::Process("held")),
        contestant("listen, overlap = false", What::Process("held-alone")),
        contestant("port", What::Process("relayed")),
        contestant("port, overlap = false", What::Process("relayed-alone")),
    ];
    for _ in [never, by_hand] {
        stage.hears(READY);
    }
    let count = contestants.len();
    for round in 0..ROUNDS {
        eprintln!("pause: round {} of {ROUNDS}", round + 1);
        // Who is first changes, so that nobody always has the warmer machine.
        for turn in 0..count {
            let contestant = &mut contestants[(turn + round) % count];
            let address = match &contestant.what {
                What::Never(_) => never,
                What::ByHand(_) => by_hand,
                What::Process(name) => stage.address(name),
            };
            let load = Load::start(address);
            thread::sleep(AROUND);
            match &mut contestant.what {
                What::Never(_) => {}
                What::ByHand(program) => {
                    program.take().unwrap().stop(Signal::SIGTERM);
                    *program = Some(stage.by_hand(HEARER, address));
                }
                What::Process(name) => {
                    stage.restart(name);
                }
            }
            thread::sleep(AROUND);
            contestant.tallies.push(load.end());
        }
    }
    Pause { contestants }
}

impl Contestant {
    fn gap(&self) -> Spread {
        Spread::of(self.tallies.iter().map(|it| milliseconds(it.longest_gap())))
    }

    fn slowest(&self) -> Spread {
        Spread::of(self.tallies.iter().map(|it| milliseconds(it.slowest)))
    }

    fn sum(&self, of: impl Fn(&Tally) -> usize) -> usize {
        self.tallies.iter().map(of).sum()
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = |number: usize| self.contestants[number].gap().median;
        let (never, by_hand) = (median(0), median(1));
        let mut text = format!(
            "{ROUNDS} restarts each under {RATE} new connections per second; ms, median (worst)\n\
             {:<24} {:>15} {:>8} {:>8} {:>8} {:>6}  {:>15}\n",
            "", "longest gap", "/ hand", "/ never", "refused", "cut", "slowest answer"
        );
        for contestant in &self.contestants {
            let gap = contestant.gap();
            writeln!(
                text,
                "{:<24} {:>15} {:>8.2} {:>8.2} {:>8} {:>6}  {:>15}",
                contestant.title,
                gap,
                gap.median / by_hand,
                gap.median / never,
                contestant.sum(|it| it.refused),
                contestant.sum(|it| it.cut),
                contestant.slowest(),
            )?;
        }
        f.write_str(&text)
    }
}
