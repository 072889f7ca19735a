//! What the daemon bound for a process: for its entry as it is now and, while something of that may
//! still run, as it was before.

use crate::{
    relay::Relay,
    sockets::{Doors, HeldSockets},
    spec::Sockets,
};

/// Each with the part of the entry that asks for it; the newest last.
#[derive(Debug, Default)]
pub(super) struct Entrances(Vec<(Sockets, Doors)>);

impl Entrances {
    /// From now on there are these as well. What is there already stays: it may have been bound anew.
    pub(super) fn put(&mut self, sockets: Sockets, mut doors: Doors) {
        if self.doors(&sockets).is_some() {
            return;
        }
        if let Doors::Held(new) = &mut doors {
            for (_, there) in &self.0 {
                if let Doors::Held(there) = there {
                    new.follow(there);
                }
            }
        }
        self.0.push((sockets, doors));
    }

    /// Gives up those that nobody needs any more.
    pub(super) fn retain(&mut self, is_needed: impl Fn(&Sockets) -> bool) {
        self.0.retain(|(sockets, _)| is_needed(sockets));
    }

    /// The sockets to hand down to a child that asks for these.
    pub(super) fn held(&self, wanted: &Sockets) -> Option<&HeldSockets> {
        match self.doors(wanted)? {
            Doors::Held(sockets) => Some(sockets),
            Doors::Own | Doors::Relayed(_) => None,
        }
    }

    /// The relay before a child that asks for it.
    pub(super) fn relay(&self, wanted: &Sockets) -> Option<&Relay> {
        match self.doors(wanted)? {
            Doors::Relayed(relay) => Some(relay),
            Doors::Own | Doors::Held(_) => None,
        }
    }

    /// Every relay.
    pub(super) fn relays(&self) -> impl Iterator<Item = &Relay> {
        self.0.iter().filter_map(|(_, doors)| match doors {
            Doors::Relayed(relay) => Some(relay),
            Doors::Own | Doors::Held(_) => None,
        })
    }

    /// Binds anew what was lost of these.
    pub(super) fn renew(&mut self, wanted: &Sockets) {
        let Some(Doors::Held(sockets)) = self.doors_mut(wanted) else {
            return;
        };
        sockets.renew();
        let renewed = sockets.clone();
        for (_, doors) in &mut self.0 {
            if let Doors::Held(sockets) = doors {
                sockets.follow(&renewed);
            }
        }
    }

    /// Gives all held sockets their full queue again, which a child may have cut.
    pub(super) fn widen(&self) {
        for (_, doors) in &self.0 {
            if let Doors::Held(sockets) = doors {
                sockets.widen();
            }
        }
    }

    fn doors(&self, wanted: &Sockets) -> Option<&Doors> {
        let found = self.0.iter().find(|(it, _)| it.has_doors_of(wanted));
        found.map(|(_, doors)| doors)
    }

    fn doors_mut(&mut self, wanted: &Sockets) -> Option<&mut Doors> {
        let found = self.0.iter_mut().find(|(it, _)| it.has_doors_of(wanted));
        found.map(|(_, doors)| doors)
    }
}
