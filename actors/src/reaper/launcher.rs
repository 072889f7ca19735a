//! Starts one child: directly, or, when it is handed sockets, through [`chain_load`].

use std::{
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use command_fds::{CommandFdExt, FdMapping};
use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::{Pid, Signal, WaitOptions};

use super::{PROCESS_MARKER, PROJECT_MARKER, RUN_MARKER};
use crate::{
    chain_load::{self, Orders},
    children::Launch,
    spec::Sockets,
};

/// The lowest descriptor that a child may be given.
pub(super) const LOWEST: RawFd = chain_load::FIRST;
/// The highest one: that of the report, behind as many sockets as there may be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a few dozen"
)]
pub(super) const HIGHEST: RawFd = LOWEST + Sockets::MOST as RawFd;

/// Starts the leader of a tree. Returns when it runs its program; one that could not become it is
/// reaped here.
pub(super) fn start(
    launch: &Launch,
    project: &Path,
    loader: &Path,
) -> io::Result<Box<dyn ChildWrapper>> {
    if launch.sockets.is_empty() {
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.args)
            .env_clear()
            .envs(launch.environment.iter().map(|(name, value)| (name, value)));
        wrapped(command, launch, project).spawn()
    } else {
        start_with_sockets(launch, project, loader)
    }
}

fn start_with_sockets(
    launch: &Launch,
    project: &Path,
    loader: &Path,
) -> io::Result<Box<dyn ChildWrapper>> {
    let (report, reporter) = io::pipe()?;
    let mut mappings = Vec::with_capacity(launch.sockets.len() + 1);
    for (child_fd, socket) in (LOWEST..).zip(&launch.sockets) {
        mappings.push(FdMapping {
            parent_fd: socket.descriptor.try_clone()?,
            child_fd,
        });
    }
    let last = RawFd::try_from(mappings.len()).map_or(RawFd::MAX, |count| LOWEST + count);
    let lowest_free = report.as_raw_fd().min(reporter.as_raw_fd());
    if last > HIGHEST || lowest_free <= last {
        // See `Floor`.
        return Err(io::Error::other(format!(
            "descriptor {last} is not kept free for its sockets"
        )));
    }
    mappings.push(FdMapping {
        parent_fd: reporter.into(),
        child_fd: last,
    });

    let (withheld, environment): (Vec<_>, Vec<_>) = launch
        .environment
        .iter()
        .cloned()
        .partition(|(name, _)| chain_load::is_withheld(name));
    let orders = Orders {
        report: last,
        withheld,
        program: launch.program.clone().into(),
        args: launch.args.clone(),
    };
    let names: Vec<&str> = launch.sockets.iter().map(|it| it.name.as_str()).collect();
    let mut command = Command::new(loader);
    command
        .arg0(chain_load::NAME)
        .args(orders.into_arguments())
        .env_clear()
        .envs(environment)
        .env("LISTEN_FDS", names.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .fd_mappings(mappings)
        .map_err(io::Error::other)?;
    let mut command = wrapped(command, launch, project);
    let child = command.spawn()?;
    // Our end of the pipe is in there: while it is open, the report has no end.
    drop(command);
    chain_load::verdict(report).inspect_err(|_| reap(child.id()))?;
    Ok(child)
}

fn wrapped(mut command: Command, launch: &Launch, project: &Path) -> CommandWrap {
    command
        .current_dir(&launch.cwd)
        .env(PROJECT_MARKER, project)
        .env(PROCESS_MARKER, launch.marker.process.as_str())
        .env(RUN_MARKER, &launch.marker.run)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut wrapped = CommandWrap::from(command);
    wrapped.wrap(ProcessSession);
    wrapped
}

/// Ends and reaps a child that nobody knows of yet.
fn reap(pid: u32) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    // It is about to end anyway; nobody else may have its pid before it is reaped.
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    let interrupted = Some(rustix::io::Errno::INTR);
    while rustix::process::waitpid(Some(pid), WaitOptions::empty()).err() == interrupted {}
}
