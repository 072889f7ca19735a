//! The port to the operating system's processes, as far as the builder's tests need it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fs,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, Stdio},
    rc::Rc,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{PidfdFlags, pidfd_open},
};

use crate::{
    children::{Children, Launch, Owner, SpawnError, Spawned, TreeEvent, TreeId},
    exit::Exit,
};

/// Starts real children in process groups of their own. A tree is gone when nobody of the group
/// lives.
#[derive(Default)]
pub(super) struct Spawner {
    groups: Rc<RefCell<BTreeMap<TreeId, Pid>>>,
    last: Cell<u64>,
    /// The programs that were started, by their file names.
    pub(super) started: RefCell<Vec<String>>,
}

impl Spawner {
    /// Ids of the groups that are not gone.
    pub(super) fn groups(&self) -> Vec<Pid> {
        self.groups.borrow().values().copied().collect()
    }

    fn signal(&self, tree: TreeId, signal: Signal) {
        if let Some(group) = self.groups.borrow().get(&tree) {
            // It may have ended a moment ago.
            let _ = killpg(*group, signal);
        }
    }
}

impl Children for Spawner {
    #[expect(
        clippy::disallowed_methods,
        reason = "this stands in the place of the reaper"
    )]
    fn spawn(&self, launch: &Launch, owner: Owner) -> Result<Spawned, SpawnError> {
        let mut child = Command::new(&launch.program)
            .args(&launch.args)
            .current_dir(&launch.cwd)
            .env_clear()
            .envs(launch.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|cause| SpawnError {
                program: launch.program.clone(),
                cause,
            })?;
        let name = launch.program.file_name().unwrap().to_string_lossy();
        self.started.borrow_mut().push(name.into_owned());
        let tree = TreeId(self.last.get() + 1);
        self.last.set(tree.0);
        let stdout = OwnedFd::from(child.stdout.take().unwrap());
        let stderr = OwnedFd::from(child.stderr.take().unwrap());
        let pid = child.id();
        let group = Pid::from_raw(i32::try_from(pid).unwrap());
        self.groups.borrow_mut().insert(tree, group);
        let groups = Rc::clone(&self.groups);
        actix::spawn(async move {
            owner(TreeEvent::Exited(reap(child).await));
            all_ended(group).await;
            groups.borrow_mut().remove(&tree);
            owner(TreeEvent::Gone);
        });
        Ok(Spawned {
            tree,
            pid,
            stdout,
            stderr,
        })
    }

    fn terminate(&self, tree: TreeId) {
        self.signal(tree, Signal::SIGTERM);
    }

    fn members(&self, _: TreeId) -> Vec<u32> {
        Vec::new()
    }

    fn kill(&self, tree: TreeId) {
        self.signal(tree, Signal::SIGKILL);
    }
}

async fn reap(mut child: Child) -> Exit {
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
    let status = status.await.unwrap();
    match status.code() {
        Some(code) => Exit::Code(code),
        None => Exit::Signal(status.signal().unwrap()),
    }
}

async fn all_ended(group: Pid) {
    while let Some(member) = living(group).next() {
        if let Ok(pidfd) = pidfd_open(member, PidfdFlags::empty()) {
            // Readable when the process ends.
            let ended = move || poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None);
            tokio::task::spawn_blocking(ended).await.unwrap().unwrap();
        }
    }
}

/// Whether anybody but zombies is in a process group.
pub(super) fn group_lives(group: Pid) -> bool {
    living(group).next().is_some()
}

fn living(group: Pid) -> impl Iterator<Item = rustix::process::Pid> {
    fs::read_dir("/proc").unwrap().filter_map(move |entry| {
        let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (pid, _) = stat.split_once(' ')?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let (state, pgrp) = (fields.next()?, fields.nth(1)?);
        let member = state != "Z" && pgrp.parse() == Ok(group.as_raw());
        member.then(|| rustix::process::Pid::from_raw(pid.parse().ok()?))?
    })
}
