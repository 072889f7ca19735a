//! A report some time later, while nothing else has happened.

use crate::service::StatusReport;

/// The report, so many seconds later.
pub(super) fn aged(report: &StatusReport, seconds: f64) -> StatusReport {
    let mut report = report.clone();
    let less = |left: &mut Option<f64>| {
        if let Some(left) = left {
            *left = (*left - seconds).max(0.0);
        }
    };
    less(&mut report.release_in_seconds);
    for process in &mut report.processes {
        less(&mut process.next_attempt_in_seconds);
        if let Some(uptime) = &mut process.uptime_seconds {
            *uptime += seconds;
        }
        for event in &mut process.events {
            event.age_seconds += seconds;
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn ages_grow_and_waits_shrink_to_nothing() {
        let mut process = samples::process("main");
        process.next_attempt_in_seconds = Some(1.5);
        let report = aged(&samples::status(vec![process]), 2.0);
        let process = &report.processes[0];
        assert_eq!(report.release_in_seconds, Some(9_118.0));
        assert_eq!(process.next_attempt_in_seconds, Some(0.0));
        assert_eq!(process.uptime_seconds, Some(83.2));
        assert!((process.events[0].age_seconds - 83.2).abs() < 1e-9);
    }
}
