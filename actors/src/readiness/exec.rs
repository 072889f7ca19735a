//! The probe `exec`: a program that is run again and again until it succeeds.

use std::{
    cell::Cell,
    future,
    io::ErrorKind,
    ops::ControlFlow,
    os::fd::OwnedFd,
    path::PathBuf,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    net::unix::pipe::Receiver,
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{Findings, Ports, Subject, pace::Pace};
use crate::{
    children::{Launch, Marker, Owner, SharedChildren, SpawnError, TreeEvent, TreeId},
    exit::Exit,
    logs::text::{clean, shorten},
    sockets::HeldSockets,
    spec::CommandLine,
};

/// How long the program may take before it is ended and run again; twice as long each time, for one
/// that hangs because it came too early and for one that is slow.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of its first line is shown, in bytes.
const LONGEST_SHOWN: usize = 200;
/// How many bytes are searched for that line; what comes later is thrown away.
const LONGEST_KEPT: usize = 1024;
/// Names of a run's environment by which a program would speak for the run.
const VOICE: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Numbers all probes of this daemon: no two trees carry one mark.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Returns when the program ends with exit code 0.
pub(super) async fn exec(
    command: &CommandLine,
    subject: Subject,
    ports: Ports,
    findings: Findings,
) {
    let name = command.program.as_str();
    let mut pace = Pace::new(Instant::now());
    let mut patience = PATIENCE;
    findings.say(format!("{name}: it has not ended yet"));
    loop {
        pace.turn().await;
        let attempt = match Attempt::start(command, &subject, &ports.children) {
            Ok(attempt) => attempt,
            Err(error) => {
                findings.say(error.to_string());
                pace.rest(Instant::now());
                continue;
            }
        };
        tokio::select! {
            (exit, line) = attempt.ends() => {
                if exit == Exit::Code(0) {
                    return;
                }
                findings.say(match line {
                    Some(line) => format!("{name}: {exit}: {line}"),
                    None => format!("{name}: {exit}"),
                });
            }
            () = sleep(patience) => {
                findings.say(format!("{name}: it did not end within {} s", patience.as_secs()));
                patience *= 2;
            }
        }
        pace.rest(Instant::now());
    }
}

/// The program while it runs.
struct Attempt {
    exit: oneshot::Receiver<Exit>,
    out: Printed,
    err: Printed,
    _tree: Tree,
}

impl Attempt {
    fn start(
        command: &CommandLine,
        subject: &Subject,
        children: &SharedChildren,
    ) -> Result<Self, SpawnError> {
        let leader = children.members(subject.tree).first().copied();
        let (sender, exit) = oneshot::channel();
        let sender = Cell::new(Some(sender));
        let owner: Owner = Box::new(move |event| {
            if let TreeEvent::Exited(exit) = event
                && let Some(sender) = sender.take()
            {
                // Nobody may listen any more.
                let _ = sender.send(exit);
            }
        });
        let spawned = children.spawn(&launch(command, subject, leader), owner)?;
        Ok(Self {
            exit,
            out: Printed::on(spawned.stdout),
            err: Printed::on(spawned.stderr),
            _tree: Tree {
                id: spawned.tree,
                children: Rc::clone(children),
            },
        })
    }

    /// How it ended, and the first line that it printed.
    async fn ends(mut self) -> (Exit, Option<String>) {
        let Self { exit, out, err, .. } = &mut self;
        let exit = tokio::select! {
            exit = exit => exit,
            exit = async {
                tokio::join!(out.read(), err.read());
                future::pending().await
            } => exit,
        };
        // Errors say more than progress does.
        let line = self.err.first_line().or_else(|| self.out.first_line());
        // A tree that is forgotten without a word has not succeeded.
        (exit.unwrap_or(Exit::Code(1)), line)
    }
}

/// What was started. When this is dropped, whatever is left of it is killed.
struct Tree {
    id: TreeId,
    children: SharedChildren,
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.children.kill(self.id);
    }
}

/// As the run is started, but the program of the probe, without sockets and without a voice.
fn launch(command: &CommandLine, subject: &Subject, leader: Option<u32>) -> Launch {
    let of_run = subject.launch.environment.iter();
    let mut environment: Vec<_> = of_run
        .filter(|(name, _)| !VOICE.iter().any(|voice| name == voice))
        .cloned()
        .collect();
    if let Some(pid) = leader {
        environment.push(("BPM_PID".into(), pid.to_string().into()));
    }
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    Launch {
        program: PathBuf::from(&command.program),
        args: command.args.iter().map(Into::into).collect(),
        cwd: subject.launch.cwd.clone(),
        environment,
        marker: Marker {
            process: subject.launch.marker.process.clone(),
            run: format!("probe-{number}"),
        },
        sockets: HeldSockets::default(),
    }
}

/// What the program prints on one pipe: read, so that it is never slowed, and thrown away but for the
/// beginning.
struct Printed {
    pipe: Option<Receiver>,
    beginning: Vec<u8>,
}

impl Printed {
    fn on(pipe: OwnedFd) -> Self {
        Self {
            // One that cannot be read is closed; the program then fails, and says so by its exit.
            pipe: Receiver::from_owned_fd(pipe).ok(),
            beginning: Vec::new(),
        }
    }

    /// Reads to the end. Cancel safe.
    async fn read(&mut self) {
        while let Some(pipe) = &self.pipe {
            if pipe.readable().await.is_err() || self.take().is_break() {
                self.pipe = None;
            }
        }
    }

    /// Takes what is there.
    fn take(&mut self) -> ControlFlow<()> {
        let Some(pipe) = &self.pipe else {
            return ControlFlow::Break(());
        };
        let mut buffer = [0; 4096];
        match pipe.try_read(&mut buffer) {
            Ok(0) => return ControlFlow::Break(()),
            Ok(count) => {
                let room = LONGEST_KEPT - self.beginning.len();
                self.beginning.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                _ => return ControlFlow::Break(()),
            },
        }
        ControlFlow::Continue(())
    }

    /// The first line that is not empty, as people read it.
    fn first_line(&mut self) -> Option<String> {
        if self.beginning.is_empty() {
            // Its end may be known sooner than its last words.
            let _ = self.take();
        }
        let mut lines = self.beginning.split(|&byte| byte == b'\n');
        lines.find_map(|line| {
            let mut text = String::new();
            clean(line, &mut text);
            let (shown, _) = shorten(text.trim(), LONGEST_SHOWN);
            (!shown.is_empty()).then(|| shown.into_owned())
        })
    }
}
