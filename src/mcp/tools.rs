//! The declarations of the tools: names, descriptions, schemas, annotations. Their order is fixed.

mod orders;
mod reading;

use std::sync::LazyLock;

use rmcp::model::{MetaObject, Tool};
use serde_json::{Value, json};

use self::{
    orders::{restart, start, stop},
    reading::{get_status, search_build_log, search_logs, wait_for},
};

/// Builds and swaps.
pub(super) const RESTART: &str = "restart";
/// What everything does.
pub(super) const GET_STATUS: &str = "get_status";
/// What processes printed.
pub(super) const SEARCH_LOGS: &str = "search_logs";
/// What cargo printed.
pub(super) const SEARCH_BUILD_LOG: &str = "search_build_log";
/// Waits until something happens.
pub(super) const WAIT_FOR: &str = "wait_for";
/// Runs what was stopped.
pub(super) const START: &str = "start";
/// Ends a process, which stays so.
pub(super) const STOP: &str = "stop";

/// The longest time that a tool waits, in seconds.
pub(super) const MOST_PATIENCE: f64 = 3_600.0;
/// How long `wait_for` waits by default, in seconds: less than clients do.
pub(super) const WAIT_PATIENCE: f64 = 30.0;

/// The fewest bytes that an answer with log lines may be limited to.
pub(super) const LEAST_BYTES: usize = 500;
/// The most bytes that such an answer has, all in all: what clients show without cutting it.
pub(super) const MOST_BYTES: usize = 40_000;
/// The most bytes where the caller does not say how many he wants: a quarter of what an agent may read
/// at once is enough for a first look.
pub(super) const USUAL_BYTES: usize = 16_000;

/// All tools, in the order in which they are listed.
pub(super) static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    vec![
        restart(),
        get_status(),
        search_logs(),
        search_build_log(),
        wait_for(),
        start(),
        stop(),
    ]
});

/// The tool of this name.
pub(super) fn named(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

fn process() -> Value {
    json!({
        "type": "string",
        "description": "Name of the process, as get_status lists it. May be left out when there is \
            only one."
    })
}

/// Claude Code shows models only the names of tools until they are needed, but for these.
fn always_load() -> MetaObject {
    let mut meta = MetaObject::default();
    meta.0
        .insert("anthropic/alwaysLoad".to_owned(), json!(true));
    meta
}
