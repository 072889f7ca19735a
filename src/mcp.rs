//! The daemon's MCP endpoint: what is spoken over HTTP is translated here, and only here.
//!
//! ```text
//! actix-web ─► door (Host, Origin; every route) ─► endpoint (/mcp) ─► rmcp ─► Server ─► Service
//! ```
//! * `door` refuses whoever is not a local program or our own page.
//! * `endpoint` carries requests from actix-web to rmcp and answers back, and refuses what is not a
//!   JSON-RPC message.
//! * `server` is the seven tools: `tools` declares them, `arguments` reads what they are given,
//!   `notes` tells of progress, `text` writes answers for people, `rendered` keeps the one that is
//!   polled, and `quick` answers pollers without rmcp. `resources` are the same by address.
//!
//! It knows actors only through [`Service`].

mod arguments;
mod door;
mod endpoint;
mod instructions;
mod notes;
mod questions;
mod quick;
mod refusal;
mod rendered;
mod resources;
mod schema;
mod server;
mod text;
mod tools;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App, HttpServer, dev, middleware::from_fn, web};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::{SessionManager, never::NeverSessionManager},
    },
};
use tokio_util::sync::CancellationToken;

use self::{door::Door, endpoint::Endpoint, quick::Quick, rendered::Rendered, server::Server};
use crate::service::Service;

/// The path of the endpoint.
pub const PATH: &str = "/mcp";

/// How long an idle connection is kept. Longer than clients keep theirs, so that it is they who
/// close, and no request meets a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How many connections are open at the same time; more wait in the backlog.
const MOST_CONNECTIONS: usize = 512;
/// How long open requests may take after `shutdown`, in seconds.
const FAREWELL: u64 = 1;
/// How long a request may take at most, in seconds.
const LONGEST: u64 = 3_600;

/// Serves the tools of `service` on `listeners`. The server begins to work as soon as the answer is
/// polled or spawned, and ends when `shutdown` is cancelled.
///
/// Cancel `shutdown` last, when the processes have ended: restarts that are under way are answered
/// by then, and status can be watched until the end. Call it within a tokio runtime.
///
/// # Errors
/// When a listener cannot be used.
pub fn serve(
    listeners: Vec<TcpListener>,
    service: Service,
    shutdown: CancellationToken,
) -> io::Result<dev::Server> {
    let status = Rendered::new(service.clone());
    let quick = Quick::new(status.clone());
    let server = Server::new(service, status);
    let rmcp = |config| {
        let sessions = NeverSessionManager::default().into();
        StreamableHttpService::new(move || Ok(server.clone()), sessions, config)
    };
    let retire = shutdown.child_token();
    listen(listeners, rmcp, Some(quick), shutdown, retire, FAREWELL)
}

/// [`serve`], for a server that may also be given up earlier: when `retire` is cancelled, nobody is let
/// in any more, the port is free, and the requests that are open are answered to their end. `retire` is
/// a child of `shutdown`.
///
/// # Errors
/// When a listener cannot be used.
pub fn serve_until(
    listeners: Vec<TcpListener>,
    service: Service,
    shutdown: CancellationToken,
    retire: CancellationToken,
) -> io::Result<impl Future<Output = io::Result<()>>> {
    let status = Rendered::new(service.clone());
    let quick = Quick::new(status.clone());
    let server = Server::new(service, status);
    let rmcp = |config| {
        let sessions = NeverSessionManager::default().into();
        StreamableHttpService::new(move || Ok(server.clone()), sessions, config)
    };
    let server = listen(
        listeners,
        rmcp,
        Some(quick),
        shutdown.clone(),
        retire,
        LONGEST,
    )?;
    Ok(async move {
        tokio::select! {
            served = server => served,
            () = async {
                shutdown.cancelled().await;
                tokio::time::sleep(Duration::from_secs(FAREWELL)).await;
            } => Ok(()),
        }
    })
}

/// [`serve`] for any MCP server: the same door, the same endpoint. `rmcp` is given the settings of
/// ours.
///
/// # Errors
/// When a listener cannot be used.
pub fn serve_rmcp<H: ServerHandler, M: SessionManager>(
    listeners: Vec<TcpListener>,
    rmcp: impl FnOnce(StreamableHttpServerConfig) -> StreamableHttpService<H, M>,
    shutdown: CancellationToken,
) -> io::Result<dev::Server> {
    let retire = shutdown.child_token();
    listen(listeners, rmcp, None, shutdown, retire, FAREWELL)
}

fn listen<H: ServerHandler, M: SessionManager>(
    listeners: Vec<TcpListener>,
    rmcp: impl FnOnce(StreamableHttpServerConfig) -> StreamableHttpService<H, M>,
    quick: Option<Quick>,
    shutdown: CancellationToken,
    retire: CancellationToken,
    patience: u64,
) -> io::Result<dev::Server> {
    let addresses: Vec<SocketAddr> = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()?;
    let door = Door::new(addresses.iter().map(SocketAddr::port).collect());
    let rmcp = rmcp(endpoint::config(door.origins(), shutdown.clone()));
    let endpoint = web::Data::new(Endpoint::new(rmcp, quick, shutdown));

    let mut http = HttpServer::new(move || {
        let door = door.clone();
        App::new()
            .app_data(endpoint.clone())
            .service(web::resource(PATH).route(web::route().to(endpoint::serve::<H, M>)))
            .default_service(web::to(endpoint::no_such_route))
            .wrap(from_fn(move |request, next| {
                door::guard(door.clone(), request, next)
            }))
    })
    .workers(1)
    .max_connections(MOST_CONNECTIONS)
    .keep_alive(KEEP_ALIVE)
    // With actix's default a client that hung up is never noticed, and the protocol says that
    // hanging up cancels.
    .h1_allow_half_closed(false)
    .shutdown_timeout(patience)
    .disable_signals();
    for listener in listeners {
        http = http.listen(listener)?;
    }
    let server = http.run();

    let handle = server.handle();
    tokio::spawn(async move {
        retire.cancelled().await;
        handle.stop(true).await;
    });
    Ok(server)
}
