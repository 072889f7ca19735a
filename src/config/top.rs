//! The file as a whole.

use std::{path::Path, time::Duration};

use bpm_actors::spec::{CrashPolicy, ProcessSpec};
use toml::de::DeTable;

use super::{
    Config, FILE_NAME, InvalidConfig, Reload,
    claims::Claims,
    entry::{Entry, entries, find},
    keys, logs,
    problem::Report,
    process, value,
};

const DEV_TIMEOUT: Duration = Duration::from_hours(3);
/// The longest wait after a crash, in seconds: ten years.
const MOST_WAIT: u32 = 315_360_000;
/// The shortest idle time: what an absurdly small number of hours is rounded up to.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

const INITIAL: &str = "release_crash_backoff_initial_seconds";
const MAX: &str = "release_crash_backoff_max_seconds";

/// Parses and checks the text of a `.mcp-run`.
pub(super) fn parse(text: &str, project: &Path) -> Result<Config, InvalidConfig> {
    let mut report = Report::new(text);
    let config = match DeTable::parse(text) {
        Ok(table) => read(&entries("", table.get_ref()), project, &mut report),
        Err(error) => {
            let at = error.span().map_or(text.len(), |span| span.start);
            report.reject_syntax(at, error.message());
            None
        }
    };
    let problems = report.into_problems();
    config
        .filter(|_| problems.is_empty())
        .ok_or_else(|| InvalidConfig {
            file: project.join(FILE_NAME),
            problems,
        })
}

fn read(fields: &[Entry<'_>], project: &Path, report: &mut Report<'_>) -> Option<Config> {
    let mut mcp_port = None;
    let mut token = None;
    let mut dev_timeout = None;
    let mut waits = Waits::default();
    let mut reload = None;
    let mut kept = None;
    let mut processes = None;
    for field in fields {
        match field.name {
            "mcp_port" => mcp_port = value::port(field, report),
            "token" => token = value::flag(field, report),
            "dev_timeout_hours" => dev_timeout = value::hours(field, report),
            "dev_crash_wait_seconds" => waits.dev = value::seconds(field, MOST_WAIT, report),
            INITIAL => waits.initial = value::seconds(field, MOST_WAIT, report),
            MAX => waits.max = value::seconds(field, MOST_WAIT, report),
            "reload" => reload = when_to_reload(field, report),
            "logs" => kept = Some(field),
            // Read below, when the waits are known.
            "process" => processes = Some(field),
            name => report.reject(field, keys::not_at_the_top(name)),
        }
    }
    waits.check(fields, report);
    require_port(fields, processes, report);
    let logs = logs::read(kept, report);
    if processes.is_none() && !keys::is_misspelt("process", &keys::TOP, fields) {
        report.lacks("lacks a process: add a [process.NAME] table");
    }
    let mut claims = Claims::default();
    if let (Some(field), Some(port)) = (find(fields, "mcp_port"), mcp_port) {
        claims.take_mcp(field, port, report);
    }
    Some(Config {
        project_dir: project.to_owned(),
        file: project.join(FILE_NAME),
        processes: read_processes(processes?, project, waits.policy(), &mut claims, report),
        mcp_port: mcp_port?,
        token: token.unwrap_or(false),
        dev_timeout: dev_timeout.unwrap_or(DEV_TIMEOUT).max(LEAST_TIMEOUT),
        reload: reload.unwrap_or_default(),
        logs,
    })
}

fn read_processes(
    field: &Entry<'_>,
    project: &Path,
    policy: CrashPolicy,
    claims: &mut Claims,
    report: &mut Report<'_>,
) -> Vec<ProcessSpec> {
    let Some(table) = field.value.as_table() else {
        report.reject(
            field,
            "must be tables with a name each: write [process.NAME]",
        );
        return Vec::new();
    };
    let processes = entries(&field.path, table);
    if processes.is_empty() {
        report.reject(field, "lacks a process: add a [process.NAME] table");
    }
    processes
        .iter()
        .filter_map(|entry| process::read(entry, project, policy, claims, report))
        .collect()
}

fn when_to_reload(field: &Entry<'_>, report: &mut Report<'_>) -> Option<Reload> {
    match field.value.as_str() {
        Some("auto") => Some(Reload::Auto),
        Some("manual") => Some(Reload::Manual),
        _ => {
            report.reject(field, "must be \"auto\" or \"manual\"");
            None
        }
    }
}

fn require_port(fields: &[Entry<'_>], processes: Option<&Entry<'_>>, report: &mut Report<'_>) {
    let there = fields.iter().any(|field| field.name == "mcp_port");
    // Below a header it becomes that table's, and is reported there.
    let misplaced = processes
        .and_then(|field| field.value.as_table())
        .is_some_and(|table| {
            let mut tables = table
                .values()
                .filter_map(|process| process.get_ref().as_table());
            tables.any(|process| process.contains_key("mcp_port"))
        })
        || find(fields, "logs")
            .and_then(|field| field.value.as_table())
            .is_some_and(|table| table.contains_key("mcp_port"));
    if !there && !misplaced && !keys::is_misspelt("mcp_port", &keys::TOP, fields) {
        report.lacks(
            "lacks mcp_port: add mcp_port = 3001 as the first line, or 0 to let the system choose",
        );
    }
}

/// What the file says about waits after crashes.
#[derive(Default)]
struct Waits {
    dev: Option<Duration>,
    initial: Option<Duration>,
    max: Option<Duration>,
}

impl Waits {
    const DEV: Duration = Duration::from_mins(2);
    const INITIAL: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_mins(5);

    /// A first wait that somebody wrote down must not be above the longest one. The default may:
    /// who writes only a short longest wait means just that, and waits are capped.
    fn check(&self, fields: &[Entry<'_>], report: &mut Report<'_>) {
        let (Some(initial), Some(field)) = (self.initial, find(fields, INITIAL)) else {
            return;
        };
        // Where it is there but wrong, that is said already.
        let default = fields.iter().all(|field| field.name != MAX);
        let Some(max) = self.max.or(default.then_some(Self::MAX)) else {
            return;
        };
        if initial > max {
            let origin = if default { " by default" } else { "" };
            report.reject(
                field,
                format!(
                    "must not be above {MAX}, which is {}{origin}",
                    max.as_secs_f64()
                ),
            );
        }
    }

    fn policy(&self) -> CrashPolicy {
        let release_max = self.max.unwrap_or(Self::MAX);
        CrashPolicy {
            dev_wait: self.dev.unwrap_or(Self::DEV),
            release_initial: self.initial.unwrap_or(Self::INITIAL).min(release_max),
            release_max,
        }
    }
}
