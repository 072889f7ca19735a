//! How many descriptors the daemon may have, and how many its children.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// What the daemon asks for at most: each relayed connection takes two.
const MOST: u64 = 65_536;

/// The limit that children get: the one that the daemon was started with.
#[derive(Clone, Debug)]
pub struct Limits(Rlimit);

impl Limits {
    /// Lets the daemon have as many descriptors as it may. The usual limit of 1,024 is there for
    /// programs that use `select`, which children may be.
    ///
    /// Where the system refuses, all stays as it was.
    #[must_use]
    pub fn raise() -> Self {
        let inherited = getrlimit(Resource::Nofile);
        let most = inherited.maximum.map_or(MOST, |hard| hard.min(MOST));
        let wanted = Rlimit {
            current: inherited.current.map(|soft| soft.max(most)),
            ..inherited
        };
        if let Err(error) = setrlimit(Resource::Nofile, wanted) {
            log::debug!("cannot raise the number of descriptors: {error}");
        }
        Self(inherited)
    }

    /// Gives a child that was just started the limit that it would have had.
    pub(super) fn restore(&self, pid: u32) {
        let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        // One that is gone already needs none.
        let _ = prlimit(Some(pid), Resource::Nofile, self.0);
    }
}
