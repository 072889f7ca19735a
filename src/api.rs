//! The HTTP API: what `bpm`, `bpm-tui` and scripts ask of the daemon, beside `/mcp`.
//!
//! ```text
//! http (door) ─► api ─► Service
//! ```
//! * `query` reads the parameters of a request into what may exist, or says what is wrong.
//! * `orders` are the POSTs, `errors` how the service's refusals look here.
//! * `events` and `logs` go on for as long as the client likes; `stream` sees to it that nobody suffers from
//!   one who reads slowly.
//!
//! The answers are the service's own reports, as the MCP tools give them. No GET counts as activity,
//! so a screen that polls never keeps dev mode alive; every order does. It knows actors only through
//! [`Service`], and no MCP.

mod errors;
mod events;
mod logs;
mod metrics;
mod orders;
mod query;
mod stream;

use actix_web::{
    HttpRequest, HttpResponse, guard,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web,
};
use bpm_actors::restart::Asker;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{errors::Answer, query::Parameters, stream::Streams};
use crate::{
    http::refusal::Refusal,
    service::{Order, Service},
};

/// Serves the routes of the API.
pub(crate) struct Api {
    service: Service,
    streams: Streams,
}

impl Api {
    /// An API that asks this service. What goes on ends with `shutdown`.
    pub(crate) fn new(service: Service, shutdown: CancellationToken) -> Self {
        let streams = Streams::new(shutdown);
        Self { service, streams }
    }

    /// Puts the routes where they are served.
    pub(crate) fn route(this: &web::Data<Self>, app: &mut web::ServiceConfig) {
        let stream = |path| web::resource(path).default_service(web::to(only_get));
        let get = |path| web::resource(path).default_service(web::to(only_look));
        let post = |path| web::resource(path).default_service(web::to(only_post));
        app.app_data(this.clone())
            .service(get("/healthz").route(look().to(healthz)))
            .service(stream("/api/events").route(web::get().to(events::follow)))
            .service(stream("/api/logs").route(web::get().to(logs::read)))
            .service(get("/api/usage").route(look().to(usage)))
            .service(get("/metrics").route(look().to(metrics)))
            .service(get("/api/status").route(look().to(status)))
            .service(post("/api/reload").route(web::post().to(reload)))
            .service(post("/api/processes/{name}/restart").route(web::post().to(restart)))
            .service(post("/api/processes/{name}/start").route(web::post().to(start)))
            .service(post("/api/processes/{name}/stop").route(web::post().to(stop)));
    }
}

/// GET, or HEAD for who wants to know only whether there is an answer; its body is left out then.
fn look() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn only_look() -> HttpResponse {
    Refusal::method_not_allowed("GET, HEAD")
}

async fn only_get() -> HttpResponse {
    Refusal::method_not_allowed("GET")
}

async fn only_post() -> HttpResponse {
    Refusal::method_not_allowed("POST")
}

/// `GET /healthz`: the daemon serves. It says nothing about the processes.
async fn healthz(request: HttpRequest) -> Answer {
    Parameters::of(&request)?.finish()?;
    let plain = (CONTENT_TYPE, "text/plain; charset=utf-8");
    Ok(HttpResponse::Ok().insert_header(plain).body("ok\n"))
}

/// `GET /api/status`: what `get_status` answers.
async fn status(api: web::Data<Api>, request: HttpRequest) -> Answer {
    Parameters::of(&request)?.finish()?;
    api.service.refresh().await;
    Ok(fresh().json(api.service.status(Instant::now())))
}

/// `GET /api/usage`: CPU time and memory of the processes.
async fn usage(api: web::Data<Api>, request: HttpRequest) -> Answer {
    Parameters::of(&request)?.finish()?;
    Ok(fresh().json(api.service.usage().await))
}

/// `GET /metrics`, for Prometheus.
async fn metrics(api: web::Data<Api>, request: HttpRequest) -> Answer {
    Parameters::of(&request)?.finish()?;
    api.service.refresh().await;
    let usage = api.service.usage().await;
    let text = metrics::text(&api.service.status(Instant::now()), &usage);
    let kind = (CONTENT_TYPE, metrics::CONTENT_TYPE);
    Ok(fresh().insert_header(kind).body(text))
}

/// An answer that is true only now.
fn fresh() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}

/// `POST /api/reload`: reads the configuration again; what changed, or what is wrong with it.
async fn reload(api: web::Data<Api>, request: HttpRequest) -> Answer {
    Parameters::of(&request)?.finish()?;
    api.service.activity();
    Ok(fresh().json(api.service.reload().await?))
}

async fn restart(api: web::Data<Api>, request: HttpRequest, body: web::Payload) -> Answer {
    orders::carry_out(&api.service, Order::Restart, &request, body).await
}

async fn start(api: web::Data<Api>, request: HttpRequest, body: web::Payload) -> Answer {
    orders::carry_out(&api.service, Order::Start, &request, body).await
}

async fn stop(api: web::Data<Api>, request: HttpRequest, body: web::Payload) -> Answer {
    let order = Order::Stop(Asker::Person);
    orders::carry_out(&api.service, order, &request, body).await
}
