//! What is bound for a process, as the daemon keeps it until the configuration says otherwise.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, Weak},
};

use actix::Arbiter;
use bpm_actors::{
    relay::{Relay, WeakRelay},
    sockets::{Doors, HeldSocket, Place},
    spec::{ListenAddress, Sockets},
};

use super::held::{Bound, Stock};

/// The sockets of a process. Clones share them.
#[derive(Clone)]
pub(super) struct Doorway {
    /// What asked for them.
    sockets: Sockets,
    /// What the process is given.
    pub(super) doors: Doors,
}

impl Default for Doorway {
    fn default() -> Self {
        Self {
            sockets: Sockets::Own,
            doors: Doors::Own,
        }
    }
}

/// The relays' own thread, where there are any.
#[derive(Default)]
pub(super) struct Relays(Option<Arbiter>);

impl Doorway {
    /// Opens what was bound for `sockets`.
    pub(super) fn open(sockets: Sockets, bound: Bound, relays: &mut Relays) -> io::Result<Self> {
        let doors = match bound {
            Bound::Own => Doors::Own,
            Bound::Held(sockets) => Doors::Held(sockets),
            Bound::Public(listeners) => {
                let thread = relays.0.get_or_insert_with(Arbiter::new);
                Doors::Relayed(Relay::start(listeners, &thread.handle())?)
            }
        };
        Ok(Self { sockets, doors })
    }

    /// Whether it is what these ask for.
    pub(super) fn is_for(&self, sockets: &Sockets) -> bool {
        self.sockets.has_doors_of(sockets)
    }

    /// Puts what it has into `stock`.
    pub(super) fn offer(&self, stock: &mut Stock) {
        match &self.doors {
            Doors::Own => {}
            Doors::Held(sockets) => sockets.iter().for_each(|socket| stock.keep(socket.clone())),
            Doors::Relayed(relay) => stock.keep_listeners(relay.listeners()),
        }
    }
}

/// What the configuration does not ask for any more. A process has it as long as it may have to go
/// back, and may be given it again meanwhile.
#[derive(Default)]
pub(super) struct Attic(Vec<Faded>);

enum Faded {
    Socket {
        name: String,
        address: ListenAddress,
        descriptor: Weak<OwnedFd>,
        place: Option<Weak<dyn Place>>,
    },
    Relay(WeakRelay),
}

impl Attic {
    /// Takes in what was asked for until now.
    pub(super) fn put(&mut self, doorway: &Doorway) {
        self.0.retain(Faded::is_there);
        match &doorway.doors {
            Doors::Own => {}
            Doors::Held(sockets) => self.0.extend(sockets.iter().map(|socket| Faded::Socket {
                name: socket.name.clone(),
                address: socket.address.clone(),
                descriptor: Arc::downgrade(&socket.descriptor),
                place: socket.place.as_ref().map(Arc::downgrade),
            })),
            Doors::Relayed(relay) => self.0.push(Faded::Relay(relay.downgrade())),
        }
    }

    /// Puts what is still there into `stock`.
    pub(super) fn offer(&self, stock: &mut Stock) {
        for faded in &self.0 {
            match faded {
                Faded::Socket {
                    name,
                    address,
                    descriptor,
                    place,
                } => {
                    let place = place.as_ref().map(Weak::upgrade);
                    if let (Some(descriptor), None | Some(Some(_))) = (descriptor.upgrade(), &place)
                    {
                        stock.keep(HeldSocket {
                            name: name.clone(),
                            address: address.clone(),
                            descriptor,
                            place: place.flatten(),
                        });
                    }
                }
                Faded::Relay(relay) => {
                    if let Some(relay) = relay.upgrade() {
                        stock.keep_listeners(relay.listeners());
                    }
                }
            }
        }
    }
}

impl Faded {
    fn is_there(&self) -> bool {
        match self {
            Self::Socket { descriptor, .. } => descriptor.strong_count() > 0,
            Self::Relay(relay) => relay.upgrade().is_some(),
        }
    }
}
