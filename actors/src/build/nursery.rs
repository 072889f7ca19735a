//! The builder's children: started through the port, known until the last of their tree is gone.

use std::{cell::RefCell, collections::BTreeMap, os::fd::OwnedFd, time::Duration};

use tokio::{sync::watch, time::timeout};

use crate::{
    children::{Launch, SharedChildren, SpawnError, TreeEvent, TreeId},
    exit::Exit,
};

/// Between SIGTERM and SIGKILL of a cancelled tree.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// How long a killed tree is waited for: only a process that hangs in the kernel outlasts it, and it
/// must not hold up the next build for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of a child is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    #[default]
    Alive,
    /// The child itself ended; descendants may live on.
    Exited(Exit),
    /// Nobody of the tree is left.
    Gone(Option<Exit>),
}

impl Life {
    fn after(self, event: TreeEvent) -> Self {
        match (self, event) {
            (Self::Gone(_), _) => self,
            (_, TreeEvent::Exited(exit)) => Self::Exited(exit),
            (Self::Alive, TreeEvent::Gone) => Self::Gone(None),
            (Self::Exited(exit), TreeEvent::Gone) => Self::Gone(Some(exit)),
        }
    }

    /// Whether the child itself still runs.
    pub(crate) fn is_alive(self) -> bool {
        self == Self::Alive
    }

    pub(crate) fn is_gone(self) -> bool {
        matches!(self, Self::Gone(_))
    }
}

/// Follows one child from a distance.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(watch::Receiver<Life>);

impl Pulse {
    pub(crate) fn life(&self) -> Life {
        *self.0.borrow()
    }

    /// Waits for the end of the child itself. `None` if nobody can tell how it ended.
    pub(crate) async fn exit(&mut self) -> Option<Exit> {
        let ended = self.0.wait_for(|life| !life.is_alive()).await;
        match ended.as_deref() {
            Ok(Life::Exited(exit)) => Some(*exit),
            Ok(Life::Gone(exit)) => *exit,
            Ok(Life::Alive) | Err(_) => None,
        }
    }

    async fn gone(&mut self) {
        // An error means that whoever could tell is gone itself: there is nothing to wait for.
        let _ = self.0.wait_for(|life| life.is_gone()).await;
    }
}

/// A child that was started.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) tree: TreeId,
    pub(crate) pulse: Pulse,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// Starts children and remembers those that have not gone yet.
pub(crate) struct Nursery {
    children: SharedChildren,
    known: RefCell<BTreeMap<TreeId, Pulse>>,
}

impl Nursery {
    pub(crate) fn new(children: SharedChildren) -> Self {
        let known = RefCell::default();
        Self { children, known }
    }

    pub(crate) fn spawn(&self, launch: &Launch) -> Result<Child, SpawnError> {
        let (tell, life) = watch::channel(Life::default());
        let owner = move |event| tell.send_modify(|life| *life = life.after(event));
        let spawned = self.children.spawn(launch, Box::new(owner))?;
        let pulse = Pulse(life);
        let mut known = self.known.borrow_mut();
        known.retain(|_, pulse| !pulse.life().is_gone());
        known.insert(spawned.tree, pulse.clone());
        Ok(Child {
            tree: spawned.tree,
            pulse,
            stdout: spawned.stdout,
            stderr: spawned.stderr,
        })
    }

    /// Those of `trees` whose first child still runs.
    pub(crate) fn at_work(&self, trees: &[TreeId]) -> Vec<TreeId> {
        self.select(|tree, life| life.is_alive() && trees.contains(&tree))
    }

    /// What orderly children left behind, such as the server of a compiler cache.
    pub(crate) fn left_behind(&self) -> Vec<TreeId> {
        self.select(|_, life| matches!(life, Life::Exited(_)))
    }

    /// Everybody who is not gone.
    pub(crate) fn everybody(&self) -> Vec<TreeId> {
        self.select(|_, life| !life.is_gone())
    }

    fn select(&self, wanted: impl Fn(TreeId, Life) -> bool) -> Vec<TreeId> {
        let known = self.known.borrow();
        let trees = known.iter().filter(|(tree, p)| wanted(**tree, p.life()));
        trees.map(|(tree, _)| *tree).collect()
    }

    /// Ends whole trees: asked first, killed after [`GRACE`]. Returns when they are gone, or when
    /// even the kill did not help.
    pub(crate) async fn end(&self, trees: &[TreeId]) {
        let mut pulses: Vec<(TreeId, Pulse)> = {
            let known = self.known.borrow();
            let found = trees.iter().filter_map(|tree| known.get_key_value(tree));
            let left = found.filter(|(_, pulse)| !pulse.life().is_gone());
            left.map(|(tree, pulse)| (*tree, pulse.clone())).collect()
        };
        for (tree, _) in &pulses {
            self.children.terminate(*tree);
        }
        if timeout(GRACE, all_gone(&mut pulses)).await.is_ok() {
            return;
        }
        pulses.retain(|(_, pulse)| !pulse.life().is_gone());
        for (tree, _) in &pulses {
            self.children.kill(*tree);
        }
        if timeout(PATIENCE, all_gone(&mut pulses)).await.is_err() {
            log::warn!("builder: a cancelled build was killed and still is not gone");
        }
    }
}

async fn all_gone(pulses: &mut [(TreeId, Pulse)]) {
    for (_, pulse) in pulses {
        pulse.gone().await;
    }
}
