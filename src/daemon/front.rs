//! Where the daemon is reached: the server on its port and its unix socket. A reload may move it to
//! another port.

use std::{io, net::TcpListener, path::Path, path::PathBuf};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    listener::{Listeners, Origin},
    local::LocalSocket,
    state_dir::StateDir,
};
use crate::{
    http::{self, Entrances, Token},
    mcp,
    service::Service,
};

/// The server.
pub(super) struct Front {
    service: Service,
    /// Where it is.
    port: u16,
    /// Who has bound that port.
    origin: Origin,
    local: Option<LocalSocket>,
    token: Option<Token>,
    /// Where people find the token, if one is needed.
    token_file: Option<PathBuf>,
    /// Ends everything, also what was retired and still answers.
    farewell: CancellationToken,
    retire: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Front {
    /// Begins to serve.
    pub(super) fn open(
        listeners: Listeners,
        service: Service,
        token: Option<Token>,
        state: &StateDir,
    ) -> io::Result<Self> {
        let farewell = CancellationToken::new();
        let retire = farewell.child_token();
        let local = bind_local(state);
        let entrances = entrances(listeners.sockets, local.as_ref(), token.clone());
        let server =
            http::serve_until(entrances, service.clone(), farewell.clone(), retire.clone())?;
        Ok(Self {
            service,
            port: listeners.port,
            origin: listeners.origin,
            local,
            token_file: token.is_some().then(|| state.token_file()),
            token,
            farewell,
            retire,
            server: actix::spawn(server),
        })
    }

    /// The port that it is reached at.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Who has bound that port.
    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// Where MCP is served.
    pub(super) fn url(&self) -> String {
        format!("http://localhost:{}{}", self.port, mcp::PATH)
    }

    /// Where this user's own tools reach it.
    pub(super) fn socket(&self) -> Option<&Path> {
        self.local.as_ref().map(LocalSocket::path)
    }

    /// The command that connects Claude Code.
    pub(super) fn how_to_connect(&self) -> String {
        let add = format!("claude mcp add --transport http bpm {}", self.url());
        match &self.token_file {
            Some(file) => format!(
                "{add} --header \"Authorization: Bearer $(cat '{}')\"",
                file.display()
            ),
            None => add,
        }
    }

    /// Serves at another port, then lets the old one go. Requests that are open there are answered.
    pub(super) fn move_to(&mut self, listeners: Listeners) -> io::Result<()> {
        let retire = self.farewell.child_token();
        let local = self.local.as_ref();
        let entrances = entrances(listeners.sockets, local, self.token.clone());
        let server = http::serve_until(
            entrances,
            self.service.clone(),
            self.farewell.clone(),
            retire.clone(),
        )?;
        self.server = actix::spawn(server);
        self.port = listeners.port;
        self.origin = listeners.origin;
        std::mem::replace(&mut self.retire, retire).cancel();
        Ok(())
    }

    /// Lets nobody in any more, and returns when the rest has ended.
    pub(super) async fn close(self) -> io::Result<()> {
        self.farewell.cancel();
        // It neither panics nor is cancelled; and at this point nothing is lost by it.
        self.server.await.unwrap_or(Ok(()))
    }
}

fn entrances(
    tcp: Vec<TcpListener>,
    local: Option<&LocalSocket>,
    token: Option<Token>,
) -> Entrances {
    Entrances {
        tcp,
        unix: local.and_then(|local| local.listener().ok()),
        token,
    }
}

/// Listens for this user's own tools; without it they use the port.
fn bind_local(state: &StateDir) -> Option<LocalSocket> {
    let bound = LocalSocket::bind(state);
    let warned =
        bound.inspect_err(|problem| log::warn!("no unix socket for local tools: {problem}"));
    warned.ok()
}
