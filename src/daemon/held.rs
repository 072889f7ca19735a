//! The sockets that the daemon holds for its processes: `listen` and `port`.
//!
//! The start binds all of them, or none, when what a dead daemon left is ended and before anything is
//! started. This room knows neither who is handed the sockets nor when.

mod place;
mod problem;
mod tcp;
#[cfg(test)]
mod tests;
pub(super) mod unix;

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use bpm_actors::{
    ids::ProcessName,
    sockets::{BACKLOG, HeldSocket, HeldSockets, Place},
    spec::{Listen, ListenAddress, ProcessSpec, Sockets},
};

use self::place::SocketPlace;
pub use self::{
    problem::{HeldError, Key, Reason},
    unix::SocketFiles,
};

/// What was bound.
#[derive(Debug)]
pub struct Held {
    /// For each process, in the order of the configuration.
    pub bound: Vec<Bound>,
    /// The files of the unix sockets.
    pub files: SocketFiles,
}

/// What is bound already. Who asks for one of these gets it as it is, also where it was another
/// process's.
#[derive(Debug, Default)]
pub struct Stock {
    sockets: HashMap<ListenAddress, HeldSocket>,
    listeners: HashMap<SocketAddr, TcpListener>,
}

impl Stock {
    /// This one is handed down.
    pub fn keep(&mut self, socket: HeldSocket) {
        self.sockets.insert(socket.address.clone(), socket);
    }

    /// These are relayed.
    pub fn keep_listeners(&mut self, listeners: &[TcpListener]) {
        // One that cannot be had once more is missed where it is asked for.
        let listeners = listeners.iter().filter_map(|it| it.try_clone().ok());
        let known = listeners.filter_map(|it| Some((it.local_addr().ok()?, it)));
        self.listeners.extend(known);
    }

    fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match self.listeners.get(&address) {
            Some(listener) => listener.try_clone(),
            None => tcp::try_listen(address),
        }
    }
}

/// What was bound for a process.
#[derive(Debug)]
pub enum Bound {
    /// Nothing: it binds its own.
    Own,
    /// To be handed down.
    Held(HeldSockets),
    /// To be relayed; blocking.
    Public(Vec<TcpListener>),
}

impl Held {
    /// Binds what the processes ask for. `file` is where the user can change it.
    ///
    /// # Errors
    /// For the first address that cannot be had; then nothing is bound.
    pub fn bind(processes: &[ProcessSpec], file: &Path) -> Result<Self, HeldError> {
        Self::bind_beside(&Stock::default(), processes, file)
    }

    /// The same where some of it is bound already.
    ///
    /// # Errors
    /// As for [`Self::bind`]; what is in `stock` stays as it is.
    pub fn bind_beside(
        stock: &Stock,
        processes: &[ProcessSpec],
        file: &Path,
    ) -> Result<Self, HeldError> {
        let mut files = SocketFiles::default();
        let mut bound = Vec::with_capacity(processes.len());
        for spec in processes {
            let problem = |key, address, reason| HeldError {
                process: spec.name.clone(),
                key,
                address,
                reason,
                file: file.to_owned(),
            };
            bound.push(match &spec.sockets {
                Sockets::Own => Bound::Own,
                Sockets::Held { listen, .. } => {
                    let mut sockets = Vec::with_capacity(listen.len());
                    for wanted in listen {
                        let socket = hold(wanted, &spec.name, file, stock, &mut files);
                        sockets.push(socket.map_err(|reason| {
                            problem(Key::Listen, wanted.address.clone(), reason)
                        })?);
                    }
                    Bound::Held(HeldSockets::new(sockets))
                }
                Sockets::Relayed { public, .. } => {
                    let listeners = tcp::listen_at_all_by(public, |it| stock.listen(it));
                    Bound::Public(listeners.map_err(|(address, reason)| {
                        problem(Key::Port, ListenAddress::Tcp(address), reason)
                    })?)
                }
            });
        }
        Ok(Self { bound, files })
    }
}

fn hold(
    wanted: &Listen,
    process: &ProcessName,
    file: &Path,
    stock: &Stock,
    files: &mut SocketFiles,
) -> Result<HeldSocket, Reason> {
    if let Some(there) = stock.sockets.get(&wanted.address) {
        return Ok(HeldSocket {
            name: wanted.name.clone(),
            ..there.clone()
        });
    }
    let (descriptor, place) = match &wanted.address {
        ListenAddress::Tcp(address) => (Arc::new(tcp::listen(*address)?.into()), None),
        ListenAddress::Unix(path) => {
            let bound = unix::listen(path)?;
            let descriptor = bound.socket();
            let place = SocketPlace {
                process: process.clone(),
                config: file.to_owned(),
                file: files.keep(bound),
            };
            (descriptor, Some(Arc::new(place) as Arc<dyn Place>))
        }
    };
    Ok(HeldSocket {
        name: wanted.name.clone(),
        address: wanted.address.clone(),
        descriptor,
        place,
    })
}
