//! `bpm`: the command line of a running daemon, and the tools around it.
//!
//! `main` calls [`run()`]. Each command has a file; what it prints is made by pure functions, which tests
//! call. It speaks to the daemon through [`crate::client`] and must not know how that works, nor
//! HTTP or the terminal UI.

mod arguments;
mod beside;
mod check;
mod clock;
mod code;
mod completions;
mod console;
mod duration;
mod events;
mod failure;
mod harmless;
mod init;
mod link;
mod logs;
mod man;
mod mcp_config;
mod names;
mod orders;
mod paint;
mod reload;
mod run;
mod service;
mod status;
mod table;
mod tui;
mod wait;
mod words;

#[cfg(test)]
mod samples;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;

pub use self::arguments::Arguments;
use self::{
    arguments::{Command, DirArgument, Place},
    code::Code,
    console::Console,
    failure::Failure,
    link::Link,
};
use crate::client::{Order, project};

/// Does what the arguments say; the exit code tells what came of it.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let mut console = Console::standard();
    let done = command(arguments, &mut console).and_then(|code| {
        console.flush()?;
        Ok(code)
    });
    let code = done.unwrap_or_else(|failure| {
        match &failure {
            Failure::Closed => {}
            failure => console.complain(&failure.to_string()),
        }
        failure.code()
    });
    console.finish_progress();
    code.into()
}

fn command(arguments: &Arguments, console: &mut Console) -> Result<Code, Failure> {
    let place = &arguments.place;
    match &arguments.command {
        Command::Run(dir) => run::run(&directory(place, dir)),
        Command::Init(dir) => {
            let dir = dir.dir.clone().unwrap_or_default();
            init::init(&place.dir().join(dir), console)
        }
        Command::Check(dir) => check::check(&directory(place, dir), console),
        Command::McpConfig { client } => mcp_config::print(*client, place, console),
        Command::Tui => tui::open(place),
        Command::Completions { shell } => completions::print(*shell, console),
        Command::Service(service) => {
            let dir = service.dir().map(Path::to_owned);
            service::service(service, &directory(place, &DirArgument { dir }), console)
        }
        Command::Man { dir } => man::write(dir.as_deref(), console),
        speaking => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| Failure::new(Code::Failed, format!("cannot start: {cause}")))?
            .block_on(speak(speaking, place, console)),
    }
}

/// The commands that speak to a daemon.
async fn speak(command: &Command, place: &Place, console: &mut Console) -> Result<Code, Failure> {
    let link = Link::find(place.which())?;
    match command {
        Command::Status(arguments) => status::status(link, arguments, console).await,
        Command::Logs(arguments) => logs::logs(link, arguments, console).await,
        Command::Events(arguments) => events::events(link, arguments, console).await,
        Command::Wait(arguments) => wait::wait(link, arguments, console).await,
        Command::Restart(arguments) => {
            orders::carry_out(link, Order::Restart, arguments, console).await
        }
        Command::Stop(arguments) => orders::carry_out(link, Order::Stop, arguments, console).await,
        Command::Start(arguments) => {
            orders::carry_out(link, Order::Start, arguments, console).await
        }
        Command::Reload(arguments) => reload::reload(link, arguments, console).await,
        Command::Run(_)
        | Command::Init(_)
        | Command::Check(_)
        | Command::McpConfig { .. }
        | Command::Tui
        | Command::Completions { .. }
        | Command::Service(_)
        | Command::Man { .. } => Ok(Code::Done),
    }
}

/// The project's directory: the one that is named, else the project that we are in. Where there is
/// none, whoever reads the configuration says so.
fn directory(place: &Place, named: &DirArgument) -> PathBuf {
    match &named.dir {
        Some(dir) => place.dir().join(dir),
        None => project(&place.dir()).unwrap_or_else(|_| place.dir()),
    }
}

/// A report on one line.
fn json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value);
    harmless::json(json.expect("reports have names for keys and finite numbers"))
}
