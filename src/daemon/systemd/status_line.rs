//! One line about everything, as `systemctl status` shows it: `2 running, 1 building · dev, 2 h 10 min
//! to release`.

use std::time::Duration;

use bpm_actors::{
    report::{Behind, ProcessReport, StateName},
    spec::Mode,
};

use crate::service::StatusReport;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// From here on hours are exact enough.
const LONG: u64 = 2 * DAY;

/// What can be told of a process in one word, in the order in which it is told.
const WORDS: [&str; 6] = [
    "running",
    "starting",
    "building",
    "backing off",
    "stopping",
    "stopped",
];

/// The line.
pub(super) fn line(status: &StatusReport) -> String {
    let mut parts = vec![counts(&status.processes)];
    parts.extend(status.processes.iter().filter_map(behind));
    if status.config_error.is_some() {
        parts.push("the configuration is wrong, the one before holds".to_owned());
    }
    parts.push(match (status.mode, status.release_in_seconds) {
        (Mode::Release, _) => "release".to_owned(),
        (Mode::Dev, None) => "dev".to_owned(),
        (Mode::Dev, Some(seconds)) => format!("dev, {} to release", wait(whole(seconds))),
    });
    parts.join(" · ")
}

/// After which time the line is another one although nothing has happened.
pub(super) fn lasts(status: &StatusReport) -> Option<Duration> {
    // While release is built nothing of it changes with time.
    let seconds = status.release_in_seconds.filter(|left| *left > 0.0)?;
    let shown = whole(seconds);
    let step = if shown > LONG { HOUR } else { MINUTE };
    // The wait is rounded up: it changes when a whole number of minutes is left, and a bit later
    // for sure.
    let steps = shown.div_ceil(step).saturating_sub(1);
    let time =
        Duration::from_secs_f64(seconds.max(0.0)).saturating_sub(Duration::from_secs(steps * step));
    Some(time + Duration::from_millis(100))
}

fn counts(processes: &[ProcessReport]) -> String {
    let mut said = Vec::new();
    for word in WORDS {
        let of_word = processes
            .iter()
            .filter(|process| self::word(process) == word);
        let count = of_word.clone().count();
        if count == 0 {
            continue;
        }
        let building = of_word
            .filter(|process| process.serving && process.state == StateName::Building)
            .count();
        said.push(if building == 0 {
            format!("{count} {word}")
        } else {
            format!("{count} {word} ({building} building)")
        });
    }
    said.join(", ")
}

fn word(process: &ProcessReport) -> &'static str {
    match process.state {
        _ if process.serving => "running",
        StateName::Running => "running",
        StateName::Proving => "starting",
        StateName::Building => "building",
        StateName::BackingOff => "backing off",
        StateName::Stopping => "stopping",
        StateName::Stopped => "stopped",
    }
}

/// That older code runs, where that will not end by itself. Whether sources were changed is not looked
/// at unasked, so that is left out.
fn behind(process: &ProcessReport) -> Option<String> {
    let why = match process.behind? {
        Behind::BuildFailed => "build failed, older code runs",
        Behind::RolledBack => "rolled back, older code runs",
        Behind::SourcesChanged => return None,
    };
    Some(format!("{}: {why}", process.name))
}

/// Whole seconds, rounded up: a wait that is not over is not 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a year, and not negative"
)]
fn whole(seconds: f64) -> u64 {
    seconds.max(0.0).ceil() as u64
}

fn wait(seconds: u64) -> String {
    if seconds > LONG {
        let hours = seconds.div_ceil(HOUR);
        return format!("{} d {} h", hours / 24, hours % 24);
    }
    let minutes = seconds.div_ceil(MINUTE);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use bpm_actors::{report::Connections, spec::ProcessType};

    use super::*;

    fn process(state: StateName) -> ProcessReport {
        ProcessReport {
            name: "main".into(),
            r#type: ProcessType::Rust,
            state,
            mode: Mode::Release,
            serving: state == StateName::Running,
            health: None,
            behind: None,
            run: None,
            pid: None,
            uptime_seconds: None,
            restarts: 0,
            crashes: 0,
            crashes_in_a_row: 0,
            next_attempt_in_seconds: None,
            connections: Connections::Own,
            connections_wait: false,
            status_text: None,
            last_exit: None,
            last_build: None,
            events: Vec::new(),
        }
    }

    fn status(processes: Vec<ProcessReport>, release_in_seconds: Option<f64>) -> StatusReport {
        StatusReport {
            project_dir: "/p".into(),
            version: "0.1.0".into(),
            url: String::new(),
            mode: match release_in_seconds {
                Some(_) => Mode::Dev,
                None => Mode::Release,
            },
            release_in_seconds,
            processes,
            config_error: None,
        }
    }

    #[test]
    fn processes_are_counted_by_what_they_do_and_the_end_of_dev_is_told() {
        let processes = [StateName::Building, StateName::Running, StateName::Running];
        let status = status(processes.map(process).into(), Some(7_790.3));
        assert_eq!(
            line(&status),
            "2 running, 1 building · dev, 2 h 10 min to release"
        );
    }

    #[test]
    fn who_serves_while_a_build_goes_on_runs() {
        let building = ProcessReport {
            serving: true,
            ..process(StateName::Building)
        };
        let stopped = process(StateName::Stopped);
        assert_eq!(
            line(&status(vec![building, stopped], None)),
            "1 running (1 building), 1 stopped · release"
        );
    }

    #[test]
    fn that_older_code_runs_is_said() {
        let behind = ProcessReport {
            behind: Some(Behind::BuildFailed),
            ..process(StateName::Running)
        };
        assert_eq!(
            line(&status(vec![behind], None)),
            "1 running · main: build failed, older code runs · release"
        );
    }

    #[test]
    fn a_configuration_that_was_refused_is_said() {
        let refused = StatusReport {
            config_error: Some("nonsense = 1".into()),
            ..status(vec![process(StateName::Running)], None)
        };
        assert_eq!(
            line(&refused),
            "1 running · the configuration is wrong, the one before holds · release"
        );
    }

    #[test]
    fn waits_are_rounded_up_to_what_people_say() {
        let waits = [0, 1, 60, 61, 3_600, 7_800, LONG, LONG + 1, 8 * DAY];
        assert_eq!(
            waits.map(wait),
            [
                "0 min",
                "1 min",
                "1 min",
                "2 min",
                "1 h",
                "2 h 10 min",
                "48 h",
                "2 d 1 h",
                "8 d 0 h"
            ]
        );
    }

    #[test]
    fn when_the_time_is_over_for_which_it_lasts_the_line_is_another_one() {
        for seconds in [
            0.2, 59.9, 60.0, 60.1, 61.0, 3_600.0, 7_790.3, 172_800.0, 172_801.0, 1e6,
        ] {
            let now = status(vec![], Some(seconds));
            let time = lasts(&now).unwrap().as_secs_f64();
            let after = |time: f64| line(&status(vec![], Some((seconds - time).max(0.0))));
            assert_ne!(after(time), line(&now), "{seconds}");
            assert_eq!(after(time - 0.2_f64.min(time)), line(&now), "{seconds}");
        }
        assert_eq!(lasts(&status(vec![], None)), None);
        assert_eq!(lasts(&status(vec![], Some(0.0))), None);
    }
}
