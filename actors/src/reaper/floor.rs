//! Keeps low descriptors occupied.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use super::launcher;

/// Descriptors that nothing else may get, held for the daemon's whole life.
///
/// A child finds its sockets from descriptor 3 on, and between fork and exec whatever has such a
/// number is replaced by one. Were that the pipe on which the standard library learns of a failed
/// exec, or one of the child's own pipes, the child would be started wrongly or not at all, and
/// nobody would hear of it. No descriptor of the daemon may have such a number, therefore; they are
/// given out from the lowest free one upwards, so it is enough to occupy these.
#[derive(Debug)]
pub struct Floor {
    _held: Vec<OwnedFd>,
}

impl Floor {
    /// Occupies those that are free. To be called before anything else is opened: a number that
    /// somebody has now is free when he is done.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn lay() -> io::Result<Self> {
        let null = File::open("/dev/null")?;
        let mut held = Vec::new();
        loop {
            let copy = rustix::io::fcntl_dupfd_cloexec(&null, launcher::LOWEST)?;
            if !is_reserved(copy.as_raw_fd()) {
                break;
            }
            held.push(copy);
        }
        if is_reserved(null.as_raw_fd()) {
            held.push(null.into());
        }
        Ok(Self { _held: held })
    }
}

fn is_reserved(descriptor: RawFd) -> bool {
    (launcher::LOWEST..=launcher::HIGHEST).contains(&descriptor)
}
