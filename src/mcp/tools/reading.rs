//! Tools that only look, or wait until there is something to see.

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::{
    GET_STATUS, LEAST_BYTES, MOST_BYTES, MOST_PATIENCE, SEARCH_BUILD_LOG, SEARCH_LOGS, USUAL_BYTES,
    WAIT_FOR, WAIT_PATIENCE, always_load, process,
};
use crate::{
    mcp::schema::{input, output},
    service::{StatusReport, WaitReport},
};

pub(super) fn get_status() -> Tool {
    let description = "\
What every process of this project does now: state, mode, run, pid, uptime, restarts, crashes and \
when the next attempt comes, whether connections are held and wait, how the last run ended, the last \
build, whether what runs is older than the newest build or the sources (`behind`), and the latest \
events. Answers at once, also while a build or a \
restart is under way, and does not keep dev mode alive.";
    Tool::new(GET_STATUS, description, input(json!({}), &[]))
        .with_title("What the processes do")
        .with_raw_output_schema(output::<StatusReport>())
        .with_annotations(reading())
        .with_meta(always_load())
}

pub(super) fn search_logs() -> Tool {
    let description = "\
Search what processes printed (stdout and stderr), or show their last lines: by default of the newest \
run. The first line of the answer says which run, how it ended, how many lines matched of how many, \
and how many are shown; what is left out is counted. A `cursor` line ends the head: give it as \
`after_cursor` later and only what is new comes, across restarts. Then the lines, oldest first: \
` * ` marks a match, three spaces mark context. What does not fit is cut out of the middle; equal \
lines are one row (`×412`). `level` finds errors and warnings in the usual forms of logs.";
    let parameters = search_parameters("run", "runs");
    Tool::new(SEARCH_LOGS, description, input(parameters, &[]))
        .with_title("Search the output of a process")
        .with_annotations(reading())
}

pub(super) fn search_build_log() -> Tool {
    let description = "\
Search what cargo printed in a build of a process, by default the newest: all errors and warnings, \
without colours. The answer looks like that of search_logs. With diagnostics: true instead each error and \
warning of the build once, errors first, with its place, the compiler's text, and whether it is new \
or was already there. Processes of type npm and command are \
not built.";
    let mut parameters = search_parameters("build", "builds");
    if let Some(parameters) = parameters.as_object_mut() {
        parameters.extend(diagnostics_parameters());
    }
    Tool::new(SEARCH_BUILD_LOG, description, input(parameters, &[]))
        .with_title("Search the output of a build")
        .with_annotations(reading())
}

pub(super) fn wait_for() -> Tool {
    let description = "\
Wait until something is so: `ready` (it serves, is ready, and nothing newer is on its way), `exit` \
(the run that serves now has ended), `log` (a line of the current run matches `pattern`, also one \
that was printed before), `build` (no build is under way). Answers at once when it is so already, \
and early when it can no longer come, such as `ready` of a stopped process. When time runs out \
`met` is false, which is no error: call it again to wait on. Better than asking get_status again and \
again. restart waits for its outcome by itself.";
    let parameters = json!({
        "process": process(),
        "until": {
            "type": "string",
            "enum": ["ready", "exit", "log", "build"],
            "description": "What to wait for."
        },
        "pattern": {
            "type": "string",
            "description": "Only for until `log`, and required there: a Rust regex that the line must \
                match. Case-sensitive unless it begins with (?i)."
        },
        "timeout_seconds": {
            "type": "number",
            "minimum": 0,
            "maximum": MOST_PATIENCE,
            "description": format!("How long to wait at most: {WAIT_PATIENCE} by default, 0 only \
                looks."),
        },
    });
    Tool::new(WAIT_FOR, description, input(parameters, &["until"]))
        .with_title("Wait for a process")
        .with_raw_output_schema(output::<WaitReport>())
        .with_annotations(reading())
}

fn search_parameters(one: &str, many: &str) -> Value {
    let mut parameters = json!({
        "process": {
            "type": "string",
            "description": "Name of the process, as get_status lists it. May be left out: then all \
                are searched, their lines merged by time, each with its name."
        },
        "processes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Instead of process: several names, whose lines are merged by time."
        },
    });
    let groups = [lines_wanted(), logs_wanted(one, many), form_wanted()];
    if let Value::Object(all) = &mut parameters {
        for group in groups {
            all.extend(group.as_object().cloned().unwrap_or_default());
        }
    }
    parameters
}

fn lines_wanted() -> Value {
    json!({
        "pattern": {
            "type": "string",
            "description": "Only lines that match this Rust regex. All lines without it."
        },
        "ignore_case": {
            "type": "boolean",
            "description": "Whether the pattern matches capitals and small letters alike. Default \
                false."
        },
        "invert": {
            "type": "boolean",
            "description": "Show the lines that do not match the pattern. Default false."
        },
        "level": {
            "type": "string",
            "enum": ["fatal", "error", "warn", "info", "debug", "trace"],
            "description": "Only lines that name this level or a worse one."
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
    })
}

fn logs_wanted(one: &str, many: &str) -> Value {
    let bound = "an age (90s, 5m, 2h, 1d), a time (2026-11-23T10:00:00Z) or a cursor (7:1042)";
    json!({
        "index": {
            "type": "integer",
            "description": format!("Which {one}: -1 (the default) is the most recent, -2 the one \
                before; 0 is the oldest of the {many} that are kept, 1 the one after.")
        },
        one: {
            "type": "integer",
            "minimum": 1,
            "description": format!("Instead of index: the number of the {one}.")
        },
        "since": {
            "type": "string",
            "description": format!("Only lines from then on: {bound}. With since, until or \
                after_cursor all kept {many} are searched, unless index or {one} is given.")
        },
        "until": {
            "type": "string",
            "description": "Only lines up to then, given like since."
        },
        "after_cursor": {
            "type": "string",
            "description": format!("Only what is new since an earlier answer gave this cursor. \
                Says when another {one} has begun and when lines are gone.")
        },
        "stream": {
            "type": "string",
            "enum": ["stdout", "stderr"],
            "description": "Only lines of this stream. Both without it."
        },
    })
}

/// What lists the findings of the compiler instead of lines.
fn diagnostics_parameters() -> JsonObject {
    let mut parameters = JsonObject::new();
    parameters.insert(
        "diagnostics".to_owned(),
        json!({
            "type": "boolean",
            "description": "true: each error and warning once, instead of lines. Only process, \
                index, build and max_bytes may stand beside it. Default false."
        }),
    );
    parameters
}

fn form_wanted() -> Value {
    json!({
        "collapse": {
            "type": "string",
            "enum": ["none", "equal", "similar"],
            "description": "Which neighbouring lines become one row: equal ones (the default; stack \
                traces are shortened), similar ones (they differ only in numbers, times and ids), or \
                none."
        },
        "detail": {
            "type": "boolean",
            "description": "Put its cursor and time (UTC) before each line. Default false."
        },
        "max_bytes": {
            "type": "integer",
            "minimum": LEAST_BYTES,
            "maximum": MOST_BYTES,
            "description": format!("How long the answer may be. Default {USUAL_BYTES}.")
        },
    })
}

fn reading() -> ToolAnnotations {
    ToolAnnotations::new()
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}
