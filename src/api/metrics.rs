//! `GET /metrics`: status and usage in the text format of Prometheus.

use std::fmt::{Display, Write as _};

use bpm_actors::{
    report::{BuildOutcome, Health, ProcessReport, StateName},
    spec::Mode,
};

use crate::service::{ProcessUsage, StatusReport, UsageReport};

/// The type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const STATES: [(StateName, &str); 6] = [
    (StateName::Stopped, "stopped"),
    (StateName::Building, "building"),
    (StateName::Proving, "proving"),
    (StateName::Running, "running"),
    (StateName::Stopping, "stopping"),
    (StateName::BackingOff, "backing_off"),
];

/// The text.
pub(super) fn text(status: &StatusReport, usage: &UsageReport) -> String {
    let mut page = Page(String::new());
    page.family("bpm_info", "gauge", "The daemon, by its version.");
    page.sample("bpm_info", &[("version", &status.version)], 1);
    page.family("bpm_dev_mode", "gauge", "1 while any process is in dev.");
    page.sample("bpm_dev_mode", &[], u8::from(status.mode == Mode::Dev));

    let name = "bpm_process_state";
    page.family(name, "gauge", "1 for the state that the process is in.");
    for process in &status.processes {
        for (state, word) in STATES {
            let labels = [("process", process.name.as_str()), ("state", word)];
            page.sample(name, &labels, u8::from(process.state == state));
        }
    }
    for (name, kind, help, value) in OF_STATUS {
        page.family(name, kind, help);
        for process in &status.processes {
            page.of_process(name, &process.name, value(process));
        }
    }
    for (name, kind, help, value) in OF_USAGE {
        page.family(name, kind, help);
        for process in &usage.processes {
            page.of_process(name, &process.process, value(process));
        }
    }
    page.0
}

type Family<T> = (
    &'static str,
    &'static str,
    &'static str,
    fn(&T) -> Option<f64>,
);

#[expect(
    clippy::cast_precision_loss,
    reason = "samples are floating point numbers, and nothing is counted so far"
)]
const OF_STATUS: [Family<ProcessReport>; 11] = [
    (
        "bpm_process_serving",
        "gauge",
        "1 while a child works.",
        |it| Some(f64::from(u8::from(it.serving))),
    ),
    (
        "bpm_process_ready",
        "gauge",
        "1 while what runs is known to be ready.",
        |it| Some(f64::from(u8::from(it.health == Some(Health::Ready)))),
    ),
    (
        "bpm_process_behind",
        "gauge",
        "1 while what runs is not the newest.",
        |it| Some(f64::from(u8::from(it.behind.is_some()))),
    ),
    (
        "bpm_process_run",
        "gauge",
        "Number of the run that serves.",
        |it| it.run.map(|it| it.0 as f64),
    ),
    (
        "bpm_process_uptime_seconds",
        "gauge",
        "How long the run that serves has been up.",
        |it| it.uptime_seconds,
    ),
    (
        "bpm_process_restarts_total",
        "counter",
        "Requested restarts since the start of the daemon.",
        |it| Some(it.restarts as f64),
    ),
    (
        "bpm_process_crashes_total",
        "counter",
        "Crashes since the start of the daemon.",
        |it| Some(it.crashes as f64),
    ),
    (
        "bpm_process_next_attempt_seconds",
        "gauge",
        "Time until the next attempt of a process that backs off.",
        |it| it.next_attempt_in_seconds,
    ),
    (
        "bpm_process_last_build_seconds",
        "gauge",
        "How long the last build took.",
        |it| it.last_build.as_ref().map(|it| it.seconds),
    ),
    (
        "bpm_process_last_build_ok",
        "gauge",
        "1 where the last build succeeded.",
        |it| {
            let build = it.last_build.as_ref()?;
            Some(f64::from(u8::from(build.outcome == BuildOutcome::Ok)))
        },
    ),
    (
        "bpm_process_last_build_errors",
        "gauge",
        "Errors of the last build.",
        |it| it.last_build.as_ref().map(|it| it.errors as f64),
    ),
];

#[expect(
    clippy::cast_precision_loss,
    reason = "samples are floating point numbers, and no memory is so large"
)]
const OF_USAGE: [Family<ProcessUsage>; 3] = [
    (
        "bpm_process_cpu_seconds",
        "gauge",
        "CPU time of the process and its children that run; begins anew with a run.",
        |it| it.cpu_seconds,
    ),
    (
        "bpm_process_resident_bytes",
        "gauge",
        "Memory of the process and its children.",
        |it| it.resident_bytes.map(|it| it as f64),
    ),
    (
        "bpm_process_tasks",
        "gauge",
        "Threads of the process and its children.",
        |it| it.tasks.map(|it| it as f64),
    ),
];

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// What is not known is left out.
    fn of_process(&mut self, name: &str, process: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.sample(name, &[("process", process)], value);
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(self.0, "{before}{label}=\"{}\"", text.replace('\n', "\\n"));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_prometheus_reads_them() {
        let mut page = Page(String::new());
        page.family("a", "gauge", "What it is.");
        page.sample("a", &[], 1);
        page.sample("a", &[("x", "1"), ("y", "a\"\\\nb")], 0.25);
        page.of_process("a", "main", None);
        assert_eq!(
            page.0,
            "# HELP a What it is.\n# TYPE a gauge\na 1\na{x=\"1\",y=\"a\\\"\\\\\\nb\"} 0.25\n"
        );
    }
}
