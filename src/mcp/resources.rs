//! What clients can attach by an address: the status, and the latest output of each process. The
//! tools say more; these are for clients that mention resources.

use bpm_actors::{search::LogKind, spec::ProcessType};
use rmcp::{
    ErrorData,
    model::{Resource, ResourceTemplate},
};
use serde_json::json;

/// The address of the status.
const STATUS: &str = "bpm://status";
/// What the addresses of runs begin with.
const LOGS: &str = "bpm://logs/";
/// What the addresses of builds begin with.
const BUILDS: &str = "bpm://builds/";

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// How much of an unknown address is repeated, in characters.
const REPEATED: usize = 200;

/// What is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The object of `get_status`.
    Status,
    /// The latest output of this process.
    Log(LogKind, &'a str),
}

impl<'a> Place<'a> {
    /// What is at this address, where these are the processes. `None`: nothing.
    pub(super) fn of(uri: &'a str, processes: &[(&str, ProcessType)]) -> Option<Self> {
        if uri == STATUS {
            return Some(Self::Status);
        }
        let (kind, name) = if let Some(name) = uri.strip_prefix(LOGS) {
            (LogKind::Runs, name)
        } else {
            (LogKind::Builds, uri.strip_prefix(BUILDS)?)
        };
        let there = processes.iter().any(|(known, of)| {
            *known == name && (kind == LogKind::Runs || *of == ProcessType::Rust)
        });
        there.then_some(Self::Log(kind, name))
    }

    /// The form of what is there.
    pub(super) fn mime_type(self) -> &'static str {
        match self {
            Self::Status => JSON,
            Self::Log(..) => TEXT,
        }
    }
}

/// All that there is, in the order of the file.
pub(super) fn list(processes: &[(&str, ProcessType)]) -> Vec<Resource> {
    let status = Resource::new(STATUS, "status")
        .with_title("What the processes do")
        .with_description("What every process of this project does now, as get_status answers it.")
        .with_mime_type(JSON);
    let of_process = processes.iter().flat_map(|(name, kind)| {
        let log = Resource::new(format!("{LOGS}{name}"), format!("{name} log"))
            .with_title(format!("Output of {name}"))
            .with_description(format!(
                "The last lines that {name} printed in its latest run."
            ))
            .with_mime_type(TEXT);
        let build = (*kind == ProcessType::Rust).then(|| {
            Resource::new(format!("{BUILDS}{name}"), format!("{name} build log"))
                .with_title(format!("Build of {name}"))
                .with_description(format!("What cargo printed in the latest build of {name}."))
                .with_mime_type(TEXT)
        });
        [Some(log), build].into_iter().flatten()
    });
    [status].into_iter().chain(of_process).collect()
}

/// How the addresses of all processes look.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{LOGS}{{process}}"), "log")
            .with_title("Output of a process")
            .with_description("The last lines that a process printed in its latest run.")
            .with_mime_type(TEXT),
        ResourceTemplate::new(format!("{BUILDS}{{process}}"), "build log")
            .with_title("Build of a process")
            .with_description("What cargo printed in the latest build of a process of type rust.")
            .with_mime_type(TEXT),
    ]
}

/// There is nothing at this address.
pub(super) fn not_found(uri: &str, processes: &[(&str, ProcessType)]) -> ErrorData {
    let known: Vec<_> = list(processes).into_iter().map(|it| it.uri).collect();
    let uri: String = uri.chars().take(REPEATED).collect();
    let text = format!("there is no resource `{uri}`; known: {}", known.join(", "));
    ErrorData::resource_not_found(text, Some(json!({ "uri": uri })))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESSES: [(&str, ProcessType); 2] =
        [("main", ProcessType::Rust), ("web", ProcessType::Npm)];

    #[test]
    fn an_address_is_found_as_it_is_listed_and_in_no_other_form() {
        let uris: Vec<_> = list(&PROCESSES).into_iter().map(|it| it.uri).collect();
        assert_eq!(
            uris,
            [
                "bpm://status",
                "bpm://logs/main",
                "bpm://builds/main",
                "bpm://logs/web"
            ]
        );
        let places: Vec<_> = uris.iter().map(|uri| Place::of(uri, &PROCESSES)).collect();
        assert_eq!(
            places,
            [
                Some(Place::Status),
                Some(Place::Log(LogKind::Runs, "main")),
                Some(Place::Log(LogKind::Builds, "main")),
                Some(Place::Log(LogKind::Runs, "web")),
            ]
        );
        for uri in [
            "",
            "bpm://status/",
            "bpm://logs/",
            "bpm://logs/Main",
            "bpm://logs/main/",
            "bpm://logs/%6dain",
            "bpm://builds/web",
            "bpm://builds/{process}",
            "file:///etc/passwd",
        ] {
            assert_eq!(Place::of(uri, &PROCESSES), None, "{uri}");
        }
    }

    #[test]
    fn what_is_not_there_names_what_is() {
        let error = not_found(&"x".repeat(5_000), &PROCESSES);
        assert!(error.message.len() < 500, "{}", error.message);
        assert!(
            error.message.ends_with(
                "known: bpm://status, bpm://logs/main, bpm://builds/main, bpm://logs/web"
            )
        );
    }
}
