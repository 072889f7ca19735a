//! `listen`: the sockets that the daemon holds for a process.

use std::path::Path;

use bpm_actors::spec::{CommandLine, Listen, ListenAddress, Sockets};
use toml::de::DeValue;

use super::{
    address,
    claims::Claims,
    closes_sockets,
    entry::{Entry, entries},
    keys,
    problem::Report,
    value,
};

/// The longest name of a socket, in bytes, as systemd has it.
const LONGEST_NAME: usize = 255;

/// Where a process stands in the file.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The process's name, which is the name of its sockets where they have none.
    pub(super) name: &'a str,
    /// The project's directory.
    pub(super) project: &'a Path,
    /// What is run, where that is a command.
    pub(super) command: Option<&'a CommandLine>,
}

/// Reads the addresses of `listen` with their names.
pub(super) fn read(
    field: &Entry<'_>,
    place: Place<'_>,
    claims: &mut Claims,
    report: &mut Report<'_>,
) -> Vec<Listen> {
    refuse_node(field, place.command, report);
    let Some(sockets) = field.elements().or_else(|| {
        let table = field.value.as_table()?;
        Some(entries(&field.path, table))
    }) else {
        report.reject(field, no_list(field, place.project));
        return Vec::new();
    };
    if sockets.is_empty() {
        report.reject(
            field,
            "must name at least one address, such as [\"127.0.0.1:8080\"]",
        );
    } else if sockets.len() > Sockets::MOST {
        let most = Sockets::MOST;
        report.reject(field, format!("must name at most {most} addresses"));
    }
    let named = field.value.is_table();
    let mut listen = Vec::new();
    for socket in &sockets {
        let name = if named { socket.name } else { place.name };
        if named && let Some(advice) = bad_name(name) {
            report.reject(socket, advice);
        }
        let Some(address) = address_of(socket, field, place.project, report) else {
            continue;
        };
        claims.take(socket, std::slice::from_ref(&address), report);
        listen.push(Listen {
            name: name.to_owned(),
            address,
        });
    }
    listen
}

fn address_of(
    socket: &Entry<'_>,
    field: &Entry<'_>,
    project: &Path,
    report: &mut Report<'_>,
) -> Option<ListenAddress> {
    if !socket.value.is_str() {
        let swallowed = field.value.is_table() && keys::of_process(None).contains(&socket.name);
        if swallowed {
            // TOML gives the last header everything that follows.
            report.reject(
                socket,
                format!(
                    "must be a string; the process's own {} goes above its listen table",
                    socket.name
                ),
            );
            return None;
        }
        let number = integer(socket.value).and_then(|number| address::no_address(&number));
        if let Some(advice) = number {
            report.reject(socket, advice);
            return None;
        }
    }
    let text = value::text(socket, report)?;
    address::listen(&text, project)
        .map_err(|advice| report.reject(socket, advice))
        .ok()
}

fn no_list(field: &Entry<'_>, project: &Path) -> String {
    let text = field.value.as_str();
    let whole = text.filter(|text| address::listen(text, project).is_ok());
    let digits = integer(field.value);
    let port = digits
        .as_deref()
        .or_else(|| text?.rsplit(':').next())
        .filter(|port| address::is_port(port));
    let example = whole.map_or_else(
        || format!("127.0.0.1:{}", port.unwrap_or("8080")),
        str::to_owned,
    );
    format!("must be a list of addresses, such as [{example:?}], or a table that names them")
}

/// The digits of a whole number, in decimal.
fn integer(value: &DeValue<'_>) -> Option<String> {
    let number = value.as_integer()?;
    let number = u64::from_str_radix(number.as_str(), number.radix()).ok()?;
    Some(number.to_string())
}

fn bad_name(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Some(format!(
            "the name of a socket has 1 to {LONGEST_NAME} bytes"
        ));
    }
    name.contains(|c: char| c == ':' || c.is_control())
        .then(|| "the name of a socket must not contain `:` or control characters".to_owned())
}

/// Node closes the sockets that it was handed for the programs that it starts.
fn refuse_node(field: &Entry<'_>, command: Option<&CommandLine>, report: &mut Report<'_>) {
    if let Some(name) = command.and_then(closes_sockets::culprit) {
        report.reject(
            field,
            format!(
                "cannot go through {name}, which closes the sockets for the program that it starts: \
                 use port instead, or start the server itself, such as command = [\"node\", \"server.js\"]"
            ),
        );
    }
}
