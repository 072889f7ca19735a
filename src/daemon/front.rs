//! Where the daemon is reached: the server on its port, which a reload may move to another one.

use std::io;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::listener::Listeners;
use crate::{mcp, service::Service};

/// The server.
pub(super) struct Front {
    service: Service,
    /// Where it is.
    port: u16,
    /// Ends everything, also what was retired and still answers.
    farewell: CancellationToken,
    retire: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Front {
    /// Begins to serve.
    pub(super) fn open(listeners: Listeners, service: Service) -> io::Result<Self> {
        let farewell = CancellationToken::new();
        let (retire, server) = serve(listeners.sockets, &service, &farewell)?;
        Ok(Self {
            service,
            port: listeners.port,
            farewell,
            retire,
            server,
        })
    }

    /// The port that it is reached at.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Where MCP is served.
    pub(super) fn url(&self) -> String {
        url(self.port)
    }

    /// Serves at another port, then lets the old one go. Requests that are open there are answered.
    pub(super) fn move_to(&mut self, listeners: Listeners) -> io::Result<()> {
        let (retire, server) = serve(listeners.sockets, &self.service, &self.farewell)?;
        let before = std::mem::replace(&mut self.retire, retire);
        self.server = server;
        self.port = listeners.port;
        before.cancel();
        Ok(())
    }

    /// Lets nobody in any more, and returns when the rest has ended.
    pub(super) async fn close(self) -> io::Result<()> {
        self.farewell.cancel();
        // It neither panics nor is cancelled; and at this point nothing is lost by it.
        self.server.await.unwrap_or(Ok(()))
    }
}

/// Where MCP is served at a port.
pub(super) fn url(port: u16) -> String {
    format!("http://localhost:{port}{}", mcp::PATH)
}

/// The command that tells Claude Code about it.
pub(super) fn how_to_connect(url: &str) -> String {
    format!("claude mcp add --transport http bpm {url}")
}

fn serve(
    sockets: Vec<std::net::TcpListener>,
    service: &Service,
    farewell: &CancellationToken,
) -> io::Result<(CancellationToken, JoinHandle<io::Result<()>>)> {
    let retire = farewell.child_token();
    let server = mcp::serve_until(sockets, service.clone(), farewell.clone(), retire.clone())?;
    Ok((retire, actix::spawn(server)))
}
