//! A history of 1 GB: how long the daemon takes to open it, the tail of it, and what other answers
//! suffer while it is searched and more of it comes.

use std::{
    fmt::{self, Write as _},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    client::Client,
    echo::Echo,
    program::{Manner, Order},
    stage::{Stage, scaled},
    summary::Spread,
};

/// How often a daemon is started with each history.
const OPENINGS: usize = 11;
/// How often each tail is asked for.
const TAILS: usize = 101;
/// How often quiet and load have their turns.
const ROUNDS: usize = 3;
/// How many questions in each, and how long after each other they are due.
const QUESTIONS: usize = 1_000;
const EVERY: Duration = Duration::from_millis(2);

const BIG: usize = 10_000_000;
const SMALL: usize = 10_000;
const LOGS: &str = "disk = true\nkeep_bytes = \"2G\"";

/// The table.
pub(crate) struct History {
    /// Empty, and of 1 GB; in milliseconds.
    openings: [Vec<f64>; 2],
    /// Of 1 MB, and of 1 GB; in milliseconds.
    tails: [Vec<f64>; 2],
    /// Each round, quiet and under load.
    quiet: Vec<Answers>,
    load: Vec<Answers>,
}

/// p50 and p99 of what was asked in turns, in milliseconds.
struct Answers {
    status: [f64; 2],
    echo: [f64; 2],
}

/// What is asked in turns.
#[derive(Clone, Copy)]
enum Asked {
    Status,
    Echo,
}

impl Answers {
    fn of(&self, asked: Asked) -> [f64; 2] {
        match asked {
            Asked::Status => self.status,
            Asked::Echo => self.echo,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "get_status",
            Self::Echo => "bare TCP echo",
        })
    }
}

pub(crate) fn measure() -> History {
    let names = ["big", "small", "talker"];
    let mut stage = Stage::set(LOGS, &names, Stdio::null());
    let mut empty = Stage::set(LOGS, &names, Stdio::null());
    eprintln!("history: prints it");
    for (run, name, lines) in [(1, "big", BIG), (2, "small", SMALL)] {
        let lines = scaled(lines);
        let manner = Manner::Blocks;
        stage.flood(name, Order { manner, lines });
        stage.keeps(name, run, lines);
    }
    stage.stop();
    empty.stop();

    let mut openings: [Vec<f64>; 2] = Default::default();
    for round in 0..OPENINGS {
        eprintln!("history: opening {} of {OPENINGS}", round + 1);
        for (number, stage) in [&mut empty, &mut stage].into_iter().enumerate() {
            // One that is stopped before anybody knows its processes says less.
            openings[number].push(milliseconds(stage.start(Stdio::null())));
            stage.stop();
        }
    }
    drop(empty);

    // Nothing of it is in memory any more.
    stage.start(Stdio::null());
    let mut client = stage.client();
    let mut tails: [Vec<f64>; 2] = Default::default();
    eprintln!("history: tails");
    for round in 0..=TAILS {
        for (number, (run, name)) in [(2, "small"), (1, "big")].into_iter().enumerate() {
            let arguments = json!({"process": name, "run": run, "tail": 100});
            let (text, took) = client.call("search_logs", &arguments);
            assert!(text.lines().count() > 100 || scaled(SMALL) < 100, "{text}");
            if round > 0 {
                tails[number].push(milliseconds(took));
            }
        }
    }

    let (mut quiet, mut load) = (Vec::new(), Vec::new());
    let mut echo = Echo::start();
    for round in 0..ROUNDS {
        eprintln!("history: get_status, round {} of {ROUNDS}", round + 1);
        quiet.push(answers(&mut client, &mut echo));
        load.push(under_load(&stage, &mut client, &mut echo));
    }
    History {
        openings,
        tails,
        quiet,
        load,
    }
}

/// Asks for the status, and right after that the echo.
fn answers(client: &mut Client, echo: &mut Echo) -> Answers {
    let mut due = Instant::now();
    let times = (0..QUESTIONS).map(|_| {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // Turns that were missed are not made up for.
        due = (due + EVERY).max(Instant::now());
        let (_, status) = client.call("get_status", &json!({}));
        (milliseconds(status), milliseconds(echo.call()))
    });
    let (status, echo) = times.unzip();
    Answers {
        status: percentiles(status),
        echo: percentiles(echo),
    }
}

/// p50 and p99.
fn percentiles(mut times: Vec<f64>) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    [50, 99].map(|percent| times[times.len() * percent / 100])
}

/// The same, while one process floods and 1 GB is searched all the time.
fn under_load(stage: &Stage, client: &mut Client, echo: &mut Echo) -> Answers {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let order = Order {
                manner: Manner::Blocks,
                lines: scaled(1_000_000),
            };
            while !over.load(Ordering::Relaxed) {
                stage.flood("talker", order);
            }
        });
        scope.spawn(|| {
            let mut client = stage.client();
            let arguments = json!({"process": "big", "run": 1, "pattern": "error.*timeout"});
            while !over.load(Ordering::Relaxed) {
                client.call("search_logs", &arguments);
            }
        });
        thread::sleep(Duration::from_millis(100));
        let answers = answers(client, echo);
        over.store(true, Ordering::Relaxed);
        answers
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!(
            "a history of 1 GB; ms, median (worst)\n{:<26} {:>15} {:>17} {:>8}\n",
            "", "", "with 1 GB", "ratio"
        );
        let rows = [
            ("from exec to serving", "empty", &self.openings),
            ("tail of 100 lines", "1 MB", &self.tails),
        ];
        for (title, other, times) in rows {
            let [less, more] = times.each_ref().map(|it| Spread::of(it.clone()));
            let less_told = format!("{other} {less}");
            let ratio = more.median / less.median;
            writeln!(text, "{title:<24} {less_told:>17} {more:>17} {ratio:>8.2}")?;
        }
        writeln!(
            text,
            "one connection each, asked every {} ms; ms, median (worst) of {ROUNDS}\n{:<24} {:>17} {:>17} {:>8}",
            EVERY.as_millis(),
            "",
            "idle",
            "flood and search",
            "ratio"
        )?;
        for (number, percent) in ["p50", "p99"].into_iter().enumerate() {
            for asked in [Asked::Status, Asked::Echo] {
                let [idle, busy] = [&self.quiet, &self.load]
                    .map(|it| Spread::of(it.iter().map(|it| it.of(asked)[number])));
                let (title, ratio) = (format!("{asked} {percent}"), busy.median / idle.median);
                writeln!(text, "{title:<24} {idle:>17} {busy:>17} {ratio:>8.2}")?;
            }
        }
        f.write_str(&text)
    }
}
