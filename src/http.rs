//! What the daemon serves over HTTP: one server, one door, several rooms.
//!
//! ```text
//! actix-web ─► door (Host, Origin; every route) ─┬─► mcp  (/mcp)
//!                                                └─► api  (/api/*, /healthz, /metrics)
//! ```
//! * `door` refuses whoever is not a local program or our own page, or lacks the token.
//! * `peer` is who is at the other end of a connection.
//! * `body` reads what a request brings, within bounds.
//! * `refusal` is how requests are refused that get no further.
//!
//! It puts the rooms together and must not know what they answer.

pub(crate) mod body;
pub(crate) mod door;
pub(crate) mod peer;
pub(crate) mod refusal;
mod token;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, dev, middleware::from_fn, web};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::SessionManager,
    },
};
use tokio_util::sync::CancellationToken;

pub use self::token::Token;
use self::{door::Door, peer::Peer, refusal::Refusal};
use crate::{api::Api, mcp, service::Service};

/// How long an idle connection is kept. Longer than clients keep theirs, so that it is they who
/// close, and no request meets a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How many connections are open at the same time; more wait in the backlog.
const MOST_CONNECTIONS: usize = 512;
/// How long open requests may take after `shutdown`, in seconds.
const FAREWELL: u64 = 1;
/// How long a request may take at most, in seconds.
const LONGEST: u64 = 3_600;

/// Where requests come in.
#[derive(Debug)]
pub struct Entrances {
    /// On loopback.
    pub tcp: Vec<TcpListener>,
    /// For this user's own tools.
    pub unix: Option<UnixListener>,
    /// What requests over TCP must bring, if anything.
    pub token: Option<Token>,
}

impl From<Vec<TcpListener>> for Entrances {
    fn from(tcp: Vec<TcpListener>) -> Self {
        Self {
            tcp,
            unix: None,
            token: None,
        }
    }
}

/// Serves `service` where requests come in. The server begins to work as soon as the answer is polled or
/// spawned, and ends when `shutdown` is cancelled.
///
/// Cancel `shutdown` last, when the processes have ended: restarts that are under way are answered
/// by then, and status can be watched until the end. Call it within a tokio runtime.
///
/// # Errors
/// When a listener cannot be used.
pub fn serve(
    entrances: impl Into<Entrances>,
    service: Service,
    shutdown: CancellationToken,
) -> io::Result<dev::Server> {
    let retire = shutdown.child_token();
    serve_for(entrances.into(), service, shutdown, retire, FAREWELL)
}

/// [`serve`], for a server that may also be given up earlier: when `retire` is cancelled, nobody is let
/// in any more, its port is free, and the requests that are open are answered to their end; only those
/// who follow something have to come back elsewhere. `retire` is a child of `shutdown`.
///
/// # Errors
/// When a listener cannot be used.
pub fn serve_until(
    entrances: Entrances,
    service: Service,
    shutdown: CancellationToken,
    retire: CancellationToken,
) -> io::Result<impl Future<Output = io::Result<()>>> {
    let server = serve_for(entrances, service, shutdown.clone(), retire, LONGEST)?;
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

fn serve_for(
    entrances: Entrances,
    service: Service,
    shutdown: CancellationToken,
    retire: CancellationToken,
    patience: u64,
) -> io::Result<dev::Server> {
    let door = door(&entrances)?;
    let tools = mcp::tools(service.clone(), door.origins(), shutdown);
    let api = web::Data::new(Api::new(service, retire.clone()));
    listen(entrances, door, retire, patience, move |app| {
        mcp::route(&tools, app);
        Api::route(&api, app);
    })
}

/// Any MCP server behind the same door and the same endpoint. `rmcp` is given the settings of ours.
///
/// # Errors
/// When a listener cannot be used.
pub fn serve_rmcp<H: ServerHandler, M: SessionManager>(
    entrances: impl Into<Entrances>,
    rmcp: impl FnOnce(StreamableHttpServerConfig) -> StreamableHttpService<H, M>,
    shutdown: CancellationToken,
) -> io::Result<dev::Server> {
    let entrances = entrances.into();
    let door = door(&entrances)?;
    let endpoint = mcp::any(rmcp, door.origins(), shutdown.clone());
    listen(entrances, door, shutdown, FAREWELL, move |app| {
        mcp::route(&endpoint, app);
    })
}

fn door(entrances: &Entrances) -> io::Result<Door> {
    let addresses: Vec<SocketAddr> = entrances
        .tcp
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()?;
    let ports = addresses.iter().map(SocketAddr::port).collect();
    Ok(Door::new(ports, entrances.token.clone()))
}

fn listen(
    entrances: Entrances,
    door: Door,
    ends: CancellationToken,
    patience: u64,
    rooms: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> io::Result<dev::Server> {
    let mut http = HttpServer::new(move || {
        let door = door.clone();
        App::new()
            .configure(&rooms)
            .default_service(web::to(no_such_route))
            .wrap(from_fn(move |request, next| {
                door::guard(door.clone(), request, next)
            }))
    })
    .on_connect(Peer::note)
    .workers(1)
    .max_connections(MOST_CONNECTIONS)
    .keep_alive(KEEP_ALIVE)
    // With actix's default a client that hung up is never noticed, and the protocol says that
    // hanging up cancels.
    .h1_allow_half_closed(false)
    .shutdown_timeout(patience)
    .disable_signals();
    for listener in entrances.tcp {
        http = http.listen(listener)?;
    }
    if let Some(listener) = entrances.unix {
        http = http.listen_uds(listener)?;
    }
    let server = http.run();

    let handle = server.handle();
    tokio::spawn(async move {
        ends.cancelled().await;
        handle.stop(true).await;
    });
    Ok(server)
}

async fn no_such_route() -> HttpResponse {
    Refusal::not_found("nothing is served here; MCP is at POST /mcp, the status at GET /api/status")
        .response()
}
