//! Three hundred random events, and after each the question whether the daemon still has it all
//! under control: of each process one child or a scheduled attempt, and answers that `/proc` confirms.
//!
//! `BPM_CHAOS_SEED` repeats a run as far as the machine does: the events are the same, their timing is
//! not.

use std::{
    collections::HashMap,
    net::TcpStream,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::support::{
    Daemon, Http, Member, Project, children_of, eventually, is_alive, leaders, marked, members,
    peak_memory,
    project::lives,
    shape::{self, has_shape},
    variable, zombies_of,
};

const EVENTS: usize = 300;

const CONFIG: &str = r#"
dev_crash_wait_seconds = 0.05
release_crash_backoff_initial_seconds = 0.02
release_crash_backoff_max_seconds = 0.2

[process.main]
type = "rust"
stop_grace_seconds = 0.3

[process.side]
type = "command"
command = ["sh", "side.sh"]
stop_grace_seconds = 0.3
"#;

/// Prints two megabytes on request and has a child of its own.
const SIDE: &str = r#"
trap 'head -c 2000000 /dev/zero | tr "\0" x | fold -w 99; echo flood over >&2' USR1
sleep 1000 &
echo side is up
while :; do wait; done
"#;

/// splitmix64: events must only differ, and be the same again for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len())].clone()
    }
}

/// What the sources would come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Lives,
    Broken,
    Dies,
}

/// Looks all the time whether two runs of one process are alive at once.
struct Watch {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    #[expect(
        clippy::disallowed_methods,
        reason = "no event tells that two processes are alive"
    )]
    fn over(daemon: u32) -> Self {
        let (over, seen) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (ends, tell) = (Arc::clone(&over), Arc::clone(&seen));
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                if let Some(two) = overlap(daemon) {
                    let tell: &Mutex<Vec<String>> = &tell;
                    tell.lock().unwrap().push(two);
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self {
            over,
            seen,
            thread: Some(thread),
        }
    }

    #[track_caller]
    fn saw_nothing(&self) {
        let seen = self.seen.lock().unwrap();
        assert!(seen.is_empty(), "two runs at once: {seen:#?}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Two runs of one process that are alive at the same moment. The list is not taken in one moment,
/// but whoever is still alive after the other one was seen overlaps with it.
fn overlap(daemon: u32) -> Option<String> {
    let members = members(daemon);
    let still = |member: &Member| {
        variable(member.pid, "BPM_RUN") == Some(member.run.to_string()) && is_alive(member.pid)
    };
    let mut runs: HashMap<&str, &Member> = HashMap::new();
    for member in &members {
        let first = *runs.entry(&member.process).or_insert(member);
        if first.run != member.run && still(first) && still(member) {
            return Some(format!("{first:?} and {member:?}"));
        }
    }
    None
}

struct Chaos {
    project: Project,
    daemon: Daemon,
    dice: Dice,
    source: Source,
    /// How often the source was written.
    version: usize,
    /// Restarts that nobody waits for at once.
    background: Vec<JoinHandle<Value>>,
    /// How many restarts of each were asked for.
    asked: HashMap<&'static str, u64>,
    /// Restarts of which nobody knows whether the daemon read them before their client was gone.
    doubtful: u64,
}

impl Chaos {
    fn event(&mut self) -> String {
        let name = self.dice.one_of(&["main", "side"]);
        match self.dice.roll(100) {
            0..30 => self.hurt(name),
            30..42 => {
                let quiet = self.is_quiet();
                let answer = self.restart(name, &json!({"process": name}));
                self.judge(name, &answer, quiet);
                format!("restart {name}: {}", answer["outcome"])
            }
            42..48 => {
                let answer = self.restart(name, &json!({"process": name, "timeout_seconds": 0.01}));
                let outcome = answer["outcome"].as_str().unwrap();
                format!("brief restart {name}: {outcome}")
            }
            48..54 => {
                for name in ["side", name] {
                    *self.asked.entry(name).or_default() += 1;
                    let port = self.daemon.port();
                    let call = json!({"name": "restart", "arguments": {"process": name}});
                    self.background.push(thread::spawn(move || {
                        Http::new(port).rpc("tools/call", &call)
                    }));
                }
                format!("two restarts at once: side and {name}")
            }
            54..57 => self.hang_up(name),
            57..63 => {
                self.write(Source::Broken);
                "the source is broken".to_owned()
            }
            63..66 => {
                self.write(Source::Dies);
                "the source dies".to_owned()
            }
            66..74 => {
                self.write(Source::Lives);
                "the source is mended".to_owned()
            }
            74..80 => {
                // Where it is not trapped it is one more way to die.
                self.signal(name, Signal::SIGUSR1);
                format!("flood {name}")
            }
            80..90 => {
                let status = self.daemon.status();
                has_shape(&status, &shape::status());
                "status".to_owned()
            }
            _ => self.search(name),
        }
    }

    fn signal(&self, name: &str, signal: Signal) {
        for leader in leaders(self.daemon.pid()).remove(name).unwrap_or_default() {
            // It may have died since.
            let _ = kill(Pid::from_raw(leader.pid.try_into().unwrap()), signal);
        }
    }

    fn hurt(&mut self, name: &str) -> String {
        let signal = self.dice.one_of(&[
            Signal::SIGKILL,
            Signal::SIGKILL,
            Signal::SIGKILL,
            Signal::SIGTERM,
            Signal::SIGSEGV,
            Signal::SIGSTOP,
        ]);
        self.signal(name, signal);
        format!("{signal} to {name}")
    }

    fn restart(&mut self, name: &'static str, arguments: &Value) -> Value {
        *self.asked.entry(name).or_default() += 1;
        let result = self.daemon.call("restart", arguments);
        let report = result["structuredContent"].clone();
        has_shape(&report, &shape::restart());
        report
    }

    /// Nothing else is under way that could change what a restart comes to.
    fn is_quiet(&mut self) -> bool {
        self.background.retain(|restart| !restart.is_finished());
        self.background.is_empty()
    }

    fn judge(&self, name: &str, answer: &Value, quiet: bool) {
        let outcome = answer["outcome"].as_str().unwrap();
        assert_eq!(answer["ok"], outcome == "restarted", "{answer}");
        if !quiet {
            return;
        }
        let expected: &[&str] = match (name, self.source) {
            ("side", _) | (_, Source::Lives) => &["restarted"],
            (_, Source::Broken) => &["build_failed"],
            // The second where no build was ever good, or that one died too.
            (_, Source::Dies) => &["rolled_back", "crashed"],
        };
        assert!(
            expected.contains(&outcome),
            "{name}, {:?}: {answer}",
            self.source
        );
        if name == "main" && outcome == "restarted" {
            let printed = format!("version {}", self.version);
            let arguments = json!({"process": "main", "pattern": format!("^{printed}$")});
            eventually(&printed, || {
                let text = self.daemon.text("search_logs", &arguments);
                if text.contains(&format!(" * {printed}\n")) {
                    Ok(())
                } else {
                    Err(text)
                }
            });
        }
    }

    /// A client that asks for a restart and leaves without waiting.
    fn hang_up(&mut self, name: &str) -> String {
        let params = json!({"name": "restart", "arguments": {"process": name}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let body = body.to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.daemon.port())).unwrap();
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        self.doubtful += 1;
        format!("restart {name} and hang up")
    }

    fn write(&mut self, source: Source) {
        self.source = source;
        self.version += 1;
        let line = format!("version {}", self.version);
        let body = match source {
            Source::Lives => lives(&line),
            Source::Broken => format!("no_such_function(\"{line}\");"),
            Source::Dies => format!("println!(\"{line}\"); std::process::exit(3);"),
        };
        self.project.main(&body);
    }

    fn search(&mut self, name: &str) -> String {
        let arguments = json!({
            "process": name,
            "pattern": self.dice.one_of(&[json!(null), json!("x+$"), json!("version"), json!("^$")]),
            "context_lines": self.dice.roll(5),
            "index": self.dice.one_of(&[-1, -2, 0, 99]),
            "head": self.dice.one_of(&[json!(null), json!(3)]),
        });
        let tool = self.dice.one_of(&["search_logs", "search_build_log"]);
        let text = self.daemon.text(tool, &arguments);
        assert!(text.len() <= 40_000, "{}", text.len());
        format!("{tool} {name}")
    }

    /// One look at the answers and at `/proc`, before and after.
    fn agreement(&self) -> Result<(), String> {
        let before = leaders(self.daemon.pid());
        let status = self.daemon.status();
        let after = leaders(self.daemon.pid());
        for process in status["processes"].as_array().unwrap() {
            let name = process["name"].as_str().unwrap();
            let of = |leaders: &HashMap<String, Vec<Member>>| {
                leaders.get(name).cloned().unwrap_or_default()
            };
            let (before, after) = (of(&before), of(&after));
            let state = process["state"].as_str().unwrap();
            let claimed = process["pid"].as_u64().zip(process["run"].as_u64());
            let agrees = if let Some((pid, run)) = claimed {
                let alone =
                    after.len() == 1 && u64::from(after[0].pid) == pid && after[0].run == run;
                let serving = process["serving"] == true && process["uptime_seconds"].is_number();
                alone && serving && ["running", "proving", "building"].contains(&state)
            } else {
                let scheduled = match state {
                    "backing_off" => process["next_attempt_in_seconds"].is_number(),
                    "building" => true,
                    _ => false,
                };
                scheduled && process["serving"] == false && before.is_empty() && after.is_empty()
            };
            if !agrees {
                return Err(format!("{before:?}, {after:?}, {process:#}"));
            }
        }
        Ok(())
    }

    #[track_caller]
    fn is_under_control(&self, what: &str) {
        eventually(what, || self.agreement());
        eventually(&format!("{what}: no zombie"), || {
            match zombies_of(self.daemon.pid()) {
                none if none.is_empty() => Ok(()),
                some => Err(some),
            }
        });
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "whoever repeats a failure needs the seed"
)]
fn after_each_of_300_random_events_there_is_one_child_or_an_attempt_and_the_answers_agree() {
    let seed = std::env::var("BPM_CHAOS_SEED").ok();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = seed.map_or_else(|| now.unwrap().as_secs(), |seed| seed.parse().unwrap());
    println!("BPM_CHAOS_SEED={seed}");
    let project = Project::new("chaos");
    project
        .rust(&lives("version 0"))
        .file("side.sh", SIDE)
        .config(CONFIG);
    let daemon = Daemon::start_into(&project, Stdio::null(), Stdio::piped());
    for name in ["main", "side"] {
        daemon.until_state(name, "running");
    }
    let watch = Watch::over(daemon.pid());
    let mut chaos = Chaos {
        project,
        daemon,
        dice: Dice(seed),
        source: Source::Lives,
        version: 0,
        background: Vec::new(),
        asked: HashMap::new(),
        doubtful: 0,
    };
    for n in 0..EVENTS {
        let what = chaos.event();
        println!("{n}: {what}");
        chaos.is_under_control(&format!("under control after event {n}, {what}"));
        watch.saw_nothing();
    }

    // All is well again as soon as the source is.
    chaos.write(Source::Lives);
    for name in ["main", "side"] {
        let answer = chaos.restart(name, &json!({"process": name}));
        assert_eq!(answer["outcome"], "restarted", "{answer}");
    }
    for restart in std::mem::take(&mut chaos.background) {
        let answer = restart.join().unwrap();
        assert!(
            answer["result"]["structuredContent"].is_object(),
            "{answer}"
        );
    }
    let run = chaos.daemon.until_state("main", "running")["run"].clone();
    for _ in 0..3 {
        let answer = chaos.restart("side", &json!({"process": "side"}));
        chaos.judge("side", &answer, true);
    }
    assert_eq!(
        chaos.daemon.process("main")["run"],
        run,
        "no spurious start"
    );
    chaos.is_under_control("under control at the end");
    watch.saw_nothing();
    let counted: u64 = ["main", "side"]
        .map(|name| chaos.daemon.process(name)["restarts"].as_u64().unwrap())
        .iter()
        .sum();
    let asked: u64 = chaos.asked.values().sum();
    assert!(
        (asked..=asked + chaos.doubtful).contains(&counted),
        "{counted} restarts counted, {asked} asked for and {} perhaps",
        chaos.doubtful
    );
    drop(watch);

    let peak = peak_memory(chaos.daemon.pid());
    assert!(peak < 150, "{peak} MiB");
    assert!(!chaos.daemon.output().contains("panicked"));
    let Chaos {
        project,
        mut daemon,
        ..
    } = chaos;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.output());
    assert_eq!(marked(&project.dir()), [0; 0]);
    assert_eq!(children_of(daemon.pid()), [0; 0]);
}
