//! A reaper in a folder of its own, and what a test asks of its children.

use std::{
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bpm_actors::{
    children::{Children, Launch, Marker, SpawnError, TreeEvent, TreeId},
    reaper::{Reaper, ledger::Ledger},
    sockets::HeldSockets,
};
use tokio::sync::mpsc;

static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Scene {
    pub(crate) reaper: Reaper,
    pub(crate) folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) struct Child {
    pub(crate) tree: TreeId,
    pub(crate) pid: u32,
    pub(crate) events: mpsc::UnboundedReceiver<TreeEvent>,
    stdout: OwnedFd,
    /// Held open: a child that writes to a closed pipe dies.
    stderr: OwnedFd,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().join("children.json"));
        let reaper = Reaper::start(folder.path().to_owned(), ledger).unwrap();
        Self {
            reaper,
            folder,
            _turn: turn,
        }
    }

    pub(crate) fn launch(&self, script: &str) -> Launch {
        let path = std::env::var_os("PATH").unwrap();
        Launch {
            sockets: HeldSockets::default(),
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            cwd: self.folder.path().to_owned(),
            environment: vec![("PATH".into(), path)],
            marker: Marker {
                process: "main".parse().unwrap(),
                run: "1".into(),
            },
        }
    }

    pub(crate) fn spawn(&self, script: &str) -> Child {
        self.start(&self.launch(script)).unwrap()
    }

    pub(crate) fn start(&self, launch: &Launch) -> Result<Child, SpawnError> {
        let (sender, events) = mpsc::unbounded_channel();
        let owner = Box::new(move |event| {
            // A test that has seen enough no longer listens.
            let _ = sender.send(event);
        });
        let spawned = self.reaper.spawn(launch, owner)?;
        Ok(Child {
            tree: spawned.tree,
            pid: spawned.pid,
            events,
            stdout: spawned.stdout,
            stderr: spawned.stderr,
        })
    }
}

impl Child {
    /// Reads the pids that the child prints, one a line, until there are `count`.
    pub(crate) async fn prints(&self, count: usize) -> Vec<u32> {
        let mut pipe = reader(&self.stdout);
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            let mut byte = [0];
            while text.lines().count() < count || !text.ends_with('\n') {
                assert_eq!(pipe.read(&mut byte).unwrap(), 1, "ended after {text:?}");
                text.push(byte[0].into());
            }
            text
        });
        let text = read.await.unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Waits until nobody of the tree is left; what was printed to stdout and stderr since.
    pub(crate) async fn says(mut self) -> (String, String) {
        let read = |pipe: &OwnedFd| {
            let pipe = reader(pipe);
            tokio::task::spawn_blocking(move || std::io::read_to_string(pipe).unwrap())
        };
        let (stdout, stderr) = (read(&self.stdout), read(&self.stderr));
        self.ends().await;
        (stdout.await.unwrap(), stderr.await.unwrap())
    }

    pub(crate) async fn ends(&mut self) -> Vec<TreeEvent> {
        let mut events = Vec::new();
        while events.last() != Some(&TreeEvent::Gone) {
            events.push(self.events.recv().await.unwrap());
        }
        events
    }
}

fn reader(pipe: &OwnedFd) -> File {
    let pipe = File::from(pipe.try_clone().unwrap());
    rustix::io::ioctl_fionbio(&pipe, false).unwrap();
    pipe
}
