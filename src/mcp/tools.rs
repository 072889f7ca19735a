//! The declarations of the tools: names, descriptions, schemas, annotations. Their order is fixed.

use std::sync::LazyLock;

use bpm_actors::report::RestartReport;
use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::schema::{input, output};
use crate::service::StatusReport;

/// Builds and swaps.
pub(super) const RESTART: &str = "restart";
/// What everything does.
pub(super) const GET_STATUS: &str = "get_status";
/// What processes printed.
pub(super) const SEARCH_LOGS: &str = "search_logs";
/// What cargo printed.
pub(super) const SEARCH_BUILD_LOG: &str = "search_build_log";

/// The longest time that `restart` waits, in seconds.
pub(super) const MOST_PATIENCE: f64 = 3_600.0;

/// All tools, in the order in which they are listed.
pub(super) static TOOLS: LazyLock<Vec<Tool>> =
    LazyLock::new(|| vec![restart(), get_status(), search_logs(), search_build_log()]);

/// The tool of this name.
pub(super) fn named(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

fn restart() -> Tool {
    let description = "\
Build a process from the current sources and swap the new version in; the answer says whether the \
change is live. Call it after every change of code. The old version keeps serving while cargo \
builds, and for good if the build fails. `ok: true`: the new version runs. Otherwise `outcome` and \
`errors` (file, line, column, message, rendered), or `exit` and `last_lines`, say why, and `next` \
says what to do. A process of type npm or command is stopped and started. Works in every state: \
crashed, stopped, waiting and building processes too. Puts the process into dev mode.";
    let parameters = json!({
        "process": process(),
        "timeout_seconds": {
            "type": "number",
            "minimum": 0,
            "maximum": MOST_PATIENCE,
            "description": "How long to wait for the outcome: 50 by default, 600 for clients that \
                ask for progress. When time runs out the answer is `building` and the restart goes on."
        },
    });
    Tool::new(RESTART, description, input(parameters))
        .with_title("Restart a process with the current code")
        .with_raw_output_schema(output::<RestartReport>())
        .with_annotations(
            ToolAnnotations::new()
                .read_only(false)
                // What the old process held in memory is gone.
                .destructive(true)
                .idempotent(false)
                .open_world(false),
        )
        .with_meta(always_load())
}

fn get_status() -> Tool {
    let description = "\
What every process of this project does now: state, mode, run, pid, uptime, restarts, crashes and \
when the next attempt comes, how the last run ended, the last build, whether what runs is older \
than the newest build (`behind`), and the latest events. Answers at once, also while a build or a \
restart is under way, and does not keep dev mode alive.";
    Tool::new(GET_STATUS, description, input(json!({})))
        .with_title("What the processes do")
        .with_raw_output_schema(output::<StatusReport>())
        .with_annotations(reading())
        .with_meta(always_load())
}

fn search_logs() -> Tool {
    let description = "\
Search what a process printed (stdout and stderr) in one run, or show its last lines. The first \
line of the answer says which run, how it ended, how many lines matched of how many, and what was \
left out. Then the lines, oldest first: ` * ` marks a match, three spaces mark context. Without \
head and tail: the last lines that fit into the answer.";
    let parameters = search_parameters("run", "runs");
    Tool::new(SEARCH_LOGS, description, input(parameters))
        .with_title("Search the output of a process")
        .with_annotations(reading())
}

fn search_build_log() -> Tool {
    let description = "\
Search what cargo printed in one build of a process: all errors and warnings, without colours. The \
answer looks like that of search_logs. Processes of type npm and command are not built.";
    let parameters = search_parameters("build", "builds");
    Tool::new(SEARCH_BUILD_LOG, description, input(parameters))
        .with_title("Search the output of a build")
        .with_annotations(reading())
}

fn search_parameters(one: &str, many: &str) -> Value {
    json!({
        "process": process(),
        "pattern": {
            "type": "string",
            "description": "Only lines that match this Rust regex. Case-sensitive unless it begins \
                with (?i). All lines without it."
        },
        "context_lines": {
            "type": "integer",
            "minimum": 0,
            "description": "How many lines to show before and after each match. Default 0."
        },
        "head": {
            "type": "integer",
            "minimum": 0,
            "description": "Show only the first so many matches; 0 only counts them."
        },
        "tail": {
            "type": "integer",
            "minimum": 0,
            "description": "Show only the last so many matches; 0 only counts them. Wins over head."
        },
        "index": {
            "type": "integer",
            "description": format!("Which {one}: -1 (the default) is the most recent, -2 the one \
                before; 0 is the oldest of the {many} that are kept, 1 the one after.")
        },
        "stream": {
            "type": "string",
            "enum": ["stdout", "stderr"],
            "description": "Only lines of this stream. Both without it."
        },
    })
}

fn process() -> Value {
    json!({
        "type": "string",
        "description": "Name of the process, as get_status lists it. May be left out when there is \
            only one."
    })
}

fn reading() -> ToolAnnotations {
    ToolAnnotations::new()
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

/// Claude Code shows models only the names of tools until they are needed, but for these.
fn always_load() -> MetaObject {
    let mut meta = MetaObject::default();
    meta.0
        .insert("anthropic/alwaysLoad".to_owned(), json!(true));
    meta
}
