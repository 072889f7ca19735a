//! The daemon's MCP endpoint: what agents speak is translated here, and only here.
//!
//! ```text
//! http (door) ─► endpoint (/mcp) ─► rmcp ─► Server ─► Service
//! ```
//! * `endpoint` carries requests from actix-web to rmcp and answers back, and refuses what is not a
//!   JSON-RPC message.
//! * `server` is the seven tools: `tools` declares them, `arguments` reads what they are given,
//!   `notes` tells of progress, `text` writes answers for people, `rendered` keeps the one that is
//!   polled, and `quick` answers pollers without rmcp. `resources` are the same by address.
//!
//! It knows actors only through [`Service`].

mod arguments;
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

use actix_web::web;
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::{SessionManager, never::NeverSessionManager},
    },
};
use tokio_util::sync::CancellationToken;

use self::{endpoint::Endpoint, quick::Quick, rendered::Rendered, server::Server};
use crate::service::Service;

/// The path of the endpoint.
pub const PATH: &str = "/mcp";

/// The tools of `service` behind a door that knows these origins.
pub(crate) fn tools(
    service: Service,
    origins: Vec<String>,
    shutdown: CancellationToken,
) -> web::Data<Endpoint<Server, NeverSessionManager>> {
    let status = Rendered::new(service.clone());
    let quick = Quick::new(status.clone());
    let server = Server::new(service, status);
    let sessions = NeverSessionManager::default().into();
    let config = endpoint::config(origins, shutdown.clone());
    let rmcp = StreamableHttpService::new(move || Ok(server.clone()), sessions, config);
    web::Data::new(Endpoint::new(rmcp, Some(quick), shutdown))
}

/// The same for any MCP server. `rmcp` is given the settings of ours.
pub(crate) fn any<H: ServerHandler, M: SessionManager>(
    rmcp: impl FnOnce(StreamableHttpServerConfig) -> StreamableHttpService<H, M>,
    origins: Vec<String>,
    shutdown: CancellationToken,
) -> web::Data<Endpoint<H, M>> {
    let rmcp = rmcp(endpoint::config(origins, shutdown.clone()));
    web::Data::new(Endpoint::new(rmcp, None, shutdown))
}

/// Puts an endpoint where it is served.
pub(crate) fn route<H: ServerHandler, M: SessionManager>(
    endpoint: &web::Data<Endpoint<H, M>>,
    app: &mut web::ServiceConfig,
) {
    app.app_data(endpoint.clone())
        .service(web::resource(PATH).route(web::route().to(endpoint::serve::<H, M>)));
}
