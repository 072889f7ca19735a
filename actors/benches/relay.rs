//! The relay against haproxy: the same load, one thread each, in turns, in one run.
//!
//! `tests/bench/README.md` says how it is started and what the figures mean.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark talks to a terminal and fails by panicking"
)]

#[path = "relay/backend.rs"]
mod backend;
#[path = "relay/contestants.rs"]
mod contestants;
#[path = "relay/load.rs"]
mod load;

use std::{process::ExitCode, time::Duration};

use contestants::{Contestant, Haproxy, relay};

/// How often each contestant has its turn; the median counts.
const ROUNDS: usize = 7;

/// How long a turn takes.
const TURN: Duration = Duration::from_millis(1500);

/// What is measured.
struct Discipline {
    figure: &'static str,
    better: Better,
}

#[derive(Clone, Copy)]
enum Better {
    Higher,
    Lower,
}

const DISCIPLINES: [Discipline; 6] = [
    Discipline {
        figure: "new connections per second",
        better: Better::Higher,
    },
    Discipline {
        figure: "its CPU per connection, µs",
        better: Better::Lower,
    },
    Discipline {
        figure: "ping-pong p50, µs",
        better: Better::Lower,
    },
    Discipline {
        figure: "ping-pong p99, µs",
        better: Better::Lower,
    },
    Discipline {
        figure: "bulk, GB/s",
        better: Better::Higher,
    },
    Discipline {
        figure: "its CPU per bulk GB, ms",
        better: Better::Lower,
    },
];

type Figures = [f64; DISCIPLINES.len()];

fn main() -> ExitCode {
    // `cargo test --benches` builds and starts it, too, and wants no figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let system = actix::System::new();
    system.block_on(async {
        let backend = backend::start();
        let Ok(haproxy) = Haproxy::start(backend).await else {
            eprintln!("haproxy is not installed: apt install haproxy");
            return ExitCode::FAILURE;
        };
        let (contestant, _kept) = relay(backend).await;
        let contestants = [
            contestant,
            haproxy.contestant(),
            Contestant::direct(backend),
        ];
        let mut rounds: Vec<Vec<Figures>> = contestants.iter().map(|_| Vec::new()).collect();
        for round in 0..ROUNDS {
            eprintln!("round {} of {ROUNDS}", round + 1);
            // Who is first changes, so that nobody always has the warmer machine.
            for turn in 0..contestants.len() {
                let number = (turn + round) % contestants.len();
                let figures = measure(&contestants[number]).await;
                rounds[number].push(figures);
            }
        }
        print(&contestants, &rounds);
        ExitCode::SUCCESS
    })
}

async fn measure(contestant: &Contestant) -> Figures {
    let before = contestant.cpu();
    let connections = load::connections(contestant.address, TURN).await;
    let cpu = contestant.cpu().saturating_sub(before);
    let [p50, p99] = load::ping_pong(contestant.address, TURN).await;
    let before = contestant.cpu();
    let bytes = load::bulk(contestant.address, TURN).await;
    let bulk_cpu = contestant.cpu().saturating_sub(before);
    let gigabytes = bytes / 1e9;
    [
        connections / TURN.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / connections,
        p50,
        p99,
        gigabytes / TURN.as_secs_f64(),
        bulk_cpu.as_secs_f64() * 1e3 / gigabytes,
    ]
}

fn print(contestants: &[Contestant; 3], rounds: &[Vec<Figures>]) {
    let names = contestants.each_ref().map(|it| it.name);
    println!(
        "{:<28} {:>11} {:>11} {:>11}  {:>13}",
        "", names[0], names[1], names[2], "relay/haproxy"
    );
    for (number, Discipline { figure, better }) in DISCIPLINES.iter().enumerate() {
        let medians: Vec<f64> = rounds
            .iter()
            .map(|figures| median(figures.iter().map(|it| it[number]).collect()))
            .collect();
        let good = match better {
            Better::Higher => "higher is better",
            Better::Lower => "lower is better",
        };
        println!(
            "{figure:<28} {:>11.1} {:>11.1} {:>11.1}  {:>13.2}  {good}",
            medians[0],
            medians[1],
            medians[2],
            medians[0] / medians[1],
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
