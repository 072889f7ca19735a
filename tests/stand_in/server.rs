//! The endpoint over doubles, for client checks and measurements without a daemon.
//! `stand_in PORT` serves until it is killed, and says its URL.

#[path = "../support/doubles.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod doubles;

use std::net::TcpListener;

use background_process_manager::{http, mcp};
use doubles::{Cast, Script, main_process, web_process};

#[expect(clippy::print_stdout, reason = "scripts read the URL")]
#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|it| it.parse().ok());
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))?;
    println!("http://{}{}", listener.local_addr()?, mcp::PATH);
    let doubles = Cast::new()
        .with(main_process(), Script::Succeed)
        .with(web_process(), Script::Hold)
        .start();
    http::serve(
        vec![listener],
        doubles.service.clone(),
        tokio_util::sync::CancellationToken::new(),
    )?
    .await
}
