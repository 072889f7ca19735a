//! A crowd that comes all the time, and that remembers every connection that went wrong.
//!
//! * Visitors connect, ask once and leave; so many each second, however long each of them takes.
//! * Patients ask for what takes its time: some of them are always being served.
//! * Regulars stay for a while and ask again and again. They end their connections themselves.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    client::{Client, Loss, Request, Server, Target, Then},
    tally::{Lost, Tally},
};
use crate::support::eventually;

/// Visitors a second, while the machine can.
const PACE: u32 = 1_500;
const VISITORS: u32 = 24;
const PATIENTS: usize = 4;
const REGULARS: usize = 4;
/// How long a regular thinks before it asks again.
const THOUGHT: Duration = Duration::from_millis(20);

/// Those who come. One crowd at a time: it is to load the daemon, not another one.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<(Sender<()>, JoinHandle<()>)>,
    _alone: MutexGuard<'static, ()>,
}

struct Shared {
    began: Instant,
    tally: Mutex<Tally>,
    /// Who answered: by pid the version, and since when.
    seen: Mutex<BTreeMap<u32, (u32, Instant)>>,
    /// Visitors who are here now.
    present: AtomicU32,
}

impl Load {
    /// They come from now on. Visitors go to the first target, the others to all; regulars stay for so
    /// long.
    pub(super) fn begin(targets: &[Target], stay: Duration) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let mut load = Self {
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
            clients: Vec::new(),
            shared: Arc::new(Shared {
                began: Instant::now(),
                tally: Mutex::default(),
                seen: Mutex::default(),
                present: AtomicU32::new(0),
            }),
        };
        for number in 0..VISITORS {
            let target = targets[0].clone();
            load.admit(move |shared, leave| shared.visit(&target, number, leave));
        }
        for target in targets.iter().cycle().take(PATIENTS) {
            let target = target.clone();
            load.admit(move |shared, leave| shared.wait_for_slow_answers(&target, leave));
        }
        for target in targets.iter().cycle().take(REGULARS) {
            let target = target.clone();
            load.admit(move |shared, leave| shared.keep_coming(&target, stay, leave));
        }
        load
    }

    fn admit(&mut self, client: impl FnOnce(&Shared, &Receiver<()>) + Send + 'static) {
        let (stays, leave) = mpsc::channel();
        let shared = Arc::clone(&self.shared);
        let client = thread::spawn(move || client(&shared, &leave));
        self.clients.push((stays, client));
    }

    /// Waits until a server has answered somebody; the version that it is.
    #[track_caller]
    pub(super) fn meets(&self, pid: u32) -> u32 {
        eventually(&format!("answered by {pid}"), || {
            let seen = self.shared.seen();
            match seen.get(&pid) {
                Some((version, _)) => Ok(*version),
                None => Err(seen.clone()),
            }
        })
    }

    /// Waits until a hundred more visitors were answered, and enough of them in all for the time that
    /// it took: those who had to wait made up for it.
    #[track_caller]
    pub(super) fn goes_on(&self) {
        let before = self.shared.tally().visits;
        eventually("enough visitors", || {
            let took = self.shared.began.elapsed();
            let tally = self.shared.tally();
            if tally.visits >= before + 100 && tally.is_ahead_after(took) {
                Ok(())
            } else {
                Err((before, tally.visits, took))
            }
        });
    }

    /// Waits until nobody can come any more, because every visitor waits for an answer.
    #[track_caller]
    pub(super) fn piles_up(&self) {
        eventually("all are waiting", || {
            match self.shared.present.load(Ordering::Relaxed) {
                VISITORS => Ok(()),
                some => Err(some),
            }
        });
    }

    /// Those who are here are still served; nobody comes any more.
    #[track_caller]
    #[expect(clippy::print_stdout, reason = "the figures are worth a look")]
    pub(super) fn end(self) -> Tally {
        let (stay, clients): (Vec<_>, Vec<_>) = self.clients.into_iter().unzip();
        self.shared.tally().took = self.shared.began.elapsed();
        drop(stay);
        for client in clients {
            client.join().unwrap();
        }
        let tally = std::mem::take(&mut *self.shared.tally());
        println!("{tally}");
        tally
    }
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<u32, (u32, Instant)>> {
        self.seen.lock().unwrap()
    }

    /// By the clock: after a delay they come the faster.
    fn visit(&self, target: &Target, number: u32, leave: &Receiver<()>) {
        let gap = Duration::from_secs(1) / PACE;
        let mut due = self.began + gap * number;
        while !is_over(leave, due.saturating_duration_since(Instant::now())) {
            let began = Instant::now();
            self.present.fetch_add(1, Ordering::Relaxed);
            let answered = self.ask_once(target, Request::Quick);
            self.present.fetch_sub(1, Ordering::Relaxed);
            match answered {
                Ok(()) => {
                    let mut tally = self.tally();
                    tally.visits += 1;
                    tally.longest = tally.longest.max(began.elapsed());
                }
                Err(how) => self.lose("visitor", how, began),
            }
            due += gap * VISITORS;
        }
    }

    fn wait_for_slow_answers(&self, target: &Target, leave: &Receiver<()>) {
        let mut pause = Duration::ZERO;
        while !is_over(leave, pause) {
            let began = Instant::now();
            pause = match self.ask_once(target, Request::Slow) {
                Ok(()) => {
                    self.tally().patients += 1;
                    Duration::ZERO
                }
                Err(how) => {
                    self.lose("patient", how, began);
                    THOUGHT
                }
            };
        }
    }

    fn keep_coming(&self, target: &Target, stay: Duration, leave: &Receiver<()>) {
        while !is_over(leave, THOUGHT) {
            let began = Instant::now();
            match self.stay(target, began + stay, leave) {
                Ok(own) => {
                    let mut others = self.seen().clone();
                    others.remove(&own);
                    if others.values().any(|(_, since)| *since > began) {
                        self.tally().survivors += 1;
                    }
                }
                Err(how) => self.lose("regular", how, began),
            }
        }
    }

    /// One connection and its requests; the pid that answered all of them.
    fn stay(&self, target: &Target, until: Instant, leave: &Receiver<()>) -> Result<u32, Loss> {
        let mut client = Client::connect(target)?;
        let mut before = None;
        loop {
            let then = if Instant::now() > until || is_over(leave, THOUGHT) {
                Then::Close
            } else {
                Then::More
            };
            let Server { version, pid } = client.ask(Request::Quick, then)?;
            self.meet(version, pid);
            if before.is_some_and(|before| before != pid) {
                return Err(Loss::Wrong(format!("{before:?} and {pid}")));
            }
            if then == Then::Close {
                return Ok(pid);
            }
            before = Some(pid);
        }
    }

    /// One request on a connection of its own.
    fn ask_once(&self, target: &Target, request: Request) -> Result<(), Loss> {
        let mut client = Client::connect(target)?;
        let Server { version, pid } = client.ask(request, Then::Close)?;
        self.meet(version, pid);
        Ok(())
    }

    fn meet(&self, version: u32, pid: u32) {
        let new = || (version, Instant::now());
        self.seen().entry(pid).or_insert_with(new);
    }

    fn lose(&self, who: &'static str, how: Loss, began: Instant) {
        let ended = Instant::now();
        self.tally().losses.push(Lost {
            how,
            who,
            began,
            ended,
        });
    }
}

/// Whether it is time to go, which is waited for so long.
fn is_over(leave: &Receiver<()>, wait: Duration) -> bool {
    leave.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected)
}
