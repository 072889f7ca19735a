//! When a new child counts as ready: `ready`, `settle_seconds` and `watchdog_seconds`.

use std::time::Duration;

use bpm_actors::{
    pattern::Pattern,
    spec::{LinePattern, Probe, Readiness, Sockets},
};
use toml::de::DeValue;

use super::{
    entry::{Entry, entries, find},
    keys,
    problem::Report,
    sockets::refuse_variables,
    target::{self, Public},
    value,
};

/// The longest time that anything here may take, in seconds: a day.
const MOST: u32 = 86_400;
/// How long a probe may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads `ready` or `settle_seconds`; `None` where the file says nothing or something wrong.
pub(super) fn read(
    fields: &[Entry<'_>],
    sockets: &Sockets,
    report: &mut Report<'_>,
) -> Option<Readiness> {
    let settle = find(fields, "settle_seconds");
    if let Some(ready) = find(fields, "ready") {
        if let Some(settle) = settle {
            let there = report.place(ready);
            report.reject(
                settle,
                format!("has no effect beside {there}, which says when the program is ready"),
            );
        }
        return read_table(ready, fields, sockets, report);
    }
    value::seconds(settle?, MOST, report).map(Readiness::Settle)
}

/// Reads `watchdog_seconds`.
pub(super) fn watchdog(fields: &[Entry<'_>], report: &mut Report<'_>) -> Option<Duration> {
    let field = find(fields, "watchdog_seconds")?;
    refuse_variables(
        fields,
        &["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"],
        report,
    );
    value::seconds_above_zero(field, MOST, report)
}

fn read_table(
    ready: &Entry<'_>,
    process: &[Entry<'_>],
    sockets: &Sockets,
    report: &mut Report<'_>,
) -> Option<Readiness> {
    let Some(table) = ready.value.as_table() else {
        report.reject(ready, no_table(ready.value));
        return None;
    };
    let fields = entries(&ready.path, table);
    let public = match sockets {
        Sockets::Relayed { public, .. } => Public::At(public),
        // Beside `listen` a `port` is an error already.
        _ if find(process, "port").is_some() => Public::At(&[]),
        _ => Public::Absent,
    };
    let mut timeout = None;
    let mut probe = None;
    let mut first = None;
    for field in &fields {
        match field.name {
            "timeout_seconds" => timeout = value::seconds_above_zero(field, MOST, report),
            name if keys::PROBES.contains(&name) => {
                if let Some(first) = first {
                    let there = report.place(first);
                    report.reject(
                        field,
                        format!(
                            "cannot stand beside {there}: ready has exactly one of {}",
                            keys::PROBES.join(", ")
                        ),
                    );
                }
                first = first.or(Some(field));
                probe = read_probe(field, public, report);
                if name == "notify" && find(process, "watchdog_seconds").is_none() {
                    refuse_variables(process, &["NOTIFY_SOCKET"], report);
                }
            }
            name => report.reject(field, keys::not_in_ready(name)),
        }
    }
    if first.is_none() && !means_a_probe(&fields) {
        report.reject(
            ready,
            format!(
                "lacks one of {}, such as ready = {{ http = \"http://127.0.0.1:8080/\" }}",
                keys::PROBES.join(", ")
            ),
        );
    }
    Some(Readiness::Probe {
        probe: probe?,
        timeout: timeout.unwrap_or(TIMEOUT),
    })
}

/// Whether one of the unknown keys was probably meant to be a probe.
fn means_a_probe(fields: &[Entry<'_>]) -> bool {
    let valid = keys::of_ready();
    keys::PROBES
        .iter()
        .any(|probe| keys::is_misspelt(probe, &valid, fields))
}

fn read_probe(field: &Entry<'_>, public: Public<'_>, report: &mut Report<'_>) -> Option<Probe> {
    if field.name == "exec" {
        return value::command(field, report).map(Probe::Exec);
    }
    if field.name == "notify" {
        let yes = value::flag(field, report)?;
        if !yes {
            report.reject(field, "must be true, or leave ready out");
        }
        return Some(Probe::Notify);
    }
    let text = value::text(field, report)?;
    let probe = match field.name {
        "http" => target::http(&text, public),
        "tcp" => target::tcp(&text, public).map(Probe::Tcp),
        _ => pattern(text).map(Probe::Log),
    };
    probe.map_err(|advice| report.reject(field, advice)).ok()
}

fn pattern(text: String) -> Result<LinePattern, String> {
    if text.is_empty() {
        return Err("must be a regular expression that says something".to_owned());
    }
    let pattern = Pattern::parse(&text).map_err(|error| {
        // The lines before the last show the pattern, which the report does anyway.
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default();
        let cause = last.strip_prefix("error: ").unwrap_or(last);
        format!("must be a regular expression: {cause}")
    })?;
    Ok(LinePattern { text, pattern })
}

fn no_table(value: &DeValue<'_>) -> String {
    let meant = match value {
        DeValue::String(text) if text.contains("://") => format!("http = {text:?}"),
        DeValue::String(text) if text == "notify" => "notify = true".to_owned(),
        DeValue::String(text) if target::tcp(text, Public::At(&[])).is_ok() => {
            format!("tcp = {text:?}")
        }
        DeValue::Array(_) => "exec = [\"./check\"]".to_owned(),
        _ => "http = \"http://127.0.0.1:8080/\"".to_owned(),
    };
    format!("must be a table: write ready = {{ {meant} }}")
}
