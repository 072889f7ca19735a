//! Tools that change what runs.

use bpm_actors::report::RestartReport;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::{MOST_PATIENCE, RESTART, START, STOP, always_load, process};
use crate::mcp::schema::{input, output};

pub(super) fn restart() -> Tool {
    let description = "\
Build a process from the current sources and swap the new version in; the answer says whether the \
change is live. Call it after every change of code. The old version keeps serving while cargo \
builds, and for good if the build fails. Where the daemon holds the process's port, the new version \
starts beside the old one and takes over when it is ready, and no connection is refused; else the \
old one is stopped first. A new version that dies or is not ready in time is rolled back: the last \
good one serves, data is never touched. `ok: true`: the new version is live and ready. Otherwise \
`outcome`, `reason`, `errors` (file, line, column, message, rendered), `exit` and `last_lines` say \
why, and `next` says what to do. A process of type npm or command is not built. Works in every \
state: crashed, stopped, waiting and building processes too. Puts the process into dev mode.";
    let parameters = parameters("`building` and the restart goes on");
    Tool::new(RESTART, description, input(parameters, &[]))
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

pub(super) fn start() -> Tool {
    let description = "\
Run a process that was stopped, in the mode it had; it is built first. One that runs already is left \
alone (`running`): restart brings in changed code. `ok: true`: it runs and is ready. Otherwise the \
answer says why, as that of restart does.";
    let parameters = parameters("`building` and the start goes on");
    Tool::new(START, description, input(parameters, &[]))
        .with_title("Start a stopped process")
        .with_raw_output_schema(output::<RestartReport>())
        .with_annotations(
            ToolAnnotations::new()
                .read_only(false)
                .destructive(false)
                .idempotent(true)
                .open_world(false),
        )
}

pub(super) fn stop() -> Tool {
    let description = "\
End a process with all its children and keep it stopped, whatever happens, until start or restart. \
It gets SIGTERM, its grace, then SIGKILL. `ok: true` (`stopped`): nobody of it is left. Not needed \
before restart, nor for a change of code.";
    let parameters = parameters("`stopping` and stopping goes on");
    Tool::new(STOP, description, input(parameters, &[]))
        .with_title("Stop a process")
        .with_raw_output_schema(output::<RestartReport>())
        .with_annotations(
            ToolAnnotations::new()
                .read_only(false)
                // What the process held in memory is gone.
                .destructive(true)
                .idempotent(true)
                .open_world(false),
        )
}

fn parameters(time_up: &str) -> Value {
    json!({
        "process": process(),
        "timeout_seconds": {
            "type": "number",
            "minimum": 0,
            "maximum": MOST_PATIENCE,
            "description": format!("How long to wait for the outcome: 50 by default, 600 for \
                clients that ask for progress. When time runs out the answer is {time_up}; that is \
                no error."),
        },
    })
}
