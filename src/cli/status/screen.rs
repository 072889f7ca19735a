//! A status as people read it.

use bpm_actors::report::{Behind, BuildOutcome, LastBuild, ProcessReport, StateName};

use crate::{
    cli::{
        console::Face,
        duration::short,
        harmless,
        paint::{Colours, Paint},
        table::{self, Cell},
        words::{count, word},
    },
    service::StatusReport,
};

const HEADS: [&str; 9] = [
    "NAME", "STATE", "MODE", "RUN", "PID", "UP", "RESTARTS", "CRASHES", "LAST",
];

/// The lines of a status.
pub(super) fn lines(report: &StatusReport, face: Face) -> Vec<String> {
    let mut rows = vec![HEADS.map(|head| Cell::new(Paint::Dim, head)).to_vec()];
    rows.extend(report.processes.iter().map(row));
    let mut table = table::lines(&rows, face).into_iter();
    let mut lines = vec![headline(report, face)];
    if let Some(error) = &report.config_error {
        let told = std::iter::once(".mcp-run is wrong, so an older one holds:");
        lines.extend(told.chain(error.lines()).map(|line| {
            let line = harmless::line(line, Colours::Off);
            face.colours.paint(Paint::Bad, &line)
        }));
    }
    lines.extend(table.next());
    for (process, line) in report.processes.iter().zip(table) {
        lines.push(line);
        for (paint, remark) in remarks(process) {
            let remark = format!("    {}", harmless::line(&remark, Colours::Off));
            let remark = face
                .width
                .map_or(remark.clone(), |it| table::cut(&remark, it));
            lines.push(face.colours.paint(paint, &remark));
        }
    }
    lines
}

fn headline(report: &StatusReport, face: Face) -> String {
    let project = harmless::line(&report.project_dir, Colours::Off);
    let project = face.colours.paint(Paint::Bold, &project);
    let release = report.release_in_seconds.map_or_else(String::new, |left| {
        if left > 0.0 {
            format!(", release in {}", short(left))
        } else {
            ", goes to release".to_owned()
        }
    });
    format!("{project}: {}{release}, {}", report.mode, report.url)
}

fn row(process: &ProcessReport) -> Vec<Cell> {
    let (symbol, paint) = symbol(process);
    let known = |value: Option<String>| Cell::plain(value.unwrap_or_else(|| "-".to_owned()));
    let crashes = match process.crashes {
        0 => Cell::plain("0"),
        some => Cell::new(Paint::Warning, some.to_string()),
    };
    let last = process.events.first().map_or_else(String::new, |event| {
        let text = harmless::line(&event.text, Colours::Off);
        format!(
            "{} ago: {} {text}",
            short(event.age_seconds),
            word(event.kind)
        )
    });
    vec![
        Cell::new(Paint::Bold, format!("{symbol} {}", process.name)),
        Cell::new(paint, state(process)),
        Cell::plain(process.mode.to_string()),
        known(process.run.map(|run| run.to_string())),
        known(process.pid.map(|pid| pid.to_string())),
        known(process.uptime_seconds.map(short)),
        Cell::plain(process.restarts.to_string()),
        crashes,
        Cell::plain(last),
    ]
}

fn symbol(process: &ProcessReport) -> (char, Paint) {
    match process.state {
        StateName::Running => ('▶', Paint::Good),
        StateName::Stopped => ('■', Paint::Warning),
        StateName::Building => ('◆', Paint::Busy),
        StateName::Proving => ('◇', Paint::Busy),
        StateName::Stopping => ('◌', Paint::Busy),
        StateName::BackingOff => ('✗', Paint::Bad),
    }
}

fn state(process: &ProcessReport) -> String {
    let state = word(process.state);
    match (process.state, process.next_attempt_in_seconds) {
        (StateName::BackingOff, Some(wait)) => format!("{state}, next in {}", short(wait)),
        (StateName::Building | StateName::Proving | StateName::Stopping, _) if process.serving => {
            format!("{state}, serving")
        }
        _ => state,
    }
}

/// What is worth a line of its own.
fn remarks(process: &ProcessReport) -> Vec<(Paint, String)> {
    let mut remarks = Vec::new();
    if let Some(behind) = process.behind {
        let text = match behind {
            Behind::BuildFailed => {
                "what serves is not the newest: the last attempt to build it failed"
            }
            Behind::RolledBack => "what serves is not the newest: that did not prove itself",
            Behind::SourcesChanged => {
                "sources were changed after it was built: bpm restart builds them"
            }
        };
        let paint = match behind {
            Behind::SourcesChanged => Paint::Warning,
            Behind::BuildFailed | Behind::RolledBack => Paint::Bad,
        };
        remarks.push((paint, text.to_owned()));
    }
    let failed = |build: &&LastBuild| build.outcome == BuildOutcome::Failed;
    if let Some(build) = process.last_build.as_ref().filter(failed) {
        let errors = count(build.errors as u64, "error", "errors");
        let name = &process.name;
        let text = format!(
            "build {} failed, {errors}: bpm logs {name} --build",
            build.id
        );
        remarks.push((Paint::Bad, text));
    }
    if let Some(exit) = process.last_exit.as_ref().filter(|_| !process.serving) {
        remarks.push((Paint::Bad, format!("run {} ended: {}", exit.run, exit.text)));
    }
    if process.connections_wait {
        let text = "nobody accepts now: connections wait".to_owned();
        remarks.push((Paint::Warning, text));
    }
    if let Some(text) = &process.status_text {
        remarks.push((Paint::Dim, format!("says: {text}")));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use bpm_actors::{
        ids::RunId,
        report::{EventKind, LastExit},
    };

    use super::*;
    use crate::cli::samples;

    fn every_state() -> StatusReport {
        let mut crashed = samples::process("worker");
        crashed.state = StateName::BackingOff;
        crashed.serving = false;
        crashed.health = None;
        (crashed.run, crashed.pid, crashed.uptime_seconds) = (None, None, None);
        crashed.crashes = 12;
        crashed.next_attempt_in_seconds = Some(2.5);
        crashed.last_exit = Some(LastExit {
            run: RunId(6),
            code: None,
            signal: Some(9),
            text: "signal 9 (SIGKILL)".to_owned(),
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
        });
        crashed.events[0].kind = EventKind::Crashed;
        crashed.events[0].text = "signal 9\x1b[2J (SIGKILL)".to_owned();
        let mut building = samples::process("web");
        building.state = StateName::Building;
        building.behind = Some(Behind::BuildFailed);
        building.status_text = Some("warming up".to_owned());
        building.connections_wait = true;
        if let Some(build) = &mut building.last_build {
            build.outcome = BuildOutcome::Failed;
            build.errors = 3;
        }
        let mut stopped = samples::process("db");
        stopped.state = StateName::Stopped;
        stopped.serving = false;
        stopped.last_build = None;
        stopped.events.clear();
        samples::status(vec![samples::process("main"), crashed, building, stopped])
    }

    #[test]
    fn every_state_is_shown_with_what_went_wrong() {
        insta::assert_snapshot!(lines(&every_state(), Face::PLAIN).join("\n"), @r#"
            /home/u/ganbot: dev, release in 2 h 32 m, http://localhost:3001/mcp
            NAME      STATE                       MODE  RUN  PID   UP        RESTARTS  CRASHES  LAST
            ▶ main    running                     dev   7    4711  1 m 21 s  3         1        1 m 21 s ago: restarted up (run 7, pid 4711, dev)
            ✗ worker  backing_off, next in 2.5 s  dev   -    -     -         3         12       1 m 21 s ago: crashed signal 9 (SIGKILL)
                run 6 ended: signal 9 (SIGKILL)
            ◆ web     building, serving           dev   7    4711  1 m 21 s  3         1        1 m 21 s ago: restarted up (run 7, pid 4711, dev)
                what serves is not the newest: the last attempt to build it failed
                build 9 failed, 3 errors: bpm logs web --build
                nobody accepts now: connections wait
                says: warming up
            ■ db      stopped                     dev   7    4711  1 m 21 s  3         1
            "#);
    }

    #[test]
    fn a_narrow_terminal_cuts_lines_and_colours_show_what_is_well() {
        let face = Face {
            colours: Colours::On,
            width: Some(40),
        };
        insta::assert_snapshot!(lines(&every_state(), face).join("\n").replace('\x1b', "ESC"), @r#"
            ESC[1m/home/u/ganbotESC[0m: dev, release in 2 h 32 m, http://localhost:3001/mcp
            ESC[2mNAMEESC[0m      ESC[2mSTATEESC[0m                       ESC[2mM…ESC[0m
            ESC[1m▶ mainESC[0m    ESC[32mrunningESC[0m                     d…
            ESC[1m✗ workerESC[0m  ESC[1;31mbacking_off, next in 2.5 sESC[0m  d…
            ESC[1;31m    run 6 ended: signal 9 (SIGKILL)ESC[0m
            ESC[1m◆ webESC[0m     ESC[36mbuilding, servingESC[0m           d…
            ESC[1;31m    what serves is not the newest: the …ESC[0m
            ESC[1;31m    build 9 failed, 3 errors: bpm logs …ESC[0m
            ESC[33m    nobody accepts now: connections waitESC[0m
            ESC[2m    says: warming upESC[0m
            ESC[1m■ dbESC[0m      ESC[33mstoppedESC[0m                     d…
            "#);
    }
}
