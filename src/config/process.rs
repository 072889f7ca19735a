//! One `[process.NAME]`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use bpm_actors::{
    ids::ProcessName,
    spec::{CargoTarget, CommandLine, CrashPolicy, ProcessSpec, ProcessType, Program},
};

use super::{
    claims::Claims,
    entry::{Entry, entries, find},
    keys,
    listen::Place,
    problem::Report,
    ready, sockets, value,
};

/// The longest time between SIGTERM and SIGKILL, in seconds: a day.
const MOST_GRACE: u32 = 86_400;
/// The longest time that a new child is watched for, in seconds: a day.
const MOST_STABLE: u32 = 86_400;
/// The longest name: it becomes the name of a folder.
const LONGEST_NAME: usize = 100;
/// Arguments of cargo that the daemon gives itself.
const OWN_CARGO_ARGS: [&str; 4] = ["--release", "-r", "--profile", "--message-format"];

/// What the file says about a process, before it is known whether it says enough.
#[derive(Default)]
struct Draft {
    cwd: Option<PathBuf>,
    env: Option<BTreeMap<String, String>>,
    stop_grace: Option<Duration>,
    stable: Option<Duration>,
    command: Option<CommandLine>,
    target: CargoTarget,
}

/// Reads one entry of the `process` table. `None` when something is wrong with it that leaves no
/// process to speak of; the report says what.
pub(super) fn read(
    process: &Entry<'_>,
    project: &Path,
    crash_policy: CrashPolicy,
    claims: &mut Claims,
    report: &mut Report<'_>,
) -> Option<ProcessSpec> {
    let name = name(process, report);
    let Some(table) = process.value.as_table() else {
        report.reject(process, no_table(process));
        return None;
    };
    let fields = entries(&process.path, table);
    let kind = kind(process, &fields, report);
    let draft = draft(&fields, kind, project, report);

    let place = Place {
        name: process.name,
        project,
        command: draft.command.as_ref(),
    };
    let sockets = sockets::read(&fields, place, claims, report);
    let drain = sockets::drain(&fields, report);
    let readiness = ready::read(&fields, &sockets, report);
    let watchdog = ready::watchdog(&fields, report);
    if matches!(kind, Some(ProcessType::Npm | ProcessType::Command)) {
        require_command(process, &fields, kind, report);
    }
    let program = match kind? {
        ProcessType::Rust => Program::Rust(draft.target),
        ProcessType::Npm => Program::Npm(draft.command?),
        ProcessType::Command => Program::Command(draft.command?),
    };
    let cwd = draft.cwd.unwrap_or_else(|| project.to_owned());
    let usual = ProcessSpec::new(name?, program, cwd, crash_policy);
    let stop_grace = draft.stop_grace.unwrap_or(usual.stop_grace);
    Some(ProcessSpec {
        env: draft.env.unwrap_or_default(),
        sockets,
        readiness: readiness.unwrap_or(usual.readiness),
        stop_grace,
        drain: drain.unwrap_or(stop_grace),
        stable: draft.stable.unwrap_or(usual.stable),
        watchdog,
        ..usual
    })
}

fn draft(
    fields: &[Entry<'_>],
    kind: Option<ProcessType>,
    project: &Path,
    report: &mut Report<'_>,
) -> Draft {
    let valid = keys::of_process(kind);
    let mut draft = Draft::default();
    let target = &mut draft.target;
    for field in fields {
        match field.name {
            "type" => {}
            name if !valid.contains(&name) => {
                report.reject(field, keys::not_in_process(name, kind));
            }
            "cwd" => draft.cwd = value::directory(field, project, report),
            "env" => draft.env = value::environment(field, report),
            "stop_grace_seconds" => draft.stop_grace = value::seconds(field, MOST_GRACE, report),
            "stable_seconds" => draft.stable = value::seconds(field, MOST_STABLE, report),
            "in_place" => target.in_place = value::flag(field, report).unwrap_or_default(),
            "target_dir" => target.target_dir = value::path(field, project, report),
            "args" => target.args = texts(field, report),
            "package" => target.package = value::word(field, report),
            "bin" => target.bin = value::word(field, report),
            "features" => target.features = words(field, report),
            "cargo_args" => target.cargo_args = cargo_args(field, report),
            // Read together, when all of them are there.
            "listen" | "port" | "overlap" | "drain_seconds" | "ready" | "settle_seconds"
            | "watchdog_seconds" => {}
            "command" => draft.command = value::command(field, report),
            name => report.reject(field, keys::not_in_process(name, kind)),
        }
    }
    draft
}

fn name(process: &Entry<'_>, report: &mut Report<'_>) -> Option<ProcessName> {
    if process.name.len() > LONGEST_NAME {
        report.reject(
            process,
            format!("a name has at most {LONGEST_NAME} characters"),
        );
        return None;
    }
    let name = process.name.parse();
    name.map_err(|error: bpm_actors::ids::BadName| report.reject(process, error.to_string()))
        .ok()
}

fn no_table(process: &Entry<'_>) -> String {
    if keys::of_process(None).contains(&process.name) {
        return "belongs to a process with a name: write [process.NAME] above it".to_owned();
    }
    format!(
        "must be a table: write [{}] with its keys below",
        process.path
    )
}

fn kind(process: &Entry<'_>, fields: &[Entry<'_>], report: &mut Report<'_>) -> Option<ProcessType> {
    let Some(field) = find(fields, "type") else {
        if !keys::is_misspelt("type", &keys::of_process(None), fields) {
            report.reject(process, "lacks a type: \"rust\", \"npm\" or \"command\"");
        }
        return None;
    };
    let text = field.value.as_str();
    let kind = text.and_then(keys::process_type);
    if kind.is_none() {
        let meant = text.and_then(|text| keys::nearest(text, &keys::TYPES));
        let hint = meant.map(|meant| format!(", did you mean \"{meant}\"?"));
        report.reject(
            field,
            format!(
                "must be \"rust\", \"npm\" or \"command\"{}",
                hint.unwrap_or_default()
            ),
        );
    }
    kind
}

fn require_command(
    process: &Entry<'_>,
    fields: &[Entry<'_>],
    kind: Option<ProcessType>,
    report: &mut Report<'_>,
) {
    let there = fields.iter().any(|field| field.name == "command");
    if !there && !keys::is_misspelt("command", &keys::of_process(kind), fields) {
        report.reject(
            process,
            "lacks a command, such as command = [\"npm\", \"run\", \"dev\"]",
        );
    }
}

fn cargo_args(field: &Entry<'_>, report: &mut Report<'_>) -> Vec<String> {
    let args = words(field, report);
    for arg in &args {
        let option = arg.split('=').next().unwrap_or_default();
        if OWN_CARGO_ARGS.contains(&option) {
            report.reject(
                field,
                format!("must not contain {option}, which the daemon decides"),
            );
        }
    }
    args
}

fn texts(field: &Entry<'_>, report: &mut Report<'_>) -> Vec<String> {
    value::list(field, report, value::text).unwrap_or_default()
}

fn words(field: &Entry<'_>, report: &mut Report<'_>) -> Vec<String> {
    value::list(field, report, value::word).unwrap_or_default()
}
